/** What becomes of records that are late, partly late or repeated: counted by topic and step, and kept where that is asked. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { count, hopping, pipeline, timestamp, topic, tumbling } from '../../src/index.ts'
import type { SinkReference } from '../../src/plan/nodes.ts'
import { testPipeline } from '../../src/testing/index.ts'

const sink: SinkReference = { kind: 'sink', connector: 'rows', options: {}, open: async () => null }
const readings = (disorder: '0 s' | '5 s') =>
  topic('readings', z.object({ device: z.string(), at: timestamp('s') }), {
    key: 'device',
    eventTime: { field: 'at', disorder },
  })
const at = (second: number, device = 'a') => ({ device, at: second })

test('a late record behind a topic that a stream is sent to is kept, with that topic and its offset', async () => {
  const { deadLetters, late } = await testPipeline(
    pipeline('derived', ({ from, deliver }) => {
      const copies = topic('copies', z.object({ device: z.string(), at: timestamp('us'), twice: z.string() }), {
        eventTime: { field: 'at' },
      })
      from(readings('5 s'))
        .derive({ twice: row => `${row.device}${row.device}` })
        .to(copies)
      const windows = from(copies)
        .groupBy('device')
        .window(tumbling('10 s'), { late: 'quarantine' })
        .aggregate({ n: count() })
      deliver(windows, sink)
    }),
    { inputs: { readings: [at(1), at(25), at(3), at(26), at(4)] } },
  )
  expect(late).toBe(2)
  expect(deadLetters).toMatchObject([
    { topic: 'copies', code: 'RECORD_LATE', partition: 0, position: 2, source: 'copies' },
    { topic: 'copies', code: 'RECORD_LATE', partition: 0, position: 4, source: 'copies' },
  ])
  const bytes = (deadLetters[0] as unknown as { bytes: Uint8Array }).bytes
  expect(JSON.parse(Buffer.from(bytes).toString())).toMatchObject({ device: 'a', twice: 'aa' })
})

test('a record that is late for some of its windows is counted apart', async () => {
  const overlapping = pipeline('hops', ({ from, deliver }) => {
    const windows = from(readings('0 s'))
      .groupBy('device')
      .window(hopping({ size: '10 s', every: '5 s' }))
      .aggregate({ n: count() })
    deliver(windows, sink)
  })
  // At 12 the window [0, 10) is over: the record at 7 counts in [5, 15) alone, the one at 2 nowhere.
  const { late, partlyLate, rows } = await testPipeline(overlapping, {
    inputs: { readings: [at(12), at(7), at(2), at(13)] },
  })
  expect({ late, partlyLate }).toEqual({ late: 1, partlyLate: 1 })
  expect(rows.rows!.map(({ n }) => n)).toEqual([3, 2])
})

describe('a repeat at exactly the time within which dedupe looks', () => {
  test.each(['0 s', '5 s'] as const)('is one with a disorder of %s, and is counted', async disorder => {
    const once = pipeline('once', ({ from, deliver }) => {
      deliver(from(readings(disorder)).dedupe({ key: ['device'], within: '10 s' }), sink)
    })
    const { rows, repeats } = await testPipeline(once, {
      inputs: { readings: [at(0), at(10), at(11), at(21), at(40), at(50), at(51)] },
      chunkBytes: 1,
    })
    expect(rows.rows!.map(row => (row.at as number) / 1e6)).toEqual([0, 11, 40, 51])
    expect(repeats).toBe(3)
  })
})
