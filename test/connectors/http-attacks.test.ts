/** What nobody sends by accident: it is refused in words, costs little, and the next client is served. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { brotliCompressSync, constants, createGzip, createZstdCompress, zstdCompressSync } from 'node:zlib'
import { Agent, fetch as secureFetch } from 'undici'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { SourceContext } from '../../src/connectors/contract.ts'
import { openSource } from '../../src/connectors/http/open.ts'
import { makeKey } from '../../src/ingress/keys.ts'
import type { HostLimits } from '../../src/ingress/limits.ts'
import { type Pushing, post, pushing } from './pushing.ts'

/** Much is packed and sent here, on machines that do other things too. */
vi.setConfig({ testTimeout: 120_000 })

/** As much as a run takes at once. */
const CHUNK_BYTES = 8 << 20
const open: Pushing[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const each of open.splice(0)) await each.close()
})

const started = async (
  limits: Partial<HostLimits> = {},
  {
    listen = {},
    waitingBytesMax,
    reads = true,
    requestsPerSecond,
  }: {
    listen?: Partial<SourceContext['listen']>
    waitingBytesMax?: number
    reads?: boolean
    requestsPerSecond?: number
  } = {},
) => {
  const settings = { limits, ...(waitingBytesMax === undefined ? {} : { waitingBytesMax }) }
  const source = await openSource({ path: '/events', requestsPerSecond }, settings)
  const whole = { host: '127.0.0.1', port: 0, tls: null, trustedProxies: [], keys: 'when-made' as const, ...listen }
  const each = await pushing(source, { context: { listen: whole, maximumChunkBytes: CHUNK_BYTES }, reads })
  open.push(each)
  return each
}

const dial = async (address: string): Promise<Socket> => {
  const socket = connect(Number(new URL(address).port), '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Writes bytes as they are and answers all that comes until the server closes. */
const raw = async (address: string, text: string | Buffer): Promise<string> => {
  const socket = await dial(address)
  const pieces: Buffer[] = []
  socket.on('data', (piece: Buffer) => pieces.push(piece))
  socket.write(text)
  if (!socket.destroyed) await once(socket, 'close')
  return Buffer.concat(pieces).toString()
}

const served = async (address: string) => expect((await post(address, '{}')).status).toBe(200)

const MEGABYTE = 1 << 20

/** How far the memory of this process rises above what it is, at most, while something is done. */
async function memoryOf(action: () => Promise<void>): Promise<number> {
  await action()
  const before = process.memoryUsage().rss
  let most = before
  const sampler = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss)
  }, 2)
  await action()
  clearInterval(sampler)
  return most - before
}

describe('bodies made to burst', () => {
  const zeros = Buffer.alloc(64 * MEGABYTE)
  const gzipped = async () => {
    const gzip = createGzip({ level: 9 })
    const pieces: Buffer[] = []
    gzip.on('data', piece => pieces.push(piece))
    for (let index = 0; index < 4; index++) if (!gzip.write(zeros)) await once(gzip, 'drain')
    gzip.end()
    await once(gzip, 'end')
    return Buffer.concat(pieces)
  }
  test.each([
    ['gzip', gzipped],
    ['br', () => brotliCompressSync(zeros, { params: { [constants.BROTLI_PARAM_QUALITY]: 2 } })],
    ['zstd', () => zstdCompressSync(zeros)],
  ])('%s: costs at most the limit', async (encoding, make) => {
    const { address, events } = await started()
    const bomb = await make()
    expect(bomb.length).toBeLessThan(MEGABYTE)
    const grown = await memoryOf(async () => {
      const replies = await Promise.all(
        Array.from({ length: 20 }, () => post(address, bomb, { 'content-encoding': encoding })),
      )
      for (const { status, json } of replies) {
        expect(status).toBe(413)
        expect(json.error).toMatchObject({
          code: 'REQUEST_TOO_LARGE',
          message: expect.stringContaining('8388608 bytes'),
        })
      }
    })
    expect(grown).toBeLessThan(32 * MEGABYTE)
    expect(events).toEqual([])
    await served(address)
  })

  test('a window of 128 MB is not made', async () => {
    const { address } = await started()
    const packer = createZstdCompress({ params: { [constants.ZSTD_c_windowLog]: 27 } })
    const pieces: Buffer[] = []
    packer.on('data', (piece: Buffer) => pieces.push(piece))
    // Written in two steps, so that the frame does not know how short it will be and asks for all of the window.
    await new Promise(resolve => packer.write('{"a":', () => packer.flush(() => resolve(null))))
    packer.end('1}')
    await once(packer, 'end')
    const { status, json } = await post(address, Buffer.concat(pieces), { 'content-encoding': 'zstd' })
    expect(status).toBe(400)
    expect(json.error.message).toMatch(/cannot be unpacked as zstd: .*memory/)
    await served(address)
  })
})

describe('large bodies', () => {
  test('100 MB, said beforehand or sent in chunks: 413, and little memory', async () => {
    const { address } = await started()
    const said = await dial(address)
    said.write('POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 104857600\r\n\r\n[')
    const [answer] = (await once(said, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 413 /)
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(MEGABYTE, 'x'), Buffer.from('\r\n')])
    const grown = await memoryOf(async () => {
      const socket = await dial(address)
      let text = ''
      socket.on('data', (piece: Buffer) => {
        text += piece
      })
      socket.write('POST /events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n')
      for (let index = 0; index < 100 && !socket.destroyed; index++) {
        if (!socket.write(chunk)) {
          await new Promise(resolve => socket.once('drain', resolve).once('close', resolve))
        }
      }
      // It is not read to its end: a moment after the answer the connection is cut.
      expect(socket.destroyed).toBe(true)
      expect(text).toMatch(/^HTTP\/1\.1 413 /)
    })
    expect(grown).toBeLessThan(32 * MEGABYTE)
    await served(address)
  })

  test('many that are being received at the same time: 503 beyond what may be held', async () => {
    const { address } = await started({ receivingBytes: MEGABYTE })
    const half = 'x'.repeat(600_000)
    const head = `POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 700000\r\n\r\n`
    const first = await dial(address)
    const second = await dial(address)
    const [one, other] = [first, second].map(socket => once(socket, 'data'))
    first.write(head + half)
    second.write(head + half)
    const [answer] = (await Promise.race([one, other])) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 503 /)
    expect(answer.toString()).toMatch(/retry-after: 1/i)
    first.destroy()
    second.destroy()
    await Promise.all([once(first, 'close'), once(second, 'close')])
    // The server hears of it a moment later.
    for (;;) {
      const { status } = await post(address, `["${'x'.repeat(900_000)}"]`)
      if (status !== 503) break
    }
    await served(address)
  })

  test('what waits for the runtime is bounded: 503, and what waits is kept', async () => {
    const { address, source } = await started({}, { waitingBytesMax: 300_000, reads: false })
    const body = JSON.stringify({ text: 'x'.repeat(90_000) })
    const replies = Array.from({ length: 10 }, () => post(address, body))
    const first = await Promise.race(replies)
    expect(first.status).toBe(503)
    expect(first.json.error).toMatchObject({ code: 'TOO_BUSY' })
    expect(first.headers['retry-after']).toBe('1')
    let settled = 0
    const all = Promise.all(replies)
    const finished = all.then(() => true)
    while (
      !(await Promise.race([
        finished,
        source.read().then(event => {
          if (event?.kind === 'pushed')
            for (const message of event.messages) {
              message.settle({ kind: 'kept', accepted: 1, refusedCount: 0, refused: [] })
              settled++
            }
          return false
        }),
      ]))
    );
    const statuses = (await all).map(({ status }) => status)
    expect(statuses.filter(status => status === 200)).toHaveLength(settled)
    expect(settled).toBeGreaterThanOrEqual(3)
    // There is room again.
    const next = post(address, body)
    for (let event = await source.read(); ; event = await source.read()) {
      if (event?.kind !== 'pushed') continue
      event.messages[0]!.settle({ kind: 'kept', accepted: 1, refusedCount: 0, refused: [] })
      break
    }
    expect((await next).status).toBe(200)
    await source.close()
  })
})

describe('slow clients', () => {
  test('headers that never end, and a body that never ends: 408 and the connection is closed', async () => {
    const { address } = await started({ headers_ms: 300, request_ms: 600, check_ms: 50 })
    const silent = await dial(address)
    const silentEnd = once(silent.resume(), 'close')
    const [headers, body] = await Promise.all([
      raw(address, 'POST /events HTTP/1.1\r\nhost: x\r\nx-slow: '),
      raw(address, 'POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{'),
    ])
    expect(headers).toMatch(/^HTTP\/1\.1 408 /)
    expect(headers).toContain('took too long')
    expect(body).toMatch(/^HTTP\/1\.1 408 /)
    await silentEnd
    await served(address)
  })

  test('one that does not close its side after a 408 is cut off', async () => {
    const { address } = await started({ headers_ms: 300, request_ms: 300, check_ms: 50, lastWords_ms: 200 })
    const socket = connect({ port: Number(new URL(address).port), host: '127.0.0.1', allowHalfOpen: true })
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write('POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{')
    await once(socket.resume(), 'end')
    // To a socket that is only closed on the other side one may write for ever.
    while (!socket.destroyed) {
      socket.write('x')
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    await served(address)
  })

  const announced = async (
    address: string,
    bytes: number,
    headers = '',
  ): Promise<{ socket: Socket; said: string[] }> => {
    const socket = await dial(address)
    const said: string[] = []
    socket.on('data', piece => said.push(String(piece)))
    socket.write(`POST /events HTTP/1.1\r\nhost: x\r\n${headers}content-length: ${bytes}\r\n\r\n`)
    await new Promise(resolve => socket.write('x'.repeat(bytes - 4096), resolve))
    return { socket, said }
  }
  /** As a client does that is told to come again. */
  const persistent = async (address: string, body: string, headers: Record<string, string> = {}) => {
    let reply = await post(address, body, headers)
    while (reply.status === 503) {
      await new Promise(resolve => setTimeout(resolve, 50))
      reply = await post(address, body, headers)
    }
    return reply
  }
  const LARGE = JSON.stringify({ text: 'x'.repeat(900_000) })

  test('four that stall after all but 4 kB do not block a fifth: the slowest gives way', async () => {
    const { address } = await started({ receivingBytes: 4 * MEGABYTE })
    const stalled = await Promise.all(Array.from({ length: 4 }, () => announced(address, MEGABYTE)))
    // What was written is there too before anybody asks for room.
    await new Promise(resolve => setTimeout(resolve, 300))
    const first = Promise.race(stalled.map(each => once(each.socket, 'close').then(() => each)))
    expect((await persistent(address, LARGE)).status).toBe(200)
    expect((await first).said.join('')).toMatch(/^HTTP\/1\.1 408 .*TOO_BUSY/s)
    await served(address)
  })

  test('a client that holds more than its share gives way among its own', async () => {
    const { address, dataDirectory } = await started({
      receivingBytes: 8 * MEGABYTE,
      receivingClientBytes: 2 * MEGABYTE,
    })
    const options = { topics: null, expiresIn_ms: null }
    const [greedy, other] = [
      await makeKey(dataDirectory, { name: 'greedy', ...options }),
      await makeKey(dataDirectory, { name: 'other', ...options }),
    ]
    // The keys are looked for once a second.
    while ((await post(address, '{}')).status !== 401) await new Promise(resolve => setTimeout(resolve, 50))
    const slowest = await announced(address, MEGABYTE, `x-api-key: ${other.key}\r\n`)
    const own = [
      await announced(address, MEGABYTE, `x-api-key: ${greedy.key}\r\n`),
      await announced(address, MEGABYTE, `x-api-key: ${greedy.key}\r\n`),
    ]
    expect((await persistent(address, LARGE, { 'x-api-key': greedy.key })).status).toBe(200)
    await Promise.race(own.map(({ socket }) => once(socket, 'close')))
    slowest.socket.write('x'.repeat(4096))
    await once(slowest.socket, 'data')
    expect(slowest.said.join('')).toMatch(/^HTTP\/1\.1 (?!408)/)
  })

  test('6,500 that send half a body: the slowest make room, whoever sends all of it is served', async () => {
    const { address } = await started({ connections: 300 })
    const half = 'POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"half":'
    for (let opened = 0; opened < 6500; opened += 250) {
      await Promise.all(
        Array.from({ length: 250 }, async () => (await dial(address).catch(() => null))?.resume().write(half)),
      )
      if (opened % 2500 !== 0) continue
      let status = 0
      // One that comes while none of the others is slow yet is not let in, and tries again.
      while (status !== 200) {
        status = (await post(address, '{}').catch(() => null))?.status ?? 0
        if (status !== 200) await new Promise(resolve => setTimeout(resolve, 50))
      }
    }
  })

  test('one that never ends its request does not keep a run from stopping', async () => {
    const { address, source } = await started()
    const slow = await dial(address)
    const ended = once(slow.resume(), 'close')
    slow.write('POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{')
    await served(address)
    await source.close()
    await ended
  })

  test('a client that goes away in the middle leaves nothing', async () => {
    const { address, events } = await started()
    for (let index = 0; index < 20; index++) {
      const socket = await dial(address)
      socket.write('POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"a":1}')
      socket.destroy()
    }
    await served(address)
    expect(events.flatMap(({ messages }) => messages)).toHaveLength(1)
  })

  test('10,000 connections that say nothing: the longest silent make room, whoever speaks is served', async () => {
    const connections = 300
    const { address } = await started({ connections })
    let alive = 0
    let onClose = () => {}
    for (let opened = 0; opened < 10_000; opened += 250) {
      for (const socket of await Promise.all(Array.from({ length: 250 }, () => dial(address)))) {
        alive++
        socket.resume().on('close', () => {
          alive--
          onClose()
        })
      }
      if (opened % 2500 === 0) await served(address)
    }
    await served(address)
    await new Promise<void>(resolve => {
      onClose = () => {
        if (alive <= connections) resolve()
      }
      onClose()
    })
    expect(alive).toBeLessThanOrEqual(connections)
  })
})

describe('requests that are none', () => {
  test.each([
    [
      'both lengths',
      'POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two lengths', 'POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}x'],
    ['a length with a sign', 'POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: +2\r\n\r\n{}'],
    [
      'a chunk of no length',
      'POST /events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n',
    ],
    ['a space before the colon', 'POST /events HTTP/1.1\r\nhost: x\r\ncontent-length : 2\r\n\r\n{}'],
    ['a folded header', 'POST /events HTTP/1.1\r\nhost: x\r\nx: a\r\n b: c\r\n\r\n'],
    ['chunked, but not last', 'POST /events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n'],
    ['no host', 'POST /events HTTP/1.1\r\n\r\n'],
    ['NUL in the path', 'POST /\0events HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['NUL in a header', 'POST /events HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n'],
    ['no HTTP', 'hello\r\n\r\n'],
    ['TLS', Buffer.from('160301020001000001fc0303', 'hex')],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('%s: 400, and the connection is closed', async (_, text) => {
    const { address, events } = await started()
    const answer = await raw(address, text)
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer.match(/^HTTP\/1\.1 \d/gm)).toHaveLength(1)
    expect(events).toEqual([])
    await served(address)
  })

  test('headers without end: 431', async () => {
    const { address } = await started()
    const header = `x: ${'a'.repeat(20_000)}\r\n`
    const answer = await raw(address, `POST /events HTTP/1.1\r\nhost: x\r\n${header}\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 431 /)
    expect(answer).toContain('REQUEST_INVALID')
    const many = Array.from({ length: 3000 }, (_, index) => `x-${index}: 1`).join('\r\n')
    expect(await raw(address, `POST /events HTTP/1.1\r\nhost: x\r\n${many}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /)
    await served(address)
  })

  test.each([
    '//events',
    '/events//',
    '/./events',
    '/x/../events',
    '/%2e%2e/events',
    '/%65vents',
    '/events%00',
    '/events%',
    '/events;x',
    '/events/x',
    '/EVENTS',
    '/__proto__',
    '/constructor',
    '*',
    `/${'a'.repeat(10_000)}`,
    'http://example.org/events',
    '/mk_x',
  ])('the path %j is none of those that there are', async path => {
    const { address, events } = await started()
    const { status, text } = await post(address, '{}', {}, { path })
    expect(status).toBe(404)
    if (path.length > 30) expect(text).not.toContain(path)
    expect(events).toEqual([])
  })

  test('names of objects in queries and headers mean nothing', async () => {
    const { address } = await started()
    expect(
      (
        await post(`${address}?__proto__[x]=1&key[]=a&key=b&constructor=1`, '{"__proto__":{"x":1}}', {
          'x-__proto__': '1',
          'content-type': '__proto__',
        })
      ).status,
    ).toBe(200)
  })

  test('requests that are sent before the answers come are answered in their order', async () => {
    const { address } = await started()
    const one = (body: string, more = '') =>
      `POST /events HTTP/1.1\r\nhost: x\r\n${more}content-length: ${body.length}\r\n\r\n${body}`
    const answer = await raw(address, one('{}') + one('[{},{}]') + one('[{},{},{}]', 'connection: close\r\n'))
    expect([...answer.matchAll(/"accepted":(\d)/g)].map(([, count]) => count)).toEqual(['1', '2', '3'])
  })

  test('Expect: 100-continue', async () => {
    const { address } = await started()
    const text =
      'POST /events HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}'
    expect(await raw(address, text)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
  })
})

describe('TLS and proxies', () => {
  const pem = (name: string) => readFileSync(new URL(`tls/${name}.pem`, import.meta.url), 'utf8')

  test('is spoken where a certificate is given; a plain client is refused', async () => {
    const { address } = await started(
      { connections: 2 },
      { listen: { tls: { certificate: pem('certificate'), key: pem('key') } } },
    )
    expect(address).toMatch(/^https:/)
    const dispatcher = new Agent({ connect: { ca: pem('certificate') } })
    for (let index = 0; index < 5; index++) {
      const reply = await secureFetch(address, { method: 'POST', body: '{}', dispatcher })
      expect(await reply.json()).toEqual({ accepted: 1 })
    }
    await dispatcher.close()
    expect(await raw(address, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n')).not.toContain('200')
  })

  test('the address that a trusted proxy names is the client; what others name is not believed', async () => {
    const statuses = async (trustedProxies: string[]) => {
      const { address } = await started({}, { listen: { trustedProxies, keys: 'required' }, requestsPerSecond: 2 })
      const sent = (client: string) => post(address, '{}', { 'x-forwarded-for': client }).then(({ status }) => status)
      for (let index = 0; index < 20; index++) await sent('192.0.2.1')
      return [await sent('192.0.2.1'), await sent('192.0.2.2')]
    }
    expect(await statuses(['127.0.0.1'])).toEqual([429, 401])
    expect(await statuses([])).toEqual([429, 429])
  })
})
