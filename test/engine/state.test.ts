/** The state of operators, each kind alone, against a Map. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accumulatorOf } from '../../src/engine/aggregates/index.ts'
import { batchOf, type ColumnData, columnOf } from '../../src/engine/batch.ts'
import { DedupeOperator } from '../../src/engine/operators/dedupe.ts'
import { NOWHERE, Panes } from '../../src/engine/operators/panes.ts'
import { NumberCodes, PairCodes } from '../../src/engine/state/codes.ts'
import { KeyResolver } from '../../src/engine/state/key-resolver.ts'
import { KeyTable } from '../../src/engine/state/key-table.ts'
import type { DedupeNode } from '../../src/plan/nodes.ts'
import type { Cell, Column } from '../../src/plan/schema.ts'
import { identityOf } from './reference.ts'
import { options, SEED } from './seed.ts'

test(`seed ${SEED}`, () => {})

test('a key table gives one slot a key, also after slots were freed and used again', () => {
  const keys = fc.oneof(fc.string({ maxLength: 3 }), fc.integer({ min: 0, max: 5000 }).map(String))
  const steps = fc.array(fc.record({ key: keys, releases: fc.integer({ min: 0, max: 2 }) }), {
    maxLength: 4000,
    size: 'max',
  })
  fc.assert(
    fc.property(steps, list => {
      const table = new KeyTable()
      const known = new Map<string, number>()
      for (const { key, releases } of list) {
        const bytes = Buffer.from(key)
        const slot = table.findOrAdd(bytes, bytes.length)
        const before = known.get(key)
        if (before === undefined) expect([...known.values()].includes(slot)).toBe(false)
        else if (before !== slot) throw new Error(`slot ${slot} of ${key} was ${before}`)
        known.set(key, slot)
        if (releases !== 0) continue
        table.release(slot)
        known.delete(key)
      }
      expect(table.size).toBe(known.size)
      for (const [key, slot] of known) expect(table.findOrAdd(Buffer.from(key), Buffer.byteLength(key))).toBe(slot)
    }),
    options(20),
  )
})

test('a key table grows and compacts through a stream of ever new keys', () => {
  const table = new KeyTable()
  const live: { key: Buffer; slot: number }[] = []
  for (let index = 0; index < 60_000; index++) {
    const key = Buffer.from(`device-${index}`)
    live.push({ key, slot: table.findOrAdd(key, key.length) })
    if (live.length > 500) table.release(live.shift()!.slot)
  }
  expect(table.size).toBe(500)
  expect(table.capacity).toBeLessThanOrEqual(501)
  for (const { key, slot } of live) expect(table.findOrAdd(key, key.length)).toBe(slot)
})

test('equal numbers have equal codes, all others their own', () => {
  const numbers = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.constantFrom(0, -0, Number.NaN, 65_535, 65_536, 0.5, Number.POSITIVE_INFINITY, 1e300),
  )
  fc.assert(
    fc.property(fc.array(numbers, { maxLength: 3000, size: 'max' }), list => {
      const codes = new NumberCodes()
      const known = new Map<string, number>()
      for (const value of list) {
        const code = codes.of(value)
        const wanted = known.get(identityOf(value)) ?? known.size + 1
        if (code !== wanted) throw new Error(`code ${code} of ${value}, not ${wanted}`)
        known.set(identityOf(value), code)
      }
      expect(codes.size).toBe(known.size)
    }),
    options(50),
  )
})

test('equal pairs have equal codes, all others their own', () => {
  const codes = fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 0x7fffffff }))
  fc.assert(
    fc.property(fc.array(fc.tuple(codes, codes), { maxLength: 3000, size: 'max' }), list => {
      const pairs = new PairCodes()
      const known = new Map<string, number>()
      for (const [first, second] of list) {
        const wanted = known.get(`${first},${second}`) ?? known.size + 1
        if (pairs.of(first, second) !== wanted) throw new Error(`another code than ${wanted} for ${first}, ${second}`)
        known.set(`${first},${second}`, wanted)
      }
    }),
    options(50),
  )
})

describe('a key resolver', () => {
  const cell: Record<string, fc.Arbitrary<Cell>> = {
    text: fc.option(fc.constantFrom('', 'a', 'b', 'ab', '\ud800', '\ud801', 'ä'), { freq: 5 }),
    number: fc.option(fc.constantFrom(0, -0, 1, 70_000, 0.5, Number.NaN), { freq: 5 }),
    boolean: fc.option(fc.boolean(), { freq: 5 }),
    timestamp: fc.option(fc.constantFrom(0, 1.7e15, 1.7e15 + 1), { freq: 5 }),
  }
  const columnsOf = (types: readonly (keyof typeof cell)[]): Column[] =>
    types.map((type, index) => ({ name: `k${index}`, type: type as Column['type'], nullable: true }))
  const shapes = fc.array(fc.constantFrom('text', 'number', 'boolean', 'timestamp'), { minLength: 0, maxLength: 3 })

  test('gives equal keys one slot through new dictionaries, releases and reuse', () => {
    const runs = shapes.chain(types =>
      fc.tuple(
        fc.constant(types),
        fc.array(
          fc.record({
            rows: fc.array(fc.tuple(...types.map(type => cell[type]!)), { minLength: 1, maxLength: 12 }),
            releases: fc.array(fc.nat(), { maxLength: 4 }),
            sharesTexts: fc.boolean(),
          }),
          { maxLength: 12 },
        ),
      ),
    )
    fc.assert(
      fc.property(runs, ([types, batches]) => {
        const columns = columnsOf(types)
        const resolver = new KeyResolver(columns)
        const known = new Map<string, number>()
        const texts = ['', 'a', 'b', 'ab', '\ud800', '\ud801', 'ä']
        const shared = { values: texts }
        for (const { rows, releases, sharesTexts } of batches) {
          const data = columns.map((column, index): ColumnData => {
            const cells = rows.map(row => row[index] ?? null)
            if (column.type !== 'text' || !sharesTexts) return columnOf(column, cells)
            const codes = Int32Array.from(cells, value => (value === null ? -1 : texts.indexOf(value as string)))
            return { type: 'text', codes, dictionary: shared }
          })
          const slots = resolver.resolve(data, rows.length).slice(0, rows.length)
          rows.forEach((row, index) => {
            const key = row.map(identityOf).join('|')
            const slot = slots[index]!
            const before = known.get(key)
            if (before === undefined && [...known.values()].includes(slot)) throw new Error(`slot ${slot} is taken`)
            if (before !== undefined && before !== slot) throw new Error(`slot ${slot} of ${key} was ${before}`)
            known.set(key, slot)
            row.forEach((value, column) => {
              expect(identityOf(resolver.cell(slot, column))).toBe(identityOf(value))
            })
          })
          for (const pick of releases) {
            const entries = [...known]
            if (entries.length === 0) break
            const [key, slot] = entries[pick % entries.length]!
            resolver.release(slot)
            known.delete(key)
          }
          expect(resolver.size).toBe(known.size)
        }
      }),
      options(200),
    )
  })
})

test('long windows by two stacks are those merged pane by pane', () => {
  const steps = fc.array(
    fc.record({
      pane: fc.integer({ min: 0, max: 12 }),
      value: fc.integer({ min: -50, max: 50 }),
      group: fc.integer({ min: 0, max: 1 }),
      takes: fc.boolean(),
      back: fc.integer({ min: 0, max: 17 }),
    }),
    { maxLength: 120 },
  )
  const functions = ['count', 'sum', 'max'] as const
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 60 }), steps, (length, list) => {
      const column: Column = { name: 'value', type: 'number', nullable: false }
      const accumulators = functions.map(name => accumulatorOf({ function: name, fraction: null }, column))
      const panes = new Panes(accumulators, length)
      panes.ensureGroups(2)
      const kept = [0, 1].map(() => new Map<number, number[]>())
      const dropped = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
      let frontier = 0
      list.forEach(({ pane: ahead, value, group, takes, back }, order) => {
        const pane = frontier + ahead
        if (pane >= dropped[group]!) {
          const found = panes.find(group, pane)
          const slot = found === NOWHERE ? panes.add(group, pane) : found
          panes.touch(group, pane)
          const span = {
            slots: Int32Array.of(slot),
            from: 0,
            to: 1,
            time: Float64Array.of(order),
            origin: null,
            partition: 0,
            firstOffset: order,
          }
          for (const accumulator of accumulators) accumulator.add(columnOf(column, [value]), span)
          kept[group]!.set(pane, [...(kept[group]!.get(pane) ?? []), value])
        }
        if (!takes) return
        // Windows go forward mostly; the last word on an earlier one goes back.
        const to = frontier - (back > 8 ? back - 8 : 0)
        const from = to - length
        if (from >= dropped[group]!) {
          const slot = panes.window(group, from, to, to)
          const values: number[] = []
          for (const [pane, some] of kept[group]!) if (pane >= from && pane < to) values.push(...some)
          expect(slot === NOWHERE ? 0 : accumulators[0]!.result(slot)).toBe(values.length)
          if (slot !== NOWHERE) {
            expect(accumulators[1]!.result(slot)).toBe(values.reduce((a, b) => a + b, 0) + 0)
            expect(accumulators[2]!.result(slot)).toBe(Math.max(...values))
          }
        }
        frontier += back % 3
        const bound = frontier - length - 10
        if (back % 2 === 0 && bound > dropped[group]!) {
          panes.dropBefore(group, bound)
          dropped[group] = bound
          for (const pane of kept[group]!.keys()) if (pane < bound) kept[group]!.delete(pane)
        }
      })
    }),
    options(300),
  )
})

test('a dedupe that forgets keeps what one that remembers everything keeps', () => {
  const columns: Column[] = [{ name: 'key', type: 'text', nullable: true }]
  const within = 10
  const rows = fc.array(
    fc.record({
      key: fc.option(fc.constantFrom('a', 'b', 'c')),
      step: fc.integer({ min: -6, max: 9 }),
      ends: fc.boolean(),
    }),
    { maxLength: 80 },
  )
  fc.assert(
    fc.property(rows, list => {
      const found: number[] = []
      let base = 0
      const node = { key: ['key'], within_us: within } as unknown as DedupeNode
      const operator = new DedupeOperator(
        node,
        columns,
        {
          push: batch => {
            for (let row = 0; row < batch.length; row++) found.push(base + (batch.origin?.[row] ?? row))
          },
          advance: () => {},
          end: () => {},
        },
        { progress: 'key' },
      )
      const wanted: number[] = []
      const kept = new Map<string | null, number>()
      let [time, maximum] = [0, Number.NEGATIVE_INFINITY]
      let pending: { key: string | null; time: number; frontier: number }[] = []
      list.forEach(({ key, step, ends }, index) => {
        time += step
        maximum = Math.max(maximum, time)
        const frontier = maximum - 3
        const before = kept.get(key)
        if (before === undefined || Math.abs(time - before) > within || frontier > before + within) {
          wanted.push(index)
          kept.set(key, time)
        }
        pending.push({ key, time, frontier })
        if (!ends && index < list.length - 1) return
        operator.push(batchOf(columns, pending), {
          rows: pending.length,
          time: Float64Array.from(pending, row => row.time),
          frontier: Float64Array.from(pending, row => row.frontier),
          joint: new Float64Array(pending.length),
          keys: null,
          othersOfKey: null,
          partition: 0,
          firstOffset: base,
          others: Number.POSITIVE_INFINITY,
          othersClosed: Number.POSITIVE_INFINITY,
        })
        operator.advance({ emit: frontier, close: frontier, key: null })
        base = index + 1
        pending = []
      })
      expect(found).toEqual(wanted)
    }),
    options(300),
  )
})

test('after a later window an earlier one is still its own', () => {
  const counts = accumulatorOf({ function: 'count', fraction: null }, null)
  const panes = new Panes([counts], 4)
  panes.ensureGroups(1)
  for (let pane = 0; pane < 10; pane++) {
    const slots = Int32Array.of(panes.add(0, pane))
    counts.add(null, { slots, from: 0, to: 1, time: new Float64Array(1), origin: null, partition: 0, firstOffset: 0 })
  }
  const windowTo = (to: number) => counts.result(panes.window(0, to - 4, to, to))
  expect([4, 5, 6, 5, 4, 7, 10, 9].map(windowTo)).toEqual([4, 4, 4, 4, 4, 4, 4, 4])
})
