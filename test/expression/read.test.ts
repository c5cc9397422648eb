import { describe, expect, test } from 'vitest'
import { normalise } from '../../src/plan/expression/normalise.ts'
import { type ReadOptions, readLambda } from '../../src/plan/expression/read.ts'
import type { Column } from '../../src/plan/schema.ts'

const columns: readonly Column[] = [
  { name: 'name', type: 'text', nullable: false },
  { name: 'note', type: 'text', nullable: true },
  { name: 'values.x', type: 'number', nullable: false },
  { name: 'battery', type: 'number', nullable: true },
  { name: 'time', type: 'timestamp', nullable: false },
  { name: 'ok', type: 'boolean', nullable: false },
  { name: 'place.lat', type: 'number', nullable: true },
  { name: 'tags', type: 'json', nullable: false },
]

interface Row {
  name: string
  note: string | null
  values: { x: number }
  battery: number | null
  time: number
  ok: boolean
  place: { lat: number } | null
  tags: string[]
}

const read = (lambda: (row: Row, $: never) => unknown, options: Partial<ReadOptions> = {}) =>
  readLambda(lambda as never, { columns, ...options })

/** Lambdas as other tools print them. */
const readText = (text: string, options: Partial<ReadOptions> = {}) =>
  read(Object.assign(() => null, { toString: () => text }) && new Function(`'use strict'; return ${text}`)(), options)

describe('what is read', () => {
  const meanings: [string, string, string][] = [
    ['r => r.name === "accelerometer"', 'name === "accelerometer"', 'boolean'],
    ['r => Math.sqrt(r.values.x ** 2)', 'Math.sqrt((values.x ** 2))', 'number'],
    ["row => row['values.x'] + .5", 'values.x + 0.5', 'number'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the source of a lambda.
    ['({ name, values: { x } }) => `${name}:${x}`', '\'\' + name + ":" + values.x', 'text'],
    ['function (r) { return r.ok ? 1 : 2 }', 'ok ? 1 : 2', 'number'],
    [
      'r => { const b = r.battery; if (b === null) return "none"; return b > 5 ? "high" : "low" }',
      '(battery === null) ? "none" : ((battery > 5) ? "high" : "low")',
      'text',
    ],
    ['r => new Date(r.time / 1000).getUTCHours()', 'new Date((time / 1000)).getUTCHours()', 'number'],
    ['r => r.note?.trim() ?? ""', '((note === null) ? null : note.trim()) ?? ""', 'text'],
    ['r => r.place?.lat ?? 0', 'place.lat ?? 0', 'number'],
    ['r => r.note !== null && r.note.length > 3', '(note !== null) && (note.length > 3)', 'boolean'],
    ['r => r.time', 'time', 'timestamp'],
    ['r => r.time - 5', 'time - 5', 'number'],
    ['r => r.tags', 'tags', 'json'],
    ['r => r.battery === void 0 || true', '', 'refused'],
  ]
  for (const [text, normal, type] of meanings) {
    test(text, () => {
      if (type === 'refused') {
        expect(() => readText(text)).toThrow('write `r.battery === null`')
        return
      }
      const lambda = readText(text)
      expect(lambda.opaque).toBeNull()
      expect(normalise(lambda.expression!)).toBe(normal)
      expect(lambda.result.type).toBe(type)
    })
  }

  test('a method, a generated name and `(0, f)` are read through', () => {
    const holder = {
      keep(r: Row) {
        return r.ok
      },
    }
    expect(normalise(read(holder.keep).expression!)).toBe('ok')
    expect(normalise(readText('r => (0, Math.abs)(r.values.x)').expression!)).toBe('Math.abs(values.x)')
  })

  test('parameters and lists are put in, library functions known', () => {
    const lambda = readText(
      "(r, $) => $.names.includes(r.name) ? $.formatTime(r.time, 'dd/MM/yyyy HH:mm:ss') : $.none",
      {
        parameters: { names: ['a', 'b'], none: null },
      },
    )
    expect(normalise(lambda.expression!)).toBe(
      '["a", "b"].includes(name) ? $.formatTime(time, "dd/MM/yyyy HH:mm:ss") : null',
    )
    expect(lambda.result).toEqual({ type: 'text', nullable: true })
    expect(lambda.reads).toEqual(['name', 'time'])
  })

  test('a conditional of texts has labels', () => {
    const lambda = readText(
      "(r, $) => r.values.x < $.walking ? 'Stationary' : r.values.x < $.running ? 'Walking' : 'Running'",
      {
        parameters: { walking: 0.5, running: 2 },
      },
    )
    expect(lambda.result).toEqual({ type: 'text', nullable: false, labels: ['Stationary', 'Walking', 'Running'] })
    expect(normalise(lambda.expression!)).toBe(
      '(values.x < 0.5) ? "Stationary" : ((values.x < 2) ? "Walking" : "Running")',
    )
  })

  test('nulls are followed through tests', () => {
    expect(readText('r => r.battery === null ? 0 : r.battery * 2').result).toEqual({ type: 'number', nullable: false })
    expect(readText('r => r.ok ? r.battery : null').result).toEqual({ type: 'number', nullable: true })
    expect(readText('r => (!r.note ? null : r.note.length)').result).toEqual({ type: 'number', nullable: true })
    expect(readText('r => r.note || r.name').result).toEqual({ type: 'text', nullable: false })
    expect(readText('r => r.battery', { use: 'filter' }).result).toEqual({ type: 'boolean', nullable: false })
  })
})

describe('what stays opaque', () => {
  const threshold = 0.5
  const lookup = (name: string) => name

  test('a captured variable, with the lambda rewritten', () => {
    const lambda = read(r => r.values.x > threshold, { use: 'filter' })
    expect(lambda.expression).toBeNull()
    expect(lambda.opaque).toEqual({
      reason: 'captures `threshold`',
      wayOut: 'write `.filter((r, $) => r.values.x > $.threshold, { threshold })`',
    })
    expect(lambda.reads).toEqual(columns.map(({ name }) => name))
    expect(lambda.result).toEqual({ type: 'boolean', nullable: false })
    const derived = read(r => r.values.x * threshold, { use: 'derive', name: 'scaled' })
    expect(derived.opaque?.wayOut).toBe(
      'write `.derive({ scaled: (r, $) => r.values.x * $.threshold }, { threshold })`',
    )
    expect(derived.result).toEqual({ type: 'number', nullable: false })
  })

  test('a function of the user', () => {
    const lambda = read(r => `${lookup(r.name)}!`)
    expect(lambda.opaque?.reason).toBe('captures `lookup`')
    expect(lambda.result).toEqual({ type: 'text', nullable: false })
  })

  const reasons: [string, string][] = [
    ['r => r.battery * 2', '`r.battery` can be null where `*` needs a value'],
    ['r => r.note.length', 'reads `r.note.length` of what can be null'],
    ['r => r.tags.length', 'reads `r.tags.length`'],
    ['r => r.name.normalize()', 'calls `r.name.normalize`, which is not known of text'],
    ['r => { let x = 1; return x }', 'declares a variable with `let`'],
    ['r => r.ok ? 1 : "a"', 'gives number or text in `r.ok ? 1 : "a"`'],
    ['r => r.name ^ 1', 'uses the operator `^`'],
    ['r => ({ ...r })', 'uses `{ ...r }`'],
    ['async r => r.name', 'is async or a generator'],
    ['r => r.name == 1', 'compares text with number in `r.name == 1`'],
    ['r => new Date(r.time / 1000)', 'gives a Date'],
  ]
  for (const [text, reason] of reasons) {
    test(text, () => {
      const lambda = readText(text)
      expect(lambda.expression).toBeNull()
      expect(lambda.opaque?.reason).toBe(reason)
      expect(lambda.opaque?.wayOut).not.toBe('')
    })
  }

  test('what was imported, as the test runner prints it', () => {
    const value = readText('(r) => r.values.x > __vite_ssr_import_1__.limit', { use: 'filter' })
    expect(value.opaque?.reason).toBe('captures `limit`')
    expect(value.opaque?.wayOut).toContain('pass `limit` as a parameter')
    const called = readText('(r) => (0,__vite_ssr_import_1__.double)(r.values.x)')
    expect(called.opaque?.reason).toBe('captures `double`')
    expect(called.opaque?.wayOut).toContain('it runs here as it is')
  })

  test('inner names are no captures', () => {
    const text = 'r => { const x = r.values.x; function twice(y) { return y * 2 } return [x].map(z => twice(z))[0] }'
    expect(readText(text).opaque?.reason).not.toContain('captures')
    expect(readText('r => [1].map(z => z + outside)[0]').opaque?.reason).toBe('captures `outside`')
  })

  test('a bound function', () => {
    expect(read(((r: Row) => r.ok).bind(null)).opaque?.reason).toContain('source text cannot be read')
  })
})

describe('what is refused', () => {
  const location = { file: 'pipeline.ts', line: 7, column: 4 }
  const refusals: [string, string, string][] = [
    ['r => Date.now() - r.time', 'EXPRESSION_REFUSED', '`Date.now()` reads the clock'],
    ['r => new Date().getTime()', 'EXPRESSION_REFUSED', '`new Date()` reads the clock'],
    ['r => Math.random() < 0.5', 'EXPRESSION_REFUSED', '`Math.random()` is random'],
    ['r => performance.now()', 'EXPRESSION_REFUSED', '`performance.now` reads the clock'],
    ['r => crypto.randomUUID()', 'EXPRESSION_REFUSED', '`crypto.randomUUID` is random'],
    ['r => [1].map(() => Date.now())', 'EXPRESSION_REFUSED', '`Date.now()` reads the clock'],
    ['r => new Date(r.time).getUTCHours()', 'EXPRESSION_REFUSED', 'write `new Date(r.time / 1000)`'],
    ['r => new Date(r.time / 1000).getHours()', 'EXPRESSION_REFUSED', 'write `getUTCHours`'],
    ['r => r.name.localeCompare("a")', 'EXPRESSION_REFUSED', '`localeCompare` depends on the language'],
    ['r => r.place?.lat === null', 'EXPRESSION_REFUSED', 'write `r.place?.lat == null`'],
    ['r => r.note?.trim() === null', 'EXPRESSION_REFUSED', 'write `r.note?.trim() == null`'],
    ['r => r.values === null', 'EXPRESSION_REFUSED', 'such as `r.values.x`'],
    ["(r, $) => $.formatTime(r.time, 'YYYY-MM')", 'EXPRESSION_REFUSED', "there is no field 'YYYY' (write yyyy)"],
    [
      "(r, $) => $.formatTime(r.time, 'HH', { zone: 'Madrid' })",
      'EXPRESSION_REFUSED',
      "there is no time zone 'Madrid'",
    ],
    ["(r, $) => $.formatTime(r.time, 'HH', { tz: 'UTC' })", 'EXPRESSION_REFUSED', 'has one option, `zone`'],
    ['(r, $) => r.values.x > $.limt', 'EXPRESSION_REFUSED', 'did you mean `limit`?'],
    ['r => r.nme === "a"', 'COLUMN_UNKNOWN', 'there is no column `nme`, did you mean `name`?'],
    ['r => r.values.w', 'COLUMN_UNKNOWN', 'there is no column `values.w`'],
  ]
  for (const [text, code, message] of refusals) {
    test(text, () => {
      const refused = expect.objectContaining({ code, message: expect.stringContaining(message) })
      expect(() => readText(text, { location, parameters: { limit: 1 } })).toThrow(refused)
      expect(() => readText(text, { location, parameters: { limit: 1 } })).toThrow('pipeline.ts:7:4: ')
    })
  }
})
