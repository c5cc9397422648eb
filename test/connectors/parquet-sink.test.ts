/** The Parquet sink: what is committed is in the file, and nothing else is, whenever it is looked at after a start. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadSink, type Sink } from '../../src/connectors/contract.ts'
import { file } from '../../src/connectors/file/index.ts'
import { batchOf } from '../../src/engine/batch.ts'
import { withScratch } from '../../src/formats/duckdb.ts'
import type { Column } from '../../src/plan/schema.ts'

const COLUMNS: readonly Column[] = [{ name: 'id', type: 'number', nullable: false }]
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-parquet-sink-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const at = (name: string) => join(folder, name)
const batch = (...ids: number[]) =>
  batchOf(
    COLUMNS,
    ids.map(id => ({ id })),
  )

async function opened(): Promise<{ sink: Sink; position: number }> {
  const sink = await loadSink(file({ path: 'x.parquet' }))
  const position = await sink.open({
    consumer: 'c',
    incarnation: 'i',
    dataDirectory: folder,
    columns: COLUMNS,
    key: [],
  })
  return { sink, position }
}

const ids = async () =>
  await withScratch(async connection => {
    const answer = await connection.runAndReadAll(`SELECT id FROM '${at('x.parquet')}' ORDER BY id`)
    return answer.getColumns()[0] ?? []
  })

test('a commit alone makes the file: nothing waits for the end of the run', async () => {
  const { sink } = await opened()
  expect(await ids()).toEqual([])
  await sink.write(batch(1, 2))
  await sink.commit(2)
  expect(await ids()).toEqual([1, 2])
  await sink.write(batch(3))
  expect(await ids()).toEqual([1, 2])
  await sink.close()
  expect(await ids()).toEqual([1, 2])
})

test('a file that cannot be made fails the commit, and none of its rows count', async () => {
  const { sink } = await opened()
  await sink.write(batch(1))
  await sink.commit(1)
  rmSync(at('x.parquet'))
  mkdirSync(at('x.parquet'))
  await sink.write(batch(2))
  await expect(sink.commit(2)).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' })
  await sink.close()
  rmSync(at('x.parquet'), { recursive: true })
  const again = await opened()
  expect(again.position).toBe(1)
  expect(await ids()).toEqual([1])
  await again.sink.close()
})

test('a run that is killed when the file is there and its commit is not leaves rows that the next start takes back', async () => {
  const { sink } = await opened()
  await sink.write(batch(1))
  await sink.commit(1)
  copyFileSync(at('x.parquet.rows.ndjson.position.json'), at('before.json'))
  await sink.write(batch(2))
  await sink.commit(2)
  await sink.close()
  // As between the two steps of the commit.
  copyFileSync(at('before.json'), at('x.parquet.rows.ndjson.position.json'))
  copyFileSync(at('before.json'), at('x.parquet.stale'))
  expect(await ids()).toEqual([1, 2])
  const again = await opened()
  expect(again.position).toBe(1)
  expect(await ids()).toEqual([1])
  await again.sink.write(batch(2, 3))
  await again.sink.commit(3)
  await again.sink.close()
  expect(await ids()).toEqual([1, 2, 3])
  expect(existsSync(at('x.parquet.stale'))).toBe(false)
})
