import { describe, expect, test } from 'vitest'
import { type Batch, batchOf, type ColumnData, rowsOf } from '../../src/engine/batch.ts'
import { compileChain, plainChain } from '../../src/engine/chain.ts'
import type { StatelessNode } from '../../src/engine/steps.ts'
import type { Parameters } from '../../src/plan/expression/lambda.ts'
import { readLambda } from '../../src/plan/expression/read.ts'
import type { Column } from '../../src/plan/schema.ts'

const base = { stream: { kind: 'append' }, identity: 'test', location: null, input: null as never } as const
const READINGS: readonly Column[] = [
  { name: 'sessionId', type: 'text', nullable: false },
  { name: 'name', type: 'text', nullable: false },
  { name: 'values.x', type: 'number', nullable: false },
  { name: 'values.y', type: 'number', nullable: false },
  { name: 'values.z', type: 'number', nullable: false },
  { name: 'battery', type: 'number', nullable: true },
  { name: 'note', type: 'text', nullable: true },
  { name: 'tags', type: 'json', nullable: true },
]

const reading = (name: string, x: number, more: object = {}) => ({
  sessionId: 's1',
  name,
  'values.x': x,
  'values.y': 2,
  'values.z': 2,
  battery: null,
  note: null,
  tags: null,
  ...more,
})

/** Builds steps as a pipeline would. */
function steps(input: readonly Column[] = READINGS) {
  const list: StatelessNode[] = []
  let columns = input
  const location = { file: 'pipeline.ts', line: 3, column: 5 }
  const builder = {
    list,
    filter(lambda: unknown, parameters: Parameters = {}) {
      const predicate = readLambda(lambda as never, { columns, parameters, use: 'filter', location })
      list.push({ ...base, kind: 'filter', predicate, columns })
      return builder
    },
    require(...required: string[]) {
      columns = columns.map(column => (required.includes(column.name) ? { ...column, nullable: false } : column))
      list.push({ ...base, kind: 'require', required, columns })
      return builder
    },
    derive(lambdas: { [name: string]: unknown }, parameters: Parameters = {}) {
      const derived = Object.entries(lambdas).map(([name, lambda]) => ({
        name,
        lambda: readLambda(lambda as never, { columns, parameters, location, name }),
      }))
      columns = [
        ...columns.filter(({ name }) => !Object.hasOwn(lambdas, name)),
        ...derived.map(({ name, lambda }) => ({ name, ...lambda.result })),
      ]
      list.push({ ...base, kind: 'derive', derived, columns })
      return builder
    },
    project(names: { [name: string]: string }) {
      const projected = Object.entries(names).map(([name, from]) => ({ name, from }))
      columns = projected.map(({ name, from }) => ({ ...columns.find(column => column.name === from)!, name }))
      list.push({ ...base, kind: 'project', projected, columns })
      return builder
    },
  }
  return builder
}

type Reading = {
  name: string
  note: string | null
  battery: number | null
  sessionId: string
  values: { x: number; y: number; z: number }
}

const activity = () =>
  steps()
    .filter((r: Reading) => r.name === 'accelerometer')
    .derive({ magnitude: (r: Reading) => Math.sqrt(r.values.x ** 2 + r.values.y ** 2 + r.values.z ** 2) })
    .derive(
      {
        activity_type: (r: { magnitude: number }, $: { walking: number; running: number }) =>
          r.magnitude < $.walking ? 'Stationary' : r.magnitude < $.running ? 'Walking' : 'Running',
      },
      { walking: 4, running: 5 },
    ).list

const rows = [
  reading('accelerometer', 1),
  reading('gyroscope', 9),
  reading('accelerometer', 3, { battery: 0.5, note: 'late' }),
  reading('accelerometer', 30, { tags: ['a'] }),
]

describe('the activity tracker', () => {
  test('filters, derives and classifies', () => {
    const chain = compileChain(activity(), READINGS, new Set(['sessionId', 'magnitude', 'activity_type']))
    expect(rowsOf(chain.run(batchOf(READINGS, rows)))).toEqual([
      { sessionId: 's1', magnitude: 3, activity_type: 'Stationary' },
      { sessionId: 's1', magnitude: Math.sqrt(17), activity_type: 'Walking' },
      { sessionId: 's1', magnitude: Math.sqrt(908), activity_type: 'Running' },
    ])
    expect([...chain.reads].sort()).toEqual(['name', 'sessionId', 'values.x', 'values.y', 'values.z'])
  })

  test('columns that nothing needs are neither read nor written', () => {
    const chain = compileChain(activity(), READINGS, new Set(['sessionId']))
    expect([...chain.reads].sort()).toEqual(['name', 'sessionId'])
    const input = batchOf(READINGS, rows)
    const pruned = {
      ...input,
      data: input.data.map((data, index) => (chain.reads.has(READINGS[index]!.name) ? data : null)),
    }
    const output = chain.run(pruned)
    expect(output.data.filter(data => data !== null)).toHaveLength(1)
    expect(output.length).toBe(3)
  })

  test('a batch without a column that is read is a fault of ours', () => {
    const input = batchOf(READINGS, rows)
    const chain = compileChain(activity(), READINGS, null)
    expect(() => chain.run({ ...input, data: input.data.map(() => null) })).toThrow(
      expect.objectContaining({ code: 'INTERNAL' }),
    )
  })

  test('the origin leads through filters to the first rows', () => {
    const chain = compileChain(activity(), READINGS, null)
    const input = batchOf(READINGS, rows)
    expect([...chain.run(input).origin!]).toEqual([0, 2, 3])
    expect([...chain.run({ ...input, origin: Int32Array.of(10, 20, 30, 40) }).origin!]).toEqual([10, 30, 40])
    const all = batchOf(READINGS, [rows[0]!, rows[2]!])
    expect(chain.run(all).origin).toBeNull()
  })

  test('a labelled column has the labels as its dictionary, whatever the rows', () => {
    const chain = compileChain(activity(), READINGS, new Set(['activity_type']))
    const [first, second] = [chain.run(batchOf(READINGS, [rows[0]!])), chain.run(batchOf(READINGS, rows))]
    const dictionary = (batch: Batch) => (batch.data.at(-1) as Extract<ColumnData, { codes: unknown }>).dictionary
    expect(dictionary(first).values).toEqual(['Stationary', 'Walking', 'Running'])
    expect(dictionary(second)).toBe(dictionary(first))
  })

  test('an empty batch', () => {
    expect(compileChain(activity(), READINGS, null).run(batchOf(READINGS, [])).length).toBe(0)
  })
})

describe('steps', () => {
  test('without a filter, columns are passed on without copying', () => {
    const input = batchOf(READINGS, rows)
    const { list } = steps().project({ x: 'values.x', again: 'values.x', id: 'sessionId' })
    const output = compileChain(list, READINGS, null).run(input)
    expect(output.data).toEqual([input.data[2], input.data[2], input.data[0]])
    expect((output.data[0] as { values: unknown }).values).toBe((input.data[2] as { values: unknown }).values)
    const derived = compileChain(steps().derive({ twice: (r: Reading) => r.values.x * 2 }).list, READINGS, null).run(
      input,
    )
    expect(derived.data[0]).toBe(input.data[0])
    expect(rowsOf(derived).map(row => row.twice)).toEqual([2, 18, 6, 60])
  })

  test('no steps at all', () => {
    const input = batchOf(READINGS, rows)
    expect(compileChain([], READINGS, null).run(input).data).toEqual(input.data)
  })

  test('require drops nulls and what follows may use the values', () => {
    const { list } = steps()
      .require('battery', 'note')
      .derive({ twice: (r: Reading) => r.battery! * 2, size: (r: Reading) => r.note!.length })
    expect(list.at(-1)).toMatchObject({ derived: [{ lambda: { opaque: null } }, { lambda: { opaque: null } }] })
    const output = compileChain(list, READINGS, null).run(batchOf(READINGS, rows))
    expect(rowsOf(output)).toEqual([{ ...rows[2], twice: 1, size: 4 }])
    expect(output.data[5]).toMatchObject({ validity: null })
  })

  test('all lambdas of a derive see the row as it came in', () => {
    const { list } = steps().derive({ name: (r: Reading) => r.sessionId, sessionId: (r: Reading) => r.name })
    const output = rowsOf(compileChain(list, READINGS, null).run(batchOf(READINGS, rows)))
    expect(output.map(row => [row.name, row.sessionId])).toEqual(rows.map(row => [row.sessionId, row.name]))
  })

  test('a dictionary that grows between batches', () => {
    const values = ['a']
    const dictionary = { values }
    const columns: Column[] = [{ name: 'name', type: 'text', nullable: true }]
    const { list } = steps(columns)
      .filter((r: Reading) => r.name !== 'b')
      .derive({ upper: (r: Reading) => (r.name ?? 'none').toUpperCase() })
    const chain = compileChain(list, columns, null)
    const run = (...codes: number[]) =>
      rowsOf(
        chain.run({
          length: codes.length,
          columns,
          data: [{ type: 'text', codes: Int32Array.from(codes), dictionary }],
          origin: null,
        }),
      )
    expect(run(0, -1)).toEqual([
      { name: 'a', upper: 'A' },
      { name: null, upper: 'NONE' },
    ])
    values.push('b', 'c', 'd', 'e')
    expect(run(1, 2, 4, 0)).toEqual([
      { name: 'c', upper: 'C' },
      { name: 'e', upper: 'E' },
      { name: 'a', upper: 'A' },
    ])
  })

  test('names that look like code are only names', () => {
    const columns: Column[] = [
      { name: '__proto__', type: 'number', nullable: false },
      { name: "x'];throw 1;//", type: 'number', nullable: false },
      { name: 'a\u2028b', type: 'text', nullable: false },
    ]
    const row = Object.fromEntries([
      ['__proto__', 1],
      ["x'];throw 1;//", 2],
      ['a\u2028b', '\u2028"'],
    ]) as never
    let seen: unknown
    const { list } = steps(columns)
      .derive({
        '${y}': new Function('return r => r["x\'];throw 1;//"] + 1')(),
        text: new Function('return r => r["a\\u2028b"] + "\\u2028`"')(),
      })
      .derive({
        keys: (r: object) => {
          seen = Object.keys(r)
          return (seen as string[]).length
        },
      })
    const output = rowsOf(compileChain(list, columns, null).run(batchOf(columns, [row])))
    expect(output[0]).toMatchObject({ '${y}': 3, text: '\u2028"\u2028`' })
    expect(seen).toContain('__proto__')
  })
})

describe('lambdas that are not translated', () => {
  const seen: unknown[] = []
  const lookup = (name: string) => name.toUpperCase()
  const opaque = () =>
    steps()
      .filter((r: Reading) => r.name === 'accelerometer')
      .derive({ label: (r: Reading) => `${lookup(r.name)}` })
      .filter((r: { label: string; values: { x: number } }) => seen.push(r) > 0 && r.values.x < 10)
      .derive({ size: (r: { label: string }) => r.label.length }).list

  test('are called with nested rows, and only with those that are left', () => {
    seen.length = 0
    const list = opaque()
    const output = rowsOf(compileChain(list, READINGS, new Set(['label', 'size'])).run(batchOf(READINGS, rows)))
    expect(output).toEqual([
      { label: 'ACCELEROMETER', size: 13 },
      { label: 'ACCELEROMETER', size: 13 },
    ])
    expect(seen).toHaveLength(3)
    expect(seen[1]).toEqual({
      sessionId: 's1',
      name: 'accelerometer',
      values: { x: 3, y: 2, z: 2 },
      battery: 0.5,
      note: 'late',
      tags: null,
      label: 'ACCELEROMETER',
    })
    expect(rowsOf(compileChain(list, READINGS, null).run(batchOf(READINGS, rows)))).toEqual(
      plainChain(list, READINGS)(rows),
    )
  })

  test('a throw says where, why and on which row', () => {
    const { list } = steps().derive({ broken: (r: Reading) => JSON.parse(r.name).x })
    const run = () => compileChain(list, READINGS, null).run(batchOf(READINGS, rows))
    expect(run).toThrow(
      expect.objectContaining({
        code: 'LAMBDA_FAILED',
        message: expect.stringMatching(
          /^pipeline\.ts:3:5: the lambda of `broken` threw SyntaxError: .*"accelerometer"/,
        ),
      }),
    )
  })

  test('a type that its source did not promise is an error, not a wrong number', () => {
    const lie = { toFixed: () => 5 }
    const { list } = steps().derive({ text: () => lie.toFixed() })
    expect(() => compileChain(list, READINGS, null).run(batchOf(READINGS, rows))).toThrow(
      'gave a number where its source promises text',
    )
  })
})
