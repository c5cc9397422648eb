/** The cells of a Parquet file as JSON, by their type in the file and the column of the topic that they are for. */
import { isUtf8 } from 'node:buffer'
import type {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBType,
  DuckDBValue,
} from '@duckdb/node-api'
import { type Column, isNumberUnit, type NumberUnit, textTime } from '../../plan/schema.ts'
import type { DuckDB } from '../duckdb.ts'

export type CellWriter = (value: DuckDBValue) => string

/** A value that cannot be what its column is: its row is refused. */
export class NotText extends Error {}

export interface CellContext {
  readonly duckdb: DuckDB
  readonly columns: ReadonlyMap<string, Column>
  /** Binary values that are not UTF-8: refused where a text belongs, or written as base64 everywhere. */
  readonly binary: 'text' | 'base64'
  /** Called for NaN and the infinities, which JSON does not have: they become null. */
  readonly onNotFinite: (path: string) => void
}

const NANOSECONDS: Readonly<Record<NumberUnit, bigint>> = { s: 1_000_000_000n, ms: 1_000_000n, us: 1000n, ns: 1n }
const DAY_NS = 86_400_000_000_000n

/** What writes the values of a column; `path` is its name, dotted inside a struct. */
export function cellWriter(type: DuckDBType, path: string, context: CellContext): CellWriter {
  const { DuckDBTypeId: id } = context.duckdb
  const write = valueWriter(type, path, context)
  if (write !== null) return value => (value === null ? 'null' : write(value))
  switch (type.typeId) {
    case id.STRUCT: {
      const { entryNames, entryTypes } = type as DuckDBType & Struct
      const fields = entryNames.map((name, index) => {
        const writeField = cellWriter(entryTypes[index]!, `${path}.${name}`, context)
        return { name, prefix: `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`, writeField }
      })
      return value => {
        if (value === null) return 'null'
        const { entries } = value as DuckDBStructValue
        let text = ''
        for (const { name, prefix, writeField } of fields) text += prefix + writeField(entries[name] ?? null)
        return `${text}}`
      }
    }
    case id.LIST:
    case id.ARRAY: {
      const element = cellWriter((type as DuckDBType & List).valueType, path, context)
      return value => (value === null ? 'null' : `[${(value as DuckDBListValue).items.map(element).join(',')}]`)
    }
    case id.MAP: {
      const element = cellWriter((type as DuckDBType & List).valueType, path, context)
      return value => {
        if (value === null) return 'null'
        const { entries } = value as DuckDBMapValue
        return `{${entries.map(entry => `${JSON.stringify(String(entry.key))}:${element(entry.value)}`).join(',')}}`
      }
    }
    default:
      return value => (value === null ? 'null' : JSON.stringify(String(value)))
  }
}

interface Struct {
  readonly entryNames: readonly string[]
  readonly entryTypes: readonly DuckDBType[]
}

interface List {
  readonly valueType: DuckDBType
}

type NotNull = NonNullable<DuckDBValue>

/** null for a type that is made of others, or has no form of its own. */
function valueWriter(type: DuckDBType, path: string, context: CellContext): ((value: NotNull) => string) | null {
  const { DuckDBTypeId: id } = context.duckdb
  switch (type.typeId) {
    case id.BOOLEAN:
    case id.TINYINT:
    case id.SMALLINT:
    case id.INTEGER:
    case id.BIGINT:
    case id.UTINYINT:
    case id.USMALLINT:
    case id.UINTEGER:
    case id.UBIGINT:
    case id.HUGEINT:
    case id.UHUGEINT:
    case id.DECIMAL:
      return String
    case id.FLOAT:
    case id.DOUBLE: {
      const text = type.typeId === id.FLOAT ? floatText : String
      return value => {
        if (Number.isFinite(value)) return text(value as number)
        context.onNotFinite(path)
        return 'null'
      }
    }
    case id.VARCHAR:
      return JSON.stringify
    case id.BLOB:
      return blobWriter(path, context)
    case id.DATE:
      return dateWriter(context.columns.get(path) ?? null)
    case id.TIMESTAMP:
    case id.TIMESTAMP_TZ:
    case id.TIMESTAMP_S:
    case id.TIMESTAMP_MS:
    case id.TIMESTAMP_NS:
      return timeWriter(context.columns.get(path) ?? null)
    default:
      return null
  }
}

/** The shortest digits that are this float: 0.1, not 0.10000000149011612. */
function floatText(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits))
    if (Math.fround(shorter) === value) return String(shorter)
  }
  return String(Number(value.toPrecision(9)))
}

/** Text that was stored as plain bytes is text. */
function blobWriter(path: string, { binary, columns }: CellContext): (value: NotNull) => string {
  const isRead = columns.has(path)
  return value => {
    const bytes = Buffer.from((value as DuckDBBlobValue).bytes)
    if (binary === 'text' && isUtf8(bytes)) return JSON.stringify(bytes.toString())
    if (binary === 'text' && isRead) throw new NotText(`${path}: the bytes are not UTF-8`)
    return JSON.stringify(bytes.toString('base64'))
  }
}

function dateWriter(column: Column | null): (value: NotNull) => string {
  const unit = column?.unit
  return value => {
    const date = value as DuckDBDateValue
    if (unit === undefined || !date.isFinite) return JSON.stringify(date.toString())
    if (isNumberUnit(unit)) return digitsOf(BigInt(date.days) * DAY_NS, unit)
    return JSON.stringify(textTime(unit).pattern === 'iso' ? `${date}T00:00:00Z` : date.toString())
  }
}

interface TimeValue {
  readonly micros?: bigint
  readonly millis?: bigint
  readonly seconds?: bigint
  readonly nanos?: bigint
  readonly isFinite: boolean
}

/** Times are written in the unit that the topic reads, or as ISO 8601. */
function timeWriter(column: Column | null): (value: NotNull) => string {
  const unit = column?.unit ?? 'iso'
  return value => {
    const time = value as TimeValue
    if (!time.isFinite) return JSON.stringify(String(value))
    const { nanos, micros, millis, seconds } = time
    const time_ns = nanos ?? (micros ?? (millis ?? seconds! * 1000n) * 1000n) * 1000n
    if (isNumberUnit(unit)) return digitsOf(time_ns, unit)
    if (textTime(unit).pattern !== 'iso') return JSON.stringify(String(value))
    return JSON.stringify(isoOf(time_ns, nanos === undefined ? 6 : 9) ?? String(value))
  }
}

/** A count of nanoseconds as an exact number of the unit. */
function digitsOf(time_ns: bigint, unit: NumberUnit): string {
  const unit_ns = NANOSECONDS[unit]
  const size = time_ns < 0n ? -time_ns : time_ns
  const rest = size % unit_ns
  const fraction = rest === 0n ? '' : `.${String(rest).padStart(String(unit_ns).length - 1, '0')}`
  return `${time_ns < 0n ? '-' : ''}${size / unit_ns}${fraction}`
}

/** null beyond the years that are written with four digits. */
function isoOf(time_ns: bigint, places: 6 | 9): string | null {
  const rest = ((time_ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const date = new Date(Number((time_ns - rest) / 1_000_000n))
  const year = date.getUTCFullYear()
  if (!(year >= 0 && year <= 9999)) return null
  return `${date.toISOString().slice(0, 19)}.${String(rest).padStart(9, '0').slice(0, places)}Z`
}
