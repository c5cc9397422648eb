import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answers, openAnswers } from '../../bench/answers.ts'
import { input } from '../../bench/generate.ts'
import { measure } from '../../bench/measure.ts'

const BENCH = join(import.meta.dirname, '../../bench')

let folder: string
let answers: Answers
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  answers = await openAnswers()
})
afterAll(() => {
  answers.close()
  rmSync(folder, { recursive: true, force: true })
})

describe.each(['activity', 'temperature'])('%s', lane => {
  let path: string
  let results: string
  beforeAll(() => {
    path = input(lane, 5_000, folder)
    results = join(folder, `${lane}-results.ndjson`)
    execFileSync(process.execPath, [join(BENCH, 'by-hand.ts'), lane, path, results])
  })

  const changed = (change: (lines: string[]) => string[]) => {
    const other = join(folder, 'changed.ndjson')
    writeFileSync(other, change(readFileSync(results, 'utf8').trimEnd().split('\n')).join('\n'))
    return answers.check(lane, path, other)
  }

  test('the program by hand and the batch query agree', () => answers.check(lane, path, results))

  test('an answer that lacks a row, has one more, or differs in a digit does not count', async () => {
    await expect(changed(lines => lines.slice(1))).rejects.toThrow('differ from the batch answer')
    await expect(changed(lines => [...lines, lines[0]!])).rejects.toThrow('differ from the batch answer')
    await expect(changed(([first, ...rest]) => [first!.replace(/"n":(\d+)/, '"n":1$1'), ...rest])).rejects.toThrow(
      '1 rows differ',
    )
    await expect(
      changed(([first, ...rest]) => [first!.replace(/"avg(_magnitude)?":\d+\./, '$&9'), ...rest]),
    ).rejects.toThrow('1 rows differ')
  })

  test('an answer under other names does not count', async () => {
    await expect(changed(lines => lines.map(line => line.replace('"n":', '"count":')))).rejects.toThrow(
      'has the columns',
    )
  })

  test('the input is the same each time, with a twentieth held back', () => {
    const again = join(folder, 'again')
    expect(readFileSync(input(lane, 5_000, again), 'utf8')).toBe(readFileSync(path, 'utf8'))
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    expect(lines.length).toBe(5_000)
    expect(new Set(lines).size).toBe(5_000)
  })
})

test('the cost of a command holds that of what it starts', async () => {
  const busy = 'const end = process.cpuUsage().user + 200000; while (process.cpuUsage().user < end);'
  const nested = `require('node:child_process').execFileSync(process.execPath, ['-e', ${JSON.stringify(busy)}])`
  const cost = await measure([process.execPath, '-e', nested])
  expect(cost.cpu_s).toBeGreaterThanOrEqual(0.2)
  await expect(measure([process.execPath, '-e', 'console.error("broken"); process.exit(3)'])).rejects.toThrow(
    /ended with 3:\s+broken/,
  )
})
