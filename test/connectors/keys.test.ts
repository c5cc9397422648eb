import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { http } from '../../src/connectors/http/index.ts'
import { sensorLogger } from '../../src/connectors/sensor-logger/index.ts'
import { areKeysNeeded } from '../../src/ingress/access.ts'
import { KeyStore } from '../../src/ingress/key-store.ts'
import { keysPath, listKeys, makeKey, revokeKey } from '../../src/ingress/keys.ts'
import type { Clock } from '../../src/system/clock.ts'
import { type Pushing, post, pushing } from './pushing.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-keys-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A clock that stands until it is told to go on. */
function standing(): Clock & { advance(duration_ms: number): void } {
  let now_ms = Date.UTC(2026, 0, 1)
  return {
    now: () => now_ms * 1000,
    monotonic_ms: () => now_ms,
    sleep: async () => {},
    advance: duration_ms => {
      now_ms += duration_ms
    },
  }
}

const plain = { topics: null, expiresIn_ms: null }

describe('keys', () => {
  test('are told once, and kept as hashes for their owner alone', async () => {
    const { key, info } = await makeKey(folder, { name: 'ann', ...plain })
    expect(key).toMatch(/^mk_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}$/)
    expect(key).toContain(info.id)
    const text = readFileSync(keysPath(folder), 'utf8')
    expect(text).not.toContain(key.slice(-43))
    expect(statSync(keysPath(folder)).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['keys.json'])
    expect(JSON.stringify([info, listKeys(folder)])).not.toMatch(/hash|[0-9a-f]{64}/)
  })

  test('each is another', async () => {
    const keys = new Set<string>()
    for (let index = 0; index < 20; index++) keys.add((await makeKey(folder, { name: `k${index}`, ...plain })).key)
    expect(keys.size).toBe(20)
    expect(new Set(listKeys(folder).map(({ id }) => id)).size).toBe(20)
  })

  test('made at the same time, none is lost', async () => {
    await Promise.all(Array.from({ length: 10 }, (_, index) => makeKey(folder, { name: `k${index}`, ...plain })))
    expect(listKeys(folder)).toHaveLength(10)
  })

  test('are not changed while another command changes them', async () => {
    const lock = `${keysPath(folder)}.lock`
    writeFileSync(lock, '')
    const refused = makeKey(folder, { name: 'ann', ...plain }, standing())
    await expect(refused).rejects.toMatchObject({ code: 'DATA_DIR_BUSY', next: expect.stringContaining(lock) })
    const waiting = makeKey(folder, { name: 'ann', ...plain })
    expect(listKeys(folder)).toEqual([])
    rmSync(lock)
    await waiting
    expect(listKeys(folder)).toHaveLength(1)
  })

  test('a name belongs to one key in use', async () => {
    const { info } = await makeKey(folder, { name: 'ann', ...plain })
    await expect(makeKey(folder, { name: 'ann', ...plain })).rejects.toThrow(/There is a key named ann already/)
    await expect(makeKey(folder, { name: ' ', ...plain })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    expect((await revokeKey(folder, 'ann')).id).toBe(info.id)
    const second = await makeKey(folder, { name: 'ann', ...plain })
    expect((await revokeKey(folder, second.info.id)).id).toBe(second.info.id)
    await expect(revokeKey(folder, 'ann')).rejects.toThrow(/there are: none/)
    expect(listKeys(folder).map(({ revoked }) => revoked === null)).toEqual([false, false])
  })

  test('a file that was damaged is no empty one', async () => {
    await makeKey(folder, { name: 'ann', ...plain })
    for (const text of [
      '',
      '{}',
      '{"version":2,"keys":[]}',
      readFileSync(keysPath(folder), 'utf8').slice(0, 80),
      '{"version":1,"keys":[{"id":"x"}]}',
    ]) {
      writeFileSync(keysPath(folder), text)
      expect(() => listKeys(folder)).toThrow(/does not hold API keys/)
      expect(() => new KeyStore(folder, standing())).toThrow(/does not hold API keys/)
      await expect(makeKey(folder, { name: 'bob', ...plain })).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
    }
  })
})

describe('a run at work', () => {
  test('sees what was made, revoked and expired within a second', async () => {
    const clock = standing()
    const store = new KeyStore(folder, clock)
    expect(store.hasKeys).toBe(false)
    const { key, info } = await makeKey(folder, { name: 'ann', topics: ['readings'], expiresIn_ms: 60_000 }, clock)
    clock.advance(1000)
    expect(store.hasKeys).toBe(true)
    expect(store.check(key, 'readings')).toEqual({ kind: 'valid', id: info.id })
    expect(store.check(key, 'others')).toEqual({ kind: 'other-topic' })
    for (const other of [
      null,
      '',
      'mk_',
      `${key}x`,
      key.slice(0, -1),
      key.replace(/.$/, last => (last === 'a' ? 'b' : 'a')),
      `mk_${info.id}_${'0'.repeat(43)}`,
    ])
      expect(store.check(other, 'readings'), String(other)).toEqual({ kind: 'unknown' })
    clock.advance(60_000)
    expect(store.check(key, 'readings')).toEqual({ kind: 'expired' })
    await revokeKey(folder, 'ann', clock)
    clock.advance(1000)
    expect(store.check(key, 'readings')).toEqual({ kind: 'revoked' })
    expect(store.hasKeys).toBe(true)
  })

  test('lets nobody in by what the keys were before they became unreadable, or went away', async () => {
    const clock = standing()
    const { key } = await makeKey(folder, { name: 'ann', ...plain }, clock)
    const store = new KeyStore(folder, clock)
    const before = readFileSync(keysPath(folder), 'utf8')
    writeFileSync(keysPath(folder), before.slice(0, 50))
    clock.advance(1000)
    expect(store.hasKeys).toBe(true)
    expect(() => store.check(key, 'readings')).toThrow(/does not hold API keys/)
    writeFileSync(keysPath(folder), before)
    clock.advance(1000)
    expect(store.check(key, 'readings').kind).toBe('valid')
    rmSync(keysPath(folder))
    clock.advance(1000)
    expect(store.hasKeys).toBe(true)
    expect(store.check(key, 'readings')).toEqual({ kind: 'unknown' })
  })

  test('keeps when a key was used last, to the minute', async () => {
    const clock = standing()
    const { key, info } = await makeKey(folder, { name: 'ann', ...plain }, clock)
    expect(info.lastUsed).toBeNull()
    const store = new KeyStore(folder, clock)
    clock.advance(90_000)
    store.check(key, 'readings')
    store.close()
    expect(listKeys(folder)[0]!.lastUsed).toBe((Date.UTC(2026, 0, 1) + 60_000) * 1000)
    expect(statSync(join(folder, 'keys-used.json')).mode & 0o777).toBe(0o600)
  })
})

describe('requests', () => {
  const open: Pushing[] = []
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close()
  })
  const started = async (
    changes: Partial<{ host: string; keys: 'required' | 'when-made'; trustedProxies: string[] }> = {},
  ) => {
    const listen = { host: '127.0.0.1', port: 0, tls: null, trustedProxies: [], keys: 'when-made' as const, ...changes }
    const events = await pushing(http({ path: '/events' }), { context: { dataDirectory: folder, listen } })
    const phone = await pushing(sensorLogger({}), { context: { dataDirectory: folder, listen, topic: 'phones' } })
    open.push(events, phone)
    const local = (address: string) => address.replace('0.0.0.0', '127.0.0.1')
    return { events: local(events.address), phone: local(phone.address) }
  }
  const message = '{"messageId":1,"sessionId":"s","deviceId":"d","payload":[{"name":"a","time":1,"values":{}}]}'

  test('need no key on the loopback interface before there is one', async () => {
    const { events } = await started()
    expect((await post(events, '{}')).status).toBe(200)
    expect((await post(events, '{}', { 'x-api-key': 'mk_old' })).status).toBe(200)
  })

  test.each([
    ['asked for', { keys: 'required' as const }],
    ['open to the network', { host: '0.0.0.0' }],
    ['behind a proxy', { trustedProxies: ['127.0.0.1'] }],
  ])('need one where that is %s', async (_, changes) => {
    const { events } = await started(changes)
    expect((await post(events, '{}')).status).toBe(401)
    const listen = { host: '127.0.0.1', port: 0, tls: null, trustedProxies: [], keys: 'when-made' as const }
    expect(areKeysNeeded({ ...listen, ...changes }, folder)).toBe(true)
    expect(areKeysNeeded(listen, folder)).toBe(false)
    await makeKey(folder, { name: 'ann', ...plain })
    expect(areKeysNeeded(listen, folder)).toBe(true)
  })

  test.each([
    ['X-Forwarded-For', { 'x-forwarded-for': '203.0.113.9' }],
    ['Forwarded', { forwarded: 'for=203.0.113.9' }],
    ['X-Real-IP', { 'x-real-ip': '203.0.113.9' }],
    ['an empty one', { 'x-forwarded-for': '' }],
  ])('need one when a proxy that nobody named passed them on: %s', async (_, headers) => {
    const { events } = await started()
    const { status, json } = await post(events, '{}', headers as Record<string, string>)
    expect(status).toBe(401)
    expect(json.error).toMatchObject({ code: 'KEY_REFUSED', next: expect.stringContaining('--trusted-proxy') })
    const index = await post(new URL('/', events).href, '', headers as Record<string, string>, { method: 'GET' })
    expect(index.json).not.toHaveProperty('endpoints')
    expect((await post(events, '{}')).status).toBe(200)
    const { key } = await makeKey(folder, { name: 'ann', ...plain })
    await vi.waitFor(
      async () => expect((await post(events, '{}', { ...headers, 'x-api-key': key } as never)).status).toBe(200),
      { timeout: 5000 },
    )
  })

  test('carry the key in any of four places', async () => {
    const { key } = await makeKey(folder, { name: 'ann', ...plain })
    const { events, phone } = await started()
    const sent = (headers: Record<string, string>, address = events) =>
      post(address, '{}', headers).then(({ status }) => status)
    expect(await sent({ authorization: `Bearer ${key}` })).toBe(200)
    expect(await sent({ authorization: `bearer  ${key}` })).toBe(200)
    expect(await sent({ 'x-api-key': key })).toBe(200)
    expect(await sent({}, `${events}?key=${key}`)).toBe(200)
    expect(await sent({}, `${events}?a=b&key=${key}`)).toBe(200)
    expect(await sent({}, `${events}/${key}`)).toBe(200)
    expect((await post(`${phone}/${key}`, message)).status).toBe(200)
    expect((await post(`${phone}/${key}/`, message)).status).toBe(200)
    for (const headers of [
      { authorization: key },
      { authorization: `Basic ${key}` },
      { 'x-api-key': `${key}x` },
      { cookie: `key=${key}` },
    ])
      expect(await sent(headers as Record<string, string>)).toBe(401)
  })

  test('without a key and with a wrong one are told the same', async () => {
    await makeKey(folder, { name: 'ann', ...plain })
    const { events } = await started()
    const none = await post(events, '{}')
    const wrong = await post(events, '{}', { 'x-api-key': `mk_00000000_${'0'.repeat(43)}` })
    const odd = await post(events, '{}', { authorization: 'Bearer x' })
    expect(none.status).toBe(401)
    expect(none.headers['www-authenticate']).toContain('Bearer')
    expect(none.json.error).toMatchObject({ code: 'KEY_REFUSED', next: expect.stringContaining('millrace keys make') })
    for (const other of [wrong, odd]) expect([other.status, other.text]).toEqual([none.status, none.text])
  })

  test('a key for other topics: 403; expired and revoked ones say so; no answer shows a key', async () => {
    const { key: other } = await makeKey(folder, { name: 'other', topics: ['phones'], expiresIn_ms: null })
    const { key: expired } = await makeKey(folder, { name: 'expired', topics: null, expiresIn_ms: 0 })
    const { key: revoked } = await makeKey(folder, { name: 'revoked', ...plain })
    await revokeKey(folder, 'revoked')
    const { events, phone } = await started()
    const replies = await Promise.all([other, expired, revoked].map(key => post(`${events}/${key}`, '{}')))
    expect(replies.map(({ status, json }) => [status, json.error.message])).toEqual([
      [403, 'This API key is for other topics than the one behind this path.'],
      [401, 'This API key has expired.'],
      [401, 'This API key has been revoked.'],
    ])
    const missing = await post(new URL(`/nowhere/${other}`, events).href, '{}')
    expect(missing.status).toBe(404)
    for (const { text, headers } of [...replies, missing]) expect(text + JSON.stringify(headers)).not.toMatch(/mk_/)
    expect((await post(phone, message, { 'x-api-key': other })).status).toBe(200)
  })

  test('the person with the phone is told in words', async () => {
    const { key } = await makeKey(folder, { name: 'other', topics: ['readings'], expiresIn_ms: null })
    const { phone } = await started()
    for (const [address, words] of [
      [phone, 'the key in the URL is missing or wrong'],
      [`${phone}/mk_x`, 'missing or wrong'],
      [`${phone}/${key}`, 'is for something else'],
    ] as const) {
      const { status, text, headers } = await post(address, message)
      expect(status).toBe(499)
      expect(headers['content-type']).toBe('text/plain; charset=utf-8')
      expect(text).toContain(words)
      expect(text).toMatch(/^Millrace: .*Copy the whole address again/)
    }
  })

  test('what there is is told only to who may send', async () => {
    const { key } = await makeKey(folder, { name: 'ann', ...plain })
    const { events } = await started()
    const root = new URL('/', events).href
    const index = (headers: Record<string, string> = {}) => post(root, '', headers, { method: 'GET' })
    expect((await index()).text).not.toContain('events')
    expect((await index({ 'x-api-key': key })).text).toContain('/events')
    expect((await post(`${root}x`, '{}')).text).not.toContain('/events')
    expect((await post(`${root}healthz`, '', {}, { method: 'GET' })).status).toBe(200)
  })

  test('a page in a browser needs a key', async () => {
    const { events } = await started()
    const origin = { origin: 'http://example.org', 'content-type': 'text/plain' }
    expect(await post(events, '{}', origin)).toMatchObject({ status: 403, json: { error: { code: 'KEY_REFUSED' } } })
    expect((await post(events, '{}', { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
  })
})
