/** Random pipelines, written in the real language, and random logs for them. */
import fc from 'fast-check'
import { z } from 'zod'
import {
  average,
  count,
  type Duration,
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
  variance,
  type WindowOptions,
} from '../../src/index.ts'
import type { SinkReference } from '../../src/plan/nodes.ts'
import type { LogRecord } from './reference.ts'

const sink: SinkReference = { kind: 'sink', connector: 'none', options: {}, open: async () => null }

const message = z.object({
  device: z.string(),
  at: timestamp('us'),
  text: z.string().nullable(),
  number: z.number().nullable(),
  flag: z.boolean().nullable(),
  value: z.number().nullable(),
})

export interface Setting {
  readonly size: number
  readonly every: number
  readonly disorder: number
  readonly progress: 'partition' | 'key'
  readonly shape: keyof typeof SHAPES
  readonly window: WindowOptions
}

const seconds = (value: number): Duration => `${value} s`

const SHAPES = {
  text: ['text', 'device'],
  number: ['device', 'number'],
  flag: ['flag', 'device'],
  composite: ['device', 'text', 'number', 'flag'],
  device: ['device'],
  time: ['device', 'at'],
} as const

const windowOf = ({ size, every }: Pick<Setting, 'size' | 'every'>) =>
  size === every ? tumbling(seconds(size)) : hopping({ size: seconds(size), every: seconds(every) })

const readingsOf = ({ disorder, progress }: Pick<Setting, 'disorder' | 'progress'>) =>
  topic('readings', message, {
    key: 'device',
    eventTime: { field: 'at', disorder: seconds(disorder), progress },
  })

/** All aggregates over everything, with stateless steps on both sides. */
export function windowed(setting: Setting): Pipeline {
  const keys = SHAPES[setting.shape] as readonly ('device' | 'text')[]
  return pipeline('laws', ({ from, deliver }) => {
    const results = from(readingsOf(setting))
      .filter(row => row.value === null || row.value > -100)
      .derive({ root: row => (row.value === null ? null : Math.sqrt(row.value)) })
      .groupBy(...keys)
      .window(windowOf(setting), setting.window)
      .aggregate({
        rows: count(),
        values: count('value'),
        texts: count('text'),
        total: sum('value'),
        roots: sum('root'),
        mean: average('value'),
        least: min('value'),
        greatest: max('value'),
        least_root: min('root'),
        earliest: first('value'),
        latest: last('text'),
        latest_flag: last('flag'),
        first_text: min('text'),
        last_flag: max('flag'),
        last_time: max('at'),
        spread: variance('value'),
        deviation: deviation('value'),
        median: quantile('value', 0.5),
        high: quantile('root', 0.9),
        different: distinct('text'),
        different_values: distinct('value'),
      })
      .derive({ twice: row => row.rows * 2 })
    deliver(results, sink)
  })
}

/** Aggregates that two stacks can merge, so that long windows take that way. */
export function stacked(setting: Setting): Pipeline {
  const keys = SHAPES[setting.shape] as readonly ('device' | 'text')[]
  return pipeline('laws', ({ from, deliver }) => {
    const results = from(readingsOf(setting))
      .require('value')
      .rename({ value: 'measured' })
      .groupBy(...keys)
      .window(windowOf(setting), setting.window)
      .aggregate({ rows: count(), mean: average('measured'), greatest: max('measured'), latest: last('measured') })
    deliver(results, sink)
  })
}

/** Groups that have rows of several keys: they wait for the slowest. */
export function across(setting: Setting): Pipeline {
  return pipeline('laws', ({ from, deliver }) => {
    const results = from(readingsOf(setting))
      .groupBy('text')
      .window(windowOf(setting), setting.window)
      .aggregate({ rows: count(), greatest: max('value'), earliest: first('value') })
    deliver(results, sink)
  })
}

/** A window over the windows of another, and a dedupe before both. */
export function nested(setting: Setting): Pipeline {
  return pipeline('laws', ({ from, deliver }) => {
    const inner = from(readingsOf(setting))
      .filter(row => row.flag !== true)
      .dedupe({ key: ['device', 'text', 'number'], within: seconds(setting.size) })
      .groupBy('device', 'text')
      .window(tumbling(seconds(setting.every)))
      .aggregate({ rows: count(), total: sum('value') })
      .select('device', 'rows', 'total', 'window_end')
    const outer = inner
      .groupBy('device')
      .window(windowOf({ size: setting.size * 2, every: setting.every }))
      .aggregate({ windows: count(), rows: sum('rows'), greatest: max('total') })
    deliver(inner, sink)
    deliver(outer, sink)
  })
}

/** Sums that two stacks merge in an order of their own. */
export function sums(setting: Setting): Pipeline {
  const keys = SHAPES[setting.shape] as readonly ('device' | 'text')[]
  return pipeline('laws', ({ from, deliver }) => {
    const results = from(readingsOf(setting))
      .groupBy(...keys)
      .window(windowOf(setting), setting.window)
      .aggregate({
        rows: count(),
        total: sum('value'),
        mean: average('value'),
        spread: variance('value'),
        deviation: deviation('value'),
      })
    deliver(results, sink)
  })
}

/** The last words on windows, deduplicated, in windows that go by the order in which they come out. */
export function chained(setting: Setting): Pipeline {
  return pipeline('laws', ({ from, deliver }) => {
    const revised = from(readingsOf(setting))
      .groupBy('device', 'text')
      .window(windowOf(setting), setting.window)
      .aggregate({ rows: count(), total: sum('value'), latest: last('value') })
    const outer = revised
      .finals()
      .dedupe({ key: ['device', 'latest'], within: seconds(setting.size) })
      .groupBy('device')
      .window(tumbling(seconds(setting.every * 3)))
      .aggregate({ windows: count(), earliest: first('total'), latest: last('total'), texts: distinct('text') })
    deliver(revised, sink)
    deliver(outer, sink)
  })
}

/** Sizes with 1 to 60 panes, where the step divides the size and where it does not. */
const sizes = fc.oneof(
  fc.constantFrom([10, 10], [10, 2], [10, 5], [60, 1], [10, 4], [9, 6], [7, 3], [30, 7], [3, 2]),
  fc
    .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }))
    .map(([a, b]) => [Math.max(a, b), Math.min(a, b)]),
) as fc.Arbitrary<[number, number]>

export const policies: fc.Arbitrary<WindowOptions> = fc.oneof(
  fc.constantFrom<WindowOptions>({}, { late: 'quarantine' }),
  fc
    .integer({ min: 0, max: 40 })
    .map((allowed): WindowOptions => ({ late: 'restate', allowedLateness: seconds(allowed) })),
  fc.integer({ min: 1, max: 15 }).map((early): WindowOptions => ({ early: seconds(early) })),
  fc.tuple(fc.integer({ min: 1, max: 15 }), fc.integer({ min: 0, max: 40 })).map(
    ([early, allowed]): WindowOptions => ({
      late: 'restate',
      allowedLateness: seconds(allowed),
      early: seconds(early),
    }),
  ),
)

export const plainPolicies: fc.Arbitrary<WindowOptions> = fc.constantFrom<WindowOptions>({}, { late: 'quarantine' })

export const settings = (window: fc.Arbitrary<WindowOptions>): fc.Arbitrary<Setting> =>
  fc
    .record({
      size: fc.constant(0),
      every: fc.constant(0),
      disorder: fc.constantFrom(0, 0, 2, 5, 20),
      progress: fc.constantFrom('partition' as const, 'key' as const),
      shape: fc.constantFrom(...(Object.keys(SHAPES) as (keyof typeof SHAPES)[])),
      window,
    })
    .chain(setting => sizes.map(([size, every]) => ({ ...setting, size, every })))

const START = 1_700_000_000
const SECOND = 1_000_000

const cells = {
  text: fc.option(fc.constantFrom('a', 'b', '', 'ä\u{1f600}'), { freq: 5 }),
  number: fc.option(fc.constantFrom(0, -0, 1.5, 70_000, -3, Number.NaN), { freq: 5 }),
  flag: fc.option(fc.boolean(), { freq: 5 }),
  value: fc.option(
    fc.oneof(
      fc.integer({ min: -120, max: 120 }),
      fc.double({ min: -1000, max: 1000, noNaN: true }),
      fc.constantFrom(Number.NaN, 0.1, 1e12, -0),
    ),
    { freq: 6 },
  ),
}

const step = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: -8 * SECOND, max: 10 * SECOND }) },
  { weight: 6, arbitrary: fc.integer({ min: -3, max: 4 }).map(value => value * SECOND) },
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: -100, max: 200 }).map(value => value * SECOND) },
)

/** Random walks of event time, mixed from `partitions` partitions; a device is always in the same one. */
export const logs = (partitions: number, maxLength = 60): fc.Arbitrary<LogRecord[]> =>
  fc
    .array(
      fc.record({
        device: fc.constantFrom('p', 'q', 'r', 's', 't'),
        step,
        jump: fc.integer({ min: 0, max: 60 }),
        again: fc.integer({ min: 0, max: 9 }),
        ...cells,
      }),
      { maxLength },
    )
    .map(records => {
      const clocks = new Map<number, number>()
      const log: LogRecord[] = []
      for (const { device, step, jump, again, ...rest } of records) {
        const before = log.at(-1)
        if (again === 0 && before !== undefined) {
          log.push(before)
          continue
        }
        const partition = device.charCodeAt(0) % partitions
        const at = (clocks.get(partition) ?? START * SECOND) + step
        // One clock astray: its records lie in 2099, the partition's own walk goes on where it was.
        const far = jump === 0 && device === 't'
        if (!far) clocks.set(partition, at)
        log.push({ partition, cells: { device, at: far ? 4_086_000_000 * SECOND : at, ...rest } })
      }
      return log
    })

/** A log with the records of each device in any partition. */
export const scattered = (log: readonly LogRecord[], partitions: number): LogRecord[] =>
  log.map(({ cells }, index) => ({ partition: (index * 7 + (index >> 2)) % partitions, cells }))
