import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadSink } from '../../src/connectors/contract.ts'
import { warehouseColumn } from '../../src/connectors/duckdb/names.ts'
import { openWarehouse } from '../../src/connectors/duckdb/warehouse.ts'
import { file } from '../../src/connectors/file/index.ts'
import { cellAsJson } from '../../src/formats/csv/cells.ts'
import { loadDuckDB, withScratch } from '../../src/formats/duckdb.ts'
import type { Column } from '../../src/plan/schema.ts'
import { sinkConformance } from '../conformance/sink.ts'

type Row = Record<string, unknown>
const ended = async () => {}
const micros = (text: unknown) =>
  text === null || text === undefined
    ? null
    : Date.parse(`${String(text).slice(0, 19)}Z`) * 1000 +
      Number((/\.(\d+)Z$/.exec(String(text))?.[1] ?? '').padEnd(6, '0'))
const byId = (rows: Row[]) => rows.sort((a, b) => Number(a.id) - Number(b.id))

sinkConformance({
  name: 'file, NDJSON',
  mode: 'append',
  make: async () => ({ sink: await loadSink(file({ path: 'out/rows.ndjson' })), end: ended }),
  rows: async (folder, columns) =>
    readFileSync(join(folder, 'out/rows.ndjson'), 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => {
        const object = JSON.parse(line)
        return Object.fromEntries(
          columns.map(({ name, type }) => {
            const value = name === 'values.x' ? object.values.x : (object[name] ?? null)
            return [name, type === 'timestamp' ? micros(value) : value]
          }),
        )
      }),
  takesNewColumns: true,
  notFinite: 'null',
})

sinkConformance({
  name: 'file, CSV',
  mode: 'append',
  make: async () => ({ sink: await loadSink(file({ path: 'rows.csv', timestamps: 'us' })), end: ended }),
  rows: async (folder, columns) => {
    const { csvRows } = await import('../../src/formats/csv/rows.ts')
    async function* bytes() {
      yield readFileSync(join(folder, 'rows.csv'))
    }
    const rows: Row[] = []
    let header: readonly (string | null)[] | null = null
    for await (const row of csvRows(bytes(), ',', 1 << 24)) {
      if (row instanceof Error) throw row
      if (header === null) header = row
      else
        rows.push(Object.fromEntries(columns.map(({ name, type }, i) => [name, JSON.parse(cellAsJson(row[i]!, type))])))
    }
    return rows
  },
  // The header of a CSV file stands above its rows for good.
  takesNewColumns: false,
  notFinite: 'kept',
})

sinkConformance({
  name: 'file, Parquet',
  mode: 'append',
  make: async () => ({ sink: await loadSink(file({ path: 'rows.parquet' })), end: ended }),
  rows: (folder, columns) =>
    withScratch(async connection =>
      duckdbRows(await connection.runAndReadAll(`FROM '${join(folder, 'rows.parquet')}'`), columns, name => name),
    ),
  takesNewColumns: true,
  notFinite: 'kept',
})

for (const mode of ['append', 'upsert'] as const) {
  sinkConformance({
    name: `warehouse, ${mode}`,
    mode,
    make: async folder => {
      const warehouse = await openWarehouse({ path: join(folder, 'warehouse.duckdb') })
      return { sink: warehouse.table({ table: 'OUT.Rows', mode }), end: () => warehouse.close() }
    },
    rows: async (folder, columns) => {
      const { DuckDBInstance } = await loadDuckDB()
      const instance = await DuckDBInstance.create(join(folder, 'warehouse.duckdb'), { access_mode: 'READ_ONLY' })
      const connection = await instance.connect()
      try {
        return duckdbRows(await connection.runAndReadAll('FROM OUT.Rows'), columns, warehouseColumn)
      } finally {
        connection.closeSync()
        instance.closeSync()
      }
    },
    takesNewColumns: true,
    notFinite: 'kept',
  })
}

function duckdbRows(
  reader: { getRowObjects(): Record<string, unknown>[] },
  columns: readonly Column[],
  nameOf: (name: string) => string,
): Row[] {
  return byId(
    reader.getRowObjects().map(found =>
      Object.fromEntries(
        columns.map(({ name, type }) => {
          const value = found[nameOf(name)] ?? null
          if (value === null) return [name, null]
          if (type === 'timestamp') return [name, Number((value as { micros: bigint }).micros)]
          return [name, type === 'json' ? JSON.parse(String(value)) : value]
        }),
      ),
    ),
  )
}
