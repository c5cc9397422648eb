/** A series of the page is a map from times to values, in order. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Series } from '../../console/src/live/series.ts'

const point = fc.record({
  kind: fc.constant('put' as const),
  time: fc.integer({ min: 0, max: 400 }),
  value: fc.double(),
})
const forget = fc.record({ kind: fc.constant('forget' as const), time: fc.integer({ min: 0, max: 400 }) })

const pointsOf = (series: Series): [number, number][] =>
  Array.from({ length: series.length }, (_, at) => [
    series.times[series.begin + at]!,
    series.values[series.begin + at]!,
  ])

test('what is put and forgotten in any order is what a sorted map holds', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof({ weight: 9, arbitrary: point }, forget), { maxLength: 600 }), steps => {
      const series = new Series()
      const model = new Map<number, number>()
      for (const step of steps) {
        if (step.kind === 'put') {
          series.put(step.time, step.value)
          model.set(step.time, step.value)
        } else {
          series.forgetBefore(step.time)
          for (const time of model.keys()) if (time < step.time) model.delete(time)
        }
      }
      expect(pointsOf(series)).toEqual([...model].sort(([a], [b]) => a - b))
    }),
  )
})

test('a series that never ends keeps its newest points in bounded room', () => {
  const series = new Series()
  for (let time = 0; time < 50_000; time++) series.put(time, time * 2)
  expect(series.times.length).toBe(8_192)
  expect(series.newest_ms).toBe(49_999)
  expect(series.length).toBeGreaterThan(7_000)
  expect(pointsOf(series).every(([time, value], at, all) => value === time * 2 && time === all[0]![0] + at)).toBe(true)
  series.put(series.oldest_ms - 1, 0)
  expect(series.times.length).toBe(8_192)
})

test('a pause of three usual intervals is a gap', () => {
  const series = new Series()
  for (let at = 0; at < 40; at++) series.put(at * 2_000, 1)
  expect(series.gap_ms).toBe(6_000)
  const fast = new Series()
  for (let at = 0; at < 40; at++) fast.put(at * 20, 1)
  expect(fast.gap_ms).toBe(1_500)
})
