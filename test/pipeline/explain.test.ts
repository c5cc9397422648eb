import { expect, test } from 'vitest'
import { z } from 'zod'
import { count, decimal, hopping, max, pipeline, quantile, timestamp, topic, tumbling } from '../../src/index.ts'
import { checkPlan, formatFinding } from '../../src/plan/check.ts'
import { explain } from '../../src/plan/explain.ts'
import type { SinkReference, SourceReference } from '../../src/plan/nodes.ts'

const source: SourceReference = { kind: 'source', connector: 'file', options: {}, open: async () => null }
const sink: SinkReference = { kind: 'sink', connector: 'file', options: {}, open: async () => null }

const messages = topic(
  'messages',
  z.object({
    device: z.string(),
    at: timestamp('s'),
    price: decimal(5, 2).optional(),
    parts: z.array(z.object({ part: z.string(), weight: z.number() })),
  }),
  {
    key: 'device',
    eventTime: { field: 'at', disorder: '1.5 s', maxAhead: '1 h', idleAfter: '1 m' },
    partitions: 4,
    retention: { time: '7 d', size: '10 GB' },
  },
)
const unread = topic('unread', z.object({ id: z.string() }))
const revisions = topic('revisions')

const everything = pipeline('everything', { namespace: 'lab' }, ({ ingest, from, deliver, warehouse }) => {
  ingest(source, messages)
  ingest(source, unread)
  const parts = from(messages)
    .require('price')
    .dedupe({ key: ['device', 'at'], within: '1 h' })
    .explode('parts')
    .rename({ part: 'name' })
    .derive({ odd: r => Number([r.weight].map(w => w % 2)[0]) })
  const windows = parts
    .groupBy('device', 'name')
    .window(hopping({ size: '1 m', every: '15 s' }), { late: 'restate', allowedLateness: '1 d', early: '5 s' })
    .aggregate({ n: count(), heavy: quantile('weight', 0.9), latest: max('at') })
    .named('by-part')
  deliver(windows.to(revisions), sink)
  warehouse.table('LAB.PARTS').upserts(windows, { key: ['device', 'name', 'window_start'] })
  const totals = windows.finals().groupBy().window(tumbling('1 h'), { late: 'quarantine' }).aggregate({ n: count() })
  deliver(totals, sink)
})

test('every kind of step, explained', () => {
  expect(explain(everything.plan)).toMatchInlineSnapshot(`
    "pipeline everything, namespace lab, warehouse warehouse.duckdb

    topic messages <- file
    │  key: device; 4 partitions; kept 7 d; kept up to 10 GB
    │  event time: at (s); disorder 1500 ms; progress by partition; at most 1 h ahead; idle after 1 m
    │  every record takes the slow path: parts: it is an array
    │  columns: device text, at timestamp, price decimal(5, 2)?, parts json
    └─ require revisions/require-1
       │  not null: price
       └─ dedupe revisions/dedupe-1
          │  by device, at within 1 h
          │  goes by at of topic messages; disorder 1500 ms; progress by partition
          │  fingerprint: ea9980847202
          └─ explode revisions/explode-1
             │  a row of each element of parts
             │  columns: device text, at timestamp, price decimal(5, 2), part text, weight number
             └─ project revisions/project-1
                │  device, at, price, part as name, weight
                └─ derive revisions/derive-1
                   │  odd = (r) => Number([r.weight].map((w) => w % 2)[0])  [opaque: has a list whose elements are not all constants]
                   └─ window by-part
                      │  hopping 1 m every 15 s; by device, name; late rows: restate for 1 d; early results every 5 s
                      │  n = count()
                      │  heavy = quantile(weight, 0.9)
                      │  latest = max(at)
                      │  goes by at of topic messages; disorder 1500 ms; progress by partition
                      │  rows replace earlier ones by device, name, window_start
                      │  columns: device text, name text, n number, heavy number, latest timestamp, window_start timestamp, window_end timestamp, revision number, is_final boolean
                      │  fingerprint: 4c88316ccb55
                      ├─ finals file-2/finals-1
                      │  │  only the last word on each window
                      │  │  columns: device text, name text, n number, heavy number, latest timestamp, window_start timestamp, window_end timestamp
                      │  │  fingerprint: bf286d26c30c
                      │  └─ window file-2/window-1
                      │     │  tumbling 1 h; late rows: quarantine
                      │     │  n = count()
                      │     │  goes by at of topic messages, which is no column of its rows; disorder 1500 ms; progress by partition
                      │     │  rows are only added
                      │     │  columns: n number, window_start timestamp, window_end timestamp
                      │     │  fingerprint: d99d08a36c90
                      │     └─ -> file
                      ├─ -> topic revisions
                      │     columns: device text, name text, n number, heavy number, latest timestamp, window_start timestamp, window_end timestamp, revision number, is_final boolean
                      ├─ -> file
                      └─ -> table LAB.PARTS, upserts by device, name, window_start

    topic unread <- file
       1 partition
       no event time
       columns: id text"
  `)
})

test('a finding names its place first, then what to do', () => {
  const said = checkPlan(everything.plan).map(formatFinding)
  expect(said.map(text => text.replace(/^\/.*\/test\//, '').replace(/:\d+:\d+/, ''))).toMatchInlineSnapshot(`
    [
      "pipeline/explain.test.ts: warning LAMBDA_OPAQUE: 'odd' of revisions/derive-1 is called once a row: has a list whose elements are not all constants
      it runs here as it is, called once a row; to translate it, write it with operators, conditions, Math and the methods of texts and dates",
      "pipeline/explain.test.ts: note DECODE_SLOW: every record of topic 'messages' goes through JSON and zod one by one: parts: it is an array
      Objects, numbers, texts, booleans, enums and timestamps decode several times faster.",
    ]
  `)
})
