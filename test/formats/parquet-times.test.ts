/** Times of a Parquet file come out in the unit in which the topic reads them, exactly. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { parquetPieces } from '../../src/formats/parquet/pieces.ts'
import { slowDecoder } from '../../src/plan/slow.ts'
import { timestamp } from '../../src/plan/types.ts'
import { readSchema } from '../../src/plan/zod.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-parquet-'))
const path = join(folder, 'times.parquet')

beforeAll(async () => {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  await connection.run(`COPY (SELECT happened FROM (VALUES
      (TIMESTAMP '2023-10-28 13:52:25.514123'), (TIMESTAMP '1969-12-31 23:59:59.999999'), (TIMESTAMP '1970-01-01 00:00:00'), (NULL)
    ) AS times(happened)) TO '${path}' (FORMAT parquet)`)
  connection.closeSync()
  instance.closeSync()
})

afterAll(() => rmSync(folder, { recursive: true }))

test.each(['s', 'ms', 'us', 'ns', 'iso'] as const)('in %s', async unit => {
  const schema = z.object({ happened: timestamp(unit).nullable() })
  const decode = slowDecoder(schema)
  const cells: unknown[] = []
  const { columns } = readSchema(schema)
  for await (const piece of parquetPieces(path, null, {
    columns,
    binary: 'text',
    limit: 1 << 20,
    onWarning: () => {},
  })) {
    for (const line of Buffer.from(piece.bytes!).toString().trimEnd().split('\n')) {
      const result = decode(line)
      cells.push(result.ok ? result.cells[0] : result.reason)
    }
  }
  expect(cells).toEqual([1698501145514123, -1, 0, null])
})
