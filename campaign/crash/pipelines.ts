/** The pipelines that are killed, each with what must hold of what it stored and delivered. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import {
  checkEveryday,
  checkPushed,
  Findings,
  isEverydayDelivered,
  type Row,
  sumText,
  windowText,
  withWarehouse,
} from './check.ts'
import type { Ledger } from './ledger.ts'
import { CASCADE, frontiersOf, PUSHED, sumsOf, windowsOf } from './reference.ts'

export interface KilledPipeline {
  readonly name: string
  /** In this folder. */
  readonly file: string
  /** Whether it follows the file that grows. */
  readonly hasLines: boolean
  /** Whether all that the ledger knows of has come through, while the pipeline is at work. */
  isDelivered(dataDirectory: string, ledger: Ledger): boolean
  /** What is wrong; the pipeline must have been stopped. */
  check(dataDirectory: string, ledger: Ledger): Promise<Findings>
}

export const PIPELINES: readonly KilledPipeline[] = [
  {
    name: 'everyday',
    file: 'everyday.ts',
    hasLines: true,
    isDelivered: isEverydayDelivered,
    check: checkEveryday,
  },
  // What was acknowledged is worked on at once, and a clean stop waits for it.
  { name: 'cascade', file: 'cascade.ts', hasLines: false, isDelivered: () => true, check: checkCascade },
  { name: 'outward', file: 'outward.ts', hasLines: false, isDelivered: () => true, check: checkOutward },
]

async function checkCascade(dataDirectory: string, ledger: Ledger): Promise<Findings> {
  const findings = new Findings()
  const { pushed, letters, read } = checkPushed(dataDirectory, ledger, findings)
  const frontiers = frontiersOf(pushed)
  const { windows, late } = sumsOf(pushed, CASCADE.first_ms)
  findings.equal('late records', late.map(String), letters.late.map(String))
  const seconds = windowsOf(windows, CASCADE.second_ms, key => frontiers.get(key)!)
  const stored = read('sums')
  findings.equal('topic sums', seconds.map(windowText), stored.map(sumText))
  const reached = Map.groupBy(seconds, ({ key }) => key)
  const frontierOf = (key: string) => Math.max(...reached.get(key)!.map(({ start_ms }) => start_ms))
  const thirds = windowsOf(seconds, CASCADE.third_ms, frontierOf).map(windowText)
  findings.equal('file thirds.ndjson', thirds, rowsOfFile(dataDirectory, 'thirds.ndjson').map(sumText))
  await withWarehouse(dataDirectory, async rowsOf => {
    const found = await rowsOf('THIRDS', ['deviceId', 'epoch_ms(window_start)', 'records', 'total'])
    findings.equal('table THIRDS', thirds, found)
  })
  return findings
}

async function checkOutward(dataDirectory: string, ledger: Ledger): Promise<Findings> {
  const findings = new Findings()
  const { pushed, letters } = checkPushed(dataDirectory, ledger, findings)
  const { windows, late } = sumsOf(pushed, PUSHED.size_ms)
  findings.equal('late records', late.map(String), letters.late.map(String))
  const evens = pushed.filter(({ number }) => number % 2 === 0).map(({ number, deviceId }) => `${number},${deviceId}`)
  findings.equal('file evens.csv', evens, linesOfFile(dataDirectory, 'evens.csv').slice(1))
  findings.equal('file sums.ndjson', windows.map(windowText), rowsOfFile(dataDirectory, 'sums.ndjson').map(sumText))
  const once = await numbersOfParquet(join(dataDirectory, 'once.parquet'))
  findings.equal(
    'file once.parquet',
    pushed.map(({ number }) => String(number)),
    once,
  )
  return findings
}

function linesOfFile(dataDirectory: string, name: string): string[] {
  const path = join(dataDirectory, name)
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : []
}

function rowsOfFile(dataDirectory: string, name: string): Row[] {
  return linesOfFile(dataDirectory, name).map(line => JSON.parse(line) as Row)
}

async function numbersOfParquet(path: string): Promise<string[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const reader = await connection.runAndReadAll(`SELECT "values.number" FROM read_parquet('${path}')`)
    return reader.getRows().map(([number]) => String(number))
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
