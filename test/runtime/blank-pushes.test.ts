/** What is pushed and holds no record, or half of one: it is never stored, so that positions and offsets stay one. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { http } from '../../src/connectors/http/index.ts'
import { sensorLogger } from '../../src/connectors/sensor-logger/index.ts'
import { pipeline, topic } from '../../src/index.ts'
import { openTopic } from '../../src/log/open-topic.ts'
import type { RunHandle } from '../../src/runtime/options.ts'
import { systemClock } from '../../src/system/clock.ts'
import { diskStorage } from '../../src/system/storage.ts'
import { post } from '../connectors/pushing.ts'
import { readStored } from '../log/read-stored.ts'
import { type Begun, begin } from './runs.ts'

const events = topic('events', z.object({ n: z.number() }))
const readings = topic('readings', z.object({ deviceId: z.string(), name: z.string(), time: z.number() }))
const blank = pipeline('blank', ({ ingest, from, warehouse }) => {
  ingest(http({ path: '/events' }), events)
  ingest(sensorLogger({ path: '/phone' }), readings)
  warehouse.table('EVENTS').appends(from(events))
  warehouse.table('READINGS').appends(from(readings))
})

const LISTEN = { host: '127.0.0.1', port: 0, tls: null, trustedProxies: [], keys: 'when-made' as const }
const BOM = '\uFEFF'
const record = (n: number) => JSON.stringify({ n })
let next = 0

/** Bodies of white space, byte-order marks and bytes that are nothing, alone and among records. */
const BLANKS = [
  '',
  ' ',
  '\n',
  '\r',
  '\t',
  '\r\n',
  '\n\n\n',
  ' \r\n\t\n',
  BOM,
  `${BOM}\n`,
  `${BOM} \r\n`,
  `${BOM}${BOM}`,
  '\0',
  '\0\n\0',
  '\v',
  '\f',
  '\u00a0',
  '\u2028',
]
const FORMS: readonly ((blank: string) => string)[] = [
  blank => blank,
  blank => `${record(next++)}\n${blank}`,
  blank => `${blank}${record(next++)}`,
  blank => `${record(next++)}\n${blank}\n${record(next++)}\n`,
  blank => `${blank}\n${record(next++)}\n${blank}\n${record(next++)}\n${blank}\n`,
  blank => `${record(next++)}${blank}\n`,
  blank => `[${record(next++)},${blank}${record(next++)}${blank}]${blank}`,
  blank => `${blank}[${blank}]`,
]
const TYPES = ['application/json', 'application/x-ndjson', 'text/plain']

const message = (payload: string) => `{"messageId":${next++},"sessionId":"s","deviceId":"d","payload":${payload}}`
const MESSAGES: readonly ((blank: string) => string)[] = [
  blank => blank,
  blank => `${blank}${message('[{"name":"a","time":1}]')}${blank}`,
  blank => message(`[${blank}]`),
  blank => message(`[{"name":"a","time":1},${blank}{"name":"b","time":2}${blank}]`),
  blank => message(`{"name":"a","time":1}`).replace('{', `{${blank}`),
]

let dataDirectory: string
let run: Begun
beforeEach(() => {
  next = 0
  dataDirectory = mkdtempSync(join(tmpdir(), 'millrace-blank-'))
})
afterEach(async () => {
  await run.stop()
  rmSync(dataDirectory, { recursive: true, force: true })
})

const start = async (): Promise<RunHandle> => {
  run = await begin(blank.plan, dataDirectory, { listen: LISTEN })
  if (run.handle === null) throw run.failure
  return run.handle
}
const rowsOf = async (handle: RunHandle, table: string): Promise<number> => {
  const rows = await handle.query(`SELECT count(*) AS n FROM ${table}`)
  const batch = await rows.read()
  rows.close()
  return Number(batch?.[0]?.n)
}

test('log, position, table and answers count the same, also after a restart', { timeout: 120_000 }, async () => {
  const handle = await start()
  const [address, phone] = ['events', 'readings'].map(
    name => handle.addresses.find(({ topic }) => topic === name)!.address,
  )
  let accepted = 0
  let rejected = 0
  for (const nothing of BLANKS) {
    for (const form of FORMS) {
      for (const type of TYPES) {
        const body = form(nothing)
        const { status, json } = await post(address!, gzipSync(body), {
          'content-type': type,
          'content-encoding': 'gzip',
        })
        expect([200, 400, 422], JSON.stringify(body)).toContain(status)
        accepted += json.accepted ?? 0
        rejected += json.refused ?? 0
      }
    }
    for (const form of MESSAGES) expect([200, 499]).toContain((await post(phone!, form(nothing))).status)
  }
  await run.stop()
  expect(run.failure).toBeNull()
  const stored = readStored(dataDirectory, 'events').records
  expect(stored.map(line => typeof JSON.parse(line).n)).toEqual(stored.map(() => 'number'))
  expect(stored).toHaveLength(accepted)
  const letters = readStored(dataDirectory, 'dead_letters').records.map(line => JSON.parse(line) as { topic: string })
  expect(letters.filter(letter => letter.topic === 'events')).toHaveLength(rejected)
  const readings = readStored(dataDirectory, 'readings').records
  for (const line of readings) expect(JSON.parse(line)).toMatchObject({ deviceId: 'd' })

  // What follows the restart must not be taken for what was there before it.
  for (let again = 1; again <= 3; again++) {
    const handle = await start()
    const [address, phone] = ['events', 'readings'].map(
      name => handle.addresses.find(({ topic }) => topic === name)!.address,
    )
    expect((await post(address!, '{"n":1}')).json).toEqual({ accepted: 1 })
    expect((await post(phone!, message('[{"name":"a","time":1}]'))).status).toBe(200)
    await run.stop()
    expect(run.failure).toBeNull()
  }
  const last = await start()
  await expect.poll(() => rowsOf(last, 'EVENTS')).toBe(accepted + 3)
  await expect.poll(() => rowsOf(last, 'READINGS')).toBe(readings.length + 3)
  expect(readStored(dataDirectory, 'events').records).toHaveLength(accepted + 3)
})

test('what an earlier version stored of an empty message is passed over, once', { timeout: 60_000 }, async () => {
  await start()
  const stop = () => run.stop().then(() => expect(run.failure).toBeNull())
  const address = () => run.handle!.addresses.find(({ topic }) => topic === 'events')!.address
  await post(address(), '[{"n":1},{"n":2}]')
  await stop()
  const incarnation = '0'.repeat(32)
  const log = openTopic(dataDirectory, 'events', {
    incarnation,
    adoptIncarnation: true,
    storage: diskStorage,
    clock: systemClock,
  })
  await log.append({ bytes: Buffer.from('\n{"n":3}\n \n'), ends: [1, 9, 11] })
  await log.close()
  for (let again = 4; again < 7; again++) {
    await start()
    expect((await post(address(), record(again))).json).toEqual({ accepted: 1 })
    await stop()
  }
  const last = await start()
  await expect.poll(() => rowsOf(last, 'EVENTS')).toBe(6)
  const rows = await last.query('SELECT list(n ORDER BY n) AS n FROM EVENTS')
  expect(String((await rows.read())![0]!.n)).toBe('1,2,3,4,5,6')
  rows.close()
})

test('a record that is too long takes nothing of the one behind it', async () => {
  const handle = await start()
  const { address } = handle.addresses.find(({ topic }) => topic === 'events')!
  const long = JSON.stringify({ n: 1, text: 'x'.repeat(1 << 20) })
  const { json } = await post(address, `${record(1)}\n${long}\n${record(2)}\n`)
  expect(json).toMatchObject({ accepted: 2, refused: 1, reasons: [{ record: 1 }] })
  await run.stop()
  expect(readStored(dataDirectory, 'events').records).toEqual([record(1), record(2)])
})
