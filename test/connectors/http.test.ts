import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { http } from '../../src/connectors/http/index.ts'
import { openSource } from '../../src/connectors/http/open.ts'
import { MillraceError } from '../../src/system/errors.ts'
import { kept, type Pushing, type PushingOptions, post, pushing } from './pushing.ts'

const open: Pushing[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})
const started = async (options: PushingOptions = {}, path = '/events', more = {}) => {
  const each = await pushing(http({ path, ...more }), options)
  open.push(each)
  return each
}

describe('bodies', () => {
  test.each([
    ['one object', '{"a":1}', ['{"a":1}']],
    ['an array', '[{"a":1}, {"b":[2]}]', ['{"a":1}', '{"b":[2]}']],
    ['NDJSON', '{"a":1}\n{"b":2}', ['{"a":1}', '{"b":2}']],
    ['UTF-8', '{"a":"zwölf 🎲"}', ['{"a":"zwölf 🎲"}']],
  ])('%s', async (_, body, lines) => {
    const { address, lines: pushed } = await started()
    const { status, json } = await post(address, body)
    expect({ status, json }).toEqual({ status: 200, json: { accepted: lines.length } })
    expect(pushed()).toEqual(lines)
  })

  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ])('packed with %s', async (encoding, pack) => {
    const { address, lines } = await started()
    const records = Array.from({ length: 3000 }, (_, id) => JSON.stringify({ id }))
    const body = pack(`${records.join('\n')}\n`)
    expect((await post(address, body, { 'content-encoding': encoding })).json).toEqual({ accepted: 3000 })
    expect(lines()).toEqual(records)
    const cut = await post(address, body.subarray(0, body.length - 10), { 'content-encoding': encoding })
    expect(cut.status).toBe(400)
    expect(cut.json.error.message).toMatch(`cannot be unpacked as ${encoding}`)
    const longer = await post(address, Buffer.concat([body, Buffer.from('{"id":3000}')]), {
      'content-encoding': encoding,
    })
    expect(longer.status).toBe(400)
    const twice = await post(address, Buffer.concat([body, body]), { 'content-encoding': encoding })
    // Never a part of what was sent as if it were all: gzip goes on, the others say that they do not.
    if (encoding === 'gzip') expect(twice.json).toEqual({ accepted: 6000 })
    else expect(twice.status).toBe(400)
  })

  test('what is packed in a way that is not known', async () => {
    const { address } = await started()
    for (const encoding of ['deflate', 'gzip, gzip', 'constructor']) {
      const { status, json, headers } = await post(address, 'x', { 'content-encoding': encoding })
      expect(status).toBe(415)
      expect(json.error.next).toContain('gzip, br or zstd')
      expect(headers['accept-encoding']).toBe('gzip, br, zstd')
    }
  })

  test('an empty array is nothing, an empty body a mistake', async () => {
    const { address, events } = await started()
    expect(await post(address, '[]')).toMatchObject({ status: 200, json: { accepted: 0 } })
    expect(await post(address, ' ')).toMatchObject({ status: 400, json: { error: { code: 'REQUEST_INVALID' } } })
    expect(events).toEqual([])
  })

  test('another character set is refused', async () => {
    const { address } = await started()
    const sent = (type: string) => post(address, '{}', { 'content-type': type })
    expect((await sent('application/json; charset=utf-16')).status).toBe(415)
    for (const type of ['application/json; charset="UTF-8"', 'text/plain', 'nonsense', ';;']) {
      expect((await sent(type)).status, type).toBe(200)
    }
  })

  test('each line is a record where the client says so', async () => {
    const { address } = await started()
    const reply = await post(address, '{"a":\n{"b":2}', { 'content-type': 'application/x-ndjson' })
    expect(reply.json).toMatchObject({ accepted: 1, refused: 1, reasons: [{ record: 0 }] })
    expect((await post(address, '{"a":\n{"b":2}')).status).toBe(400)
  })
})

describe('answers', () => {
  test('what is no JSON: 400 with line and column, and the bytes go on as one record', async () => {
    const { address, lines } = await started()
    const { status, json } = await post(address, '[\n  {"a": 1},\n  {"a": tru}\n')
    expect(status).toBe(400)
    expect(json).toMatchObject({ accepted: 0, refused: 1, error: { line: 3, column: 9 } })
    expect(json.error.message).toContain('line 3, column 9')
    expect(lines()).toHaveLength(1)
    expect(await post(address, '{"a":1,}')).toMatchObject({ status: 400, json: { error: { line: 1, column: 8 } } })
  })

  test('all refused by the schema: 422; some: 200 with the reasons', async () => {
    const { address } = await started()
    const all = await post(address, '[1, 2]')
    expect(all).toMatchObject({ status: 422, json: { accepted: 0, refused: 2, error: { code: 'RECORD_INVALID' } } })
    expect(all.json.reasons).toHaveLength(2)
    expect(await post(address, '[1, {}]')).toMatchObject({
      status: 200,
      json: { accepted: 1, refused: 1, reasons: [{ record: 0, path: '', reason: 'expected object' }] },
    })
  })

  test('repeated', async () => {
    const { address } = await started({ settle: () => ({ kind: 'repeated' }) })
    expect(await post(address, '{}')).toMatchObject({ status: 200, json: { accepted: 0, repeated: true } })
  })

  test.each([
    ['LOG_FULL', 503, 'There is no room'],
    ['RUN_STOPPING', 503, 'secret path'],
    ['FILE_UNWRITABLE', 503, 'could not be kept'],
    ['INTERNAL', 500, 'could not be kept'],
  ] as const)('failed with %s: %i', async (code, status, words) => {
    const error = new MillraceError(code, 'Cannot write /secret path.')
    const { address } = await started({ settle: () => ({ kind: 'failed', error }) })
    const reply = await post(address, '{}')
    expect(reply.status).toBe(status)
    expect(reply.json.error.message).toContain(words)
    if (status === 503) expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0)
    if (code !== 'RUN_STOPPING') expect(reply.text).not.toContain('secret')
  })

  test('nobody is answered before the records are safe', async () => {
    const { address, source } = await started({ reads: false })
    const answers: number[] = []
    const replies = ['{"a":1}', '{"b":2}'].map(async body => answers.push((await post(address, body)).status))
    let event = await source.read()
    const messages = []
    while (messages.length < 2) {
      if (event?.kind === 'pushed') messages.push(...event.messages)
      event = await source.read()
    }
    expect(answers).toEqual([])
    for (const message of messages) message.settle(kept(message))
    await Promise.all(replies)
    expect(answers).toEqual([200, 200])
  })

  test('a request is known by any key of up to 256 bytes', async () => {
    const { address, events } = await started()
    const sent = (key: string) => post(address, '{}', { 'idempotency-key': key })
    for (const key of ['gateway:7:42', '8e03978e-40d5-43e8-bc93-6894a57f9324', 'x', 'ä ÿ', 'k'.repeat(256)]) {
      expect((await sent(key)).status, key).toBe(200)
      expect(events.at(-1)!.messages[0]!.idempotencyKey).toEqual(['http', '', Buffer.from(key).toString('latin1')])
    }
    // The header's standard has it in quotes.
    expect((await sent('"8e03978e"')).status).toBe(200)
    expect(events.at(-1)!.messages[0]!.idempotencyKey).toEqual(['http', '', '8e03978e'])
    for (const key of ['', '""', 'k'.repeat(257)]) expect((await sent(key)).status, key).toBe(400)
    await post(address, '{}')
    expect(events.at(-1)!.messages[0]!.idempotencyKey).toBeNull()
  })

  test('a body of several parts: 415, and nothing of it is read as records', async () => {
    const { address, events } = await started()
    const body = '--x\r\ncontent-disposition: form-data; name="f"\r\n\r\n{"a":1}\r\n--x--\r\n'
    for (const type of ['multipart/form-data; boundary=x', 'Multipart/Mixed; boundary=x']) {
      const { status, json } = await post(address, body, { 'content-type': type })
      expect(status).toBe(415)
      expect(json.error).toMatchObject({ code: 'REQUEST_INVALID', next: expect.stringContaining('--data-binary') })
    }
    expect(events).toEqual([])
  })
})

describe('the listener', () => {
  test('says what can be sent where, and that it is well', async () => {
    const first = await started()
    const second = await started({ context: { dataDirectory: first.dataDirectory, topic: 'others' } }, '/deep/other')
    const root = new URL('/', first.address).href
    expect(new URL('/', second.address).href).toBe(root)
    const index = await post(root, '', {}, { method: 'GET' })
    expect(index.json.endpoints.map(({ path, topic }: { path: string; topic: string }) => [path, topic])).toEqual([
      ['/events', 'readings'],
      ['/deep/other', 'others'],
    ])
    expect(await post(`${root}healthz`, '', {}, { method: 'GET' })).toMatchObject({
      status: 200,
      json: { status: 'ok' },
    })
    expect((await post(`${root}healthz`, '', {}, { method: 'HEAD' })).status).toBe(200)
    await second.source.close()
    expect((await post(second.address, '{}')).status).toBe(404)
    expect((await post(first.address, '{}')).status).toBe(200)
  })

  test('it is ready when the run is', async () => {
    let reason: string | null = 'The run is being opened.'
    const { address } = await started({ context: { notReady: () => reason } })
    const ask = () => post(new URL('/readyz', address).href, '', {}, { method: 'GET' })
    expect(await ask()).toMatchObject({ status: 503, json: { status: 'not ready', reason } })
    expect((await post(new URL('/healthz', address).href, '', {}, { method: 'GET' })).status).toBe(200)
    reason = null
    expect(await ask()).toMatchObject({ status: 200, json: { status: 'ready' } })
  })

  test('another path: 404 with the list; another method: 405', async () => {
    const { address } = await started()
    const missing = await post(new URL('/evnets', address).href, '{}')
    expect(missing).toMatchObject({ status: 404, json: { error: { next: 'Records can be sent to: /events.' } } })
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'SEARCH']) {
      const reply = await post(address, '', {}, { method })
      expect(reply.status, method).toBe(405)
      expect(reply.headers.allow).toBe('POST')
    }
    expect((await post(new URL('/', address).href, '{}')).status).toBe(405)
    expect((await post(`${address}/`, '{}')).status).toBe(200)
  })

  test('a path that is taken, or is none', async () => {
    const { dataDirectory, address } = await started()
    const refused = { code: 'PIPELINE_INVALID' }
    for (const path of ['/events', '/healthz', '/readyz', '/', '/a//b', '/a/', '/a b', '/../x%2e'])
      await expect(started({ context: { dataDirectory } }, path), path).rejects.toMatchObject(refused)
    expect((await post(address, '{}')).status).toBe(200)
  })

  test('an address that is in use names it and says what to do', async () => {
    const { address } = await started()
    const port = Number(new URL(address).port)
    const listen = { host: '127.0.0.1', port, tls: null, trustedProxies: [], keys: 'when-made' as const }
    const second = started({ context: { listen } })
    await expect(second).rejects.toMatchObject({ code: 'LISTEN_FAILED', next: expect.stringContaining('port 0') })
    await expect(second).rejects.toThrow(`Cannot listen on 127.0.0.1:${port}: something listens there already.`)
    await expect(started({ context: { listen: { ...listen, host: '192.0.2.7' } } })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
    })
  })

  test('its port is free again when the last source is closed', async () => {
    const first = await started()
    const listen = {
      host: '127.0.0.1',
      port: Number(new URL(first.address).port),
      tls: null,
      trustedProxies: [],
      keys: 'when-made' as const,
    }
    await first.close()
    const second = await started({ context: { listen } })
    expect((await post(second.address, '{}')).status).toBe(200)
  })

  test('a TLS key that is none', async () => {
    const tls = { certificate: 'no', key: 'no' }
    const listen = { host: '127.0.0.1', port: 0, tls, trustedProxies: [], keys: 'when-made' as const }
    await expect(started({ context: { listen } })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      next: expect.stringContaining('PEM'),
    })
  })

  test('too many requests a second: 429 with Retry-After', async () => {
    const { address } = await started({}, '/events', { requestsPerSecond: 3 })
    const replies = await Promise.all(Array.from({ length: 20 }, () => post(address, '{}')))
    const refused = replies.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(0)
    expect(replies.some(({ status }) => status === 200)).toBe(true)
    for (const { headers, json } of refused) {
      expect(Number(headers['retry-after'])).toBeGreaterThan(0)
      expect(json.error).toMatchObject({ code: 'TOO_BUSY', message: 'More than 3 requests a second.' })
    }
  })

  test('with --until-end there is no end to read to', async () => {
    await expect(started({ context: { untilEnd: true } })).rejects.toMatchObject({ code: 'INPUT_MISSING' })
  })

  test('options that there are not', async () => {
    expect(() => http({ path: '/x', paht: 1 } as never)).toThrow(/did you mean "path"/)
    expect((await openSource({ path: '/x' })).replays).toBe(false)
  })
})
