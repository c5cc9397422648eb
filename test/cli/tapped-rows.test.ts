/** Rows that a tap shows have the digits that they came with. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { TappedRows } from '../../src/cli/tapped-rows.ts'
import { styleFor, type Terminal } from '../../src/cli/terminal.ts'
import { batchOf } from '../../src/engine/batch.ts'
import { decimal, pipeline, topic } from '../../src/index.ts'
import { parseExact, rawNumber } from '../../src/plan/json-text.ts'

const amounts = topic('amounts', z.object({ id: z.int64(), amount: decimal(18, 4), other: z.unknown() }))
const { plan } = pipeline('amounts', ({ from }) => {
  from(amounts).to(topic('copies'))
})
const stage = plan.produces[0]!.stream

async function shown(json: boolean): Promise<string> {
  const lines: string[] = []
  const print = async (line: string) => {
    lines.push(line)
  }
  const rows = new TappedRows(stage, 0, json, { print, style: styleFor({ isTTY: false }, {}) } as Terminal)
  const other = parseExact('{"n":12345678901234567828}')
  rows.add(batchOf(stage.columns, [{ id: 9007199254740993n, amount: rawNumber('12345678901234.5678'), other }]))
  await rows.show()
  return lines.join('\n')
}

test.each([false, true])('json: %s', async json => {
  const text = await shown(json)
  for (const digits of ['9007199254740993', '12345678901234.5678', '12345678901234567828']) {
    expect(text).toContain(digits)
  }
})
