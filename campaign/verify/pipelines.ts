/** Ten pipelines over the same readings, that together have every kind of step and output that is verified. */
import { z } from 'zod'
import { file } from '../../src/connectors/file/index.ts'
import {
  average,
  count,
  deviation,
  distinct,
  first,
  hopping,
  last,
  max,
  min,
  type Pipeline,
  pipeline,
  quantile,
  sum,
  timestamp,
  topic,
  tumbling,
} from '../../src/index.ts'
import type { Random } from '../../src/system/random.ts'

const item = z.object({ name: z.string(), amount: z.number() })
const schema = z.object({
  sensor: z.string(),
  at: timestamp('ms'),
  level: z.number().nullable(),
  state: z.enum(['on', 'off']),
  good: z.boolean(),
})

type Field = keyof typeof schema.shape

/** A topic of readings; by key or by partition, as its pipeline says. */
const readings = (progress: 'key' | 'partition') =>
  topic('readings', schema, { key: 'sensor', eventTime: { field: 'at', disorder: '2 s', progress } })

const orders = topic('readings', schema.extend({ items: z.array(item), more: z.unknown() }), {
  key: 'sensor',
  eventTime: { field: 'at', disorder: '2 s' },
})

const small = topic(
  'small',
  z.object({ sensor: z.string(), n: z.number(), mean: z.number().nullable(), at: timestamp('us') }),
  { key: 'sensor', eventTime: { field: 'at', disorder: '5 s', progress: 'key' } },
)

export const PIPELINES: readonly Pipeline[] = [
  pipeline('rows', ({ from, warehouse, deliver }) => {
    const rows = from(readings('partition'))
    warehouse.table('RAW').appends(rows)
    const derived = rows
      .filter(r => r.good)
      .derive({ sine: r => Math.sin(r.level ?? 0), label: r => `${r.sensor}/${r.state}` })
    warehouse.table('DERIVED').appends(derived)
    deliver(derived, file({ path: 'derived.ndjson' }))
  }),
  pipeline('windows', ({ from, warehouse, deliver }) => {
    const windows = from(readings('partition'))
      .groupBy('sensor')
      .window(tumbling('5 s'))
      .aggregate({
        n: count(),
        total: sum('level'),
        mean: average('level'),
        spread: deviation('level'),
        states: distinct('state'),
      })
    warehouse.table('WINDOWS').upserts(windows, { key: ['sensor', 'window_start'] })
    warehouse.table('MEANS').appends(windows.select('sensor', 'mean', 'spread', 'n'))
    deliver(windows.select('window_start', 'mean'), file({ path: 'means.csv' }))
  }),
  pipeline('hopping', ({ from, deliver }) => {
    const windows = from(readings('key'))
      .groupBy('sensor')
      .window(hopping({ size: '8 s', every: '2 s' }))
      .aggregate({
        least: min('level'),
        most: max('level'),
        middle: quantile('level', 0.5),
        before: first('state'),
        after: last('state'),
      })
    deliver(windows, file({ path: 'hopping.ndjson', timestamps: 'ms' }))
    deliver(windows, file({ path: 'hopping.parquet' }))
  }),
  pipeline('cascade', ({ from, warehouse }) => {
    const seconds = from(readings('key'))
      .groupBy('sensor')
      .window(tumbling('2 s'))
      .aggregate({ n: count(), mean: average('level') })
    const minutes = seconds
      .groupBy('sensor')
      .window(tumbling('12 s'))
      .aggregate({ n: sum('n'), most: max('mean'), after: last('mean') })
    warehouse.table('MINUTES').upserts(minutes, { key: ['sensor', 'window_start'] })
    warehouse.table('ALL').appends(seconds.groupBy('n').window(tumbling('12 s')).aggregate({ windows: count() }))
  }),
  pipeline('derived', ({ from, warehouse }) => {
    from(readings('partition'))
      .groupBy('sensor')
      .window(tumbling('2 s'))
      .aggregate({ n: count(), mean: average('level') })
      .rename({ window_start: 'at' })
      .to(small)
    warehouse.table('DERIVED').appends(
      from(small)
        .groupBy('sensor')
        .window(tumbling('10 s'))
        .aggregate({ n: sum('n'), mean: average('mean') }),
    )
    warehouse.table('LATEST').upserts(from(small), { key: 'sensor' })
  }),
  pipeline('deduped', ({ from, warehouse, deliver }) => {
    const deduped = from(readings('partition')).dedupe({ key: ['sensor', 'state'], within: '1700 ms' })
    warehouse.table('DEDUPED').appends(deduped)
    warehouse.table('LATEST').upserts(deduped, { key: 'sensor' })
    deliver(deduped.groupBy('state').window(tumbling('10 s')).aggregate({ n: count() }), file({ path: 'states.csv' }))
  }),
  pipeline('exploded', ({ from, warehouse, deliver }) => {
    const items = from(orders).explode('items')
    warehouse.table('ITEMS').appends(items)
    warehouse.table('RAW').appends(from(orders))
    const windows = items
      .groupBy('name')
      .window(tumbling('6 s'))
      .aggregate({ n: count(), amount: sum('amount') })
    deliver(windows, file({ path: 'amounts.parquet' }))
    windows.to(topic('amounts'))
  }),
  pipeline('restated', ({ from, warehouse, deliver }) => {
    const windows = from(readings('key'))
      .groupBy('sensor')
      .window(tumbling('5 s'), { late: 'restate', allowedLateness: '4 s' })
      .aggregate({ n: count(), mean: average('level') })
    warehouse.table('RESTATED').upserts(windows, { key: ['sensor', 'window_start'] })
    deliver(windows.finals(), file({ path: 'finals.ndjson' }))
  }),
  pipeline('latest', ({ from, warehouse }) => {
    const windows = from(readings('partition'))
      .groupBy('sensor')
      .window(tumbling('4 s'))
      .aggregate({ n: count(), mean: average('level') })
    warehouse.table('LATEST').upserts(windows, { key: 'sensor' })
    warehouse.table('RENAMED').appends(windows.rename({ window_start: 'began', sensor: 'device' }))
    warehouse
      .table('LABELLED')
      .appends(
        windows.derive({ at: (r, $) => $.formatTime(r.window_start, 'HH:mm:ss') }).select('sensor', 'at', 'mean'),
      )
  }),
  pipeline('required', ({ from, warehouse, deliver }) => {
    const rows = from(readings('partition')).require('level')
    deliver(rows, file({ path: 'rows.csv' }))
    warehouse.table('BOTH').appends(
      rows
        .groupBy('sensor', 'state')
        .window(hopping({ size: '6 s', every: '3 s' }))
        .aggregate({ n: count(), root: average('level') })
        .derive({ root: r => Math.cbrt(r.root) }),
    )
  }),
]

/** Of the pipeline with this number: the input is CSV. */
export const CSV_PIPELINE = 9

export type Reading = { readonly [K in Field]: unknown } & { readonly items: unknown; readonly more: unknown }

/** Readings of a few sensors, some of them out of order and some too late. */
export function readingsOf(random: Random, length: number): Reading[] {
  const pick = <T>(...options: readonly T[]): T => options[random.integer(options.length)]!
  return Array.from({ length }, (_, n) => ({
    sensor: pick('a', 'b', 'c'),
    at: 1_700_000_000_000 + n * 97 + pick(0, 0, 0, -1500, -2500, -6000),
    level: pick<() => number | null>(
      () => null,
      random.normal,
      random.normal,
      () => random.integer(5),
      () => 1e6 * random.normal(),
    )(),
    state: pick('on', 'off'),
    good: random.next() < 0.9,
    items: Array.from({ length: random.integer(3) }, () => ({ name: pick('x', 'y'), amount: random.integer(9) / 4 })),
    more: pick<unknown>(null, 'text', { z: 1e308, y: [0.1] }, [1, null]),
  }))
}
