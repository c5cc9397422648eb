/** Two relations of the same columns held against each other, row by row. */

import type { Database, Row } from './database.ts'
import type { OracleColumn } from './oracle/query.ts'
import { quoted } from './oracle/text.ts'

/** Largest relative difference of a column whose last digits depend on the order of additions. */
const TOLERANCE = 1e-9
/** Differences below this count as none, so that a variance of nothing may be 1e-20. */
const FLOOR = 1e-12
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
  readonly missing: { readonly count: number; readonly examples: readonly Row[] }
  readonly unexpected: { readonly count: number; readonly examples: readonly Row[] }
  readonly different: { readonly count: number; readonly examples: readonly Difference[] }
}

export interface Sides {
  readonly oracle: string
  readonly delivered: string
  readonly columns: readonly OracleColumn[]
}

/** Joins both sides by the columns that identify a row; a row that is there twice has a partner only once. */
export async function compareByIdentity(
  database: Database,
  sides: Sides,
  identity: readonly string[],
): Promise<Comparison> {
  const keys = identity.map(quoted)
  const side = (table: string) => {
    const cells = sides.columns.map(column => quoted(column.name)).join(', ')
    return `SELECT *, 1 AS "#here", row_number() OVER (PARTITION BY ${keys.join(', ')} ORDER BY ${cells}) AS "#copy" FROM ${table}`
  }
  const on = [...keys, '"#copy"'].map(key => `o.${key} IS NOT DISTINCT FROM d.${key}`).join(' AND ')
  const wrong = sides.columns
    .filter(column => !identity.includes(column.name))
    .map(column => ({ column, sql: differs(column) }))
  const any = wrong.length === 0 ? 'false' : wrong.map(({ sql }) => `(${sql})`).join(' OR ')
  const verdict = `CASE WHEN d."#here" IS NULL THEN 'missing' WHEN o."#here" IS NULL THEN 'unexpected' WHEN ${any} THEN 'different' ELSE 'agreed' END`
  await database.run(
    `CREATE OR REPLACE TEMP TABLE compared AS SELECT ${verdict} AS verdict,
      ${packed('o', sides)} AS oracle, ${packed('d', sides)} AS stream, list_filter([${wrong.map(({ column, sql }) => `CASE WHEN ${sql} THEN ${nameLiteral(column.name)} END`).join(', ')}]::VARCHAR[], lambda "#name": "#name" IS NOT NULL) AS columns
     FROM (${side(sides.oracle)}) o FULL OUTER JOIN (${side(sides.delivered)}) d ON ${on}`,
  )
  const counts = new Map(
    (await database.rows('SELECT verdict, count(*)::DOUBLE AS n FROM compared GROUP BY verdict')).map(row => [
      row.verdict,
      row.n as number,
    ]),
  )
  const examples = (kind: string) =>
    database.rows(
      `SELECT oracle, stream, columns FROM compared WHERE verdict = '${kind}' ORDER BY coalesce(oracle, stream) LIMIT ${EXAMPLES}`,
    )
  const rowOf = (cells: unknown) => presented(cells, sides.columns)
  const different = (await examples('different')).map(row => {
    const oracle = rowOf(row.oracle)
    return {
      key: Object.fromEntries(identity.map(name => [name, oracle[name]])),
      stream: rowOf(row.stream),
      oracle,
      columns: row.columns as string[],
    }
  })
  const comparison = {
    agreed: counts.get('agreed') ?? 0,
    missing: { count: counts.get('missing') ?? 0, examples: (await examples('missing')).map(row => rowOf(row.oracle)) },
    unexpected: {
      count: counts.get('unexpected') ?? 0,
      examples: (await examples('unexpected')).map(row => rowOf(row.stream)),
    },
    different: { count: counts.get('different') ?? 0, examples: different },
  }
  await database.run('DROP TABLE compared')
  return comparison
}

/** Compares both sides as bags of rows, for rows that nothing identifies; inexact columns are left out. */
export async function compareAsBags(database: Database, sides: Sides): Promise<Comparison> {
  const cells = sides.columns
    .filter(column => column.exact)
    .map(column => (column.type === 'number' ? `${quoted(column.name)} + 0::DOUBLE` : quoted(column.name)))
  const side = (table: string, sign: number) => `SELECT hash(${cells.join(', ')}) AS h, ${sign} AS n FROM ${table}`
  await database.run(
    `CREATE OR REPLACE TEMP TABLE compared AS SELECT h, sum(n) AS n FROM (${side(sides.oracle, 1)} UNION ALL ${side(sides.delivered, -1)}) GROUP BY h HAVING sum(n) <> 0`,
  )
  const [counts] = await database.rows(
    `SELECT coalesce(sum(n) FILTER (WHERE n > 0), 0)::DOUBLE AS missing, coalesce(-sum(n) FILTER (WHERE n < 0), 0)::DOUBLE AS unexpected,
      (SELECT count(*) FROM ${sides.oracle})::DOUBLE AS rows FROM compared`,
  )
  const { missing, unexpected, rows } = counts as { missing: number; unexpected: number; rows: number }
  const examples = async (table: string, sign: string) =>
    (
      await database.rows(
        `SELECT ${packed('t', sides)} AS cells FROM ${table} t WHERE hash(${cells.join(', ')}) IN (SELECT h FROM compared WHERE n ${sign} 0) LIMIT ${EXAMPLES}`,
      )
    ).map(row => presented(row.cells, sides.columns))
  const comparison = {
    agreed: rows - missing,
    missing: { count: missing, examples: missing === 0 ? [] : await examples(sides.oracle, '>') },
    unexpected: { count: unexpected, examples: unexpected === 0 ? [] : await examples(sides.delivered, '<') },
    different: { count: 0, examples: [] },
  }
  await database.run('DROP TABLE compared')
  return comparison
}

/** SQL that is true where the two cells of a column differ; never null. */
function differs(column: OracleColumn): string {
  const name = quoted(column.name)
  const [o, d] = [`o.${name}`, `d.${name}`]
  const distinct = `${o} IS DISTINCT FROM ${d}`
  if (column.type !== 'number' || (column.exact && column.decimal === undefined)) return distinct
  const rounding = column.decimal === undefined ? '' : ` + 0.5000001 * ${10 ** -column.decimal.scale}::DOUBLE`
  const near = `abs(${o} - ${d}) <= ${TOLERANCE}::DOUBLE * greatest(abs(${o}), abs(${d})) + ${FLOOR}::DOUBLE${rounding}`
  return `${distinct} AND NOT coalesce(isfinite(${o}) AND isfinite(${d}) AND ${near}, false)`
}

const nameLiteral = (name: string) => `'${name.replaceAll("'", "''")}'`

/** The cells as a list of texts: structs compare names without regard to case, lists do not care. */
const packed = (alias: string, sides: Sides) =>
  `CASE WHEN ${sides.columns.map(column => `${alias}.${quoted(column.name)} IS NOT NULL`).join(' OR ')} THEN [${sides.columns.map(column => `${alias}.${quoted(column.name)}::VARCHAR`).join(', ')}] END`

function presented(cells: unknown, columns: readonly OracleColumn[]): Row {
  const list = (cells ?? []) as readonly (string | null)[]
  return Object.fromEntries(columns.map((column, index) => [column.name, present(list[index] ?? null, column)]))
}

function present(cell: string | null, column: OracleColumn): unknown {
  if (cell === null) return null
  if (column.type === 'number')
    return cell === 'inf' ? Infinity : cell === '-inf' ? -Infinity : Number(cell === 'nan' ? Number.NaN : cell)
  if (column.type === 'timestamp') return new Date(Number(cell) / 1000).toISOString()
  return column.type === 'boolean' ? cell === 'true' : cell
}
