/**
 * DuckDB over the whole input at once: the answer that every other one is held against, and a baseline on one thread.
 *
 *   node bench/batch.ts LANE INPUT OUTPUT
 */
import { DuckDBInstance } from '@duckdb/node-api'

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`

const readings = (path: string) => `read_ndjson(${literal(path)}, columns = {
  messageId: 'DOUBLE', sessionId: 'VARCHAR', deviceId: 'VARCHAR', name: 'VARCHAR', time: 'BIGINT',
  'values': 'STRUCT(x DOUBLE, y DOUBLE, z DOUBLE)'})`

const measurements = (path: string) => `read_ndjson(${literal(path)}, columns = {
  sensor_id: 'DOUBLE', timestamp: 'BIGINT', temperature: 'DOUBLE', humidity: 'DOUBLE'})`

/** Averages over hopping windows by panes of one step: DuckDB's fastest way that we know. */
const hopping = (path: string, filter: string, size_ms: number, every_ms: number, more: string) => `
  WITH magnitudes AS (
    SELECT sessionId, deviceId, time // 1000000 AS time_ms,
      sqrt("values".x * "values".x + "values".y * "values".y + "values".z * "values".z) AS magnitude
    FROM ${readings(path)} ${filter}),
  panes AS (
    SELECT sessionId, deviceId, time_ms // ${every_ms} * ${every_ms} AS pane, sum(magnitude) AS s, count(*) AS c
    FROM magnitudes GROUP BY ALL),
  windows AS (
    SELECT sessionId, deviceId, pane - back * ${every_ms} AS window_start, sum(s) AS s, sum(c) AS c
    FROM panes, range(${size_ms / every_ms}) AS o(back) GROUP BY ALL)
  SELECT sessionId, deviceId, window_start, window_start + ${size_ms} AS window_end, s / c AS avg_magnitude,
    c::BIGINT AS n${more} FROM windows`

const activity = `, CASE WHEN s / c < 0.5 THEN 'Stationary' WHEN s / c < 2 THEN 'Walking' WHEN s / c < 5 THEN 'Running'
  ELSE 'Sprinting' END AS activity`

const tumbling = (path: string) => `
  SELECT sensor_id::BIGINT AS sensor_id, timestamp // 900 * 900000 AS window_start, timestamp // 900 * 900000 + 900000 AS window_end,
    min(temperature) AS "min", max(temperature) AS "max", avg(temperature) AS "avg", count(*) AS n
  FROM ${measurements(path)} GROUP BY ALL`

/** What each pipeline of this folder must answer, and the columns that identify a row. */
export const BATCH: Record<string, { readonly sql: (input: string) => string; readonly key: readonly string[] }> = {
  activity: {
    sql: path => hopping(path, "WHERE name = 'accelerometer'", 10_000, 2_000, activity),
    key: ['sessionId', 'deviceId', 'window_start'],
  },
  temperature: { sql: tumbling, key: ['sensor_id', 'window_start'] },
  'hopping-60-1': { sql: path => hopping(path, '', 60_000, 1_000, ''), key: ['sessionId', 'deviceId', 'window_start'] },
  'hopping-60-60': {
    sql: path => hopping(path, '', 60_000, 60_000, ''),
    key: ['sessionId', 'deviceId', 'window_start'],
  },
}

if (import.meta.main) {
  const [lane, input, output] = process.argv.slice(2) as [string, string, string]
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  await connection.run('SET preserve_insertion_order = false')
  await connection.run(`COPY (${BATCH[lane]!.sql(input)}) TO ${literal(output)} (FORMAT json)`)
  connection.closeSync()
  instance.closeSync()
}
