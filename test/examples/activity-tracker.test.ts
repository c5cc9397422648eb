import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import activityTracker from '../../examples/activity-tracker/pipeline.ts'
import { loadSource } from '../../src/connectors/contract.ts'
import { sourceForInput } from '../../src/connectors/input.ts'
import { readTopic } from '../../src/log/topic-store.ts'
import { slowDecoder } from '../../src/plan/slow.ts'
import { runPipeline } from '../../src/runtime/run.ts'
import { openDatabase } from '../../src/verify/database.ts'
import { oracleQuery } from '../../src/verify/oracle/query.ts'
import { loadRecords } from '../../src/verify/records.ts'
import { verifyPipeline } from '../../src/verify/verify.ts'
import { contextOf } from '../conformance/source.ts'
import { runOptions } from '../runtime/runs.ts'

const RECORDINGS = join(import.meta.dirname, '../../examples/activity-tracker/recordings')
const { plan } = activityTracker
const readings = plan.topics.find(topic => topic.name === 'raw_sensor_data')!
const activity = plan.produces.find(produce => produce.topic.name === 'processed_activity')!.stream

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-example-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function linesOf(path: string): Promise<string[]> {
  const source = await loadSource(sourceForInput(path))
  await source.open(contextOf(readings.columns, { maximumChunkBytes: 1 << 20 }))
  let text = ''
  for (let piece = await source.read(); piece !== null; piece = await source.read()) {
    expect(piece.kind).not.toBe('damaged')
    if (piece.kind === 'records') text += Buffer.from(piece.bytes).toString()
  }
  await source.close()
  return text.split('\n').filter(Boolean)
}

describe('recordings', () => {
  test.each([
    ['walk.zip', 4_323],
    ['rest', 1_083],
    ['sprint.json', 783],
  ])('every reading of %s fits the topic', async (name, records) => {
    const lines = await linesOf(join(RECORDINGS, name))
    const decode = slowDecoder(readings.schema!)
    expect(lines.map(line => decode(line)).filter(answer => !answer.ok)).toEqual([])
    expect(lines.length).toBe(records)
    // Other sensors than those with axes are there, and readings from before the start.
    const names = new Set(lines.map(line => JSON.parse(line).name))
    expect(names).toEqual(new Set(['accelerometer', 'gravity', 'gyroscope', 'barometer', 'location']))
    expect(lines.every(line => /"time":\d{19}[,}]/.test(line))).toBe(true)
  })
})

/** The rows of the windows over readings whose magnitudes are given, second by second. */
async function answer(magnitudes: readonly number[]): Promise<Record<string, unknown>[]> {
  const path = join(folder, 'in.ndjson')
  const lines = magnitudes.map(
    (x, second) =>
      `{"sessionId":"s","deviceId":"d","name":"accelerometer","time":${1698501140 + second}000000000,"values":{"x":${x},"y":0,"z":0}}\n`,
  )
  writeFileSync(path, lines.join(''))
  const database = await openDatabase(folder)
  try {
    const { relation } = await loadRecords(database, {
      topic: readings,
      sources: [sourceForInput(path)],
      isDoubtful: false,
      folder,
    })
    const query = oracleQuery(activity, {
      ended: true,
      live: false,
      relation: topic => ({
        sql: relation,
        columns: topic.columns.map(column => ({ ...column, exact: true, unknown: null })),
        isScattered: false,
        partitions: 1,
        ended: null,
        unordered: null,
        waits: false,
      }),
    })
    if ('unsupported' in query) throw new Error(query.unsupported)
    return await database.rows(`SELECT * FROM (${query.sql}) ORDER BY window_start`)
  } finally {
    database.close()
  }
}

describe('a run', () => {
  const run = (dataDirectory: string, paths: readonly string[]) =>
    runPipeline(
      plan,
      runOptions(dataDirectory, {
        inputs: new Map([['raw_sensor_data', paths.map(sourceForInput)]]),
        untilEnd: true,
      }),
    )

  test('over all three recordings gives what the batch query gives, in every output', async () => {
    const paths = ['walk.zip', 'rest', 'sprint.json'].map(name => join(RECORDINGS, name))
    const summary = await run(folder, paths)
    expect(summary.topics.find(({ topic }) => topic === 'raw_sensor_data')).toMatchObject({
      records: 6_189,
      deadLetters: 0,
      late: 0,
    })
    const { outputs, notCompared } = await verifyPipeline(plan, { dataDirectory: folder })
    expect(notCompared).toEqual([])
    expect(outputs.map(({ output, rows, agreed }) => ({ output, rows, agreed }))).toEqual([
      { output: 'processed_activity', rows: 76, agreed: 76 },
      { output: 'RAW_DATA.ACTIVITY_RECORDS', rows: 6_189, agreed: 6_189 },
      { output: 'PROCESSED_DATA.USER_ACTIVITY_PROCESSED', rows: 76, agreed: 76 },
    ])
  })

  test('finds the activities that the recordings were made of', async () => {
    await run(folder, [join(RECORDINGS, 'walk.zip')])
    const types = [...readTopic(folder, 'processed_activity')].map(line => JSON.parse(line).activity_type)
    // 20 s at rest, 24 s walking, 16 s running; windows of both are one or the other.
    expect(types.filter((type, index) => type !== types[index - 1])).toEqual(['Stationary', 'Walking', 'Running'])
  })

  test('a phone whose clock is in 2099 changes no window of another phone', async () => {
    const lines = await linesOf(join(RECORDINGS, 'rest'))
    const astray = lines[0]!
      .replace(/"deviceId":"[^"]*"/, '"deviceId":"astray"')
      .replace(/"time":\d+/, '"time":4070908800000000000')
    const path = join(folder, 'mixed.ndjson')
    writeFileSync(path, lines.flatMap((line, index) => (index === 100 ? [astray, line] : [line])).join('\n'))
    await run(join(folder, 'alone'), [join(RECORDINGS, 'rest')])
    await run(join(folder, 'mixed'), [path])
    const windows = (name: string) =>
      [...readTopic(join(folder, name), 'processed_activity')].filter(line => !line.includes('astray')).toSorted()
    expect(windows('mixed')).toEqual(windows('alone'))
    expect(windows('alone').length).toBeGreaterThan(10)
  })

  test('bad lines are refused one by one, and the batch answer is that of the good ones', async () => {
    const lines = await linesOf(join(RECORDINGS, 'rest'))
    const path = join(folder, 'bad.ndjson')
    const bad = [
      '{"sessionId":"s"',
      lines[0]!.replace(/"time":\d+/, '"time":"soon"'),
      '[]',
      'null',
      lines[1]!.slice(0, -3),
    ]
    writeFileSync(path, [...lines.slice(0, 300), ...bad, ...lines.slice(300)].join('\n'))
    const summary = await run(folder, [path])
    expect(summary.topics[0]).toMatchObject({ deadLetters: bad.length })
    const { outputs } = await verifyPipeline(plan, { dataDirectory: folder })
    expect(outputs.every(output => output.agreed === output.rows && output.unexpectedCount === 0)).toBe(true)
    expect(outputs[1]!.rows).toBe(lines.length)
  })
})

describe('classification', () => {
  test.each([
    [0, 'Stationary', 1],
    [0.25, 'Stationary', 0.5],
    [0.5, 'Walking', 0],
    [1.25, 'Walking', 1],
    [2, 'Running', 0],
    [3.5, 'Running', 1],
    [4.25, 'Running', 0.5],
    [5, 'Sprinting', 0],
    [7.5, 'Sprinting', 0.5],
    [40, 'Sprinting', 1],
  ])('an average magnitude of %d is %s with a confidence of %d', async (magnitude, activity_type, confidence) => {
    const rows = await answer([magnitude])
    expect(rows.length).toBe(5)
    expect(rows[0]).toMatchObject({ avg_magnitude: magnitude, readings: 1, activity_type, confidence })
  })

  test('windows of 10 s begin every 2 s', async () => {
    const rows = await answer(Array.from({ length: 20 }, () => 1))
    const starts = rows.map(row => Number(row.window_start) / 1e6)
    expect(starts).toEqual(Array.from({ length: 14 }, (_, index) => 1698501132 + 2 * index))
    expect(rows.map(row => row.readings)).toEqual([2, 4, 6, 8, 10, 10, 10, 10, 10, 10, 8, 6, 4, 2])
  })
})
