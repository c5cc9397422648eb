/** A clock that is wrong, and a phone that was offline, spoil nothing but their own. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { average, count, hopping, pipeline, timestamp, topic } from '../../src/index.ts'
import type { SinkReference } from '../../src/plan/nodes.ts'
import { seededRandom } from '../../src/system/random.ts'
import { testPipeline } from '../../src/testing/index.ts'

const sink: SinkReference = { kind: 'sink', connector: 'rows', options: {}, open: async () => null }
const START = Date.parse('2026-11-22T05:00:00Z')

const readings = topic('readings', z.object({ phone: z.string(), at: timestamp('ms'), x: z.number() }), {
  key: 'phone',
  eventTime: { field: 'at', disorder: '5 s', progress: 'key' },
})

const tracker = pipeline('clocks', ({ from, deliver }) => {
  const windows = from(readings)
    .groupBy('phone')
    .window(hopping({ size: '10 s', every: '2 s' }))
    .aggregate({ n: count(), mean: average('x') })
  deliver(windows, sink)
})

interface Reading {
  readonly phone: string
  readonly at: number
  readonly x: number
  readonly arrives: number
}

const random = seededRandom(7)

/** Two hours of readings every half second or so, each up to 4 s late. */
const walk = (phone: string): Reading[] =>
  Array.from({ length: 2 * 3600 }, (_, second) => {
    const at = START + second * 1000 + random.integer(1000)
    return { phone, at, x: random.next(), arrives: at + random.integer(4000) }
  })

const byArrival = (...phones: Reading[][]) =>
  phones
    .flat()
    .sort((a, b) => a.arrives - b.arrives)
    .map(({ phone, at, x }) => ({ phone, at, x }))

const rowsOf = async (records: ReturnType<typeof byArrival>, phones: readonly string[]) => {
  const { rows, late } = await testPipeline(tracker, { inputs: { readings: records }, chunkBytes: 10_000 })
  const own = rows.rows!.filter(row => phones.includes(row.phone as string))
  return { late, rows: own.map(row => JSON.stringify(row)).sort() }
}

test('neighbours of a clock in 2099 and of a phone that was offline see nothing of them', async () => {
  const [first, second, offline, astray] = ['a', 'b', 'c', 'd'].map(walk) as [
    Reading[],
    Reading[],
    Reading[],
    Reading[],
  ]
  const alone = await rowsOf(byArrival(first, second), ['a', 'b'])
  const back = START + 5400_000
  const held = offline.map(reading =>
    // From 00:30 to 01:30 nothing gets through; then all of it comes at once, in the order in which it was read.
    reading.arrives < START + 1800_000 || reading.arrives > back ? reading : { ...reading, arrives: back },
  )
  const wrong = astray.map((reading, index) =>
    index > 600 && index < 700 ? { ...reading, at: reading.at + 73 * 365 * 86_400_000 } : reading,
  )
  const together = await rowsOf(byArrival(first, second, held, wrong), ['a', 'b'])
  expect(together.rows).toEqual(alone.rows)

  const inTime = await rowsOf(byArrival(offline), ['c'])
  const burst = await rowsOf(byArrival(first, second, held, wrong), ['c'])
  expect(burst.rows).toEqual(inTime.rows)
  // What the astray phone says after it came back from 2099 is late by its own clock, and by no other.
  expect(burst.late).toBe(lateOf(byArrival(wrong)))
  expect(burst.late).toBeGreaterThan(6000)
  expect(inTime.late).toBe(0)
  expect(alone.late).toBe(0)
})

/** The readings of one phone whose last window has ended by then. */
function lateOf(readings: readonly { readonly at: number }[]): number {
  let furthest = 0
  return readings.filter(({ at }) => {
    furthest = Math.max(furthest, at)
    return Math.floor(at / 2000) * 2000 + 10_000 <= furthest - 5000
  }).length
}
