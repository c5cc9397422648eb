import { expect, test } from 'vitest'
import { Notices, ProgressLines } from '../../src/cli/progress.ts'
import { styleFor } from '../../src/cli/terminal.ts'
import type { SinkBehind } from '../../src/runtime/options.ts'

const RED = '\u001b[31m'

test('why nothing is taken in stands in red below the rates, with what to do, as long as it is so', () => {
  const lines = new ProgressLines(styleFor({ isTTY: true }, {}), false)
  const progress = {
    elapsed_ms: 1000,
    epoch: 1,
    held: { code: 'LOG_FULL', message: 'The disk is full.', next: 'Make room.' },
    warnings: [],
    newRecords: 0,
    steps: [],
    topics: [
      {
        topic: 'a',
        records: 1,
        bytes: 1,
        bytesTotal: null,
        deadLetters: 0,
        rejected: 0,
        duplicates: 0,
        late: 0,
        partly_late: 0,
        repeats: 0,
        undeclared_fields: [],
        watermark: null,
      },
    ],
    outputs: [],
  }
  const held = lines.lines(progress)
  expect(held.at(-2)).toContain(`${RED}LOG_FULL: The disk is full.`)
  expect(held.at(-1)).toContain('Make room.')
  expect(lines.lines({ ...progress, elapsed_ms: 2000, held: null }).join('\n')).not.toContain('LOG_FULL')
})

test('warnings are told once; where nobody looks at live lines so is when it holds and goes on', () => {
  const plain = styleFor({}, {})
  const warning = { code: 'SOURCE_DAMAGED', message: 'A block is damaged.', next: 'Look at it.' }
  const held = { code: 'LOG_FULL', message: 'The disk is full.', next: 'Make room.' }
  const notices = new Notices(plain, false)
  expect(notices.lines({ warnings: [warning], outputs: [], held: null })).toEqual([
    'SOURCE_DAMAGED: A block is damaged.',
    '  next: Look at it.',
  ])
  expect(notices.lines({ warnings: [warning], outputs: [], held })).toEqual([
    'LOG_FULL: The disk is full.',
    '  next: Make room.',
  ])
  expect(notices.lines({ warnings: [warning], outputs: [], held })).toEqual([])
  expect(notices.lines({ warnings: [warning], outputs: [], held: null })).toEqual(['it goes on'])
  expect(new Notices(plain, true).lines({ warnings: [], outputs: [], held })).toEqual([])
})

const FULL = { code: 'WAREHOUSE_FAILED', message: 'No room is left.', next: 'Make room.' }
const GONE = { code: 'FILE_UNWRITABLE', message: 'The folder is gone.', next: 'Make it again.' }
const reportOf = (behind: SinkBehind | null) => ({
  elapsed_ms: 1000,
  epoch: 1,
  held: null,
  warnings: [],
  newRecords: 0,
  steps: [],
  topics: [],
  outputs: [
    { output: 'A', rows: 7, behind: null },
    { output: 'ROOM.COUNTS', rows: 1234, behind },
  ],
})

test('sinks that are behind stand below the outputs: red those that fail, yellow those that are slow', () => {
  const lines = new ProgressLines(styleFor({ isTTY: true }, {}), false)
  expect(lines.lines(reportOf({ rows: 1234, error: FULL })).at(-1)).toBe(
    `     ${RED}ROOM.COUNTS takes no rows: 1,234 rows behind\u001b[39m`,
  )
  expect(lines.lines(reportOf({ rows: 1, error: null })).at(-1)).toBe(
    '     \u001b[33mROOM.COUNTS: 1 row behind\u001b[39m',
  )
  expect(lines.lines(reportOf(null)).join()).not.toContain('behind')
})

test.each([true, false])('a sink that fails is told once, and once when it has everything (live lines: %s)', isLive => {
  const notices = new Notices(styleFor({}, {}), isLive)
  const said = (behind: SinkBehind | null) => notices.lines(reportOf(behind))
  expect(said({ rows: 5, error: null })).toEqual([])
  expect(said(null)).toEqual([])
  const failing = [
    'WAREHOUSE_FAILED: ROOM.COUNTS takes no rows just now: No room is left.',
    '  what it lacks is kept for it (9 rows); everything else goes on',
    '  next: Make room.',
  ]
  expect(said({ rows: 9, error: FULL })).toEqual(failing)
  expect(said({ rows: 10, error: FULL })).toEqual([])
  // It is tried again, and fails again: nothing new, unless with something else.
  expect(said({ rows: 10, error: null })).toEqual([])
  expect(said({ rows: 11, error: FULL })).toEqual([])
  expect(said({ rows: 12, error: GONE })[0]).toBe(
    'FILE_UNWRITABLE: ROOM.COUNTS takes no rows just now: The folder is gone.',
  )
  expect(said({ rows: 12, error: FULL })).toEqual([])
  expect(said({ rows: 3, error: null })).toEqual([])
  expect(said(null)).toEqual(['ROOM.COUNTS has all its rows again'])
  expect(said(null)).toEqual([])
  expect(said({ rows: 9, error: FULL })).toEqual(failing)
})
