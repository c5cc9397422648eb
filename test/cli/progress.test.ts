import { expect, test } from 'vitest'
import { Notices, ProgressLines } from '../../src/cli/progress.ts'
import { styleFor } from '../../src/cli/terminal.ts'

const RED = '\u001b[31m'

test('why nothing is taken in stands in red below the rates, with what to do, as long as it is so', () => {
  const lines = new ProgressLines(styleFor({ isTTY: true }, {}), false)
  const progress = {
    elapsed_ms: 1000,
    epoch: 1,
    held: { code: 'LOG_FULL', message: 'The disk is full.', next: 'Make room.' },
    warnings: [],
    steps: [],
    topics: [{ topic: 'a', records: 1, bytes: 1, bytesTotal: null, deadLetters: 0, late: 0, watermark: null }],
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
  expect(notices.lines({ warnings: [warning], held: null })).toEqual([
    'SOURCE_DAMAGED: A block is damaged.',
    '  next: Look at it.',
  ])
  expect(notices.lines({ warnings: [warning], held })).toEqual(['LOG_FULL: The disk is full.', '  next: Make room.'])
  expect(notices.lines({ warnings: [warning], held })).toEqual([])
  expect(notices.lines({ warnings: [warning], held: null })).toEqual(['it goes on'])
  expect(new Notices(plain, true).lines({ warnings: [], held })).toEqual([])
})
