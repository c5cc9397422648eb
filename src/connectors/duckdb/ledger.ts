/** How far each consumer has come, kept in the warehouse itself and advanced in the same transaction as its rows. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { MillraceError } from '../../system/errors.ts'

// No primary key: an index would turn each advance into a delete and an insert. The warehouse lets one commit at a time.
export async function createLedger(connection: DuckDBConnection): Promise<void> {
  await connection.run('CREATE SCHEMA IF NOT EXISTS millrace')
  await connection.run(
    `CREATE TABLE IF NOT EXISTS millrace.ledger (
      consumer VARCHAR NOT NULL, incarnation VARCHAR NOT NULL, position BIGINT NOT NULL, table_name VARCHAR NOT NULL)`,
  )
}

/**
 * Rows of the consumer's stream that the table holds. A consumer that is new is entered with none.
 * Throws DATA_DIR_MISMATCH when rows of an earlier stream of the same name are there.
 */
export async function readLedger(
  connection: DuckDBConnection,
  consumer: string,
  incarnation: string,
  table: string,
): Promise<number> {
  const found = await connection.runAndReadAll(
    'SELECT incarnation, position::DOUBLE, table_name FROM millrace.ledger WHERE consumer = $1',
    [consumer],
  )
  const row = found.getRows()[0] as [string, number, string] | undefined
  if (row === undefined) {
    await connection.run('INSERT INTO millrace.ledger VALUES ($1, $2, 0, $3)', [consumer, incarnation, table])
    return 0
  }
  const [heldIncarnation, position, heldTable] = row
  if (heldTable !== table && position > 0) {
    throw new MillraceError(
      'DATA_DIR_MISMATCH',
      `${consumer} has delivered ${position} rows to ${heldTable}; it cannot go on in ${table}.`,
    )
  }
  if (heldIncarnation === incarnation && heldTable === table) return position
  if (position > 0) {
    throw new MillraceError(
      'DATA_DIR_MISMATCH',
      `${table} holds ${position} rows of ${consumer} that are not of this run: its steps or inputs were others, or it followed its inputs.`,
    )
  }
  await connection.run('UPDATE millrace.ledger SET incarnation = $2, table_name = $3 WHERE consumer = $1', [
    consumer,
    incarnation,
    table,
  ])
  return 0
}

/** Moves the consumer from one position to the next, or throws SINK_FENCED when it is no longer where we left it. */
export async function advanceLedger(
  connection: DuckDBConnection,
  consumer: string,
  incarnation: string,
  from: number,
  to: number,
): Promise<void> {
  const result = await connection.run(
    'UPDATE millrace.ledger SET position = $4 WHERE consumer = $1 AND incarnation = $2 AND position = $3',
    [consumer, incarnation, BigInt(from), BigInt(to)],
  )
  if (result.rowsChanged !== 1) {
    throw new MillraceError(
      'SINK_FENCED',
      `The ledger's position of ${consumer} is no longer ${from}: somebody else has delivered in its name.`,
    )
  }
}
