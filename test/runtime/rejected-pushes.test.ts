/** Requests whose records are rejected: all of them are dead letters, or nothing of the request is kept. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { http } from '../../src/connectors/http/index.ts'
import { sensorLogger } from '../../src/connectors/sensor-logger/index.ts'
import { pipeline, topic } from '../../src/index.ts'
import { makeKey } from '../../src/ingress/keys.ts'
import { listTopics } from '../../src/log/topic-store.ts'
import { seededRandom } from '../../src/system/random.ts'
import { post, type Reply } from '../connectors/pushing.ts'
import { readStored } from '../log/read-stored.ts'
import { type Begun, begin } from './runs.ts'

vi.setConfig({ testTimeout: 60_000 })

const LISTEN = { host: '127.0.0.1', port: 0, tls: null, trustedProxies: [], keys: 'when-made' as const }
const events = topic('events', z.object({ n: z.number(), text: z.string().optional() }))
const readings = topic('readings', z.object({ deviceId: z.string(), time: z.number() }))
const openSink = async () => ({
  guarantee: 'At most once.',
  open: async () => 0,
  write: async () => {},
  commit: async () => {},
  close: async () => {},
})
const pushed = (options: object) =>
  pipeline('pushed', ({ ingest, from, deliver }) => {
    ingest(http({ path: '/events', ...options }), events)
    ingest(sensorLogger({ path: '/phone', ...options }), readings)
    deliver(from(events), { kind: 'sink', connector: 'none', options: {}, open: async () => ({ openSink }) })
  }).plan

let dataDirectory: string
let run: Begun
beforeEach(() => {
  dataDirectory = mkdtempSync(join(tmpdir(), 'millrace-rejected-'))
})
afterEach(async () => {
  await run.stop()
  rmSync(dataDirectory, { recursive: true, force: true })
})

const start = async (options: object = {}, diskBudget_bytes: number | null = null) => {
  run = await begin(pushed(options), dataDirectory, { listen: LISTEN, diskBudget_bytes })
  if (run.handle === null) throw run.failure
  const { addresses } = run.handle
  const address = (name: string) => addresses.find(({ topic }) => topic === name)!.address
  return { events: address('events'), phone: address('readings') }
}
/** What the run holds in the end: records of the topic, dead letters of it. */
const stored = async (name = 'events') => {
  await run.stop()
  expect(run.failure).toBeNull()
  const letters = readStored(dataDirectory, 'dead_letters').records.map(line => JSON.parse(line) as { topic: string })
  return {
    records: readStored(dataDirectory, name).records.length,
    letters: letters.filter(letter => letter.topic === name).length,
  }
}
const gzipped = (address: string, body: string) => post(address, gzipSync(body), { 'content-encoding': 'gzip' })
const numbers = (count: number) => `[1${',1'.repeat(count - 1)}]`

describe('a request with more records than the limit', () => {
  test.each([
    ['an array of 4,000,000 numbers', numbers(4_000_000)],
    ['4,000,000 lines', '1\n'.repeat(4_000_000)],
    ['one more than the limit', numbers(100_001)],
    ['arrays', `[[]${',[]'.repeat(1_000_000)}]`],
    ['objects over several lines', '{\n}\n'.repeat(200_000)],
  ])('%s: 413, and nothing of it is kept', async (_, body) => {
    const address = await start()
    const { status, json } = await gzipped(address.events, body)
    expect(status).toBe(413)
    expect(json.error).toMatchObject({
      code: 'REQUEST_TOO_LARGE',
      message: 'The request has more than 100000 records.',
    })
    expect((await post(address.events, '{"n":1}')).json).toEqual({ accepted: 1 })
    expect(await stored()).toEqual({ records: 1, letters: 0 })
  })

  test('of the app: told in words, and nothing of it is kept', async () => {
    const address = await start()
    const { status, text } = await gzipped(address.phone, `{"payload":${numbers(4_000_000)}}`)
    expect(status).toBe(499)
    expect(text).toMatch(/too large/)
    expect(await stored('readings')).toEqual({ records: 0, letters: 0 })
  })

  test('the limit is an option, and as many are taken', async () => {
    const address = await start({ maximumRecords: 3 })
    expect((await post(address.events, '[{"n":1},{"n":2},{"n":3}]')).json).toEqual({ accepted: 3 })
    expect((await post(address.events, '[{"n":1},{"n":2},{"n":3},{"n":4}]')).status).toBe(413)
    expect(await stored()).toEqual({ records: 3, letters: 0 })
  })
})

describe('a client with more rejected records than its budget', () => {
  test('100,000 numbers: 429, and nothing of it is kept', async () => {
    const address = await start()
    const { status, json, headers } = await gzipped(address.events, `[{"n":1},${numbers(99_999).slice(1)}`)
    expect(status).toBe(429)
    expect(json.error.code).toBe('REJECTED_TOO_MANY')
    expect(Number(headers['retry-after'])).toBeGreaterThan(0)
    expect((await post(address.events, '{"n":1}')).json).toEqual({ accepted: 1 })
    expect(await stored()).toEqual({ records: 1, letters: 0 })
  })

  test('what it sends right is taken, and so is what others send', async () => {
    const options = { topics: null, expiresIn_ms: null }
    const [bad, good] = [
      await makeKey(dataDirectory, { name: 'bad', ...options }),
      await makeKey(dataDirectory, { name: 'good', ...options }),
    ]
    const address = await start({ rejectedRecordsPerMinute: 5 })
    const send = (key: string, body: string) => post(address.events, body, { 'x-api-key': key })
    expect((await send(bad.key, '[1,2,3,{"n":1}]')).json).toMatchObject({ accepted: 1, refused: 3 })
    expect((await send(bad.key, '[1,2,3,{"n":1}]')).status).toBe(429)
    expect((await send(bad.key, '{"n":1}')).json).toEqual({ accepted: 1 })
    expect((await send(good.key, '[1,2,3]')).status).toBe(422)
    expect(await stored()).toEqual({ records: 2, letters: 6 })
  })

  test('many at once: what was answered is what is kept', async () => {
    const address = await start({ rejectedRecordsPerMinute: 40 })
    const random = seededRandom(11)
    const bodies = Array.from({ length: 200 }, () => {
      const records = Array.from({ length: 1 + random.integer(6) }, () => (random.integer(3) === 0 ? '7' : '{"n":1}'))
      return `[${records.join()}]`
    })
    const answers = await Promise.all(bodies.map(body => post(address.events, body)))
    const sum = (of: (reply: Reply) => number) => answers.reduce((total, reply) => total + of(reply), 0)
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(0)
    expect(answers.filter(({ status }) => ![200, 422, 429].includes(status))).toEqual([])
    const counted = { records: sum(({ json }) => json.accepted ?? 0), letters: sum(({ json }) => json.refused ?? 0) }
    expect(await stored()).toEqual(counted)
    expect(counted.letters).toBeLessThanOrEqual(41)
  })
})

test('dead letters count against the disk budget', async () => {
  const budget = 400_000
  const address = await start({ rejectedRecordsPerMinute: 1_000_000 }, budget)
  const body = `[${Array.from({ length: 100 }, () => `"${'x'.repeat(200)}"`).join()}]`
  let refused = 0
  let status = 422
  while (status === 422) {
    const reply = await post(address.events, body)
    status = reply.status
    refused += reply.json.refused ?? 0
  }
  expect(status).toBe(503)
  await run.stop()
  expect(listTopics(dataDirectory).reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(budget)
  expect(readStored(dataDirectory, 'dead_letters').records).toHaveLength(refused)
})

describe('texts of a million escapes', () => {
  const escapes = '\\n'.repeat(1_000_000)
  const some = '\\n'.repeat(400_000)
  test.each([
    ['longer than a record may be', `{"n":1,"text":"${escapes}"}`, 422],
    ['not ended, and longer', `{"n":1,"text":"${escapes}`, 422],
    ['a million code points', `{"n":1,"text":"${'\\u00e4'.repeat(1_000_000)}"}`, 422],
    ['within a record', `{"n":1,"text":"${some}"}`, 200],
    ['of another type', `{"n":"${some}"}`, 422],
    ['not ended', `{"n":1,"text":"${some}`, 400],
    ['with one that is none', `{"n":1,"text":"${some}\\x"}`, 400],
    ['of code points', `{"n":1,"text":"${'\\u00e4'.repeat(160_000)}`, 400],
  ])('%s', async (_, body, status) => {
    const address = await start()
    const reply = await post(address.events, body)
    expect(reply.status).toBe(status)
    const taken = status === 200 ? 1 : 0
    expect(reply.json).toMatchObject({ accepted: taken, ...(taken === 1 ? {} : { refused: 1 }) })
    expect(await stored()).toEqual({ records: taken, letters: 1 - taken })
  })
})
