/**
 * Holds what a run delivered against the oracle's rows. Each row of either side gets a verdict: rows are paired by what
 * identifies them, or as bags, and a pair names the columns in which it differs.
 */
import { loadDuckDB } from '../formats/duckdb.ts'
import { type ComparedColumn, isExactCell, settledCell, wrongColumns } from './cells.ts'
import type { Database, Row } from './database.ts'
import { type InexactRow, matchRows } from './matching.ts'
import { pairNearly } from './near.ts'
import { ROW_COLUMNS } from './oracle/query.ts'
import { quoted } from './oracle/text.ts'
import { type Sides, VERDICTS } from './sides.ts'

const EXAMPLES = 100

export interface Difference {
  readonly key: Row
  readonly stream: Row
  readonly oracle: Row
  /** Names of the columns that differ. */
  readonly columns: readonly string[]
}

export interface Comparison {
  readonly agreed: number
  /** Rows of open windows that need not be there. */
  readonly open: number
  readonly missing: { readonly count: number; readonly examples: readonly Row[] }
  readonly unexpected: { readonly count: number; readonly examples: readonly Row[] }
  readonly different: { readonly count: number; readonly examples: readonly Difference[] }
  /** By column how many rows differ in it. */
  readonly columns: ReadonlyMap<string, number>
}

/** What `compareByIdentity` knows of the rows. */
export interface Identity {
  readonly keys: readonly string[]
  /** The row of an open window may be of any earlier moment. */
  readonly early: boolean
  /** Several rows of the oracle have one identity, and one of them was delivered. */
  readonly hasCandidates: boolean
}

const { open: OPEN } = ROW_COLUMNS

/** Joins both sides by the columns that identify a row; a row that is there twice has a partner only once. */
export async function compareByIdentity(database: Database, sides: Sides, identity: Identity): Promise<Comparison> {
  const keys = identity.keys.map(quoted)
  const by = `PARTITION BY ${keys.join(', ')}`
  const cells = sides.columns.map(column => quoted(column.name))
  const copied = (table: string) =>
    `SELECT *, rowid AS "#id", ${identity.hasCandidates ? '1' : `row_number() OVER (${by} ORDER BY ${cells.join(', ')})`} AS "#copy" FROM ${table}`
  const on = [...keys, '"#copy"'].map(key => `o.${key} IS NOT DISTINCT FROM d.${key}`).join(' AND ')
  const verdict = `CASE WHEN d."#id" IS NULL THEN CASE WHEN o.${OPEN} THEN 'open' ELSE 'missing' END
    WHEN o."#id" IS NULL THEN 'unexpected' WHEN ${identity.early} AND o.${OPEN} THEN 'open'
    WHEN len("#wrong") > 0 THEN 'different' ELSE 'agreed' END`
  await database.run(
    `CREATE OR REPLACE TEMP TABLE ${VERDICTS} AS SELECT o, d, verdict, CASE WHEN verdict = 'different' THEN "#wrong" ELSE [] END AS columns
     FROM (SELECT o."#id" AS o, d."#id" AS d, ${wrongColumns(sides.columns)} AS "#wrong", ${verdict} AS verdict
       FROM (${copied(sides.oracle)}) o FULL OUTER JOIN (${copied(sides.delivered)}) d ON ${on})`,
  )
  if (identity.hasCandidates) await keepBestCandidates(database, sides, keys)
  return await summary(database, sides, identity.keys)
}

/** Of the rows that may have been the last one of a key, the one that differs least from what was delivered. */
async function keepBestCandidates(database: Database, sides: Sides, keys: readonly string[]): Promise<void> {
  // Each delivered row keeps one partner; candidates without a delivered row are one missing row a key, unless all are open.
  await database.run(
    `CREATE OR REPLACE TEMP TABLE ${VERDICTS} AS
     SELECT * FROM ${VERDICTS} WHERE d IS NOT NULL QUALIFY row_number() OVER (PARTITION BY d ORDER BY len(columns), o) = 1
     UNION ALL
     SELECT v.* FROM ${VERDICTS} v JOIN ${sides.oracle} o ON o.rowid = v.o WHERE d IS NULL
     QUALIFY row_number() OVER (PARTITION BY ${keys.map(key => `o.${key}`).join(', ')} ORDER BY (verdict = 'open'), o.rowid) = 1`,
  )
}

/** Compares both sides as bags of rows: equal in what is exact, within the tolerance in the rest. */
export async function compareAsBags(database: Database, sides: Sides): Promise<Comparison> {
  const exact = sides.columns.filter(isExactCell).map(column => settledCell(column))
  const inexact = sides.columns.filter(column => !isExactCell(column))
  const cells = inexact.map((column, index) => `${settledCell(column)} AS "#${index}"`)
  const names = inexact.map((_, index) => `"#${index}"`)
  const group = exact.length === 0 ? '0' : `hash(${exact.join(', ')})`
  const numbered = (table: string, open: string) =>
    `SELECT *, row_number() OVER (PARTITION BY g ORDER BY ${[...names, 'is_open'].join(', ')}) AS n FROM (SELECT rowid AS id, ${open} AS is_open, ${[`${group} AS g`, ...cells].join(', ')} FROM ${table})`
  const wrong = inexact.map((column, index) => `(${wrongColumns([{ ...column, name: `#${index}` }])} <> [])`)
  const isPair = ['o.id IS NOT NULL', 'd.id IS NOT NULL', ...wrong.map(sql => `NOT ${sql}`)].join(' AND ')
  const values = names.flatMap(name => [`o.${name} AS "o${name.slice(2)}`, `d.${name} AS "d${name.slice(2)}`])
  await database.run(
    `CREATE OR REPLACE TEMP TABLE paired AS SELECT coalesce(o.g, d.g) AS g, o.id AS o, d.id AS d, o.is_open AS is_open, ${[`coalesce(${isPair}, false) AS agrees`, ...values].join(', ')}
     FROM (${numbered(sides.oracle, OPEN)}) o FULL OUTER JOIN (${numbered(sides.delivered, 'false')}) d ON o.g = d.g AND o.n = d.n`,
  )
  await database.run(
    `CREATE OR REPLACE TEMP TABLE ${VERDICTS} (o BIGINT, d BIGINT, verdict VARCHAR, columns VARCHAR[])`,
  )
  // Sorting pairs most rows; where it does not, all pairs of the group are looked for.
  const doubtful =
    inexact.length === 0 ? 'SELECT NULL::UBIGINT WHERE false' : 'SELECT DISTINCT g FROM paired WHERE NOT agrees'
  await database.run(
    `INSERT INTO ${VERDICTS} SELECT o, d, CASE WHEN agrees THEN 'agreed' WHEN o IS NULL THEN 'unexpected' WHEN is_open THEN 'open' ELSE 'missing' END, []
     FROM paired WHERE g NOT IN (${doubtful})`,
  )
  if (inexact.length > 0) await matchGroups(database, names.length)
  await database.run('DROP TABLE paired')
  await pairNearly(database, sides)
  return await summary(database, sides, [])
}

async function matchGroups(database: Database, inexact: number): Promise<void> {
  const cells = Array.from({ length: inexact }, (_, index) => [`"o${index}"`, `"d${index}"`]).flat()
  const result = await database.connection.runAndReadAll(
    `SELECT ${['g::VARCHAR', 'o', 'd', 'is_open', ...cells].join(', ')} FROM paired WHERE g IN (SELECT DISTINCT g FROM paired WHERE NOT agrees) ORDER BY g`,
  )
  const appender = await database.connection.createAppender(VERDICTS)
  const { LIST, VARCHAR } = await loadDuckDB()
  const put = (o: number | null, d: number | null, verdict: string) => {
    if (o === null) appender.appendNull()
    else appender.appendBigInt(BigInt(o))
    if (d === null) appender.appendNull()
    else appender.appendBigInt(BigInt(d))
    appender.appendVarchar(verdict)
    appender.appendList([], LIST(VARCHAR))
    appender.endRow()
  }
  let group: string | null = null
  let left: InexactRow[] = []
  let right: InexactRow[] = []
  let open = new Set<number>()
  const flush = () => {
    // Rows that must be there come first: an open one never takes the partner of another.
    const ordered = [...left.filter(({ id }) => !open.has(id)), ...left.filter(({ id }) => open.has(id))]
    const partners = matchRows(ordered, right)
    const taken = new Set(partners)
    for (const [index, { id }] of ordered.entries()) {
      const partner = partners[index]!
      if (partner >= 0) put(id, right[partner]!.id, 'agreed')
      else put(id, null, open.has(id) ? 'open' : 'missing')
    }
    for (const [index, { id }] of right.entries()) if (!taken.has(index)) put(null, id, 'unexpected')
    left = []
    right = []
    open = new Set()
  }
  for (const row of result.getRowsJS() as (string | number | bigint | boolean | null)[][]) {
    const [g, o, d, isOpen, ...values] = row
    if (g !== group && group !== null) flush()
    group = g as string
    if (o !== null) {
      left.push({ id: Number(o), cells: values.filter((_, index) => index % 2 === 0) as number[] })
      if (isOpen === true) open.add(Number(o))
    }
    if (d !== null) right.push({ id: Number(d), cells: values.filter((_, index) => index % 2 === 1) as number[] })
  }
  if (group !== null) flush()
  appender.closeSync()
}

async function summary(database: Database, sides: Sides, keys: readonly string[]): Promise<Comparison> {
  const counts = new Map(
    (await database.rows(`SELECT verdict, count(*)::DOUBLE AS n FROM ${VERDICTS} GROUP BY verdict`)).map(row => [
      row.verdict,
      row.n as number,
    ]),
  )
  const columns = await database.rows(
    `SELECT name, count(*)::DOUBLE AS n FROM (SELECT unnest(columns) AS name FROM ${VERDICTS} WHERE verdict = 'different') GROUP BY name ORDER BY name`,
  )
  const count = (verdict: string) => counts.get(verdict) ?? 0
  const examples = async (verdict: string, side: 'o' | 'd') =>
    count(verdict) === 0
      ? []
      : (
          await database.rows(
            `SELECT ${packed('t', sides)} AS cells FROM ${VERDICTS} v JOIN ${side === 'o' ? sides.oracle : sides.delivered} t ON t.rowid = v.${side} WHERE verdict = '${verdict}' ORDER BY cells LIMIT ${EXAMPLES}`,
          )
        ).map(row => presented(row.cells, sides.columns))
  const different =
    count('different') === 0
      ? []
      : await database.rows(
          `SELECT v.columns, ${packed('o', sides)} AS oracle, ${packed('d', sides)} AS stream FROM ${VERDICTS} v
           JOIN ${sides.oracle} o ON o.rowid = v.o JOIN ${sides.delivered} d ON d.rowid = v.d
           WHERE verdict = 'different' ORDER BY oracle, stream LIMIT ${EXAMPLES}`,
        )
  return {
    agreed: count('agreed'),
    open: count('open'),
    missing: { count: count('missing'), examples: await examples('missing', 'o') },
    unexpected: { count: count('unexpected'), examples: await examples('unexpected', 'd') },
    different: {
      count: count('different'),
      examples: different.map(row => {
        const oracle = presented(row.oracle, sides.columns)
        const key = Object.fromEntries(keys.map(name => [name, oracle[name]]))
        return { key, stream: presented(row.stream, sides.columns), oracle, columns: row.columns as string[] }
      }),
    },
    columns: new Map(columns.map(row => [row.name as string, row.n as number])),
  }
}

/** The cells as a list of texts: structs compare names without regard to case, lists do not care. */
const packed = (alias: string, sides: Sides) =>
  `[${sides.columns.map(column => `${alias}.${quoted(column.name)}::VARCHAR`).join(', ')}]`

function presented(cells: unknown, columns: readonly ComparedColumn[]): Row {
  const list = (cells ?? []) as readonly (string | null)[]
  return Object.fromEntries(columns.map((column, index) => [column.name, present(list[index] ?? null, column)]))
}

function present(cell: string | null, column: ComparedColumn): unknown {
  if (cell === null) return null
  if (column.type === 'number')
    return cell === 'inf' ? Infinity : cell === '-inf' ? -Infinity : Number(cell === 'nan' ? Number.NaN : cell)
  if (column.type === 'timestamp') return new Date(Number(cell) / 1000).toISOString()
  return column.type === 'boolean' ? cell === 'true' : cell
}
