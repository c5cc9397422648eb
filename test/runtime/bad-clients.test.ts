/**
 * Clients that mean no good, let loose upon a whole `millrace run`: each is refused or dead-lettered, while a good client
 * goes on all the time and every record of it that was acknowledged is in the log and in the warehouse, once.
 */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { millrace, type Running, start } from '../cli/support.ts'
import { readStored } from '../log/read-stored.ts'

const MEGABYTE = 1 << 20
const GROWTH_MAX = 32 * MEGABYTE
const CONNECTIONS = Number(process.env.MILLRACE_CONNECTIONS ?? 2000)
/** What no good client says. */
const SECRET = 'mk_AAAAAAAA_this-is-a-guess-and-must-not-be-shown-anywhere-at-all'

const folder = mkdtempSync(join(tmpdir(), 'millrace-besieged-'))
const sockets = new Set<Socket>()
let running: Running
let address: URL
let key = ''
let good: GoodClient

interface Reply {
  readonly status: number
  readonly text: string
}

function post(
  body: string | Buffer,
  headers: Record<string, string> = {},
  path = '/events',
  agent?: Agent,
): Promise<Reply> {
  const { hostname, port } = address
  return new Promise((resolve, reject) => {
    const options = {
      hostname,
      port,
      path,
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    }
    const sent = request(agent === undefined ? options : { ...options, agent }, response => {
      let text = ''
      response.on('data', piece => {
        text += piece
      })
      response.on('end', () => resolve({ status: response.statusCode!, text }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const authorized = () => ({ 'x-api-key': key })
const withKey = () => `x-api-key: ${key}\r\n`

/** Sends one message after the other, and knows which were acknowledged. */
class GoodClient {
  readonly acknowledged: number[] = []
  readonly refused: string[] = []
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  #isActive = true
  #wake: () => void = () => {}
  readonly #working: Promise<void>

  constructor() {
    this.#working = this.#work()
  }

  /** Resolves when so many messages more were acknowledged. */
  async goesOn(messages = 20): Promise<void> {
    const until = this.acknowledged.length + messages
    while (this.acknowledged.length < until) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  async stop(): Promise<void> {
    this.#isActive = false
    await this.#working
    this.#agent.destroy()
  }

  async #work(): Promise<void> {
    for (let n = 0; this.#isActive; n++) {
      const body = JSON.stringify({ client: 'good', n })
      const reply = await post(body, authorized(), '/events', this.#agent).catch(error => ({
        status: 0,
        text: String(error),
      }))
      if (reply.status === 200) this.acknowledged.push(n)
      // It is told to come back: what was not acknowledged it may send again, as another record here.
      else this.refused.push(`${reply.status} ${reply.text}`)
      this.#wake()
    }
  }
}

async function dial(): Promise<Socket> {
  const socket = connect(Number(address.port), address.hostname)
  sockets.add(socket)
  socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  await once(socket, 'connect')
  return socket
}

/** Writes bytes as they are and answers all that comes until the server closes. */
async function raw(bytes: string | Buffer): Promise<string> {
  const socket = await dial()
  const pieces: Buffer[] = []
  socket.on('data', (piece: Buffer) => pieces.push(piece))
  socket.write(bytes)
  if (!socket.destroyed) await once(socket, 'close')
  return Buffer.concat(pieces).toString()
}

function memory(field: 'VmRSS' | 'VmHWM'): number {
  const text = readFileSync(`/proc/${running.child.pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)![1]) * 1024
}

/** How far the memory of the pipeline's process rises, at most, while something is done to it. */
async function growthOf(action: () => Promise<void>): Promise<number> {
  // From here on the highest water is that of this action.
  writeFileSync(`/proc/${running.child.pid}/clear_refs`, '5')
  const before = memory('VmRSS')
  await action()
  return memory('VmHWM') - before
}

beforeAll(async () => {
  const dataDirectory = join(folder, 'data')
  const made = await millrace(['keys', 'make', 'good', '--data-dir', dataDirectory])
  key = made.stdout.trim()
  const pipeline = join(import.meta.dirname, 'bad-clients-pipeline.ts')
  running = start(['run', pipeline, '--data-dir', dataDirectory, '--listen', '127.0.0.1:0', '--events'])
  await running.said('"ready"')
  const addresses = JSON.parse(readFileSync(join(dataDirectory, 'addresses.json'), 'utf8')) as { address: string }[]
  address = new URL(addresses[0]!.address)
  good = new GoodClient()
  await good.goesOn(200)
}, 60_000)

afterAll(() => {
  for (const socket of sockets) socket.destroy()
  running?.child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

test.each([
  ['half an object', '{"client":"bad","n":', 400],
  ['no JSON', '\u0000\u0001 nonsense', 400],
  ['nothing', '', 400],
  ['bytes that are no UTF-8', Buffer.from('7b22636c69656e74223a22ff222c226e223a31ff7d', 'hex'), 400],
  ['a million brackets', '['.repeat(1_000_000), 400],
  ['a record that the schema refuses', '{"client":"bad","n":"many"}', 422],
])('%s: refused', async (_, body, status) => {
  const reply = await post(body, authorized())
  expect(reply.status).toBe(status)
  expect(JSON.parse(reply.text)).toHaveProperty(status === 422 ? 'refused' : 'error')
  await good.goesOn()
})

describe('bodies that are too large', () => {
  test('100 MB, in chunks: 413, and memory that does not grow with it', { timeout: 30_000 }, async () => {
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(MEGABYTE, 'x'), Buffer.from('\r\n')])
    const send = async () => {
      const socket = await dial()
      let text = ''
      socket.on('data', (piece: Buffer) => {
        text += piece
      })
      socket.write(`POST /events HTTP/1.1\r\nhost: x\r\n${withKey()}transfer-encoding: chunked\r\n\r\n`)
      const closed = new Promise(resolve => socket.once('close', resolve))
      for (let index = 0; index < 100 && !socket.destroyed; index++) {
        if (!socket.write(chunk)) await Promise.race([new Promise(resolve => socket.once('drain', resolve)), closed])
      }
      socket.destroy()
      expect(text).toMatch(/^HTTP\/1\.1 413 /)
    }
    // The first one makes what all use.
    await send()
    expect(
      await growthOf(async () => {
        for (let body = 0; body < 5; body++) await send()
      }),
    ).toBeLessThan(3 * GROWTH_MAX)
    const said = await dial()
    said.write(`POST /events HTTP/1.1\r\nhost: x\r\n${withKey()}content-length: 104857600\r\n\r\n[`)
    const [answer] = (await once(said, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 413 /)
    await good.goesOn()
  })

  const zeros = Buffer.alloc(64 * MEGABYTE)
  test.each([
    ['gzip', () => gzipSync(zeros, { level: 9 })],
    ['br', () => brotliCompressSync(zeros, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } })],
    ['zstd', () => zstdCompressSync(zeros)],
  ])('a bomb of %s: 413, and little memory', async (encoding, make) => {
    const bomb = make()
    const growth = await growthOf(async () => {
      const headers = { ...authorized(), 'content-encoding': encoding }
      for (const { status } of await Promise.all(Array.from({ length: 20 }, () => post(bomb, headers)))) {
        expect(status).toBe(413)
      }
    })
    expect(growth).toBeLessThan(GROWTH_MAX)
    await good.goesOn()
  })
})

describe('clients that do not speak', () => {
  test('200 that never end their headers, 200 that never end their body: nobody waits for them', async () => {
    for (let index = 0; index < 200; index++) {
      const [head, body] = await Promise.all([dial(), dial()])
      head.write('POST /events HTTP/1.1\r\nhost: x\r\nx-slow: ')
      body.write(`POST /events HTTP/1.1\r\nhost: x\r\n${withKey()}content-length: 1000\r\n\r\n{"client"`)
    }
    await good.goesOn(50)
  })

  test(`${CONNECTIONS} connections that say nothing`, { timeout: 120_000 }, async () => {
    for (let opened = 0; opened < CONNECTIONS; opened += 200) {
      await Promise.all(Array.from({ length: 200 }, () => dial().then(socket => socket.resume())))
      await good.goesOn(1)
    }
    await good.goesOn(50)
    for (const socket of sockets) socket.destroy()
  })

  test('clients that go away in the middle', async () => {
    for (let index = 0; index < 100; index++) {
      const socket = await dial()
      socket.write(`POST /events HTTP/1.1\r\nhost: x\r\n${withKey()}content-length: 100\r\n\r\n{"client":"bad","n":1}`)
      socket.destroy()
    }
    await good.goesOn()
  })
})

describe('clients that have no key', () => {
  test.each([
    ['none', () => post('{"client":"bad","n":1}')],
    ['a guess', () => post('{"client":"bad","n":1}', { 'x-api-key': SECRET })],
    ['another last letter', () => post('{"client":"bad","n":1}', { 'x-api-key': `${key.slice(0, -1)}!` })],
    ['its beginning', () => post('{"client":"bad","n":1}', { authorization: `Bearer ${key.slice(0, 20)}` })],
    ['a guess in the query', () => post('{"client":"bad","n":1}', {}, `/events?key=${SECRET}`)],
    ['a guess in the path', () => post('{"client":"bad","n":1}', {}, `/events/${SECRET}`)],
    ['names of objects', () => post('{"client":"bad","n":1}', {}, '/events?__proto__=1&key[]=a&constructor=b')],
    ['ten thousand letters', () => post('{"client":"bad","n":1}', { 'x-api-key': 'k'.repeat(10_000) })],
  ])('%s: 401', async (_, send) => {
    const { status, text } = await send()
    expect(status).toBe(401)
    expect(text).toContain('KEY_REFUSED')
    expect(text).not.toContain(SECRET)
    await good.goesOn(5)
  })
})

describe('requests that are none', () => {
  test.each([
    ['both lengths', 'content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'content-length: 2\r\ncontent-length: 3\r\n\r\n{}x'],
    ['a length with a sign', 'content-length: +2\r\n\r\n{}'],
    ['a chunk of no length', 'transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n'],
    ['a space before the colon', 'content-length : 2\r\n\r\n{}'],
    ['NUL in a header', 'x: a\0b\r\n\r\n'],
    ['3,000 headers', `${Array.from({ length: 3000 }, (_, index) => `x-${index}: 1\r\n`).join('')}\r\n`],
  ])('%s: one refusal, and the connection is closed', async (_, text) => {
    const answer = await raw(`POST /events HTTP/1.1\r\nhost: x\r\n${withKey()}${text}`)
    expect(answer).toMatch(/^HTTP\/1\.1 4(00|31) /)
    expect(answer.match(/^HTTP\/1\.1 \d/gm)).toHaveLength(1)
    await good.goesOn(5)
  })

  test.each([
    '//events',
    '/x/../events',
    '/%2e%2e/events',
    '/events%00',
    '/EVENTS',
    '/__proto__',
    '/../../../etc/passwd',
  ])('the path %j is none of those that there are', async path => {
    expect((await post('{"client":"bad","n":1}', authorized(), path)).status).toBe(404)
    await good.goesOn(5)
  })
})

test('the process stops well, and holds all that was acknowledged and nothing of the bad', async () => {
  // Some are still there.
  for (let index = 0; index < 50; index++) (await dial()).write('POST /events HTTP/1.1\r\nhost: x\r\nx-slow: ')
  await good.stop()
  running.child.kill('SIGINT')
  const { code, stdout, stderr } = await running.result
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('    at ') })
  const dataDirectory = join(folder, 'data')
  const said = stdout + stderr + readFileSync(join(dataDirectory, 'keys.json'), 'utf8')
  expect(said).not.toContain(SECRET)
  expect(said).not.toContain(key.slice(-43))

  expect(good.refused.filter(answer => !answer.startsWith('503 '))).toEqual([])
  const { records, faults } = readStored(dataDirectory, 'events')
  expect(faults).toEqual([])
  const stored = records.map(line => JSON.parse(line) as { client: string; n: number })
  expect(stored.filter(({ client }) => client !== 'good')).toEqual([])
  expect(stored.map(({ n }) => n)).toEqual(good.acknowledged)
  const letters = readStored(dataDirectory, 'dead_letters').records.map(
    line => (JSON.parse(line) as { bytes: string }).bytes,
  )
  expect(letters.filter(bytes => bytes.includes('"many"'))).toHaveLength(1)
  expect(letters.join('')).not.toContain('good')

  const instance = await DuckDBInstance.create(join(dataDirectory, 'warehouse.duckdb'), { access_mode: 'READ_ONLY' })
  const connection = await instance.connect()
  const rows = (await connection.runAndReadAll('SELECT n FROM EVENTS ORDER BY n')).getRows().map(([n]) => Number(n))
  connection.closeSync()
  instance.closeSync()
  expect(rows).toEqual(good.acknowledged)
}, 30_000)
