import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AggregateFunction, ReadNode, StreamNode, TopicNode, WindowNode } from '../../src/plan/nodes.ts'
import type { Column } from '../../src/plan/schema.ts'
import type { OracleSource } from '../../src/verify/oracle/built.ts'
import { oracleQuery } from '../../src/verify/oracle/query.ts'

const COLUMNS: readonly Column[] = [
  { name: 'id', type: 'text', nullable: true },
  { name: 'v.x', type: 'number', nullable: true },
  { name: 'label', type: 'text', nullable: true },
  { name: 'at', type: 'timestamp', nullable: false },
]

interface RecordRow {
  readonly id: string | null
  readonly 'v.x': number | null
  readonly label: string | null
  readonly at: number
  readonly partition: number
}

const topic = (progress: 'partition' | 'key', disorder_us: number): TopicNode => ({
  kind: 'topic',
  name: 'records',
  schema: null,
  columns: COLUMNS,
  key: ['id'],
  eventTime: { column: 'at', unit: 'us', disorder_us, progress, maxAhead_us: null, idleAfter_us: 0 },
  partitions: 1,
  retention: { time_us: null, bytes: null },
  location: null,
})

const base = { stream: { kind: 'append' } as const, identity: 'test', location: null }
const read = (from: TopicNode): ReadNode => ({ ...base, kind: 'read', topic: from, columns: from.columns })

const FUNCTIONS: readonly AggregateFunction[] = [
  'count',
  'sum',
  'average',
  'min',
  'max',
  'first',
  'last',
  'variance',
  'deviation',
  'distinct',
  'quantile',
]

function windowOf(input: StreamNode, more: Partial<WindowNode>): WindowNode {
  const aggregates = [
    { name: 'n', function: 'count' as const, column: null, fraction: null },
    ...FUNCTIONS.map(name => ({ name, function: name, column: 'v.x', fraction: name === 'quantile' ? 0.3 : null })),
    { name: 'first_label', function: 'first' as const, column: 'label', fraction: null },
    { name: 'min_label', function: 'min' as const, column: 'label', fraction: null },
  ]
  const key = COLUMNS.find(({ name }) => name === (more.keys?.[0] ?? 'id'))!
  const number = (name: string): Column => ({ name, type: 'number', nullable: true })
  const columns: Column[] = [
    key,
    ...aggregates.map(({ name, column }) => (column === 'label' ? { ...COLUMNS[2]!, name } : number(name))),
    { name: 'window_start', type: 'timestamp', nullable: false },
    { name: 'window_end', type: 'timestamp', nullable: false },
  ]
  return {
    ...base,
    kind: 'window',
    input,
    columns,
    keys: ['id'],
    size_us: 10,
    every_us: 10,
    aggregates,
    late: 'drop',
    allowedLateness_us: 0,
    early_us: null,
    ...more,
  }
}

const sourceOf = (isScattered: boolean): OracleSource => ({
  ended: true,
  live: false,
  relation: from => ({
    sql: 'records',
    columns: from.columns.map(column => ({ ...column, exact: true, unknown: null })),
    isScattered,
    partitions: 1,
    ended: null,
    unordered: null,
    waits: false,
  }),
})

const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
const connection = await instance.connect()

async function answer(
  stream: StreamNode,
  records: readonly RecordRow[],
  isScattered = false,
): Promise<Record<string, unknown>[]> {
  const query = oracleQuery(stream, sourceOf(isScattered))
  if ('unsupported' in query) throw new Error(query.unsupported)
  await connection.run('DELETE FROM records')
  const appender = await connection.createAppender('records')
  records.forEach((row, position) => {
    const text = (cell: string | null) => (cell === null ? appender.appendNull() : appender.appendVarchar(cell))
    text(row.id)
    if (row['v.x'] === null) appender.appendNull()
    else appender.appendDouble(row['v.x'])
    text(row.label)
    appender.appendBigInt(BigInt(row.at))
    appender.appendInteger(row.partition)
    appender.appendBigInt(BigInt(position))
    appender.endRow()
  })
  appender.closeSync()
  const rows = `SELECT * EXCLUDE ("#open", "#records") FROM (${query.sqlInOrder})`
  return (await connection.runAndReadAll(rows)).getRowObjectsJS() as Record<string, unknown>[]
}

beforeAll(async () => {
  await connection.run(
    'CREATE TABLE records (id VARCHAR, "v.x" DOUBLE, label VARCHAR, "at" BIGINT, "#partition" INTEGER, "#position" BIGINT)',
  )
})
afterAll(() => {
  connection.closeSync()
  instance.closeSync()
})

interface Judged {
  readonly progress: 'partition' | 'key'
  readonly isScattered: boolean
  readonly disorder: number
}

/** The frontier of each record, for groups of its own key (of its partition) and for groups of several keys. */
function frontiersByHand(records: readonly RecordRow[], { progress, isScattered, disorder }: Judged) {
  const [own, together, ofPartition] = [new Map<string, number>(), new Map<string, number>(), new Map<number, number>()]
  return records.map(({ partition, id, at }) => {
    const key = progress === 'key' ? JSON.stringify([partition, id]) : String(partition)
    if (!own.has(key) && progress === 'key') {
      const others = [...together].filter(([other]) => JSON.parse(other)[0] === partition).map(([, maximum]) => maximum)
      const reached = ofPartition.get(partition) ?? -Infinity
      own.set(key, isScattered ? reached : -Infinity)
      together.set(key, isScattered ? reached : others.length === 0 ? -Infinity : Math.min(...others))
    }
    for (const maxima of [own, together]) maxima.set(key, Math.max(maxima.get(key) ?? -Infinity, at))
    ofPartition.set(partition, Math.max(ofPartition.get(partition) ?? -Infinity, at))
    return { own: own.get(key)! - disorder, together: together.get(key)! - disorder }
  })
}

/** The same words once more, as a loop over records: no line of it is shared with the query. */
function byHand(records: readonly RecordRow[], node: WindowNode, judged: Judged) {
  const group = node.keys[0] as 'id' | 'label'
  const frontiers = frontiersByHand(records, judged)
  const windows = new Map<string, { id: string | null; start: number; rows: (RecordRow & { position: number })[] }>()
  records.forEach((row, position) => {
    const frontier = frontiers[position]![group === 'id' ? 'own' : 'together']
    const allowed = node.late === 'restate' ? node.allowedLateness_us : 0
    for (
      let start = Math.floor(row.at / node.every_us) * node.every_us;
      start + node.size_us > row.at;
      start -= node.every_us
    ) {
      if (start + node.size_us + allowed <= frontier) continue
      const key = JSON.stringify([row[group], start])
      const window = windows.get(key) ?? { id: row[group], start, rows: [] }
      window.rows.push({ ...row, position })
      windows.set(key, window)
    }
  })
  return [...windows.values()].map(({ id, start, rows }) => {
    const cells = rows.map(row => row['v.x']).filter(cell => cell !== null)
    const sum = cells.reduce((a, b) => a + b, 0)
    const mean = sum / cells.length
    const variance = cells.length < 2 ? null : cells.reduce((a, b) => a + (b - mean) ** 2, 0) / (cells.length - 1)
    const byTime = rows.toSorted((a, b) => a.at - b.at || a.position - b.position)
    const inTime = byTime.map(row => row['v.x']).filter(cell => cell !== null)
    const labels = byTime.map(row => row.label).filter(label => label !== null)
    const sorted = Float64Array.from(cells).sort()
    const rank = 0.3 * (sorted.length - 1)
    const [low, high] = [sorted[Math.floor(rank)]!, sorted[Math.ceil(rank)]!]
    const none = cells.length === 0
    return {
      [group]: id,
      n: rows.length,
      count: cells.length,
      sum: none ? null : sum,
      average: none ? null : mean,
      min: none ? null : Math.min(...cells),
      max: none ? null : Math.max(...cells),
      first: inTime[0] ?? null,
      last: inTime.at(-1) ?? null,
      variance,
      deviation: variance === null ? null : Math.sqrt(variance),
      distinct: new Set(cells).size,
      quantile: none ? null : low + (high - low) * (rank - Math.floor(rank)),
      first_label: labels[0] ?? null,
      min_label: labels.toSorted()[0] ?? null,
      window_start: start,
      window_end: start + node.size_us,
    }
  })
}

const inOrder = (rows: readonly Record<string, unknown>[]) => rows.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))

const nameOf = (row: Record<string, unknown>) => JSON.stringify([row.id, row.label, row.window_start])

/** The same rows in any order; numbers to nine digits, as sums in another order are. */
function expectSame(answered: readonly Record<string, unknown>[], expected: readonly Record<string, unknown>[]): void {
  const [left, right] = [inOrder(answered), inOrder(expected)]
  const settled = left.map((row, index) =>
    Object.fromEntries(
      Object.entries(row).map(([name, cell]) => {
        const other = right[index]?.[name]
        const near =
          typeof cell === 'number' &&
          typeof other === 'number' &&
          Math.abs(cell - other) <= 1e-9 * Math.max(1, Math.abs(cell), Math.abs(other))
        return [name, near ? other : cell]
      }),
    ),
  )
  expect(settled).toEqual(right)
}

const cell = fc.option(fc.oneof(fc.integer({ min: -50, max: 50 }), fc.constantFrom(Number.NaN, 0.1, 1e6)))
const record: fc.Arbitrary<RecordRow> = fc.record({
  id: fc.option(fc.constantFrom('a', 'b', 'c')),
  'v.x': cell,
  label: fc.option(fc.constantFrom('', 'B', 'a', 'é', '\uFB01', '\u{1F600}')),
  at: fc.integer({ min: -40, max: 120 }),
  partition: fc.integer({ min: 0, max: 1 }),
})

describe('windows', () => {
  test('the query gives what a loop over the records gives', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { maxLength: 40 }),
        fc.constantFrom<'partition' | 'key'>('partition', 'key'),
        fc.integer({ min: 0, max: 30 }),
        fc.constantFrom([10, 10], [10, 2], [10, 3], [7, 7], [60, 5]),
        fc.constantFrom<readonly ['drop' | 'restate', number]>(['drop', 0], ['restate', 15]),
        fc.constantFrom<readonly [string, boolean]>(['id', false], ['id', true], ['label', false], ['label', true]),
        async (records, progress, disorder, [size, every], [late, allowed], [group, isScattered]) => {
          const node = windowOf(read(topic(progress, disorder)), {
            size_us: size!,
            every_us: every!,
            late,
            allowedLateness_us: allowed,
            keys: [group],
          })
          const expected = byHand(records, node, { progress, isScattered, disorder })
          expectSame(await answer(node, records, isScattered), expected)
        },
      ),
      { numRuns: 400 },
    )
  }, 120_000)

  test('a key that is new in one of several partitions starts at the time of that partition', async () => {
    const at = (id: string, time: number, partition: number) => ({ id, 'v.x': 1, label: null, at: time, partition })
    const records = [at('a', 5, 0), at('b', 50, 1), at('a', 8, 1), at('a', 55, 1), at('a', 9, 0)]
    const windows = async (isScattered: boolean) =>
      (await answer(windowOf(read(topic('key', 0)), {}), records, isScattered))
        .filter(row => row.id === 'a')
        .map(row => [row.window_start, row.n])
        .toSorted(([a], [b]) => Number(a) - Number(b))
    expect(await windows(true)).toEqual([
      [0, 2],
      [50, 1],
    ])
    expect(await windows(false)).toEqual([
      [0, 3],
      [50, 1],
    ])
  })

  test('a record that is late for one window counts in a later one that overlaps', async () => {
    const records = [30, 15].map(at => ({ id: 'a', 'v.x': 1, label: null, at, partition: 0 }))
    const rows = await answer(windowOf(read(topic('partition', 8)), { size_us: 10, every_us: 5 }), records)
    // The frontier stands at 22 when the record of 15 comes: [10, 20) is over, [15, 25) is not.
    expect(rows.map(row => row.window_start).toSorted((a, b) => Number(a) - Number(b))).toEqual([15, 25, 30])
  })

  test('progress by key: a clock far ahead spoils no neighbour', async () => {
    const records = [
      { id: 'astray', 'v.x': 1, label: null, at: 1_000_000, partition: 0 },
      { id: 'right', 'v.x': 2, label: null, at: 5, partition: 0 },
    ]
    const starts = async (progress: 'partition' | 'key') =>
      (await answer(windowOf(read(topic(progress, 0)), {}), records)).filter(row => row.id === 'right').length
    expect(await starts('key')).toBe(1)
    expect(await starts('partition')).toBe(0)
  })
})

describe('other steps', () => {
  const plain = read(topic('partition', 0))

  test('a stream without a window gives its rows, those with nulls dropped and columns renamed', async () => {
    const columns = [{ name: 'x', type: 'number', nullable: false } as const]
    const required: StreamNode = { ...base, kind: 'require', input: plain, required: ['v.x'], columns: COLUMNS }
    const projected: StreamNode = {
      ...base,
      kind: 'project',
      input: required,
      projected: [{ name: 'x', from: 'v.x' }],
      columns,
    }
    const records = [1, null, 3].map((x, at) => ({ id: 'a', 'v.x': x, label: null, at, partition: 0 }))
    expect(await answer(projected, records)).toEqual([{ x: 1 }, { x: 3 }])
  })

  test('dedupe drops a row within the time of the last one kept, not of the last one seen', async () => {
    const node: StreamNode = { ...base, kind: 'dedupe', input: plain, key: ['id'], within_us: 10, columns: COLUMNS }
    const records = [0, 6, 12, 18, 40, 39].map(at => ({ id: 'a', 'v.x': at, label: null, at, partition: 0 }))
    records.push({ id: null as never, 'v.x': 7, label: null, at: 1, partition: 0 })
    const kept = (await answer(node, records)).map(row => row['v.x']).toSorted((a, b) => Number(a) - Number(b))
    expect(kept).toEqual([0, 7, 12, 40])
  })

  test('dedupe gives what a walk over the records gives', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { maxLength: 30 }),
        fc.integer({ min: 0, max: 30 }),
        fc.integer({ min: 1, max: 40 }),
        async (random, disorder, within_us) => {
          const records = random.map((row, n) => ({ ...row, 'v.x': n, partition: 0 }))
          const input = read(topic('partition', disorder))
          const node: StreamNode = { ...base, kind: 'dedupe', input, key: ['id'], within_us, columns: COLUMNS }
          const kept = new Map<string | null, number>()
          let reached = Number.NEGATIVE_INFINITY
          const expected = records.filter(({ id, at }) => {
            reached = Math.max(reached, at)
            const last = kept.get(id)
            if (last !== undefined && Math.abs(at - last) <= within_us && reached - disorder <= last + within_us)
              return false
            kept.set(id, at)
            return true
          })
          const answered = (await answer(node, records)).map(row => Number(row['v.x'])).toSorted((a, b) => a - b)
          expect(answered).toEqual(expected.map(row => row['v.x']))
        },
      ),
      { numRuns: 100 },
    )
  })

  test('a window over the results of a window counts each of them by the last moment of its window', async () => {
    const inner = windowOf(plain, {})
    const outer: WindowNode = {
      ...windowOf(inner, { size_us: 30, every_us: 30 }),
      aggregates: [{ name: 'total', function: 'sum', column: 'n', fraction: null }],
      columns: [
        COLUMNS[0]!,
        { name: 'total', type: 'number', nullable: false },
        { name: 'window_start', type: 'timestamp', nullable: false },
        { name: 'window_end', type: 'timestamp', nullable: false },
      ],
    }
    // Windows of 10 end at 10 (two rows), 30 (one row) and 40: the last one counts in the second window of 30.
    const records = [1, 9, 29, 31].map(at => ({ id: 'a', 'v.x': 1, label: null, at, partition: 0 }))
    const rows = await answer(outer, records)
    expect(rows.map(({ total, window_start }) => [total, window_start]).toSorted()).toEqual([
      [1, 30],
      [3, 0],
    ])
  })

  test('an opaque lambda is named with its way out', () => {
    const lambda = {
      text: 'r => secret(r)',
      function: () => true,
      parameters: {},
      location: { file: 'p.ts', line: 3, column: 5 },
      expression: null,
      opaque: { reason: 'calls `secret`', wayOut: 'write it out' },
      reads: [],
      result: { type: 'boolean', nullable: false },
    } as const
    const node: StreamNode = { ...base, kind: 'filter', input: plain, predicate: lambda, columns: COLUMNS }
    expect(oracleQuery(node, sourceOf(false))).toEqual({
      unsupported: 'the lambda r => secret(r) has no SQL: calls `secret`; write it out',
      location: lambda.location,
    })
  })
})
