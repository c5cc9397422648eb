/** What every sink owes the runtime (src/connectors/contract.ts), as tests that each sink runs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Sink, SinkContext } from '../../src/connectors/contract.ts'
import { batchOf } from '../../src/engine/batch.ts'
import type { Column } from '../../src/plan/schema.ts'

type Row = Readonly<Record<string, unknown>>

export interface SinkCase {
  readonly name: string
  readonly mode: 'append' | 'upsert'
  /** Makes the sink anew in the folder, as after a start; `end` lets go of all that it holds. */
  make(folder: string): Promise<{ readonly sink: Sink; end(): Promise<void> }>
  /** The rows that a reader finds after `end`, with nulls, in the order of `id`. */
  rows(folder: string, columns: readonly Column[]): Promise<Row[]>
  /** Whether a column that comes later is added; else the sink refuses it. */
  readonly takesNewColumns: boolean
  /** NaN and the infinities as this sink keeps them. */
  readonly notFinite: 'null' | 'kept'
}

const column = (name: string, type: Column['type'], nullable = true): Column => ({ name, type, nullable })
const COLUMNS: readonly Column[] = [
  column('id', 'number', false),
  column('name', 'text'),
  column('at', 'timestamp'),
  column('ok', 'boolean'),
  column('values.x', 'number'),
  column('extra', 'json'),
]

const row = (id: number, changes: Row = {}): Row => ({
  id,
  name: `name ${id}`,
  at: 1_698_501_145_514_000 + id * 1_000_001,
  ok: id % 2 === 0,
  'values.x': id / 4,
  extra: { list: [id, null], text: 'a "quote"' },
  ...changes,
})

const EDGE_ROWS: readonly Row[] = [
  { id: 0, name: null, at: null, ok: null, 'values.x': null, extra: null },
  row(1, { name: '', 'values.x': -0.1 }),
  row(2, { name: 'exactly12byt', 'values.x': 1e300 }),
  row(3, { name: 'thirteenbytes', 'values.x': 5e-324 }),
  row(4, { name: 'ünïcode 漢字 🎉 and longer', at: 0 }),
  row(5, { name: 'comma, "quote"\nnew line\r\ttab', at: -1 }),
  row(6, { name: 'x'.repeat(100_000), at: 4_102_444_800_000_000 }),
  row(7, { name: 'null', extra: [] }),
  row(8, { name: ' spaces ', extra: 'text' }),
]

export function sinkConformance(target: SinkCase): void {
  describe(`sink ${target.name}`, () => {
    let folder: string
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'millrace-sink-'))
    })
    afterEach(() => rmSync(folder, { recursive: true, force: true }))

    const contextOf = (changes: Partial<SinkContext> = {}): SinkContext => ({
      consumer: 'default/test/output',
      incarnation: 'first',
      dataDirectory: folder,
      columns: COLUMNS,
      key: target.mode === 'upsert' ? ['id'] : [],
      ...changes,
    })
    /** Opens the sink, lets `use` work with it, then ends it; resolves to the position that `open` answered. */
    const session = async (use: (sink: Sink) => Promise<void>, changes: Partial<SinkContext> = {}) => {
      const { sink, end } = await target.make(folder)
      const position = await sink.open(contextOf(changes))
      await use(sink)
      await sink.close()
      await end()
      return position
    }
    const batch = (rows: readonly Row[], columns = COLUMNS) => batchOf(columns, rows)
    const nothing = async () => {}

    test('keeps what was committed and answers its position', async () => {
      expect(
        await session(async sink => {
          await sink.write(batch([row(1), row(2)]))
          await sink.commit(2)
          await sink.write(batch([row(3)]))
          await sink.write(batch([row(4)]))
          await sink.commit(4)
        }),
      ).toBe(0)
      expect(await target.rows(folder, COLUMNS)).toEqual([row(1), row(2), row(3), row(4)])
      expect(await session(nothing)).toBe(4)
      expect(await target.rows(folder, COLUMNS)).toEqual([row(1), row(2), row(3), row(4)])
    })

    test('forgets what was not committed, and takes it again', async () => {
      await session(async sink => {
        await sink.write(batch([row(1)]))
        await sink.commit(1)
        await sink.write(batch([row(2), row(3)]))
      })
      expect(await target.rows(folder, COLUMNS)).toEqual([row(1)])
      // More than any buffer holds: part of it has reached the disk.
      await session(async sink => {
        await sink.write(batch(Array.from({ length: 5000 }, (_, id) => row(id + 2, { name: 'lost '.repeat(40) }))))
        await sink.write(batch([row(5002)]))
      })
      expect(
        await session(async sink => {
          await sink.write(batch([row(2), row(3)]))
          await sink.commit(3)
        }),
      ).toBe(1)
      expect(await target.rows(folder, COLUMNS)).toEqual([row(1), row(2), row(3)])
    })

    test('can be opened again after it was closed', async () => {
      const { sink, end } = await target.make(folder)
      await sink.open(contextOf())
      await sink.write(batch([row(1)]))
      await sink.commit(1)
      await sink.write(batch([row(2)]))
      await sink.close()
      expect(await sink.open(contextOf())).toBe(1)
      await sink.write(batch([row(2)]))
      await sink.commit(2)
      await sink.close()
      await end()
      expect(await target.rows(folder, COLUMNS)).toEqual([row(1), row(2)])
    })

    test('keeps nulls of every type, Unicode, empty and long texts, and tricky numbers', async () => {
      await session(async sink => {
        await sink.write(batch(EDGE_ROWS))
        await sink.commit(EDGE_ROWS.length)
      })
      expect(await target.rows(folder, COLUMNS)).toEqual(EDGE_ROWS)
    })

    test('writes numbers that are not finite as it says', async () => {
      const rows = [row(0, { 'values.x': NaN }), row(1, { 'values.x': Infinity }), row(2, { 'values.x': -Infinity })]
      await session(async sink => {
        await sink.write(batch(rows))
        await sink.commit(3)
      })
      const found = (await target.rows(folder, COLUMNS)).map(found => found['values.x'])
      if (target.notFinite === 'null') expect(found).toEqual([null, null, null])
      else expect(found.map(Number)).toEqual([NaN, Infinity, -Infinity])
    })

    test('takes empty batches, commits without rows, and columns that nothing filled', async () => {
      await session(async sink => {
        await sink.write(batch([]))
        await sink.commit(0)
        const full = batch([row(1)])
        await sink.write({ ...full, data: full.data.map((data, index) => (index === 1 ? null : data)) })
        await sink.commit(1)
        // Rows that a filter took away still move the position.
        await sink.commit(5)
      })
      expect(await target.rows(folder, COLUMNS)).toEqual([row(1, { name: null })])
      expect(await session(nothing)).toBe(5)
    })

    test('keeps many rows, and texts that batches share or not, in order', async () => {
      const rows = Array.from({ length: 10_000 }, (_, id) =>
        row(id, {
          name: id % 7 === 0 ? null : `${id % 3 === 0 ? 'a rather long text that is shared' : `text of ${id} alone`}`,
          ok: id % 5 === 0 ? null : id % 2 === 0,
        }),
      )
      await session(async sink => {
        await sink.write(batch(rows.slice(0, 5000)))
        await sink.write(batch(rows.slice(5000, 5001)))
        await sink.commit(5001)
        await sink.write(batch(rows.slice(5001)))
        await sink.commit(rows.length)
      })
      const found = await target.rows(folder, COLUMNS)
      expect(found.length).toBe(rows.length)
      expect(found).toEqual(rows)
    })

    test('works on calls in their order, also when nobody waits for them', async () => {
      await session(async sink => {
        await Promise.all([
          sink.write(batch([row(1)])),
          sink.write(batch([row(2)])),
          sink.commit(2),
          sink.write(batch([row(3)])),
          sink.commit(3),
          sink.write(batch([row(4)])),
        ])
      })
      expect(await target.rows(folder, COLUMNS)).toEqual([row(1), row(2), row(3)])
      expect(await session(nothing)).toBe(3)
    })

    test('stops when the rows that it holds are of another stream', async () => {
      await session(async sink => {
        await sink.write(batch([row(1)]))
        await sink.commit(1)
      })
      const { sink, end } = await target.make(folder)
      await expect(sink.open(contextOf({ incarnation: 'second' }))).rejects.toMatchObject({ code: 'DATA_DIR_MISMATCH' })
      await sink.close()
      await end()
      expect(await target.rows(folder, COLUMNS)).toEqual([row(1)])
    })

    test(
      target.takesNewColumns ? 'adds a column that the stream has from now on' : 'refuses a new column',
      async () => {
        const more = [...COLUMNS, column('added', 'text')]
        await session(async sink => {
          await sink.write(batch([row(1)]))
          await sink.commit(1)
        })
        const goOn = () =>
          session(
            async sink => {
              await sink.write(batch([row(2, { added: 'new' })], more))
              await sink.commit(2)
            },
            { columns: more },
          )
        if (target.takesNewColumns) {
          await goOn()
          expect(await target.rows(folder, more)).toEqual([row(1, { added: null }), row(2, { added: 'new' })])
        } else {
          await expect(goOn()).rejects.toMatchObject({ code: 'DATA_DIR_MISMATCH' })
          expect(await target.rows(folder, COLUMNS)).toEqual([row(1)])
        }
      },
    )

    if (target.mode === 'append') {
      test('appends a row as often as it comes', async () => {
        await session(async sink => {
          await sink.write(batch([row(1), row(1)]))
          await sink.commit(2)
        })
        expect(await target.rows(folder, COLUMNS)).toEqual([row(1), row(1)])
      })
    } else {
      test('replaces the row with the same key, within a commit and after it', async () => {
        await session(async sink => {
          await sink.write(batch([row(1), row(2), row(1, { name: 'second' })]))
          await sink.write(batch([row(1, { name: 'third' })]))
          await sink.commit(4)
          await sink.write(batch([row(2, { name: null, ok: null })]))
          await sink.commit(5)
        })
        expect(await target.rows(folder, COLUMNS)).toEqual([
          row(1, { name: 'third' }),
          row(2, { name: null, ok: null }),
        ])
      })

      test('takes a key of several columns, null among them', async () => {
        const key = ['name', 'at']
        const rows = (value: number) => [
          row(1, { name: null, 'values.x': value }),
          row(2, { at: null, 'values.x': value }),
          row(3, { name: null, at: null, 'values.x': value }),
        ]
        await session(
          async sink => {
            await sink.write(batch(rows(1)))
            await sink.commit(3)
            await sink.write(batch(rows(2)))
            await sink.commit(6)
          },
          { key },
        )
        expect(await target.rows(folder, COLUMNS)).toEqual(rows(2))
      })
    }
  })
}
