import { describe, expect, test } from 'vitest'
import { ProgressLines } from '../../src/cli/progress.ts'
import {
  bytesText,
  cellText,
  elapsedText,
  grouped,
  jsonText,
  rowTable,
  short,
  styleFor,
  tableLines,
  timeText,
} from '../../src/cli/terminal.ts'
import type { RunProgress } from '../../src/runtime/options.ts'

const plain = styleFor({ isTTY: false }, {})

describe('colours', () => {
  test('only on a terminal, and never against NO_COLOR', () => {
    expect(styleFor({ isTTY: true }, {}).red('x')).toBe('\u001b[31mx\u001b[39m')
    expect(styleFor({ isTTY: true }, { NO_COLOR: '1' }).red('x')).toBe('x')
    expect(styleFor({ isTTY: true }, { TERM: 'dumb' }).red('x')).toBe('x')
    expect(plain.red('x')).toBe('x')
    expect(styleFor({ isTTY: false }, { FORCE_COLOR: '1' }).red('x')).toBe('\u001b[31mx\u001b[39m')
  })
})

describe('tables', () => {
  test('columns are aligned, numbers to the right, null is empty', () => {
    const rows = [
      { name: 'a', n: 1, note: null },
      { name: 'long', n: 1234.5, note: { x: 1 } },
    ]
    expect(rowTable(['name', 'n', 'note'], rows, plain)).toEqual([
      'name       n  note',
      'a          1',
      'long  1234.5  {"x":1}',
    ])
  })

  test('what is cut keeps its colours and ends them', () => {
    const red = styleFor({ isTTY: true }, {})
    const [, line] = tableLines([{ title: 'a' }], [[red.red('x'.repeat(80))]], plain)
    expect(line).toBe(`\u001b[31m${'x'.repeat(59)}\u001b[39m…`)
  })

  test('colours take no room, line feeds do not break a line, long cells are cut', () => {
    const red = styleFor({ isTTY: true }, {})
    const lines = tableLines(
      [{ title: 'a' }, { title: 'b' }],
      [
        [red.red('x'), 'y\nz'],
        ['wide', 'w'.repeat(80)],
      ],
      plain,
    )
    expect(lines[1]).toBe(`${red.red('x')}     y z`)
    expect(lines[2]).toBe(`wide  ${'w'.repeat(59)}…`)
  })
})

test('numbers, sizes and times as people read them', () => {
  expect([0, 999, 1000, 1234567].map(grouped)).toEqual(['0', '999', '1,000', '1,234,567'])
  expect([950, 12_345, 2_310_000, 4e9].map(short)).toEqual(['950', '12.3 k', '2.31 M', '4.00 G'])
  expect([17, 1700, 682449684].map(bytesText)).toEqual(['17 B', '1.70 kB', '682 MB'])
  expect([2400, 95_000, 3_725_000].map(elapsedText)).toEqual(['2.4 s', '1:35', '1:02:05'])
  expect(timeText(1698501145527000)).toBe('2023-10-28T13:52:25.527Z')
  expect(timeText(1698501145527001)).toBe('2023-10-28T13:52:25.527001Z')
  expect(timeText(1698501145000000)).toBe('2023-10-28T13:52:25Z')
  expect(timeText(-1)).toBe('1969-12-31T23:59:59.999999Z')
  expect(cellText(0.1 + 0.2)).toBe('0.3')
  expect(cellText(1234567890.12)).toBe('1234567890.12')
  expect(jsonText({ a: 1n, b: 2n ** 60n })).toBe('{"a":1,"b":"1152921504606846976"}')
})

describe('progress', () => {
  const report = (elapsed_ms: number, records: number, bytes: number, bytesTotal: number | null): RunProgress => ({
    elapsed_ms,
    epoch: 0,
    held: null,
    warnings: [],
    newRecords: 0,
    steps: [],
    topics: [
      {
        topic: 'readings',
        records,
        bytes,
        bytesTotal,
        deadLetters: 0,
        rejected: 0,
        duplicates: 0,
        late: 0,
        partly_late: 0,
        repeats: 0,
        undeclared_fields: [],
        watermark: 1698501145527000,
      },
    ],
    outputs: [{ behind: null, output: 'results', rows: 5 }],
  })

  test('a bar with rate and time left where the end is known', () => {
    const lines = new ProgressLines(plain, true)
    lines.lines(report(1000, 1000, 100_000, 1_000_000))
    expect(lines.lines(report(2000, 3000, 300_000, 1_000_000))).toEqual([
      `readings  ${'█'.repeat(7)}${'░'.repeat(17)}  30 % · 300 kB of 1.00 MB · 2,000 records/s · 3.5 s left`,
      '  -> results 5',
    ])
  })

  test('records, rate and event time where it is not', () => {
    const lines = new ProgressLines(plain, false)
    lines.lines(report(1000, 1000, 0, 1000))
    expect(lines.lines(report(3000, 1500, 1000, 1000))[0]).toBe(
      'readings  1,500 records · 250/s · event time 2023-10-28T13:52:25Z',
    )
  })
})
