/** `millrace query`: SQL on the warehouse file, read only. */
import { query } from '../../connectors/duckdb/query.ts'
import { MillraceError } from '../../system/errors.ts'
import type { Arguments } from '../arguments.ts'
import { storedDataDirectory, warehouseOf } from '../data-directory.ts'
import { EXIT } from '../exit-codes.ts'
import { RowPrinter } from '../row-printer.ts'
import { jsonText, processTerminal } from '../terminal.ts'

const LIMIT_FOR_PEOPLE = 100

export async function run(values: Arguments): Promise<number> {
  const json = values.flag('json')
  const limit = values.whole('limit') ?? (json ? 0 : LIMIT_FOR_PEOPLE)
  const sql = values.required('SQL')
  if (sql.trim() === '') {
    throw new MillraceError('OPTION_INVALID', 'The SQL is empty.', {
      next: 'Ask for what there is: millrace query "SHOW ALL TABLES"',
    })
  }
  const terminal = processTerminal()
  const warehouse = warehouseOf(storedDataDirectory(values.text('data-dir')))
  // One row more than asked for tells whether there are more.
  const result = await query(warehouse, sql, limit === 0 ? Number.MAX_SAFE_INTEGER : limit + 1)
  const shown = limit === 0 ? result.rows : result.rows.slice(0, limit)
  const printer = new RowPrinter(
    terminal,
    result.columns.map(column => column.name),
  )
  for (const row of shown) {
    if (json) await terminal.print(jsonText(row))
    else await printer.add(row)
  }
  await printer.flush()
  if (json) return EXIT.ok
  if (shown.length === 0) terminal.remark(`no row (columns: ${result.columns.map(column => column.name).join(', ')})`)
  if (shown.length < result.rows.length) terminal.remark(`only the first ${limit} rows; --limit N for more, 0 for all`)
  return EXIT.ok
}
