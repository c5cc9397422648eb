/**
 * CSV files as lines of JSON, read by DuckDB's own CSV reader with the source's options: none of the run's CSV code is in
 * between.
 *
 * A cell has the form of its column's type or goes on as text, for the schema to refuse. What DuckDB cannot read as a row
 * (too many cells or too few, a quote that is not closed, bytes that are no text) is left out, as the run leaves it out. It
 * reads a row with an empty cell too many all the same: where the run rejected a line, and the line has another number of
 * cells, it is left out before.
 */
import type { FileOptions } from '../connectors/file/describe.ts'
import { formOf } from '../connectors/file/format.ts'
import type { Column } from '../plan/schema.ts'
import { isNumberUnit } from '../plan/schema.ts'
import { MillraceError } from '../system/errors.ts'
import { statusOf } from '../system/files.ts'
import type { Database } from './database.ts'
import { copyLines, copyRows } from './heads.ts'
import { literal } from './oracle/text.ts'

export interface CsvFile {
  readonly path: string
  readonly options: FileOptions
  readonly columns: readonly Column[]
  /** Lines of the file that count, the header among them; null: all. */
  readonly lines: number | null
  /** Lines of rows that the run rejected, from 1. */
  readonly rejectedLines: ReadonlySet<number>
  /** Where the lines of JSON go. */
  readonly to: string
}

/** Throws VERIFY_UNSUPPORTED for a file that DuckDB does not read as the run does. */
export async function csvAsJsonLines(database: Database, file: CsvFile): Promise<void> {
  const { options, columns, to } = file
  const form = formOf(file.path, options)
  const {
    delimiter = form.delimiter,
    encoding = 'utf-8',
    skipLines = 0,
    header = true,
    nulls = [],
    decimal = '.',
  } = options
  if (encoding !== 'utf-8') throw unsupported(`${file.path} is written in ${encoding}, which DuckDB does not read`)
  if (file.lines !== null && form.compression !== 'none') {
    throw unsupported(`the run was stopped in the middle of ${file.path}, which is packed`)
  }
  const isCut = file.lines !== null
  if (isCut) copyRows(file.path, file.lines, delimiter, `${to}.csv`)
  const whole = isCut ? `${to}.csv` : file.path
  const packed = form.compression === 'none' ? 'none' : form.compression
  const plain = `auto_detect = false, compression = ${literal(packed)}, ignore_errors = true, parallel = false, max_line_size = 67108864`
  const names = header ? await headerOf(database, whole, plain, skipLines, delimiter) : (options.columns ?? [])
  const isRagged = (line: Buffer, number: number) =>
    file.rejectedLines.has(number) && splitLine(line.toString(), delimiter).length !== names.length
  const withoutRagged = file.rejectedLines.size > 0 && form.compression === 'none'
  const path = withoutRagged ? `${to}.rows.csv` : whole
  if (withoutRagged) copyLines(whole, isRagged, path)
  const cells = names.map((_, index) => `"#${index}"`)
  const read = [
    plain,
    `delim = ${literal(delimiter)}, quote = '"', escape = '"', header = ${header}, skip = ${skipLines}`,
    `nullstr = [${['', ...nulls].map(literal).join(', ')}], allow_quoted_nulls = false`,
    `columns = {${cells.map(cell => `${cell}: 'VARCHAR'`).join(', ')}}`,
  ]
  const isEmpty = names.length === 0 || (statusOf(path)?.bytes ?? 0) === 0
  const rows = isEmpty
    ? "SELECT '' AS line WHERE false"
    : `SELECT ${objectSql(names, cells, columns, decimal)} AS line FROM read_csv(${literal(path)}, ${read.join(', ')})`
  // JSON escapes control characters: this one is in no line.
  await database.run(
    `COPY (${rows}) TO ${literal(to)} (FORMAT csv, HEADER false, DELIMITER '\u0001', QUOTE '', ESCAPE '')`,
  )
}

const unsupported = (reason: string) => new MillraceError('VERIFY_UNSUPPORTED', reason)

async function headerOf(
  database: Database,
  path: string,
  plain: string,
  skipLines: number,
  delimiter: string,
): Promise<readonly string[]> {
  const [first] = await database.rows(
    `SELECT line FROM read_csv(${literal(path)}, ${plain}, delim = '\u0001', quote = '', escape = '', header = false, skip = ${skipLines}, columns = {line: 'VARCHAR'}) LIMIT 1`,
  )
  if (first === undefined) return []
  return splitLine(String(first.line), delimiter).map((name, index) => name.trim() || `column_${index + 1}`)
}

/** The cells of a line; quotes may stand around them. */
function splitLine(line: string, delimiter: string): readonly string[] {
  const cells: string[] = []
  let rest = line
  for (;;) {
    const quoted = /^"((?:[^"]|"")*)"/.exec(rest)
    const end = quoted === null ? rest.indexOf(delimiter) : quoted[0].length
    const cell = quoted?.[1]?.replaceAll('""', '"') ?? (end < 0 ? rest : rest.slice(0, end))
    cells.push(cell)
    if (end < 0 || end >= rest.length) return cells
    rest = rest.slice(end + 1)
  }
}

type Tree = Map<string, Tree | string>

/** SQL of a row as JSON: dotted names nest. */
function objectSql(
  names: readonly string[],
  cells: readonly string[],
  columns: readonly Column[],
  decimal: '.' | ',',
): string {
  const root: Tree = new Map()
  for (const [index, name] of names.entries()) {
    const path = name.split('.')
    let node = root
    for (const key of path.slice(0, -1)) {
      const child = node.get(key)
      const next: Tree = child instanceof Map ? child : new Map()
      node.set(key, next)
      node = next
    }
    node.set(path.at(-1)!, jsonOf(cells[index]!, columns.find(column => column.name === name) ?? null, decimal))
  }
  return treeSql(root)
}

function treeSql(tree: Tree): string {
  const fields = [...tree].map(([key, value], index) => {
    const before = literal(`${index === 0 ? '{' : ','}${JSON.stringify(key)}:`)
    return `${before}, ${typeof value === 'string' ? value : treeSql(value)}`
  })
  return `concat(${[...fields, "'}'"].join(', ')})`
}

const NUMBER = `'-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?'`
const BLANKS = `'^[\\s\\x{A0}\\x{FEFF}]+|[\\s\\x{A0}\\x{FEFF}]+$', '', 'g'`

/** SQL of a cell as JSON by the type of its column; one of no column is a number where it looks like one. */
function jsonOf(cell: string, column: Column | null, decimal: '.' | ','): string {
  const text = `to_json(${cell})::VARCHAR`
  const trimmed = `regexp_replace(${cell}, ${BLANKS})`
  const either = (isPlain: string, plain: string) =>
    `CASE WHEN ${cell} IS NULL THEN 'null' WHEN ${isPlain} THEN ${plain} ELSE ${text} END`
  const isText = column?.type === 'text' || (column?.unit !== undefined && !isNumberUnit(column.unit))
  if (isText) return either('false', text)
  if (column?.type === 'boolean') return either(`lower(${trimmed}) IN ('true', 'false')`, `lower(${trimmed})`)
  if (column?.type === 'json') return either(`json_valid(${cell})`, `regexp_replace(${cell}, '[\\r\\n]', ' ', 'g')`)
  if (decimal === '.') return either(`regexp_full_match(${trimmed}, ${NUMBER})`, trimmed)
  const pointed = `replace(${trimmed}, ',', '.')`
  return either(`NOT contains(${trimmed}, '.') AND regexp_full_match(${pointed}, ${NUMBER})`, pointed)
}
