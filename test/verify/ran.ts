/** Runs of pipelines for tests of `verify`, and faults that are planted in what they delivered. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { file } from '../../src/connectors/file/index.ts'
import type { Pipeline } from '../../src/index.ts'
import { readTopic } from '../../src/log/topic-store.ts'
import type { RunOptions } from '../../src/runtime/options.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import type { VerifiedOutput } from '../../src/verify/outputs.ts'
import type { VerifyReport } from '../../src/verify/verify.ts'
import { verifyPipeline } from '../../src/verify/verify.ts'
import { openRows, put } from '../log/stored.ts'
import { runOptions } from '../runtime/runs.ts'

const linesOf = (rows: readonly object[]) => rows.map(row => `${JSON.stringify(row)}\n`).join('')

/** Runs the pipeline over files of the topic's records, one a partition, to their end; answers the data directory. */
export async function ran(
  { plan }: Pipeline,
  dataDirectory: string,
  inputs: Readonly<Record<string, readonly (readonly object[])[]>>,
  changes: Partial<RunOptions> = {},
): Promise<void> {
  mkdirSync(dataDirectory, { recursive: true })
  const files = Object.entries(inputs).map(([topic, partitions]) => {
    const paths = partitions.map((rows, index) => {
      const path = join(dataDirectory, `${topic}-${index}.ndjson`)
      writeFileSync(path, linesOf(rows))
      return path
    })
    return [topic, paths.map(path => file({ path }))] as const
  })
  await runPipeline(plan, runOptions(dataDirectory, { inputs: new Map(files), untilEnd: true, ...changes }))
}

/** What `verify` found, in short. */
export interface Verdict {
  /** `OUTPUT.COLUMN`, and `OUTPUT` for whole rows. */
  readonly differing: readonly string[]
  readonly notCompared: readonly string[]
  readonly open: number
  readonly agreed: number
}

export async function verdictOf({ plan }: Pipeline, dataDirectory: string): Promise<Verdict> {
  return shortened(await verifyPipeline(plan, { dataDirectory }))
}

function shortened({ outputs, notCompared }: VerifyReport): Verdict {
  const sum = (count: (output: VerifiedOutput) => number) => outputs.reduce((all, output) => all + count(output), 0)
  return {
    differing: outputs.flatMap(({ output, differing, missingCount, unexpectedCount }) => [
      ...[...differing.keys()].map(column => `${output}.${column}`),
      ...(missingCount + unexpectedCount > 0 ? [output] : []),
    ]),
    notCompared: notCompared.flatMap(({ output, columns }) => columns.map(column => `${output}.${column}`)),
    open: sum(({ open }) => open),
    agreed: sum(({ agreed }) => agreed),
  }
}

/** Changes the warehouse behind the run's back. */
export async function inWarehouse(dataDirectory: string, ...statements: readonly string[]): Promise<void> {
  await inDuckDB(join(dataDirectory, 'warehouse.duckdb'), statements)
}

/** Changes the rows of a Parquet file: the statements find them in the table `rows`. */
export async function inParquet(path: string, ...statements: readonly string[]): Promise<void> {
  await inDuckDB(':memory:', [
    `CREATE TABLE rows AS FROM read_parquet('${path}')`,
    ...statements,
    `COPY rows TO '${path}' (FORMAT parquet)`,
  ])
}

async function inDuckDB(path: string, statements: readonly string[]): Promise<void> {
  const instance = await DuckDBInstance.create(path)
  const connection = await instance.connect()
  try {
    for (const statement of statements) await connection.run(statement)
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** Changes the lines of a file; what the sink says of its length is put right too. */
export function inLines(path: string, change: (lines: string[]) => string[]): void {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  const bytes = Buffer.from(
    change(lines)
      .map(line => `${line}\n`)
      .join(''),
  )
  writeFileSync(path, bytes)
  const position = JSON.parse(readFileSync(`${path}.position.json`, 'utf8')) as object
  writeFileSync(`${path}.position.json`, JSON.stringify({ ...position, bytes: bytes.length }))
}

/** Writes a stored topic once more, with other records. */
export async function inTopic(
  dataDirectory: string,
  topic: string,
  change: (records: string[]) => string[],
): Promise<void> {
  const records = change([...readTopic(dataDirectory, topic)])
  rmSync(join(dataDirectory, 'topics', topic), { recursive: true })
  const log = openRows(dataDirectory, topic)
  put(log, ...records)
  await log.close()
}
