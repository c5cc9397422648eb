/** Whose event time a step goes by: said by the plan, and never another one without a word. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { count, pipeline, timestamp, topic, tumbling } from '../../src/index.ts'
import { checkPlan } from '../../src/plan/check.ts'
import { explain } from '../../src/plan/explain.ts'
import type { SinkReference } from '../../src/plan/nodes.ts'
import { testPipeline } from '../../src/testing/index.ts'

const sink: SinkReference = { kind: 'sink', connector: 'rows', options: {}, open: async () => null }
const seen = topic('a', z.object({ k: z.string(), seen: timestamp('s'), happened: timestamp('s') }), {
  eventTime: { field: 'seen' },
})
const happened = topic('b', z.object({ k: z.string(), happened: timestamp('us') }), {
  eventTime: { field: 'happened' },
})

test('what goes on behind .to(topic) goes by the event time of that topic', async () => {
  const sent = pipeline('to', ({ from, deliver }) => {
    const windows = from(seen)
      .select('k', 'happened')
      .to(happened)
      .groupBy('k')
      .window(tumbling('10 s'))
      .aggregate({ n: count() })
    deliver(windows, sink)
  })
  expect(explain(sent.plan)).toContain('goes by happened of topic b; disorder 0 s; progress by partition')
  const record = (seen_s: number, happened_s: number) => ({ k: 'x', seen: seen_s, happened: happened_s })
  const { rows } = await testPipeline(sent, { inputs: { a: [record(1, 3), record(2, 14), record(3, 25)] } })
  expect(rows.rows!.map(row => (row.window_start as number) / 1e6)).toEqual([0, 10, 20])
})

test('a window whose event time is no column of its rows says so', () => {
  const parts = topic('parts', z.object({ at: timestamp('s'), parts: z.array(z.object({ time: timestamp('s') })) }), {
    eventTime: { field: 'at' },
  })
  const { plan } = pipeline('hidden', ({ from, deliver }) => {
    const windows = from(parts)
      .explode('parts')
      .select('time')
      .groupBy()
      .window(tumbling('10 s'))
      .aggregate({ n: count() })
    deliver(windows, sink)
  })
  expect(explain(plan)).toContain('goes by at of topic parts, which is no column of its rows')
  const found = checkPlan(plan).find(({ code }) => code === 'EVENT_TIME_HIDDEN')
  expect(found).toMatchObject({ severity: 'note' })
  expect(found!.wayOut).toContain(".to(topic('parts', schema, { eventTime: { field: 'at' } }))")
})
