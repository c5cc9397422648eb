import { gzipSync } from 'node:zlib'
import { afterEach, expect, test } from 'vitest'
import type { PushOutcome } from '../../src/connectors/contract.ts'
import { sensorLogger } from '../../src/connectors/sensor-logger/index.ts'
import { MillraceError } from '../../src/system/errors.ts'
import { type Pushing, type PushingOptions, post, pushing } from './pushing.ts'

const open: Pushing[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})
const started = async (options: PushingOptions = {}, more = {}) => {
  const each = await pushing(sensorLogger(more), options)
  open.push(each)
  return each
}
const outcome = (settled: PushOutcome) => started({ settle: () => settled })

/** As the app writes it. */
const MESSAGE = `{"messageId":3,"sessionId":"7f6ee3bd-5d4b","deviceId":"9f6f0e2a","payload":[
  {"name":"accelerometer","time":1698501145514000123,"values":{"z":-0.0031,"y":0.0042,"x":0.0011},"accuracy":3},
  {"name":"location","time":1698501145524000999,"values":{"latitude":48.1,"longitude":11.5}}
]}`

test('a message of the app: a record a reading, known again by its number', async () => {
  const { address, lines, events } = await started()
  expect(address).toMatch(/\/sensor-logger$/)
  const { status, text } = await post(address, MESSAGE, { 'content-type': 'application/json' })
  expect({ status, text }).toEqual({ status: 200, text: '{"ok":true}' })
  const shared = '{"messageId":3,"sessionId":"7f6ee3bd-5d4b","deviceId":"9f6f0e2a",'
  expect(lines()).toEqual([
    `${shared}"name":"accelerometer","time":1698501145514000123,"values":{"z":-0.0031,"y":0.0042,"x":0.0011},"accuracy":3}`,
    `${shared}"name":"location","time":1698501145524000999,"values":{"latitude":48.1,"longitude":11.5}}`,
  ])
  expect(events[0]!.messages[0]).toMatchObject({
    idempotencyKey: ['sensor-logger', '9f6f0e2a', '7f6ee3bd-5d4b', '3'],
    records: 2,
    headers: null,
  })
})

test('packed, at another path, with a name for whoever sends none', async () => {
  const { address, lines } = await started({}, { path: '/phones/here', userId: 'ann' })
  expect(address).toMatch(/\/phones\/here$/)
  expect((await post(address, gzipSync(MESSAGE), { 'content-encoding': 'gzip' })).status).toBe(200)
  expect(lines()[0]).toContain('"userId":"ann"')
})

test("the app's trial of the address has no readings: 200, and nothing goes on", async () => {
  const { address, events } = await started()
  expect((await post(address, '{"messageId":0,"sessionId":"s","deviceId":"d","payload":[]}')).status).toBe(200)
  expect(events).toEqual([])
})

test('a message of another shape goes on as one record, and the phone shows why', async () => {
  const { address, lines } = await started()
  for (const [body, words] of [
    ['{"messageId":1,\n"payload":{}}', 'its payload is not an array'],
    ['hello', 'it is not a JSON object'],
    [MESSAGE.slice(0, 100), 'it is not JSON'],
  ] as const) {
    const { status, text, headers } = await post(address, body)
    expect(status, body).toBe(499)
    expect(headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(text).toBe(
      `Millrace: this is not a message of Sensor Logger: ${words}. Nothing of it was kept but for a copy in dead_letters.`,
    )
  }
  expect(lines()).toHaveLength(3)
  for (const line of lines()) expect(() => JSON.parse(line)).toThrow()
})

test('nothing at all is no record', async () => {
  const { address, events } = await started()
  for (const body of ['', ' \n\t']) {
    expect(await post(address, body)).toMatchObject({ status: 499, text: 'Millrace: the message is empty.' })
  }
  expect(events).toEqual([])
})

test('readings that the schema refuses: 499 when it is all of them', async () => {
  const refused = [{ record: 0, path: 'values.x', reason: 'expected number' }]
  const all = await outcome({ kind: 'kept', accepted: 0, refusedCount: 2, refused })
  const { status, text } = await post(all.address, MESSAGE)
  expect(status).toBe(499)
  expect(text).toContain('the readings are not as they should be: values.x: expected number.')
  const some = await outcome({ kind: 'kept', accepted: 1, refusedCount: 1, refused })
  expect((await post(some.address, MESSAGE)).status).toBe(200)
})

test('a message that is kept already is well', async () => {
  const { address } = await outcome({ kind: 'repeated' })
  expect((await post(address, MESSAGE)).status).toBe(200)
})

test('what the phone is to send again is no 499', async () => {
  for (const [code, status] of [
    ['LOG_FULL', 503],
    ['FILE_UNWRITABLE', 503],
    ['INTERNAL', 500],
  ] as const) {
    const { address } = await outcome({ kind: 'failed', error: new MillraceError(code, 'no room at /secret') })
    const reply = await post(address, MESSAGE)
    expect(reply.status).toBe(status)
    expect(reply.text).toMatch(/^Millrace: .* The phone sends it again\.$/)
    expect(reply.text).not.toContain('secret')
  }
})

test('too large: the phone shows what to change', async () => {
  const { address, events } = await started({ context: { maximumChunkBytes: 10_000 } })
  const readings = (count: number, device = 'd') =>
    JSON.stringify({ messageId: 1, sessionId: 's', deviceId: device, payload: new Array(count).fill({ name: 'a' }) })
  // Small as it comes, too large as records.
  for (const body of [readings(2000), readings(100, 'd'.repeat(200))]) {
    const { status, text } = await post(address, body)
    expect(status).toBe(499)
    expect(text).toMatch(/^Millrace: the message is too large\. Choose/)
  }
  expect(events).toEqual([])
})

test('a person who opens the address in a browser is told what it is', async () => {
  const { address } = await started()
  const { status, text } = await post(address, '', {}, { method: 'GET' })
  expect(status).toBe(499)
  expect(text).toContain('enter it there as the URL')
})
