/** `millrace query`: SQL on the warehouse, read only; asked of the run that has it open, where there is one. */
import type { Row, RowStream } from '../../connectors/duckdb/rows.ts'
import { ownerOf } from '../../control/client.ts'
import { MillraceError } from '../../system/errors.ts'
import type { Arguments } from '../arguments.ts'
import { storedDataDirectory, warehouseOf } from '../data-directory.ts'
import { EXIT } from '../exit-codes.ts'
import { RowPrinter } from '../row-printer.ts'
import { jsonText, processTerminal, type Terminal } from '../terminal.ts'

const LIMIT_FOR_PEOPLE = 100

export async function run(values: Arguments): Promise<number> {
  const json = values.flag('json')
  // Only a person who looks wants few: what is piped or kept in a file is all of it.
  const limit = values.whole('limit') ?? (process.stdout.isTTY ? LIMIT_FOR_PEOPLE : 0)
  const sql = values.required('SQL')
  if (sql.trim() === '') {
    throw new MillraceError('OPTION_INVALID', 'The SQL is empty.', {
      next: 'Ask for what there is: millrace query "SHOW ALL TABLES"',
    })
  }
  const terminal = processTerminal()
  const rows = await ask(storedDataDirectory(values.text('data-dir')), sql, limit, values.duration_ms('timeout'))
  const columns = rows.columns.map(column => column.name)
  const printer = new RowPrinter(terminal, columns)
  const print = json ? (row: Row) => terminal.print(jsonText(row)) : (row: Row) => printer.add(row)
  const { count, more } = await each(rows, limit, print)
  await printer.flush()
  if (!json) remark(terminal, columns, count, more)
  return EXIT.ok
}

async function ask(directory: string, sql: string, limit: number, timeout_ms: number | null): Promise<RowStream> {
  const owner = await ownerOf(directory)
  if (owner === null) {
    const { queryFile } = await import('../../connectors/duckdb/query.ts')
    return queryFile(warehouseOf(directory), sql)
  }
  return owner.query(sql, {
    // One row more than asked for tells whether there are more.
    ...(limit === 0 ? {} : { limit: limit + 1 }),
    ...(timeout_ms === null ? {} : { timeout_ms }),
  })
}

async function each(
  rows: RowStream,
  limit: number,
  use: (row: Row) => Promise<void>,
): Promise<{ count: number; more: boolean }> {
  let count = 0
  try {
    for (let some = await rows.read(); some !== null; some = await rows.read()) {
      for (const row of some) {
        if (limit > 0 && count === limit) return { count, more: true }
        count++
        await use(row)
      }
    }
  } finally {
    rows.close()
  }
  return { count, more: false }
}

function remark(terminal: Terminal, columns: readonly string[], count: number, more: boolean): void {
  if (count === 0) terminal.remark(`no row (columns: ${columns.join(', ')})`)
  if (more) terminal.remark(`only the first ${count} rows; --limit N for more, 0 for all`)
}
