/**
 * Which SQL only reads, as DuckDB's own parser has it.
 *
 * The text is parsed, not bound: some functions act as soon as they are bound (`enable_logging`), and so do pragmas. Of the
 * tree, one SELECT is let through (FROM, VALUES, SHOW, DESCRIBE and SUMMARIZE are SELECTs to the parser), alone or behind
 * EXPLAIN, with table functions that are known to look at nothing but the database.
 */
import type { DuckDBConnection } from '@duckdb/node-api'
import { MillraceError } from '../../system/errors.ts'

/** Table functions that read tables, values or the catalog. Any other may act, or look elsewhere. */
const READING = new Set([
  'generate_series',
  'histogram',
  'histogram_values',
  'icu_calendar_names',
  'json_each',
  'json_tree',
  'pg_timezone_names',
  'query_table',
  'range',
  'repeat',
  'repeat_row',
  'sql_auto_complete',
  'summary',
  'test_all_types',
  'unnest',
])
/** `duckdb_tables()` and its like: the catalog. */
const CATALOG = /^(duckdb|pragma)_\w+$/

/** EXPLAIN with its options, behind comments (those within each other are left to the parser). */
const EXPLAIN =
  /^(?:\s|--[^\n]*\n|\/\*(?:(?!\/\*|\*\/)[\s\S])*\*\/)*(?<explain>explain\b(?:\s|\([\w\s,]*\)|\banaly[sz]e\b|\bverbose\b)*)/i

/** What to do about SQL that is refused here. */
export const REFUSED_NEXT = "Ask one SELECT; 'millrace snapshot FILE' makes a copy in which everything is allowed."

/** What DuckDB's parser makes of a text. */
interface Parsed {
  readonly error: boolean
  readonly error_type?: string
  readonly error_message?: string
  readonly statements?: readonly ParsedStatement[]
}

interface ParsedStatement {
  readonly named_param_map: readonly unknown[]
}

/**
 * The SQL to run in place of this one: an EXPLAIN is put together again from its options and what was parsed.
 * Throws QUERY_FAILED unless it is one statement that reads.
 */
export async function readingOf(connection: DuckDBConnection, sql: string): Promise<string> {
  const explain = EXPLAIN.exec(sql)
  const select = explain === null ? sql : sql.slice(explain[0].length)
  const reader = await connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [select])
  const parsed = JSON.parse(String(reader.getRows()[0]![0])) as Parsed
  if (parsed.error) throw unparsed(parsed, select, explain !== null)
  const [statement, ...others] = parsed.statements ?? []
  if (statement === undefined) throw refused('The SQL is empty.')
  if (others.length > 0) throw refused(`One question at a time: these are ${others.length + 1} statements.`)
  if (statement.named_param_map.length > 0) {
    throw refused('The SQL has parameters ($1, ?): write the values in their place.')
  }
  for (const name of tableFunctions(statement)) {
    if (!READING.has(name) && !CATALOG.test(name)) {
      throw refused(`${name}() is refused here: it may do more than read tables of the warehouse.`)
    }
  }
  return explain === null ? select : `${explain.groups!.explain} ${select}`
}

function unparsed({ error_type, error_message = '' }: Parsed, sql: string, isExplained: boolean): MillraceError {
  if (error_type === 'parser') {
    const next =
      'Correct the SQL. A column that is called as a word of SQL is (at, order, end) stands in double quotes: "at".'
    return new MillraceError('QUERY_FAILED', `Parser Error: ${error_message}`, { next })
  }
  // A PIVOT that must look for its values first becomes two statements.
  if (/\bpivot\b/i.test(sql)) return refused('PIVOT needs its values named here: PIVOT ... ON column IN (...).')
  const word = /^\W*(\w+)/.exec(sql)?.[1]?.toUpperCase() ?? 'this'
  const what = isExplained ? `EXPLAIN of ${word}` : word
  return refused(`Only what reads can be asked here (SELECT, FROM, SHOW, DESCRIBE, EXPLAIN of these), not ${what}.`)
}

/** Names of the table functions anywhere in a tree. */
function* tableFunctions(node: unknown): Generator<string> {
  if (typeof node !== 'object' || node === null) return
  const { type, function: called } = node as { type?: unknown; function?: { function_name?: unknown } }
  if (type === 'TABLE_FUNCTION') yield String(called?.function_name).toLowerCase()
  for (const child of Object.values(node)) yield* tableFunctions(child)
}

const refused = (message: string) => new MillraceError('QUERY_FAILED', message, { next: REFUSED_NEXT })
