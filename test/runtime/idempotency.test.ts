/** What is sent again is kept once; what is new is kept, whatever its key looks like. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { IdempotencyKey } from '../../src/connectors/contract.ts'
import { http } from '../../src/connectors/http/index.ts'
import { sensorLogger } from '../../src/connectors/sensor-logger/index.ts'
import { INTERVALS_MAX, MessageNumbers } from '../../src/engine/state/id-intervals.ts'
import { KEY_BYTES } from '../../src/engine/state/recent-keys.ts'
import { pipeline, topic } from '../../src/index.ts'
import { makeKey } from '../../src/ingress/keys.ts'
import { MessageKey, MessageKeys } from '../../src/runtime/ingest/idempotency.ts'
import { seededRandom } from '../../src/system/random.ts'
import { post } from '../connectors/pushing.ts'
import { PlainJournal } from '../engine/restarts.ts'
import { readStored } from '../log/read-stored.ts'
import { type Begun, begin } from './runs.ts'

const LISTEN = { host: '127.0.0.1', port: 0, tls: null, trustedProxies: [], keys: 'when-made' as const }
const events = topic('events', z.object({ n: z.number() }))
const readings = topic('readings', z.object({ deviceId: z.string(), sessionId: z.string(), time: z.number() }))
const keyed = (options: object = {}) =>
  pipeline('keyed', ({ ingest, from, deliver }) => {
    ingest(http({ path: '/events', ...options }), events)
    ingest(sensorLogger({ path: '/phone' }), readings)
    deliver(from(events), { kind: 'sink', connector: 'none', options: {}, open: async () => ({ openSink }) })
  }).plan
const openSink = async () => ({
  guarantee: 'At most once.',
  open: async () => 0,
  write: async () => {},
  commit: async () => {},
  close: async () => {},
})

let dataDirectory: string
let run: Begun
beforeEach(() => {
  dataDirectory = mkdtempSync(join(tmpdir(), 'millrace-keys-'))
})
afterEach(async () => {
  await run.stop()
  rmSync(dataDirectory, { recursive: true, force: true })
})

const start = async (options: object = {}) => {
  run = await begin(keyed(options), dataDirectory, { listen: LISTEN })
  if (run.handle === null) throw run.failure
  const { addresses } = run.handle
  const address = (name: string) => addresses.find(({ topic }) => topic === name)!.address
  return { events: address('events'), phone: address('readings') }
}
const stored = (name: string) => readStored(dataDirectory, name).records.map(line => JSON.parse(line))

const keys = [
  ...Array.from({ length: 40 }, (_, index) => `sender:${(index * 7919) % 1_000_003}`),
  '8e03978e-40d5-43e8-bc93-6894a57f9324',
  'dead letter 0/1@a:0',
  '["resend","0/1@a"]',
  'a":"b',
  'k'.repeat(256),
]

test('each key is kept once: in any order, at once, and after a restart', { timeout: 60_000 }, async () => {
  for (let time = 0; time < 3; time++) {
    const address = await start()
    const order = time === 1 ? [...keys].reverse() : keys
    const answers = await Promise.all(
      [...order, ...order].map((key, n) => post(address.events, JSON.stringify({ n }), { 'idempotency-key': key })),
    )
    const kept = answers.filter(({ json }) => json.accepted === 1)
    expect(kept).toHaveLength(time === 0 ? keys.length : 0)
    for (const { status, json } of answers) {
      expect(status).toBe(200)
      if (json.accepted === 0) expect(json).toEqual({ accepted: 0, repeated: true })
    }
    await run.stop()
    expect(run.failure).toBeNull()
  }
  expect(stored('events')).toHaveLength(keys.length)
})

test('numbers that do not count up, and names that look alike, are all new', { timeout: 120_000 }, async () => {
  const address = await start()
  const random = seededRandom(7)
  const messages = [
    ['a\nb', 'c', 1],
    ['a', 'b\nc', 1],
    ['a","b', 'c', 1],
    ['a', 'b","c', 1],
    ['', 'a', 1],
    ['a', '', 1],
    ['\ud800', 's', 1],
    ['\ud801', 's', 1],
    ...Array.from({ length: 3000 }, (_, index) => ['gaps', 's', (random.integer(2 ** 20) * 4096 + index) * 2] as const),
  ]
  const bodies = messages.map(([deviceId, sessionId, messageId], time) =>
    JSON.stringify({ messageId, sessionId, deviceId, payload: [{ time }] }),
  )
  for (let first = 0; first < bodies.length; first += 100) {
    const some = bodies.slice(first, first + 100)
    // Text that is not Unicode is for the schema to refuse; it is told apart before.
    for (const { status } of await Promise.all(some.map(body => post(address.phone, body)))) {
      expect([200, 499]).toContain(status)
    }
  }
  for (const body of bodies.slice(-500)) expect((await post(address.phone, body)).text).toBe('{"ok":true}')
  await run.stop()
  const times = stored('readings').map(({ time }) => time)
  const letters = stored('dead_letters').map(({ bytes }) => JSON.parse(bytes).time)
  expect([...times, ...letters].sort((a, b) => a - b)).toEqual(bodies.map((_, time) => time))
  expect(letters.every(time => time === 6 || time === 7)).toBe(true)
})

test('each API key has keys of its own, and no client can name those of records that are sent again', async () => {
  const options = { topics: null, expiresIn_ms: null }
  const [ann, bob] = [
    await makeKey(dataDirectory, { name: 'ann', ...options }),
    await makeKey(dataDirectory, { name: 'bob', ...options }),
  ]
  const address = await start()
  const send = (key: string, n: number) =>
    post(address.events, JSON.stringify({ n }), { 'x-api-key': key, 'idempotency-key': '1' })
  expect((await send(ann.key, 1)).json).toEqual({ accepted: 1 })
  expect((await send(bob.key, 2)).json).toEqual({ accepted: 1 })
  expect((await send(ann.key, 1)).json).toEqual({ accepted: 0, repeated: true })
  expect((await run.handle!.append('events', Buffer.from('{"n":3}'), '1')).kind).toBe('kept')
  expect((await run.handle!.append('events', Buffer.from('{"n":3}'), '1')).kind).toBe('repeated')
  await run.stop()
  expect(stored('events').map(({ n }) => n)).toEqual([1, 2, 3])
})

test('what is no longer remembered is kept again, never refused', async () => {
  const address = await start({ keyMemoryBytes: 10 * KEY_BYTES })
  const send = (key: number) => post(address.events, '{"n":1}', { 'idempotency-key': String(key) })
  for (let key = 0; key < 11; key++) expect((await send(key)).json).toEqual({ accepted: 1 })
  expect((await send(10)).json).toEqual({ accepted: 0, repeated: true })
  expect((await send(0)).json).toEqual({ accepted: 1 })
})

describe('what an earlier version remembered', () => {
  const restored = (add: (numbers: MessageNumbers) => void) => {
    const journal = new PlainJournal(seededRandom(1))
    const before = new MessageNumbers('events/messages')
    add(before)
    journal.save([before])
    const after = new MessageKeys('events', { duration_us: 24 * 3600e6, bytes: 1 << 20 })
    journal.restore(after.stateful)
    return after
  }

  test('still tells what is sent again, until it is too old', () => {
    const known: IdempotencyKey[] = [
      ['http', '', 'gateway-7:1042'],
      ['sensor-logger', 'device', 'session', '3'],
      ['resend', '0/1@a'],
    ]
    const unknown: IdempotencyKey[] = [
      ['http', '', 'gateway-7:1043'],
      ['http', '', 'gateway-7'],
      ['http', '', 'dead letter 0/1@a:0'],
      ['sensor-logger', 'device', 'session', '4'],
      ['sensor-logger', 'device\nsession', '', '3'],
      ['sensor-logger', 'a', 'b\nc', '1'],
      ['resend', '0/2@a'],
    ]
    const keys = restored(numbers => {
      numbers.add('gateway-7', 1042, 1e6)
      numbers.add('device\nsession', 3, 1e6)
      numbers.add('a\nb\nc', 1, 1e6)
      numbers.add('dead letter 0/1@a', 0, 1e6)
    })
    for (const key of known) expect(keys.isKept(new MessageKey(key)), key.join()).toBe(true)
    for (const key of unknown) expect(keys.isKept(new MessageKey(key)), key.join()).toBe(false)
    keys.forget(25 * 3600e6)
    for (const key of known) expect(keys.isKept(new MessageKey(key)), key.join()).toBe(false)
  })

  test('says nothing of numbers in gaps that it closed', () => {
    const keys = restored(numbers => {
      for (let number = 0; number < 2 * INTERVALS_MAX; number++) numbers.add('gaps', number * 2, 1e6)
    })
    const isKept = (number: number) => keys.isKept(new MessageKey(['http', '', `gaps:${number}`]))
    for (let number = 1; number < 4 * INTERVALS_MAX; number += 2) expect(isKept(number)).toBe(false)
    expect(isKept(4 * INTERVALS_MAX - 2)).toBe(true)
  })
})
