/** Texts of which JavaScript and SQL make different things: then nothing is claimed, and no row is called wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import { pipeline, topic } from '../../src/index.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { runOptions } from '../runtime/runs.ts'
import { verdictOf } from './ran.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-odd-texts-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const texts = topic('texts', z.object({ text: z.string() }))

test.each([
  ['upper', 'Straße', true],
  ['lower', 'İstanbul', true],
  ['lower', 'ΑΣ', true],
  ['sliced', 'a😀b', true],
  ['padded', '😀b', true],
  ['number', '0x1f', true],
  ['upper', 'Zürich', false],
  ['lower', 'ÅNGSTRÖM', false],
  ['sliced', 'Zürich', false],
  ['number', '31', false],
] as const)('%s of %s', async (name, text, isOdd) => {
  writeFileSync(join(folder, 'in.ndjson'), `${JSON.stringify({ text: 'plain' })}\n${JSON.stringify({ text })}\n`)
  const built = pipeline('odd', ({ ingest, from, warehouse }) => {
    ingest(file({ path: join(folder, 'in.ndjson') }), texts)
    warehouse
      .table('ROWS')
      .appends(
        name === 'upper'
          ? from(texts).derive({ made: r => r.text.toUpperCase() })
          : name === 'lower'
            ? from(texts).derive({ made: r => r.text.toLowerCase() })
            : name === 'sliced'
              ? from(texts).derive({ made: r => r.text.slice(1, 3) })
              : name === 'padded'
                ? from(texts).derive({ made: r => r.text.padStart(5, '*') })
                : (from(texts).derive({ made: r => Number(r.text) }) as never),
      )
  })
  await runPipeline(built.plan, runOptions(join(folder, 'data'), { untilEnd: true }))
  const { differing, notCompared } = await verdictOf(built, join(folder, 'data'))
  expect({ differing, isCompared: notCompared.length === 0 }).toEqual({ differing: [], isCompared: !isOdd })
})
