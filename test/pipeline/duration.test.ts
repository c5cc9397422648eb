import { describe, expect, test } from 'vitest'
import { hopping, MillraceError, tumbling } from '../../src/index.ts'
import { bytesOf, type Duration, formatDuration, microsecondsOf } from '../../src/plan/duration.ts'

test.each([
  ['500 ms', 500_000],
  ['10 s', 10_000_000],
  ['15 m', 900_000_000],
  ['1 h', 3_600_000_000],
  ['2 d', 172_800_000_000],
  ['0.1 s', 100_000],
  ['1.001 ms', 1_001],
  ['010 s', 10_000_000],
])('%s', (text, expected) => {
  expect(microsecondsOf(text, 'size')).toBe(expected)
})

test.each([
  '-10 s',
  '+1 s',
  '1e3 s',
  '0x10 s',
  'Infinity s',
  'NaN s',
  '10s',
  '10  s',
  ' 10 s',
  '10 S',
  '10 sec',
  '1 w',
  '',
  '.5 s',
  '5. s',
  '1_000 s',
  '0.0001 ms',
  '0 s',
  '400000 d',
  10,
  null,
  undefined,
])('%s is refused', text => {
  expect(() => microsecondsOf(text as string, 'size')).toThrow(expect.objectContaining({ code: 'DURATION_INVALID' }))
})

test('zero is a duration only where that has a meaning', () => {
  expect(microsecondsOf('0 s', 'disorder', 'zero')).toBe(0)
  expect(() => tumbling('0 s')).toThrow(`tumbling: "0 s" must be longer than nothing`)
})

test.each([
  [0, '0 s'],
  [1, '1 us'],
  [1_500, '1500 us'],
  [1_500_000, '1500 ms'],
  [90_000_000, '90 s'],
  [86_400_000_000, '1 d'],
])('%i us is shown as %s', (microseconds, text) => {
  expect(formatDuration(microseconds)).toBe(text)
})

describe('windows', () => {
  test('in microseconds', () => {
    expect(tumbling('15 m')).toEqual({ size_us: 900_000_000, every_us: 900_000_000 })
    expect(hopping({ size: '10 s', every: '3 s' })).toEqual({ size_us: 10_000_000, every_us: 3_000_000 })
  })

  test('with a step longer than their size are refused', () => {
    const gaps = () => hopping({ size: '2 s', every: '10 s' })
    expect(gaps).toThrow(MillraceError)
    expect(gaps).toThrow("hopping: every '10 s' is longer than size '2 s'")
  })

  test('of far too many panes are refused', () => {
    expect(hopping({ size: '1 d', every: '1 s' }).every_us).toBe(1_000_000)
    expect(() => hopping({ size: '10 s', every: '3.333333 s' })).toThrow(
      "hopping: size '10 s' and every '3.333333 s' have no common part longer than 1 us, which makes 10000000 panes a window",
    )
  })

  test('with a misspelt part name it', () => {
    expect(() => hopping({ size: '2 s', every: '-1 s' as Duration })).toThrow('hopping every: "-1 s" is not a duration')
  })
})

test('sizes', () => {
  expect(bytesOf('1.5 GB', 'size')).toBe(1_500_000_000)
  for (const size of ['1.5GB', '-1 GB', '0 MB', '1 GiB', '1e3 MB']) {
    expect(() => bytesOf(size, 'size')).toThrow(expect.objectContaining({ code: 'PIPELINE_INVALID' }))
  }
})
