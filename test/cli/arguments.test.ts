import { describe, expect, test } from 'vitest'
import { type CommandDescription, durationOf_ms, parseArguments } from '../../src/cli/arguments.ts'
import { exitCodeOf } from '../../src/cli/exit-codes.ts'
import { ERRORS, type ErrorCode, MillraceError } from '../../src/system/errors.ts'

const command: CommandDescription = {
  name: 'sample',
  summary: '',
  positionals: [
    { name: 'FILE', help: 'a file' },
    { name: 'STAGE', help: 'a stage', optional: true },
  ],
  options: {
    input: { kind: 'list', value: 'TOPIC=FILE', help: '' },
    'until-end': { kind: 'flag', help: '' },
    for: { kind: 'duration', value: '30s', help: '' },
    workers: { kind: 'whole', minimum: 1, help: '' },
    rate: { kind: 'choice', choices: ['realtime', 'max'], help: '' },
    profile: { kind: 'text', help: '' },
  },
  exclusive: [['until-end', 'for']],
  examples: [],
  load: () => Promise.reject(new Error('not run')),
}

const parse = (...words: string[]) => parseArguments(command, words)

function refusal(...words: string[]): string {
  try {
    parse(...words)
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError)
    expect(exitCodeOf(error)).toBe(2)
    return (error as MillraceError).message
  }
  throw new Error(`accepted: ${words.join(' ')}`)
}

test('positionals, flags and values in any order and in both forms', () => {
  const values = parse('--input', 'a=1', 'pipeline.ts', '--for=1.5m', '--input=b=x=y', 'stage', '--workers', '2')
  expect(values.required('FILE')).toBe('pipeline.ts')
  expect(values.optional('STAGE')).toBe('stage')
  expect(values.list('input')).toEqual(['a=1', 'b=x=y'])
  expect(values.duration_ms('for')).toBe(90_000)
  expect(values.whole('workers')).toBe(2)
  expect(values.flag('until-end')).toBe(false)
  expect(values.text('profile')).toBeNull()
  expect(parse('f').optional('STAGE')).toBeNull()
})

describe('a wrong word is answered with what would be right', () => {
  test.each([
    [['f', '--untilend'], "'millrace sample' knows no option --untilend; did you mean --until-end?"],
    [['f', '--constructor'], "'millrace sample' knows no option --constructor"],
    [['f', '-x'], "'millrace sample' knows no option -x"],
    [[], 'FILE is missing: a file'],
    [['f', 's', 't'], "'t' is one word too many"],
    [['f', '--input'], '--input needs a value: --input TOPIC=FILE'],
    [['f', '--profile='], '--profile needs a value: --profile VALUE'],
    [['f', '--until-end=yes'], '--until-end takes no value'],
    [['f', '--for', 'soon'], "--for needs a duration such as 500ms, 30s, 10m or 2h, not 'soon'"],
    [['f', '--workers', '0'], "--workers needs a whole number of at least 1, not '0'"],
    [['f', '--workers', '1e3'], "--workers needs a whole number of at least 1, not '1e3'"],
    [['f', '--rate', 'reltime'], "--rate is one of realtime, max, not 'reltime'; did you mean realtime?"],
    [['f', '--profile', 'a', '--profile', 'b'], '--profile is given twice'],
    [['f', '--until-end', '--for', '3s'], '--until-end and --for exclude each other'],
  ])('%j', (words, message) => {
    expect(refusal(...words)).toBe(message)
  })
})

test.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['30 s', 30_000],
  ['10m', 600_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['0.5s', 500],
  ['30', null],
  ['-3s', null],
  ['s', null],
])('the duration %s', (text, expected) => {
  expect(durationOf_ms(text)).toBe(expected)
})

test('exit codes say whose fault it is', () => {
  const codeOf = (code: ErrorCode) => exitCodeOf(new MillraceError(code, ''))
  expect(codeOf('OPTION_UNKNOWN')).toBe(2)
  expect(codeOf('TOPIC_UNKNOWN')).toBe(2)
  expect(codeOf('PIPELINE_INVALID')).toBe(3)
  expect(codeOf('RECORD_INVALID')).toBe(3)
  expect(codeOf('FILE_UNREADABLE')).toBe(4)
  expect(codeOf('INTERNAL')).toBe(70)
  expect(exitCodeOf(new TypeError('a bug'))).toBe(70)
  for (const code of Object.keys(ERRORS) as ErrorCode[]) expect([2, 3, 4, 6, 70]).toContain(codeOf(code))
})
