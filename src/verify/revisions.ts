/**
 * Of a window that was delivered again and again the last row counts. Those before it are taken away here, and counted:
 * no more than the window has records, and each with its own number where rows are numbered.
 */
import type { Database } from './database.ts'
import { ROW_COLUMNS } from './oracle/query.ts'
import { quoted } from './oracle/text.ts'

export interface Repeats {
  /** Tables of the oracle's and of the delivered rows, the latter in the order in which they were written. */
  readonly oracle: string
  readonly delivered: string
  /** Columns that tell windows apart. */
  readonly identity: readonly string[]
  /** The column that numbers the rows of a window from 0; null: none does. */
  readonly revision: string | null
}

export interface Superseded {
  /** Rows whose revision is not the next one of their window. */
  readonly misnumbered: number
  /** Rows beyond what the records of their window can have made. */
  readonly unexpected: number
}

/** Leaves the last row of each window in the delivered table. */
export async function keepLastRows(database: Database, repeats: Repeats): Promise<Superseded> {
  const { oracle, delivered, revision } = repeats
  const keys = repeats.identity.map(quoted)
  const by = `PARTITION BY ${keys.join(', ')}`
  const one = async (sql: string) => Number(Object.values((await database.rows(sql))[0] ?? {})[0] ?? 0)
  const misnumbered =
    revision === null
      ? 0
      : await one(
          `SELECT count(*)::DOUBLE FROM (SELECT ${quoted(revision)} IS DISTINCT FROM row_number() OVER (${by} ORDER BY rowid) - 1 AS wrong FROM ${delivered}) WHERE wrong`,
        )
  const same = keys.map(key => `o.${key} IS NOT DISTINCT FROM d.${key}`).join(' AND ')
  const unexpected =
    revision === null
      ? await one(
          `SELECT coalesce(sum(rows - records), 0)::DOUBLE FROM
             (SELECT count(*) AS rows, min(o.${ROW_COLUMNS.records}) AS records FROM ${delivered} d JOIN ${oracle} o ON ${same} GROUP BY o.rowid)
           WHERE rows > records`,
        )
      : 0
  await database.run(
    `DELETE FROM ${delivered} WHERE rowid IN (SELECT rowid FROM ${delivered} QUALIFY row_number() OVER (${by} ORDER BY rowid DESC) > 1)`,
  )
  return { misnumbered, unexpected }
}
