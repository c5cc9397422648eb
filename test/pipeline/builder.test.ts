/** What the compiler cannot see, or was told not to: every refusal of the builder, in its words, with its place. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  average,
  count,
  hopping,
  MillraceError,
  max,
  min,
  type Parts,
  pipeline,
  quantile,
  sum,
  timestamp,
  topic,
  tumbling,
  variance,
} from '../../src/index.ts'
import type { Plan, SinkReference, SourceReference } from '../../src/plan/nodes.ts'

const source: SourceReference = { kind: 'source', connector: 'file', options: {}, open: async () => null }
const sink: SinkReference = { kind: 'sink', connector: 'file', options: {}, open: async () => null }

const message = z.object({
  id: z.string(),
  at: timestamp('ms'),
  level: z.number(),
  battery: z.number().nullable(),
  tags: z.array(z.string()),
  parts: z.array(z.object({ part: z.string(), weight: z.number().optional() })),
  values: z.object({ x: z.number(), y: z.number() }),
})
const readings = topic('readings', message, { key: 'id', eventTime: { field: 'at' } })

/** Lets through what the compiler refuses. */
const untyped = (value: unknown) => value as never

const start = ({ from }: Parts) => from(readings)
const windowed = (parts: Parts) => start(parts).groupBy('id').window(tumbling('1 m')).aggregate({ n: count() })
const revised = (parts: Parts) =>
  start(parts).groupBy('id').window(tumbling('1 m'), { early: '10 s' }).aggregate({ n: count() })

function planOf(build: (parts: Parts) => void): Plan {
  return pipeline('test', build).plan
}

function columnsOf(
  build: (parts: Parts) => { readonly node: { readonly columns: Plan['topics'][0]['columns'] } },
): string[] {
  let shown: string[] = []
  planOf(parts => {
    const stream = build(parts)
    shown = stream.node.columns.map(({ name, type, nullable }) => `${name} ${type}${nullable ? '?' : ''}`)
    parts.deliver(start(parts), sink)
  })
  return shown
}

function refusalOf(build: (parts: Parts) => unknown): string {
  try {
    planOf(parts => {
      build(parts)
      parts.deliver(start(parts), sink)
    })
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    expect(error.message).toMatch(/ \(\/.*builder\.test\.ts:\d+:\d+\)$/)
    return `${error.code}: ${error.message.replace(/ \(\/.*\)$/, '')} > ${error.next}`
  }
  return 'accepted'
}

describe('columns after a step', () => {
  test('require', () => {
    expect(columnsOf(parts => start(parts).select('id', 'battery').require('battery'))).toEqual([
      'id text',
      'battery number',
    ])
  })

  test('derive adds at the end, and replaces in place', () => {
    const derived = (parts: Parts) =>
      start(parts)
        .select('level', 'values.x', 'values.y', 'battery')
        .derive({
          half: r => r.level / 2,
          level: r => r.level > 1,
          kind: r => (r.level > 1 ? 'high' : 'low'),
          values: () => 'gone',
        })
    expect(columnsOf(derived)).toEqual(['level boolean', 'battery number?', 'half number', 'kind text', 'values text'])
  })

  test('rename and select', () => {
    const renamed = (parts: Parts) => start(parts).select('values.y', 'id').rename({ 'values.y': 'y' })
    expect(columnsOf(renamed)).toEqual(['y number', 'id text'])
  })

  test('explode', () => {
    expect(columnsOf(parts => start(parts).select('id', 'parts').explode('parts'))).toEqual([
      'id text',
      'part text',
      'weight number?',
    ])
  })

  test('a window', () => {
    const aggregates = (parts: Parts) =>
      start(parts)
        .groupBy('id', 'values.x')
        .window(hopping({ size: '1 m', every: '10 s' }), { late: 'restate', allowedLateness: '1 h' })
        .aggregate({
          n: count(),
          some: count('tags'),
          total: sum('battery'),
          mean: average('level'),
          spread: variance('level'),
          latest: max('at'),
          least: min('id'),
          median: quantile('level', 0.5),
        })
    expect(columnsOf(aggregates)).toEqual([
      'id text',
      'values.x number',
      'n number',
      'some number',
      'total number?',
      'mean number',
      'spread number?',
      'latest timestamp',
      'least text',
      'median number',
      'window_start timestamp',
      'window_end timestamp',
      'revision number',
      'is_final boolean',
    ])
    expect(columnsOf(parts => aggregates(parts).finals()).slice(-2)).toEqual([
      'window_start timestamp',
      'window_end timestamp',
    ])
  })
})

describe('steps refuse', () => {
  test.each<[string, (parts: Parts) => unknown, string]>([
    [
      'a misspelt column',
      parts => start(parts).select(untyped('leval')),
      "COLUMN_UNKNOWN: select: there is no column 'leval'. Did you mean 'level'? There are: id, at, level, battery, tags, parts, values.x, values.y > Use one of the columns that the message lists.",
    ],
    [
      'an object where a column belongs',
      parts => start(parts).require(untyped('values')),
      "COLUMN_UNKNOWN: require: there is no column 'values'. Did you mean 'values.x'? There are: id, at, level, battery, tags, parts, values.x, values.y > Use one of the columns that the message lists.",
    ],
    [
      'a sum over text',
      parts =>
        start(parts)
          .groupBy('id')
          .window(tumbling('1 m'))
          .aggregate({ total: sum(untyped('id')) }),
      "COLUMN_TYPE: sum('id'): column 'id' is text, not number. Usable: level, battery, values.x, values.y > Use a column of the type that the step needs.",
    ],
    [
      'an average of times',
      parts =>
        start(parts)
          .groupBy('id')
          .window(tumbling('1 m'))
          .aggregate({ mean: average(untyped('at')) }),
      "COLUMN_TYPE: average('at'): column 'at' is timestamp, not number. Usable: level, battery, values.x, values.y > Use a column of the type that the step needs.",
    ],
    [
      'a key without an order',
      parts => start(parts).groupBy(untyped('tags')).window(tumbling('1 m')).aggregate({ n: count() }),
      "COLUMN_TYPE: groupBy: column 'tags' is json, not number or text or boolean or timestamp. Usable: id, at, level, battery, values.x, values.y > Use a column of the type that the step needs.",
    ],
    [
      'a sum over what an opaque lambda makes',
      parts =>
        start(parts)
          .derive({ odd: r => [r.level].map(n => n + 1)[0] ?? 0 })
          .filter(r => r.level > 1)
          .groupBy('id')
          .window(tumbling('1 m'))
          .aggregate({ total: sum('odd') }),
      "COLUMN_TYPE: sum('odd'): the type of 'odd' is not known, because its lambda could not be read > Say it in the lambda: Number(...), String(...) or Boolean(...) around its result.",
    ],
    [
      'a taken name',
      parts =>
        start(parts)
          .groupBy('id')
          .window(tumbling('1 m'))
          .aggregate(untyped({ window_end: count() })),
      "COLUMN_TAKEN: aggregate: 'window_end' is already a column of the result > Choose another name for the new column.",
    ],
    [
      'a name with a dot',
      parts => start(parts).derive({ 'values.z': () => 1 }),
      'PIPELINE_INVALID: derive: "values.z" cannot be the name of a column > Use a name without dots.',
    ],
    [
      'two columns of one name',
      parts => start(parts).rename(untyped({ id: 'level' })),
      "COLUMN_TAKEN: rename: 'level' is already a column of the result > Choose another name for the new column.",
    ],
    [
      'a column named as an object is',
      parts => start(parts).rename(untyped({ id: 'values' })),
      "COLUMN_TAKEN: rename: 'values.x' is already a column of the result > Choose another name for the new column.",
    ],
    [
      'what is no function',
      parts => start(parts).filter(untyped('level > 3')),
      'PIPELINE_INVALID: filter: expected a function of the row, got string > Correct the pipeline file at the place named.',
    ],
    [
      'to explode texts',
      parts => start(parts).explode(untyped('tags')),
      "COLUMN_TYPE: explode: 'tags' is not an array of objects > Use one of these: parts.",
    ],
    [
      'a misspelt duration',
      parts => start(parts).dedupe({ key: 'id', within: untyped('1h') }),
      `DURATION_INVALID: dedupe within: "1h" is not a duration > Write a duration such as '500 ms', '10 s', '15 m'.`,
    ],
    [
      'a key of no column',
      parts => start(parts).dedupe({ key: [], within: '1 h' }),
      'PIPELINE_INVALID: dedupe: the key names no column > Correct the pipeline file at the place named.',
    ],
    [
      'a policy that there is not',
      parts =>
        start(parts)
          .groupBy('id')
          .window(tumbling('1 m'), { late: 'keep' } as unknown as { late: 'drop' })
          .aggregate({ n: count() }),
      `WINDOW_INVALID: window: late is "keep" > Use 'drop', 'quarantine' or 'restate'.`,
    ],
    [
      'restating without an end',
      parts =>
        start(parts)
          .groupBy('id')
          .window(tumbling('1 m'), { late: 'restate' } as unknown as { late: 'drop' })
          .aggregate({ n: count() }),
      "WINDOW_INVALID: window: late 'restate' and allowedLateness go together > Write { late: 'restate', allowedLateness: '1 h' }.",
    ],
    [
      'to name a topic again',
      parts => start(parts).named('x'),
      "PIPELINE_INVALID: named('x'): a topic has a name already; put a step before it > Correct the pipeline file at the place named.",
    ],
    [
      'a name that cannot be stored',
      parts => windowed(parts).named('a b'),
      'PIPELINE_INVALID: named: "a b" cannot be the name of a step > Use letters, digits, dots, underscores, hyphens and slashes.',
    ],
  ])('%s', (_, build, expected) => {
    expect(refusalOf(build)).toBe(expected)
  })
})

describe('a stream that revises its windows', () => {
  const sentence = (step: string) =>
    `PIPELINE_INVALID: ${step}: this stream revises its windows (early results or late: 'restate'), and ${step} would count a row twice > Put .finals() before .${step}(): only the last word on each window.`

  test('does not go into a window or dedupe, but its finals do', () => {
    expect(refusalOf(parts => revised(parts).groupBy('id').window(tumbling('1 h')).aggregate({ n: count() }))).toBe(
      sentence('window'),
    )
    expect(refusalOf(parts => revised(parts).dedupe({ key: 'id', within: '1 h' }))).toBe(sentence('dedupe'))
    expect(
      refusalOf(parts => revised(parts).finals().groupBy('id').window(tumbling('1 h')).aggregate({ n: count() })),
    ).toBe('accepted')
  })

  test('has finals while its rows say which are final; other streams have them already', () => {
    expect(refusalOf(parts => revised(parts).select('id', 'window_start').finals())).toContain(
      "no longer say 'revision'",
    )
    planOf(parts => {
      const rows = windowed(parts)
      expect(rows.finals().node).toBe(rows.node)
      parts.deliver(rows, sink)
    })
  })

  test('is filtered by its key only', () => {
    expect(refusalOf(parts => revised(parts).filter(r => r.id !== ''))).toBe('accepted')
    expect(refusalOf(parts => revised(parts).filter(r => r.n > 1))).toBe(
      "PIPELINE_INVALID: filter: this stream revises its windows, and 'n' may differ between two revisions of a row > Put .finals() before .filter(), or read only the key: id, window_start.",
    )
  })

  test('keeps its key', () => {
    expect(refusalOf(parts => revised(parts).select('id', 'n', 'revision', 'is_final'))).toBe(
      "PIPELINE_INVALID: select: 'window_start' identifies the rows of this stream and must stay > Correct the pipeline file at the place named.",
    )
    expect(refusalOf(parts => revised(parts).derive({ id: () => 'x' }))).toBe(
      "COLUMN_TAKEN: derive: 'id' identifies the rows of this stream > Choose another name for the new column.",
    )
    const renamed = planOf(parts => parts.deliver(revised(parts).rename({ id: 'name' }), sink))
    expect(renamed.delivers[0]?.stream.stream).toEqual({ kind: 'changelog', key: ['name', 'window_start'] })
  })

  test('is appended only with its revisions', () => {
    const rows = (parts: Parts) => revised(parts).select('id', 'n', 'window_start', 'revision')
    expect(refusalOf(parts => parts.warehouse.table('T').appends(revised(parts)))).toBe('accepted')
    expect(refusalOf(parts => parts.warehouse.table('T').appends(rows(parts)))).toBe(
      "PIPELINE_INVALID: .appends() to table 'T': this stream revises its windows, and its rows no longer say 'is_final' > Keep 'revision' and 'is_final', or put .finals() before .appends() to table 'T'.",
    )
    expect(refusalOf(parts => parts.deliver(rows(parts), sink))).toContain("no longer say 'is_final'")
    expect(refusalOf(parts => rows(parts).to(topic('x')))).toContain("no longer say 'is_final'")
  })

  test('is upserted by its own key', () => {
    const upsert = (key: string[]) => (parts: Parts) =>
      parts.warehouse.table('T').upserts(revised(parts), { key: untyped(key) })
    expect(refusalOf(upsert(['window_start', 'id']))).toBe('accepted')
    expect(refusalOf(upsert(['id', 'window_start', 'window_end']))).toBe('accepted')
    expect(refusalOf(upsert(['id']))).toBe(
      "PIPELINE_INVALID: table 'T': this stream revises its windows by id, window_start, the table's key is id > Use the stream's key: { key: ['id', 'window_start'] }, or put .finals() before.",
    )
  })

  test('stays one when it is read from its topic', () => {
    const kept = topic(
      'kept',
      z.object({
        id: z.string(),
        window_start: timestamp('us'),
        n: z.number(),
        revision: z.number(),
        is_final: z.boolean(),
      }),
    )
    const again = planOf(parts => {
      revised(parts).to(kept)
      parts.deliver(kept, sink)
    })
    expect(again.delivers[0]?.stream.stream).toEqual({ kind: 'changelog', key: ['id', 'window_start'] })
    const early = (parts: Parts) => {
      parts.from(kept)
      revised(parts).to(kept)
    }
    expect(refusalOf(early)).toBe(
      "PIPELINE_INVALID: to: topic 'kept' is read before this stream, which revises its windows, is sent to it > Put .finals() before .to(), or write .to() before from().",
    )
  })
})

describe('topics refuse', () => {
  const schema = z.object({ id: z.string(), at: timestamp('s'), maybe: timestamp('s').optional(), level: z.number() })
  test.each<[string, () => unknown, string]>([
    [
      'a name',
      () => topic('a b'),
      'PIPELINE_INVALID: topic: "a b" cannot be the name of a topic > Use up to 249 letters, digits, dots, underscores and hyphens.',
    ],
    [
      'a key',
      () => topic('a', schema, { key: untyped('ident') }),
      "COLUMN_UNKNOWN: topic 'a', key: there is no column 'ident'. There are: id, at, maybe, level > Use one of the columns that the message lists.",
    ],
    [
      'a number as time',
      () => topic('a', schema, { eventTime: { field: untyped('level') } }),
      "COLUMN_TYPE: topic 'a', event time: column 'level' is number, not timestamp. Usable: at, maybe > Use a column of the type that the step needs.",
    ],
    [
      'a time that may be missing',
      () => topic('a', schema, { eventTime: { field: untyped('maybe') } }),
      "COLUMN_TYPE: topic 'a', event time: column 'maybe' can be null > A record without a time has no place: make the field required.",
    ],
    [
      'progress',
      () => topic('a', schema, { eventTime: { field: 'at', progress: untyped('keys') } }),
      `PIPELINE_INVALID: topic 'a': progress is "keys" > Use 'partition' or 'key'.`,
    ],
    [
      'progress by key without one',
      () => topic('a', schema, { eventTime: { field: 'at', progress: 'key' } }),
      "PIPELINE_INVALID: topic 'a': progress 'key' needs a key > Give the topic a key: { key: 'deviceId' }.",
    ],
    [
      'a disorder',
      () => topic('a', schema, { eventTime: { field: 'at', disorder: '-5 s' } }),
      `DURATION_INVALID: topic 'a', disorder: "-5 s" is not a duration > Write a duration such as '500 ms', '10 s', '15 m'.`,
    ],
    [
      'partitions',
      () => topic('a', schema, { partitions: 0 }),
      "PIPELINE_INVALID: topic 'a': partitions must be a whole number from 1 to 4096 > Correct the pipeline file at the place named.",
    ],
    [
      'a size',
      () => topic('a', null, { retention: { size: untyped('1GB') } }),
      `PIPELINE_INVALID: topic 'a', retention size: "1GB" is not a size > Write a size such as '500 MB' or '10 GB'.`,
    ],
    [
      'a schema',
      () => topic('a', z.object({ big: z.date() })),
      "SCHEMA_UNSUPPORTED: Field 'big': z.date() has no column form > Use timestamp('iso').",
    ],
  ])('%s', (_, declare, expected) => {
    expect(refusalOf(declare)).toBe(expected)
  })

  test.each<[string, (parts: Parts) => unknown, string]>([
    [
      'of a topic',
      () => topic('a', schema, untyped({ partition: 3 })),
      "PIPELINE_INVALID: topic 'a': there is no option 'partition'. Did you mean 'partitions'? > Use key, eventTime, partitions, retention.",
    ],
    [
      'of event time',
      () => topic('a', schema, untyped({ eventTime: { field: 'at', outOfOrder: '5 s' } })),
      "PIPELINE_INVALID: topic 'a', event time: there is no option 'outOfOrder'. > Use field, disorder, progress, maxAhead, idleAfter.",
    ],
    [
      'of retention',
      () => topic('a', schema, untyped({ retention: { bytes: 3 } })),
      "PIPELINE_INVALID: topic 'a', retention: there is no option 'bytes'. > Use time, size.",
    ],
    [
      'of a window',
      parts =>
        start(parts)
          .groupBy('id')
          .window(tumbling('1 m'), { latency: '1 s' } as unknown as { late: 'drop' })
          .aggregate({ n: count() }),
      "PIPELINE_INVALID: window: there is no option 'latency'. > Use late, allowedLateness, early.",
    ],
    [
      'of a pipeline',
      () => pipeline('p', untyped({ namespaces: 'x' }), () => {}),
      "PIPELINE_INVALID: pipeline 'p': there is no option 'namespaces'. Did you mean 'namespace'? > Use namespace, warehouse.",
    ],
  ])('an unknown option %s', (_, declare, expected) => {
    expect(refusalOf(declare)).toBe(expected)
  })

  test('and have defaults', () => {
    const { node } = topic('a', schema, { eventTime: { field: 'at' } })
    expect(node).toMatchObject({
      key: [],
      partitions: 1,
      retention: { time_us: null, bytes: null },
      eventTime: {
        column: 'at',
        unit: 's',
        disorder_us: 0,
        progress: 'partition',
        maxAhead_us: null,
        idleAfter_us: 10_000_000,
      },
    })
  })
})

const ids = topic('ids', z.object({ id: z.string() }))

describe('a pipeline refuses', () => {
  const totals = topic('totals', z.object({ id: z.string(), n: z.number() }))
  const sameType = topic('same_type', message)
  test.each<[string, (parts: Parts) => unknown, string]>([
    [
      'two topics of one name',
      parts => [parts.from(readings), parts.from(topic('readings', message))],
      "PIPELINE_INVALID: two topics are named 'readings' > Declare the topic once, as a const, and use that.",
    ],
    [
      'to read what nothing was sent to',
      parts => parts.from(untyped(topic('empty'))),
      "PIPELINE_INVALID: from: nothing was sent to topic 'empty' yet, so it has no columns > Give it a schema, or write .to(topic) before from(topic).",
    ],
    [
      'to ingest without a schema',
      parts => parts.ingest(source, untyped(topic('empty'))),
      "PIPELINE_INVALID: ingest: topic 'empty' has no schema > Give it one: topic('empty', z.object({ ... })).",
    ],
    [
      'a sink as source',
      parts => parts.ingest(untyped(sink), readings),
      "PIPELINE_INVALID: ingest: the first argument is no source > Write ingest(file({ path: 'readings.ndjson' }), topic).",
    ],
    [
      'a source as sink',
      parts => parts.deliver(readings, untyped(source)),
      "PIPELINE_INVALID: deliver: the second argument is no sink > Write deliver(stream, file({ path: 'results.ndjson' })).",
    ],
    [
      'a topic fed from itself',
      parts => start(parts).to(readings),
      "PIPELINE_INVALID: to: topic 'readings' would be fed from itself > Send the stream to another topic.",
    ],
    [
      'two streams for an untyped topic',
      parts => {
        const one = topic('one')
        start(parts).to(one).to(one)
      },
      "PIPELINE_INVALID: to: topic 'one' already takes another stream > Send each stream to a topic of its own.",
    ],
    [
      'two streams for a topic with a schema',
      parts => start(parts).to(untyped(sameType)).to(untyped(sameType)),
      "PIPELINE_INVALID: to: topic 'same_type' already takes another stream > Send each stream to a topic of its own.",
    ],
    [
      'a topic that does not fit',
      parts => start(parts).select('id').to(untyped(totals)),
      "COLUMN_UNKNOWN: to topic 'totals': there is no column 'n'. There are: id > Use one of the columns that the message lists.",
    ],
    [
      'a topic of another type',
      parts =>
        start(parts)
          .derive({ n: r => r.id })
          .to(untyped(totals)),
      "COLUMN_TYPE: to topic 'totals': column 'n' is text, the topic declares number > Use a column of the type that the step needs.",
    ],
    [
      'a null where the topic has none',
      parts => start(parts).rename({ battery: 'n' }).to(untyped(totals)),
      "COLUMN_TYPE: to topic 'totals': column 'n' can be null, the topic declares that it cannot > Put .require('n') before it, or declare it .nullable().",
    ],
    [
      'a table name',
      parts => parts.warehouse.table('a-b'),
      `PIPELINE_INVALID: warehouse.table: "a-b" cannot be the name of a table > Use letters, digits and underscores, with a schema before a dot if you like: 'RAW_DATA.READINGS'.`,
    ],
    [
      'two streams for a table',
      parts => {
        parts.warehouse.table('t').appends(readings)
        parts.warehouse.table('T').appends(readings)
      },
      "PIPELINE_INVALID: table 'T' already gets a stream > Use one table a stream.",
    ],
    [
      'an upsert without a key',
      parts => parts.warehouse.table('T').upserts(readings, { key: [] }),
      "PIPELINE_INVALID: table 'T': the key names no column > Say which columns identify a row: { key: 'id' }.",
    ],
    [
      'a misspelt key',
      parts => parts.warehouse.table('T').upserts(readings, { key: untyped('idd') }),
      "COLUMN_UNKNOWN: table 'T', key: there is no column 'idd'. Did you mean 'id'? There are: id, at, level, battery, values.x, values.y > Use one of the columns that the message lists.",
    ],
    [
      'a name',
      () => pipeline('a/b', () => {}),
      'PIPELINE_INVALID: pipeline: "a/b" cannot be a name > Use letters, digits, dots, underscores and hyphens.',
    ],
    [
      'to do nothing',
      () => pipeline('idle', () => {}),
      "PIPELINE_INVALID: pipeline 'idle' does nothing > Deliver a stream: warehouse.table(name).appends(stream), stream.to(topic) or deliver(stream, sink).",
    ],
    [
      'an async function',
      () =>
        pipeline(
          'late',
          untyped(async () => {}),
        ),
      "PIPELINE_INVALID: pipeline 'late': its function is async > Await what you need before pipeline().",
    ],
    [
      'no function',
      () => pipeline('none', untyped(undefined)),
      "PIPELINE_INVALID: pipeline 'none' has no function > Write pipeline(name, ({ from, warehouse }) => { ... }).",
    ],
  ])('%s', (_, build, expected) => {
    expect(refusalOf(build)).toBe(expected)
  })

  test('topics that feed each other, over any number of topics', () => {
    const [a, b] = ['a', 'b'].map(name => topic(name, z.object({ id: z.string() }))) as [typeof ids, typeof ids]
    const circle = (parts: Parts) => {
      start(parts).select('id').to(a)
      parts.from(a).to(b)
      parts.from(b).to(a)
    }
    expect(refusalOf(circle)).toBe(
      "PIPELINE_INVALID: to: topic 'a' would be fed from itself > Send the stream to another topic.",
    )
  })

  test('the stream of another pipeline', () => {
    let foreign: ReturnType<typeof start> | undefined
    planOf(parts => {
      foreign = start(parts)
      parts.deliver(foreign, sink)
    })
    expect(refusalOf(parts => parts.deliver(foreign!, sink))).toBe(
      "PIPELINE_INVALID: this stream, of topic 'readings', belongs to another pipeline > Begin it with the from() that this pipeline is given.",
    )
  })

  test('more, once it is complete', () => {
    let kept: Parts | undefined
    planOf(parts => {
      kept = parts
      parts.deliver(readings, sink)
    })
    expect(() => kept!.from(readings)).toThrow('from: the pipeline is already complete')
  })
})

test('options name the namespace and the warehouse file', () => {
  const { plan } = pipeline('named', { namespace: 'lab', warehouse: 'iot.duckdb' }, ({ deliver }) =>
    deliver(readings, sink),
  )
  expect(plan).toMatchObject({ name: 'named', namespace: 'lab', warehouseFile: 'iot.duckdb' })
})

test('a stream for a topic with a schema is cut to its columns', () => {
  const totals = topic('totals', z.object({ n: z.number().nullable(), id: z.string() }))
  const plan = planOf(parts => windowed(parts).to(totals))
  const [{ stream }] = plan.produces as [Plan['produces'][0]]
  expect(stream).toMatchObject({
    kind: 'project',
    projected: [
      { name: 'n', from: 'n' },
      { name: 'id', from: 'id' },
    ],
  })
})

test('steps know where they were written', () => {
  const plan = planOf(parts => {
    const rows = parts.from(readings).filter(r => r.level > 1)
    parts.deliver(rows, sink)
  })
  const { stream, location } = plan.delivers[0]!
  const line = location!.line
  expect(location!.file).toMatch(/\/test\/pipeline\/builder\.test\.ts$/)
  expect(stream.location).toEqual({ file: location!.file, line: line - 1, column: expect.any(Number) })
})
