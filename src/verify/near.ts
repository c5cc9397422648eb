/** A missing and an unexpected row that are the same in most columns are one row with wrong cells: it names them. */
import { type ComparedColumn, isExactCell, settledCell, wrongColumns } from './cells.ts'
import type { Database } from './database.ts'
import { type Sides, VERDICTS } from './sides.ts'

/** Rows of each side that are held against all of the other, where nothing else pairs them. */
const NEARLY_MAX = 1000

export async function pairNearly(database: Database, sides: Sides): Promise<void> {
  const { columns } = sides
  const [found] = await database.rows(
    `SELECT bool_or(verdict = 'missing') AND bool_or(verdict = 'unexpected') AS both FROM ${VERDICTS}`,
  )
  if (columns.length < 2 || found?.both !== true) return
  const exact = columns.filter(isExactCell)
  await pairBy(database, sides, exact)
  for (const left of exact)
    await pairBy(
      database,
      sides,
      exact.filter(column => column !== left),
    )
  const first = (verdict: string, id: string) =>
    `(SELECT ${id} FROM ${VERDICTS} WHERE verdict = '${verdict}' ORDER BY ${id} LIMIT ${NEARLY_MAX})`
  const near = await database.rows(
    `SELECT o, d FROM (SELECT o.rowid AS o, d.rowid AS d, ${wrongColumns(columns)} AS columns
       FROM ${sides.oracle} o, ${sides.delivered} d WHERE o.rowid IN ${first('missing', 'o')} AND d.rowid IN ${first('unexpected', 'd')})
     WHERE len(columns) <= ${wrongMax(sides)} ORDER BY len(columns), o, d`,
  )
  const [left, right] = [new Set<unknown>(), new Set<unknown>()]
  const pairs = near.filter(({ o, d }) => {
    if (left.has(o) || right.has(d)) return false
    left.add(o)
    right.add(d)
    return true
  })
  if (pairs.length === 0) return
  await putPairs(
    database,
    sides,
    `SELECT * FROM (VALUES ${pairs.map(({ o, d }) => `(${o}, ${d})`).join(', ')}) p(o, d)`,
  )
}

/** With more wrong cells than this two rows have nothing to do with each other. */
const wrongMax = ({ columns }: Sides) => Math.max(1, Math.floor(columns.length / 2))

/** Pairs rows that are the same in these columns. */
async function pairBy(database: Database, sides: Sides, keys: readonly ComparedColumn[]): Promise<void> {
  if (keys.length === 0) return
  const cells = keys.map(column => settledCell(column, 't'))
  const side = (table: string, verdict: string, id: string) =>
    `(SELECT t.rowid AS id, hash(${cells.join(', ')}) AS g, row_number() OVER (PARTITION BY hash(${cells.join(', ')}) ORDER BY t.rowid) AS n
      FROM ${table} t JOIN ${VERDICTS} v ON v.${id} = t.rowid WHERE v.verdict = '${verdict}')`
  await putPairs(
    database,
    sides,
    `SELECT o.id AS o, d.id AS d FROM ${side(sides.oracle, 'missing', 'o')} o JOIN ${side(sides.delivered, 'unexpected', 'd')} d USING (g, n)`,
  )
}

/** Gives pairs of rows that had no partner the verdict `different`, where they differ in few columns. */
async function putPairs(database: Database, sides: Sides, pairs: string): Promise<void> {
  await database.run(
    `CREATE OR REPLACE TEMP TABLE near AS SELECT * FROM (SELECT p.o, p.d, ${wrongColumns(sides.columns)} AS columns
       FROM (${pairs}) p JOIN ${sides.oracle} o ON o.rowid = p.o JOIN ${sides.delivered} d ON d.rowid = p.d)
     WHERE len(columns) <= ${wrongMax(sides)}`,
  )
  await database.run(
    `DELETE FROM ${VERDICTS} WHERE (d IS NULL AND o IN (SELECT o FROM near)) OR (o IS NULL AND d IN (SELECT d FROM near))`,
  )
  await database.run(`INSERT INTO ${VERDICTS} SELECT o, d, 'different', columns FROM near`)
  await database.run('DROP TABLE near')
}
