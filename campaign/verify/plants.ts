/** One wrong cell, one missing row or one doubled row in an output. */
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { Plan, StreamNode } from '../../src/plan/nodes.ts'
import { chainOf } from '../../src/plan/walk.ts'
import type { Random } from '../../src/system/random.ts'
import { inLines, inParquet, inTopic, inWarehouse } from '../../test/verify/ran.ts'

export interface Planted {
  readonly output: string
  /** null: a whole row is missing or doubled. */
  readonly column: string | null
  /** The column may be one that a row is known by. */
  readonly isKey: boolean
  /** For people. */
  readonly text: string
}

type Kind = 'cell' | 'missing' | 'doubled'

interface Target {
  readonly output: string
  readonly where: 'table' | 'topic' | 'ndjson' | 'csv' | 'parquet'
  /** Columns whose cells are compared. */
  readonly columns: readonly string[]
  /** Those among them that rows may be known by. */
  readonly keys: readonly string[]
}

/** Plants a fault somewhere in what the pipeline delivered; null: there is no row to spoil. */
export async function plantFault(plan: Plan, folder: string, random: Random): Promise<Planted | null> {
  const targets = targetsOf(plan)
  const target = targets[random.integer(targets.length)]!
  const kind = (['cell', 'cell', 'missing', 'doubled'] as const)[random.integer(4)]!
  const column = target.columns[random.integer(target.columns.length)]!
  const row = random.next()
  const text = await plantAt(target, folder, kind, column, row)
  if (text === null) return null
  const isKey = target.keys.includes(column)
  return { output: target.output, column: kind === 'cell' ? column : null, isKey, text: `${kind}: ${text}` }
}

function targetsOf(plan: Plan): Target[] {
  const targetOf = (output: string, where: Target['where'], stream: StreamNode, key: readonly string[]): Target => {
    const columns = stream.columns.map(({ name }) => name).filter(name => name !== 'revision')
    const windows = chainOf(stream).filter(node => node.kind === 'window')
    const values = new Set(windows.at(-1)?.aggregates.map(({ name }) => name))
    const keys = windows.length === 0 ? key : columns.filter(name => !values.has(name))
    return { output, where, columns, keys }
  }
  return [
    ...plan.produces.map(({ topic, stream }) => targetOf(topic.name, 'topic', stream, [])),
    ...plan.delivers.map(({ stream, target }) => {
      if (target.kind === 'table')
        return targetOf(target.table, 'table', stream, target.mode === 'upsert' ? target.key : [])
      const path = String(target.sink.options.path)
      return targetOf(path, path.split('.').at(-1) as 'ndjson' | 'csv' | 'parquet', stream, [])
    }),
  ]
}

async function plantAt(
  { output, where, columns }: Target,
  folder: string,
  kind: Kind,
  column: string,
  row: number,
): Promise<string | null> {
  const path = join(folder, output)
  switch (where) {
    case 'table':
    case 'parquet': {
      const from = where === 'table' ? `"${output}"` : 'rows'
      const read = where === 'table' ? from : `read_parquet('${path}')`
      const { rows, type } = await described(
        where === 'table' ? join(folder, 'warehouse.duckdb') : ':memory:',
        read,
        column,
      )
      if (rows === 0) return null
      const at = Math.floor(row * rows)
      const nth = `rowid = (SELECT rowid FROM ${from} ORDER BY rowid LIMIT 1 OFFSET ${at})`
      const statement = {
        cell: `UPDATE ${from} SET "${column}" = ${wrongSql(`"${column}"`, type)} WHERE ${nth}`,
        missing: `DELETE FROM ${from} WHERE ${nth}`,
        doubled: `INSERT INTO ${from} SELECT * FROM ${from} WHERE ${nth}`,
      }[kind]
      await (where === 'table' ? inWarehouse(folder, statement) : inParquet(path, statement))
      return `row ${at} of ${output}, ${column}`
    }
    case 'topic': {
      let text: string | null = null
      await inTopic(folder, output, lines => {
        text = spoiled(lines, 0, kind, row, line => wrongJson(line, column))
        return lines
      })
      return text
    }
    case 'ndjson':
    case 'csv': {
      let text: string | null = null
      inLines(path, lines => {
        const change = (line: string) =>
          where === 'csv' ? wrongCsv(line, columns.indexOf(column)) : wrongJson(line, column)
        text = spoiled(lines, where === 'csv' ? 1 : 0, kind, row, change)
        return lines
      })
      return text
    }
  }
}

/** Spoils one of the lines behind the first `skipped`; answers what was done. */
function spoiled(
  lines: string[],
  skipped: number,
  kind: Kind,
  row: number,
  change: (line: string) => string,
): string | null {
  const rows = lines.length - skipped
  if (rows === 0) return null
  const at = skipped + Math.floor(row * rows)
  const line = lines[at]!
  if (kind === 'missing') lines.splice(at, 1)
  else if (kind === 'doubled') lines.splice(at, 0, line)
  else lines[at] = change(line)
  return kind === 'cell' ? `${line} became ${lines[at]}` : line
}

function wrongJson(line: string, column: string): string {
  const record = JSON.parse(line) as Record<string, unknown>
  return JSON.stringify({ ...record, [column]: wrongValue(record[column]) })
}

function wrongValue(value: unknown): unknown {
  if (typeof value === 'number') return value * 1.001 + 1
  if (typeof value === 'boolean') return !value
  if (typeof value !== 'string') return value === null ? 4 : null
  const time = /^\d{4}-\d\d-\d\dT.*Z$/.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(time) ? `${value}~` : new Date(time + 1000).toISOString()
}

function wrongCsv(line: string, index: number): string {
  const cells = line.split(',')
  const cell = cells[index]!
  const value =
    cell === ''
      ? null
      : cell === 'true' || cell === 'false'
        ? cell === 'true'
        : Number.isNaN(Number(cell))
          ? cell
          : Number(cell)
  cells[index] = String(wrongValue(value))
  return cells.join(',')
}

function wrongSql(cell: string, type: string): string {
  if (type === 'VARCHAR') return `coalesce(${cell} || '~', 'text')`
  if (type === 'JSON') return `CASE WHEN ${cell} IS NULL THEN '[7]' END`
  if (type === 'BOOLEAN') return `NOT coalesce(${cell}, false)`
  if (type.startsWith('TIMESTAMP')) return `${cell} + INTERVAL 1 SECOND`
  return type === 'BIGINT' ? `coalesce(${cell} + 1, 4)` : `coalesce(${cell} * 1.001 + 1, 4)`
}

async function described(database: string, from: string, column: string): Promise<{ rows: number; type: string }> {
  const instance = await DuckDBInstance.create(database)
  const connection = await instance.connect()
  try {
    const [counted] = (await connection.runAndReadAll(`SELECT count(*)::DOUBLE FROM ${from}`)).getRows()
    const columns = (await connection.runAndReadAll(`DESCRIBE SELECT "${column}" FROM ${from}`)).getRows()
    return { rows: counted![0] as number, type: columns[0]![1] as string }
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
