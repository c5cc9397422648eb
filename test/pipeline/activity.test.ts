import { expect, test } from 'vitest'
import { z } from 'zod'
import { average, count, hopping, pipeline, timestamp, topic } from '../../src/index.ts'
import { checkPlan } from '../../src/plan/check.ts'
import { explain } from '../../src/plan/explain.ts'
import type { SourceReference } from '../../src/plan/nodes.ts'

const phones: SourceReference = { kind: 'source', connector: 'sensor-logger', options: {}, open: async () => null }

const readings = topic(
  'raw_sensor_data',
  z.object({
    sessionId: z.string(),
    deviceId: z.string(),
    name: z.string(),
    time: timestamp('ns'),
    values: z.object({ x: z.number(), y: z.number(), z: z.number() }),
  }),
  { key: 'deviceId', eventTime: { field: 'time', disorder: '5 s', progress: 'key' } },
)

const tracker = pipeline('activity-tracker', ({ ingest, from, warehouse }) => {
  ingest(phones, readings)
  const activity = from(readings)
    .filter(r => r.name === 'accelerometer')
    .derive({ magnitude: r => Math.sqrt(r.values.x ** 2 + r.values.y ** 2 + r.values.z ** 2) })
    .groupBy('sessionId', 'deviceId')
    .window(hopping({ size: '10 s', every: '2 s' }))
    .aggregate({ avg_magnitude: average('magnitude'), readings: count() })
    .derive(
      {
        activity_type: (r, $) =>
          r.avg_magnitude < $.walking ? 'Stationary' : r.avg_magnitude < $.running ? 'Walking' : 'Running',
      },
      { walking: 0.5, running: 2 },
    )
    .to(topic('processed_activity'))
  warehouse.table('RAW_DATA.ACTIVITY_RECORDS').appends(readings)
  warehouse
    .table('PROCESSED_DATA.USER_ACTIVITY_PROCESSED')
    .upserts(activity, { key: ['sessionId', 'deviceId', 'window_start'] })
})

test('the activity tracker, explained', () => {
  expect(explain(tracker.plan)).toMatchInlineSnapshot(`
    "pipeline activity-tracker, namespace default, warehouse warehouse.duckdb

    topic raw_sensor_data <- sensor-logger
    │  key: deviceId; 1 partition
    │  event time: time (ns); disorder 5 s; progress by key; idle after 10 s
    │  columns: sessionId text, deviceId text, name text, time timestamp, values.x number, values.y number, values.z number
    ├─ filter processed_activity/filter-1
    │  │  name === "accelerometer"
    │  └─ derive processed_activity/derive-1
    │     │  magnitude = Math.sqrt((((values.x ** 2) + (values.y ** 2)) + (values.z ** 2)))
    │     └─ window processed_activity/window-1
    │        │  hopping 10 s every 2 s; by sessionId, deviceId; late rows: drop
    │        │  avg_magnitude = average(magnitude)
    │        │  readings = count()
    │        │  goes by time of topic raw_sensor_data; disorder 5 s; progress by key
    │        │  rows are only added
    │        │  columns: sessionId text, deviceId text, avg_magnitude number, readings number, window_start timestamp, window_end timestamp
    │        │  fingerprint: 268cd8ddfcd5
    │        └─ derive processed_activity/derive-2
    │           │  activity_type = (avg_magnitude < 0.5) ? "Stationary" : ((avg_magnitude < 2) ? "Walking" : "Running")
    │           ├─ -> topic processed_activity
    │           │     columns: sessionId text, deviceId text, avg_magnitude number, readings number, window_start timestamp, window_end timestamp, activity_type text
    │           └─ -> table PROCESSED_DATA.USER_ACTIVITY_PROCESSED, upserts by sessionId, deviceId, window_start
    └─ -> table RAW_DATA.ACTIVITY_RECORDS, appends"
  `)
})

test('there is nothing to say against it', () => {
  expect(checkPlan(tracker.plan)).toEqual([])
})

test('what the sinks guarantee stands beside them', () => {
  const guarantees = new Map(tracker.plan.delivers.map(deliver => [deliver, 'Exactly once.']))
  expect(explain(tracker.plan, { guarantees }).match(/-> table .*\n.*Exactly once\./g)).toHaveLength(2)
})

test('the plan is frozen, and its texts know their labels', () => {
  const { plan } = tracker
  expect([plan, plan.topics, plan.delivers[0], plan.produces[0]?.stream].every(Object.isFrozen)).toBe(true)
  const { columns } = plan.produces[0]!.stream
  expect(columns.at(-1)).toMatchObject({ name: 'activity_type', labels: ['Stationary', 'Walking', 'Running'] })
})
