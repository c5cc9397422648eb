/** What the console remembers is what a dumb list of all rows says, told at whatever moments; and it is bounded. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Cell } from '../../src/dashboard/protocol.ts'
import { LatestStore } from '../../src/dashboard/stores/latest-store.ts'
import { PartStore } from '../../src/dashboard/stores/part-store.ts'
import { RowStore } from '../../src/dashboard/stores/row-store.ts'
import { AHEAD_US_MAX, type PanelStore, ROWS_MAX, SERIES_MAX, TOLD_NOTHING } from '../../src/dashboard/stores/store.ts'
import { batchOf } from '../../src/engine/batch.ts'
import type { Column } from '../../src/plan/schema.ts'

const SECOND = 1_000_000
/** A whole minute, long ago enough for a clock of a test. */
const NOW = 1_700_000_040 * SECOND

const columns: readonly Column[] = [
  { name: 'time', type: 'timestamp', nullable: false },
  { name: 'device', type: 'text', nullable: false },
  { name: 'value', type: 'number', nullable: true },
]

interface Row {
  readonly time: number
  readonly device: string
  readonly value: number | null
}

const batch = (rows: readonly Row[]) =>
  batchOf(
    columns,
    rows.map(row => ({ ...row })),
  )

type Told = Readonly<Record<string, Cell>>

/** A page: it is told what changed, and keeps rows as they come. */
class Page {
  readonly #store: PanelStore
  readonly #keep: (rows: Told[], row: Told) => void
  version = TOLD_NOTHING
  rows: Told[] = []

  constructor(store: PanelStore, keep: (rows: Told[], row: Told) => void) {
    this.#store = store
    this.#keep = keep
  }

  /** Answers how many rows it was told. */
  ask(): number {
    const { reset, length, columns: told } = this.#store.changes(this.version)
    this.version = this.#store.version
    if (reset) this.rows = []
    for (let row = 0; row < length; row++) {
      this.#keep(this.rows, Object.fromEntries(Object.entries(told).map(([name, cells]) => [name, cells[row]!])))
    }
    return length
  }
}

const append = (rows: Told[], row: Told) => {
  rows.push(row)
}

/** A row takes the place of the one that is equal in these columns. */
const replaceBy =
  (...names: readonly string[]) =>
  (rows: Told[], row: Told) => {
    const index = rows.findIndex(other => names.every(name => other[name] === row[name]))
    if (index >= 0) rows.splice(index, 1)
    rows.push(row)
  }

const shown = ({ time, device, value }: Row): Told => ({ time: time / 1000, device, value })

const row = fc.record({
  time: fc.integer({ min: -30, max: 30 }).map(seconds => NOW + seconds * SECOND),
  device: fc.constantFrom('a', 'b', 'c', 'd'),
  value: fc.option(fc.integer({ min: -9, max: 9 }), { freq: 6 }),
})
/** Batches, each with whether the page asks after it. */
const history = fc.array(fc.tuple(fc.array(row, { maxLength: 12 }), fc.boolean()), { maxLength: 20 })

describe('rows as they came', () => {
  test('law: without times, the last rows', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: 20 }), (batches, rowsMax) => {
        const store = new RowStore({ columns: ['time', 'device', 'value'], rowsMax, timed: null })
        const [often, once] = [new Page(store, append), new Page(store, append)]
        const all: Row[] = []
        for (const [rows, asks] of batches) {
          store.add(batch(rows), NOW)
          all.push(...rows)
          if (asks) often.ask()
        }
        often.ask()
        once.ask()
        const expected = all.slice(-rowsMax).map(shown)
        expect(once.rows).toEqual(expected)
        // No hole: it was told all rows from some one on.
        expect(often.rows).toEqual(all.slice(all.length - often.rows.length).map(shown))
        expect(often.rows.length).toBeGreaterThanOrEqual(expected.length)
      }),
    )
  })

  test('law: with times, the rows of the span, sampled by series', () => {
    const span_us = 20 * SECOND
    fc.assert(
      fc.property(history, fc.boolean(), (batches, sampled) => {
        const timed = { time: 'time', by: 'device', span_us, sampled }
        const store = new RowStore({ columns: ['time', 'device', 'value'], timed })
        const [often, once] = [new Page(store, append), new Page(store, append)]
        const kept: Row[] = []
        const last = new Map<string, number>()
        let newest = Number.NEGATIVE_INFINITY
        let start = 0
        const held = new Map<string, number>()
        const whole: Row[] = []
        for (const [rows, asks] of batches) {
          for (const candidate of rows) {
            newest = Math.max(newest, Math.min(candidate.time, NOW))
            if (candidate.time < newest - span_us) continue
            const slot = Math.floor(candidate.time / (span_us / 2_000))
            if (sampled && held.get(candidate.device) && last.get(candidate.device) === slot) continue
            last.set(candidate.device, slot)
            held.set(candidate.device, (held.get(candidate.device) ?? 0) + 1)
            kept.push(candidate)
            whole.push(candidate)
          }
          while (start < kept.length && kept[start]!.time < newest - span_us) {
            const { device } = kept[start++]!
            held.set(device, held.get(device)! - 1)
          }
          store.add(batch(rows), NOW)
          if (asks) often.ask()
        }
        once.ask()
        expect(once.rows).toEqual(kept.slice(start).map(shown))
        if (often.version === TOLD_NOTHING) return
        often.ask()
        // Whoever listened from the beginning was told the rest too, unless it was gone in between.
        expect(often.rows.slice(often.rows.length - store.rows)).toEqual(once.rows)
        expect(whole.length).toBeGreaterThanOrEqual(often.rows.length)
      }),
    )
  })

  test('goes on for long without a hole', () => {
    const store = new RowStore({ columns: ['value'], rowsMax: 100, timed: null })
    const page = new Page(store, append)
    for (let chunk = 0; chunk < 300; chunk++) {
      const rows = Array.from({ length: 60 }, (_, index) => ({ time: NOW, device: 'a', value: chunk * 60 + index }))
      store.add(batch(rows), NOW)
      if (chunk % 7 === 6) continue
      page.ask()
      const values = page.rows.map(({ value }) => value)
      expect(values).toEqual(Array.from(values, (_, index) => chunk * 60 + 60 - values.length + index))
    }
    expect(store.rows).toBe(100)
  })

  test('a sampled series keeps at most one row a two-thousandth of its span', () => {
    const timed = { time: 'time', by: 'device', span_us: 20 * SECOND, sampled: true }
    const store = new RowStore({ columns: ['time', 'value'], timed })
    // Ten seconds at 20,000 rows/s of one device: slots of 10 ms.
    for (let chunk = 0; chunk < 100; chunk++) {
      const rows = Array.from({ length: 2_000 }, (_, index) => ({
        time: NOW + (chunk * 2_000 + index) * 50,
        device: 'a',
        value: index,
      }))
      store.add(batch(rows), NOW + 20 * SECOND)
    }
    expect(store.rows).toBe(1_000)
  })

  test('rows, series and texts are bounded', () => {
    const timed = { time: 'time', by: 'device', span_us: 3_600 * SECOND, sampled: false }
    const store = new RowStore({ columns: ['time', 'device'], timed })
    const page = new Page(store, append)
    for (let chunk = 0; chunk < 30; chunk++) {
      const rows = Array.from({ length: 3_000 }, (_, index) => ({
        time: NOW + chunk,
        device: `${index % 500}${'x'.repeat(600)}`,
        value: 0,
      }))
      store.add(batch(rows), NOW)
    }
    expect(store.rows).toBe(ROWS_MAX)
    page.ask()
    expect(new Set(page.rows.map(({ device }) => device)).size).toBe(SERIES_MAX)
    expect(Math.max(...page.rows.map(({ device }) => String(device).length))).toBe(500)
  })

  test('a series that is gone makes room for another', () => {
    const timed = { time: 'time', by: 'device', span_us: 10 * SECOND, sampled: true }
    const store = new RowStore({ columns: ['device'], timed })
    const rowsOf = (prefix: string, time: number) =>
      batch(Array.from({ length: SERIES_MAX }, (_, index) => ({ time, device: `${prefix}${index}`, value: 0 })))
    store.add(rowsOf('old', NOW), NOW)
    store.add(rowsOf('new', NOW + SECOND), NOW + SECOND)
    expect(store.rows).toBe(SERIES_MAX)
    store.add(rowsOf('old', NOW + 11 * SECOND), NOW + 11 * SECOND)
    store.add(rowsOf('new', NOW + 30 * SECOND), NOW + 30 * SECOND)
    store.add(rowsOf('new', NOW + 31 * SECOND), NOW + 31 * SECOND)
    const page = new Page(store, append)
    page.ask()
    expect(new Set(page.rows.map(({ device }) => String(device).slice(0, 3)))).toEqual(new Set(['new']))
  })

  test('a clock that is far ahead pushes nobody out, one that is astray is left out', () => {
    const timed = { time: 'time', by: 'device', span_us: 10 * SECOND, sampled: true }
    const store = new RowStore({ columns: ['device'], timed })
    store.add(batch([{ time: NOW, device: 'right', value: 0 }]), NOW)
    store.add(batch([{ time: NOW + 600 * SECOND, device: 'fast', value: 0 }]), NOW)
    store.add(batch([{ time: NOW + AHEAD_US_MAX + 1, device: 'astray', value: 0 }]), NOW)
    const page = new Page(store, append)
    page.ask()
    expect(page.rows.map(({ device }) => device)).toEqual(['right', 'fast'])
  })

  test('rows of years ago are shown, and pass by with the clock', () => {
    const timed = { time: 'time', by: 'device', span_us: 10 * SECOND, sampled: true }
    const store = new RowStore({ columns: ['device'], timed })
    const old = NOW - 40_000_000 * SECOND
    store.add(batch([{ time: old, device: 'old', value: 0 }]), NOW)
    expect(store.rows).toBe(1)
    store.add(batch([]), NOW + 11 * SECOND)
    expect(store.rows).toBe(0)
  })
})

describe('the latest of each key', () => {
  test('law: what a map of all rows says', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: 5 }), (batches, limit) => {
        const store = new LatestStore({ columns: ['time', 'device', 'value'], key: ['device'], limit, time: 'time' })
        const [often, once] = [new Page(store, replaceBy('device')), new Page(store, replaceBy('device'))]
        const expected = new Map<string, Row>()
        for (const [rows, asks] of batches) {
          for (const candidate of rows) {
            const held = expected.get(candidate.device)
            if (held !== undefined && candidate.time < held.time) continue
            expected.delete(candidate.device)
            expected.set(candidate.device, candidate)
            if (expected.size > limit) expected.delete(expected.keys().next().value!)
          }
          store.add(batch(rows), NOW)
          if (asks) often.ask()
        }
        often.ask()
        once.ask()
        expect(once.rows).toEqual([...expected.values()].map(shown))
        // Keys that are gone may still be there, but not for ever.
        expect(often.rows.length).toBeLessThanOrEqual(2 * limit)
        const known = often.rows.filter(({ device }) => expected.has(String(device)))
        expect(new Set(known.map(told => JSON.stringify(told)))).toEqual(
          new Set(once.rows.map(told => JSON.stringify(told))),
        )
      }),
    )
  })
})

describe('parts of a span', () => {
  const span_us = 60 * SECOND
  const part_us = SECOND
  const options = { time: 'time', category: 'device', span_us }

  interface Sums {
    count: number
    sum: number
  }

  /** Counts and sums by part and category, of the rows that count. */
  function sumsOf(rows: readonly Row[], isCounted: boolean): Map<string, Sums> {
    const sums = new Map<string, Sums>()
    for (const { time, device, value } of rows) {
      if (!isCounted && value === null) continue
      const key = `${(Math.floor(time / part_us) * part_us) / 1000} ${device}`
      const own = sums.get(key) ?? { count: 0, sum: 0 }
      own.count++
      own.sum += isCounted ? 1 : value!
      sums.set(key, own)
    }
    return sums
  }

  const toldSums = (rows: readonly Told[]) =>
    new Map(
      rows.flatMap(({ time, category, count, sum }) => (count === 0 ? [] : [[`${time} ${category}`, { count, sum }]])),
    )

  test.each([true, false])('law: every row counts (counted: %s)', isCounted => {
    fc.assert(
      fc.property(history, batches => {
        const store = new PartStore({ ...options, value: isCounted ? null : 'value', key: null })
        const [often, once] = [
          new Page(store, replaceBy('time', 'category')),
          new Page(store, replaceBy('time', 'category')),
        ]
        for (const [rows, asks] of batches) {
          store.add(batch(rows), NOW)
          if (asks) often.ask()
        }
        often.ask()
        once.ask()
        const expected = sumsOf(
          batches.flatMap(([rows]) => rows),
          isCounted,
        )
        expect(toldSums(once.rows)).toEqual(expected)
        expect(toldSums(often.rows)).toEqual(expected)
      }),
    )
  })

  test('law: of a changelog only the last row of each key counts', () => {
    fc.assert(
      fc.property(history, batches => {
        const store = new PartStore({ ...options, value: 'value', key: ['device', 'time'] })
        const [often, once] = [
          new Page(store, replaceBy('time', 'category')),
          new Page(store, replaceBy('time', 'category')),
        ]
        const latest = new Map<string, Row>()
        for (const [rows, asks] of batches) {
          for (const candidate of rows) latest.set(`${candidate.device} ${candidate.time}`, candidate)
          store.add(batch(rows), NOW)
          if (asks) often.ask()
        }
        often.ask()
        once.ask()
        const expected = sumsOf([...latest.values()], false)
        expect(toldSums(once.rows)).toEqual(expected)
        expect(toldSums(often.rows)).toEqual(expected)
      }),
    )
  })

  test('a number has the least, the greatest and the latest of each part', () => {
    const store = new PartStore({ ...options, category: null, value: 'value', key: null })
    const at = (milliseconds: number, value: number | null) => ({ time: NOW + milliseconds * 1000, device: 'a', value })
    store.add(batch([at(0, 5), at(700, 1), at(400, 9), at(900, null), at(1_000, 2)]), NOW)
    expect(store.changes(TOLD_NOTHING)).toEqual({
      reset: true,
      length: 2,
      columns: {
        time: [NOW / 1000, NOW / 1000 + 1_000],
        count: [3, 1],
        sum: [15, 2],
        min: [1, 2],
        max: [9, 2],
        last: [1, 2],
      },
    })
  })

  test('parts, categories and keys are bounded, and nothing is counted twice', () => {
    const store = new PartStore({ ...options, value: null, key: ['device', 'time'] })
    for (let second = 0; second < 300; second++) {
      const rows = Array.from({ length: 1_000 }, (_, index) => ({
        time: NOW + second * SECOND,
        device: `d${index}`,
        value: 0,
      }))
      store.add(batch(rows), NOW + second * SECOND)
    }
    const { length, columns: told } = store.changes(TOLD_NOTHING)
    expect(length).toBeLessThanOrEqual(61 * SERIES_MAX)
    expect(new Set(told.category).size).toBe(SERIES_MAX)
    expect(told.count!.every(count => count === 1)).toBe(true)
  })

  test('what can no longer be taken back still counts', () => {
    const store = new PartStore({ ...options, category: null, value: null, key: ['device'] })
    const devices = ROWS_MAX + 500
    store.add(batch(Array.from({ length: devices }, (_, index) => ({ time: NOW, device: `d${index}`, value: 0 }))), NOW)
    expect(store.changes(TOLD_NOTHING).columns.count).toEqual([devices])
    store.add(batch([{ time: NOW, device: `d${devices - 1}`, value: 0 }]), NOW)
    expect(store.changes(TOLD_NOTHING).columns.count).toEqual([devices])
  })
})
