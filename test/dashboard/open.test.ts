/** The console over real sockets: who gets what, in which order, and who gets nothing. */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { consoleAddressOf, consoleKeyOf } from '../../src/dashboard/address.ts'
import { type Console, type ConsoleOptions, openConsole } from '../../src/dashboard/open.ts'
import type { Hello, PanelRows, ServerMessage, Status } from '../../src/dashboard/protocol.ts'
import type { OutputProgress } from '../../src/runtime/options.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { FakeRun, readingsOf } from './fake-run.ts'

const KEY = 'a key that nobody guesses'.replaceAll(' ', '-')
const SECRET = 'what stands outside of the page'
const SCRIPT = `console.log('${'millrace '.repeat(400)}')`

let folder: string
let run: FakeRun
let opened: Console[]
let sockets: WebSocket[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-console-'))
  const dist = join(folder, 'dist')
  mkdirSync(join(dist, 'assets'), { recursive: true })
  writeFileSync(join(dist, 'index.html'), '<!doctype html><title>Millrace</title>')
  writeFileSync(join(dist, 'assets/page-DiwrgTda.js'), SCRIPT)
  writeFileSync(join(dist, 'assets/style-BqmPtx3a.css'), 'body { color: red }')
  writeFileSync(join(dist, 'assets/style-BqmPtx3a.css.gz'), gzipSync('body { color: red }'))
  writeFileSync(join(folder, 'secret.txt'), SECRET)
  mkdirSync(join(folder, 'data/topics'), { recursive: true })
  writeFileSync(join(folder, 'data/topics/segment'), 'x'.repeat(1_234))
  run = new FakeRun(join(folder, 'data'))
  opened = []
  sockets = []
})

afterEach(async () => {
  for (const socket of sockets) socket.terminate()
  for (const console of opened) await console.close()
  rmSync(folder, { recursive: true, force: true })
})

async function open(options: Partial<ConsoleOptions> = {}): Promise<string> {
  const defaults = { host: '127.0.0.1', port: 0, key: KEY, assets: join(folder, 'dist') }
  const console = await openConsole(run, { ...defaults, ...options })
  opened.push(console)
  return console.address
}

/** What a page hears, in order; `take` waits for the next message of a kind. */
class Ear {
  readonly socket: WebSocket
  readonly heard: ServerMessage[] = []
  readonly closed: Promise<number>
  #wake: () => void = () => {}

  constructor(address: string, protocols: string[], headers: Record<string, string> = {}, options: ClientOptions = {}) {
    this.socket = new WebSocket(`${address.replace('http', 'ws')}/live`, protocols, { headers, ...options })
    sockets.push(this.socket)
    this.socket.on('error', () => {})
    this.socket.on('message', data => {
      this.heard.push(JSON.parse(String(data)) as ServerMessage)
      this.#wake()
    })
    this.closed = new Promise(resolve => this.socket.on('close', resolve))
  }

  async take<K extends ServerMessage['kind']>(
    kind: K,
    fits: (message: Extract<ServerMessage, { kind: K }>) => boolean = () => true,
  ): Promise<Extract<ServerMessage, { kind: K }>> {
    for (;;) {
      const index = this.heard.findIndex(message => message.kind === kind && fits(message as never))
      if (index >= 0) return this.heard.splice(0, index + 1).at(-1) as never
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  rows(panel: string): Promise<PanelRows> {
    return this.take('rows', message => message.panel === panel)
  }
}

const ear = (address: string) => new Ear(address, ['millrace.v1', `millrace.key.${KEY}`])

/** The status code with which an upgrade is refused; 101 when it is not. */
function upgrade(address: string, protocols: string[], headers: Record<string, string> = {}): Promise<number> {
  const socket = new WebSocket(`${address.replace('http', 'ws')}/live`, protocols, { headers })
  sockets.push(socket)
  return new Promise(resolve => {
    socket.on('error', () => {})
    socket.on('open', () => resolve(101))
    socket.on('unexpected-response', (_, response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
  })
}

interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** Without the tidying of paths and headers that fetch does. */
function get(address: string, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  const { hostname, port } = new URL(address)
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, method, headers }, response => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }),
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}

const now = () => Date.now() * 1000

describe('what a page is told', () => {
  test('hello, then what each panel holds, then what happens', async () => {
    const address = await open()
    const at = now()
    run.read({ device: 'a', at, level: 1 }, { device: 'b', at: at + 1_000, level: 2, note: 'warm' })
    const page = ear(address)
    const hello: Hello = await page.take('hello')
    expect(hello).toMatchObject({
      protocol: 1,
      pipeline: 'room',
      namespace: 'default',
      dataDirectory: run.dataDirectory,
      addresses: run.addresses,
      keysNeeded: false,
    })
    expect(page.socket.protocol).toBe('millrace.v1')
    const [dashboard] = hello.dashboards
    expect(dashboard!.title).toBe('Room')
    expect(dashboard!.panels).toEqual([
      {
        id: 'room/level',
        kind: 'time-series',
        title: 'Level',
        unit: null,
        time: 'at',
        value: 'level',
        by: 'device',
        span_ms: 900_000,
      },
      {
        id: 'room/latest',
        kind: 'table',
        title: 'Latest',
        unit: null,
        columns: [
          { name: 'device', type: 'string' },
          { name: 'at', type: 'timestamp' },
          { name: 'level', type: 'number' },
          { name: 'note', type: 'string' },
        ],
        latestBy: ['device'],
        limit: 100,
      },
      {
        id: 'room/readings',
        kind: 'stat',
        title: 'Readings',
        unit: null,
        value: null,
        aggregate: 'count',
        over_ms: 60_000,
      },
      expect.objectContaining({ id: 'room/counts', latestBy: ['device', 'window_start'] }),
    ])
    expect(await page.rows('room/level')).toEqual({
      kind: 'rows',
      panel: 'room/level',
      reset: true,
      length: 2,
      columns: { at: [at / 1000, at / 1000 + 1], level: [1, 2], device: ['a', 'b'] },
    })
    expect(await page.rows('room/latest')).toMatchObject({ reset: true, length: 2, columns: { note: [null, 'warm'] } })
    expect((await page.rows('room/readings')).columns.count!.reduce((a, b) => Number(a) + Number(b), 0)).toBe(2)
    expect(await page.rows('room/counts')).toMatchObject({ reset: true, length: 0 })

    run.read({ device: 'a', at: at + 1_000_000, level: 3 })
    expect(await page.rows('room/level')).toMatchObject({
      reset: false,
      length: 1,
      columns: { level: [3], device: ['a'] },
    })
    expect(await page.rows('room/latest')).toMatchObject({ reset: false, length: 1, columns: { device: ['a'] } })
  })

  test('what an earlier run has made is there before the first new row', async () => {
    const at = now()
    run.stored.set('readings', [
      readingsOf([{ device: 'a', at, level: 1 }]),
      readingsOf([{ device: 'b', at, level: 2 }]),
    ])
    const page = ear(await open())
    expect((await page.rows('room/level')).columns).toMatchObject({ level: [1, 2] })
  })

  test('the plan as a graph whose edges join its nodes', async () => {
    const page = ear(await open())
    const { graph } = await page.take('hello')
    expect(graph.nodes.map(({ id, kind, title, detail }) => [id, kind, title, detail])).toEqual([
      ['source/readings/http-1', 'source', 'http', ''],
      ['topic/readings', 'topic', 'readings', 'by device'],
      ['topic/counted', 'topic', 'counted', ''],
      ['step/counted/filter-1', 'step', 'filter', 'level > 0'],
      [
        'step/counted/window-1',
        'step',
        'window 1 m',
        'n = count(); tumbling 1 m; by device; late rows: drop; early results every 1 s',
      ],
      ['sink/ROOM.COUNTS', 'sink', 'ROOM.COUNTS', 'table, upserted by device, window_start'],
    ])
    expect(graph.edges).toEqual([
      { from: 'source/readings/http-1', to: 'topic/readings' },
      { from: 'topic/readings', to: 'step/counted/filter-1' },
      { from: 'step/counted/filter-1', to: 'step/counted/window-1' },
      { from: 'step/counted/window-1', to: 'topic/counted' },
      { from: 'step/counted/window-1', to: 'sink/ROOM.COUNTS' },
    ])
  })

  test('a status that cannot be had is skipped, and the next one says why', async () => {
    const page = ear(await open())
    await page.take('status')
    let times = 0
    run.progress = () => {
      if (++times < 3) throw new Error('too many open files')
      return run.now
    }
    const { warnings } = await page.take('status', status => status.warnings.length > 0)
    expect(times).toBe(3)
    expect(warnings).toMatchObject([{ message: expect.stringContaining('too many open files') }])
  })

  test('how the run is doing, with rates by node of the graph', async () => {
    const topics = (records: number, watermark: number | null) => [
      {
        topic: 'counted',
        records: 0,
        bytes: 0,
        bytesTotal: null,
        deadLetters: 0,
        rejected: 0,
        duplicates: 0,
        late: 0,
        partly_late: 0,
        repeats: 0,
        undeclared_fields: [],
        watermark: null,
      },
      {
        topic: 'readings',
        records,
        bytes: 0,
        bytesTotal: null,
        deadLetters: 3,
        rejected: 0,
        duplicates: 0,
        late: 2,
        partly_late: 0,
        repeats: 0,
        undeclared_fields: [],
        watermark,
      },
    ]
    const outputs = [
      { output: 'counted', rows: 5, behind: null },
      { output: 'ROOM.COUNTS', rows: 4, behind: null },
    ]
    run.now = { ...run.now, topics: topics(100, null), outputs }
    const page = ear(await open())
    const first: Status = await page.take('status')
    expect(first).toMatchObject({ epoch: 7, held: null, logBytes: 1_234 })
    expect(first.memory_bytes).toBeGreaterThan(1_000_000)
    expect(first.diskFree_bytes).toBeGreaterThan(0)
    expect(first.nodes).toEqual({
      'topic/counted': { records: 5, perSecond: 0, late: 0, deadLetters: 0, watermark_ms: null, lag_ms: null },
      'sink/ROOM.COUNTS': { records: 4, perSecond: 0 },
      'topic/readings': { records: 100, perSecond: 0, late: 2, deadLetters: 3, watermark_ms: null, lag_ms: null },
      'source/readings/http-1': { records: 100, perSecond: 0 },
    })
    const held = { code: 'LOG_FULL', message: 'The disk is full.', next: 'Make room.' }
    run.now = { ...run.now, held, topics: topics(1_000, now() - 5_000_000), outputs }
    const then = await page.take('status', status => status.held !== null)
    expect(then.held).toEqual(held)
    expect(then.nodes['topic/readings']!.perSecond).toBeGreaterThan(0)
    // Three seconds more than the disorder that is waited for.
    expect(then.nodes['topic/readings']!.lag_ms).toBeGreaterThanOrEqual(3_000)
    expect(then.nodes['topic/readings']!.lag_ms).toBeLessThan(then.now_ms - then.nodes['topic/readings']!.watermark_ms!)
  })

  test('a sink that lacks rows says how many and why, until it keeps up', async () => {
    const error = { code: 'WAREHOUSE_FAILED', message: 'No room is left.', next: 'Make room.' }
    const outputsOf = (behind: OutputProgress['behind']) => [
      { output: 'counted', rows: 5, behind: null },
      { output: 'ROOM.COUNTS', rows: 4, behind },
    ]
    const page = ear(await open())
    const sinkOf = ({ nodes }: Status) => nodes['sink/ROOM.COUNTS']
    run.now = { ...run.now, outputs: outputsOf({ rows: 3, error }) }
    const fails = await page.take('status', status => sinkOf(status) !== undefined)
    expect(sinkOf(fails)).toEqual({ records: 4, perSecond: 0, behind: { rows: 3, error } })
    expect(fails.nodes['topic/counted']).not.toHaveProperty('behind')
    expect(fails.held).toBeNull()
    run.now = { ...run.now, outputs: outputsOf({ rows: 1, error: null }) }
    const catchesUp = await page.take('status', status => sinkOf(status)?.behind?.rows === 1)
    expect(sinkOf(catchesUp)!.behind).toEqual({ rows: 1, error: null })
    run.now = { ...run.now, outputs: outputsOf(null) }
    await page.take('status', status => sinkOf(status)?.behind === undefined)
  })

  test('everything again after the connection was lost', async () => {
    const address = await open()
    run.read({ device: 'a', at: now(), level: 1 })
    const before = ear(address)
    await before.rows('room/level')
    before.socket.terminate()
    await before.closed
    run.read({ device: 'a', at: now() + 1_000_000, level: 2 })
    const after = ear(address)
    expect(await after.rows('room/level')).toMatchObject({ reset: true, length: 2, columns: { level: [1, 2] } })
  })

  test('many rows in few messages, and all of them', async () => {
    const page = ear(await open())
    await page.rows('room/counts')
    const at = now() - 60_000_000
    for (let index = 0; index < 500; index++) {
      run.read({ device: 'a', at: at + index * 100_000, level: index })
      if (index % 50 === 0) await new Promise(resolve => setTimeout(resolve, 1))
    }
    const levels: unknown[] = []
    let messages = 0
    while (levels.length < 100) {
      const { reset, columns } = await page.rows('room/level')
      expect(reset).toBe(false)
      levels.push(...columns.level!)
      messages++
    }
    // Sampled: the span of 15 minutes has slots of 450 ms.
    expect(levels.length).toBeLessThan(130)
    expect(messages).toBeLessThan(20)
    await page.take('rows', ({ panel, columns }) => panel === 'room/latest' && columns.level![0] === 499)
  })

  test('a client that does not read holds up nobody, and goes on where it can', async () => {
    const address = await open()
    const slow = ear(address)
    await slow.rows('room/counts')
    slow.socket.pause()
    const quick = ear(address)
    await quick.rows('room/counts')
    const note = 'x'.repeat(490)
    for (let round = 0; round < 20; round++) {
      run.read(...Array.from({ length: 100 }, (_, key) => ({ device: `${key}`, at: now(), level: round, note })))
      await quick.take('rows', rows => rows.panel === 'room/latest' && rows.columns.level!.includes(round))
    }
    slow.socket.resume()
    const last = await slow.take('rows', rows => rows.panel === 'room/latest' && rows.columns.level!.includes(19))
    expect(last.length).toBe(100)
  })

  test('nothing is watched when it is closed', async () => {
    await open()
    expect(run.watched).toEqual(['counted/window-1', 'readings'])
    await opened.pop()!.close()
    expect(run.watched).toEqual([])
  })

  test('pages hear that it goes', async () => {
    const page = ear(await open())
    await page.take('hello')
    await opened.pop()!.close()
    expect(await page.closed).toBe(1001)
  })
})

describe('who may connect', () => {
  test.each<[string, string[], Record<string, string>, number]>([
    ['the key as a subprotocol', ['millrace.v1', `millrace.key.${KEY}`], {}, 101],
    ['the key as a header', ['millrace.v1'], { authorization: `Bearer ${KEY}` }, 101],
    ['no key', ['millrace.v1'], {}, 401],
    ['an empty key', ['millrace.v1'], { authorization: 'Bearer ' }, 401],
    ['a wrong key', ['millrace.v1', 'millrace.key.wrong'], {}, 401],
    ['the beginning of the key', ['millrace.v1', `millrace.key.${KEY.slice(0, -1)}`], {}, 401],
    ['a right key after a wrong one', ['millrace.v1', 'millrace.key.wrong', `millrace.key.${KEY}`], {}, 401],
    ['another protocol', [`millrace.key.${KEY}`], {}, 400],
  ])('%s', async (_, protocols, headers, status) => {
    expect(await upgrade(await open(), protocols, headers)).toBe(status)
  })

  test('/session says whether a key is right', async () => {
    const address = await open()
    expect((await get(address, '/session')).status).toBe(401)
    expect((await get(address, '/session', { authorization: 'Bearer wrong' })).status).toBe(401)
    expect((await get(address, '/session', { authorization: `Bearer ${KEY}` })).status).toBe(204)
  })

  test('without a key, programs and the page itself', async () => {
    const address = await open({ key: null })
    expect((await get(address, '/session')).status).toBe(204)
    expect(await upgrade(address, ['millrace.v1'])).toBe(101)
    expect(await upgrade(address, ['millrace.v1'], { origin: address })).toBe(101)
  })

  test.each(['https://example.com', 'http://127.0.0.1:1', 'http://localhost', 'null', 'file://', ''])(
    'a page of the origin %j may not, even with the key',
    async origin => {
      const address = await open()
      expect(await upgrade(address, ['millrace.v1', `millrace.key.${KEY}`], { origin })).toBe(403)
    },
  )

  test.each(['example.com', 'example.com:4400', '127.0.0.1.example.com', 'localhost.example.com', 'a b', '[::1'])(
    'nothing is given under the name %j',
    async host => {
      const address = await open({ key: null })
      for (const path of ['/', '/session', '/healthz', '/assets/page-DiwrgTda.js']) {
        expect([path, (await get(address, path, { host })).status]).toEqual([path, 421])
      }
      expect(await upgrade(address, ['millrace.v1'], { host })).toBe(421)
    },
  )

  test.each(['localhost:9', '127.0.0.1', '[::1]:4400', '192.0.2.7:4400'])('the name %s is right', async host => {
    expect((await get(await open(), '/', { host })).status).toBe(200)
  })

  test('a name is right where it was told to listen at it', async () => {
    const address = await open({ host: 'localhost' })
    expect((await get(address, '/', { host: 'LOCALHOST:1' })).status).toBe(200)
  })

  test('others than this machine only with a key', async () => {
    await expect(open({ host: '0.0.0.0', key: null })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(open({ key: 'short' })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await expect(open({ key: '' })).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })

  test('an address that is taken is said', async () => {
    const port = Number(new URL(await open()).port)
    await expect(open({ port })).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: `The console cannot listen at 127.0.0.1:${port}: something listens there already.`,
    })
    expect(run.watched).toEqual(['counted/window-1', 'readings'])
  })
})

describe('clients that are none', () => {
  test('who says something is let go', async () => {
    const page = ear(await open())
    await page.take('hello')
    page.socket.send('hello')
    expect(await page.closed).toBe(1008)
  })

  test('who says much is let go', async () => {
    const page = ear(await open())
    await page.take('hello')
    page.socket.send('x'.repeat(100_000))
    expect([1006, 1009]).toContain(await page.closed)
    // And the others are served.
    await ear(opened[0]!.address).take('hello')
  })

  test('a page that is no longer there is let go', async () => {
    const clock = new VirtualClock(now())
    const options = { host: '127.0.0.1', port: 0, key: null, assets: join(folder, 'dist') }
    opened.push(await openConsole(run, options, clock))
    const { socket, closed } = new Ear(opened[0]!.address, ['millrace.v1'], {}, { autoPong: false })
    await new Promise(resolve => socket.once('open', resolve))
    const pinged = new Promise(resolve => socket.once('ping', resolve))
    clock.advance(20_000_000)
    await pinged
    expect(socket.readyState).toBe(WebSocket.OPEN)
    clock.advance(20_000_000)
    expect(await closed).toBe(1006)
  })

  test('at most fifty pages are told', async () => {
    const address = await open({ key: null })
    const codes = await Promise.all(Array.from({ length: 55 }, () => upgrade(address, ['millrace.v1'])))
    expect(codes.filter(code => code === 101)).toHaveLength(50)
    expect(codes.filter(code => code === 503)).toHaveLength(5)
  })

  test('a socket for something else is refused', async () => {
    const address = await open()
    const socket = new WebSocket(`${address.replace('http', 'ws')}/other`, ['millrace.v1', `millrace.key.${KEY}`])
    sockets.push(socket)
    socket.on('error', () => {})
    const status = await new Promise(resolve =>
      socket.on('unexpected-response', (_, { statusCode }) => resolve(statusCode)),
    )
    expect(status).toBe(404)
  })

  test('a long header and a wrong request are refused, the rest goes on', async () => {
    const address = await open()
    expect((await get(address, '/', { 'x-long': 'x'.repeat(20_000) })).status).toBe(431)
    const { hostname, port } = new URL(address)
    const answer = await new Promise<string>(resolve => {
      const socket = connect(Number(port), hostname, () => socket.write('GARBAGE\r\n\r\n'))
      socket.on('data', data => resolve(String(data)))
    })
    expect(answer).toContain('400')
    expect((await get(address, '/', {}, 'POST')).status).toBe(404)
    expect((await get(address, '/healthz')).body.toString()).toBe('ok\n')
    expect(await get(address, '/readyz')).toMatchObject({ status: 200, body: Buffer.from('ready\n') })
    run.reason = 'Nothing is taken in: LOG_FULL.'
    expect(await get(address, '/readyz')).toMatchObject({ status: 503, body: Buffer.from(`${run.reason}\n`) })
  })
})

describe('the files of the page', () => {
  test('with types, tags and headers that keep it to itself', async () => {
    const address = await open()
    const page = await get(address, '/')
    expect(page.status).toBe(200)
    expect(page.body.toString()).toContain('<title>Millrace</title>')
    expect(page.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
    })
    expect(page.headers['content-security-policy']).toContain("default-src 'self'")
    expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'")
    expect(JSON.stringify(page.headers)).not.toContain('access-control')
    const script = await get(address, '/assets/page-DiwrgTda.js?v=1')
    expect(script.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
    })
    expect(script.body.toString()).toBe(SCRIPT)
    const again = await get(address, '/', { 'if-none-match': String(page.headers.etag) })
    expect([again.status, again.body.length]).toEqual([304, 0])
    expect((await get(address, '/', {}, 'HEAD')).status).toBe(200)
  })

  test('compressed for those who take it', async () => {
    const address = await open()
    const script = await get(address, '/assets/page-DiwrgTda.js', { 'accept-encoding': 'gzip, deflate, br' })
    expect(script.headers).toMatchObject({ 'content-encoding': 'br', vary: 'accept-encoding' })
    expect(brotliDecompressSync(script.body).toString()).toBe(SCRIPT)
    expect(script.body.length).toBeLessThan(200)
    const refused = await get(address, '/assets/page-DiwrgTda.js', { 'accept-encoding': 'br;q=0' })
    expect(refused.headers['content-encoding']).toBeUndefined()
    const style = await get(address, '/assets/style-BqmPtx3a.css', { 'accept-encoding': 'gzip' })
    expect(style.headers['content-encoding']).toBe('gzip')
  })

  test.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/..%5c..%5csecret.txt',
    '//secret.txt',
    '/assets',
    '/assets/',
    '/assets/style-BqmPtx3a.css.gz',
    '/constructor',
    '/__proto__',
    '/%00',
    '/%',
  ])('%s is none of them', async path => {
    const { status, body } = await get(await open(), path)
    expect([400, 404]).toContain(status)
    expect(body.toString()).not.toContain(SECRET)
  })

  test('a page that was not built is said', async () => {
    const address = await open({ assets: join(folder, 'nothing') })
    expect(await get(address, '/')).toMatchObject({ status: 503 })
    await ear(address).take('hello')
  })
})

describe('options', () => {
  test.each([
    ['', '127.0.0.1', 4400],
    ['5000', '127.0.0.1', 5000],
    ['0.0.0.0', '0.0.0.0', 4400],
    ['0.0.0.0:80', '0.0.0.0', 80],
    ['[::1]:0', '::1', 0],
    ['[::]', '::', 4400],
    ['host.example:4400', 'host.example', 4400],
  ])('--console %s', (text, host, port) => {
    expect(consoleAddressOf(text)).toEqual({ host, port })
  })

  test.each(['::1:80', 'host:', 'host:99999', 'http://host', 'a b', ':80'])('--console %s is refused', text => {
    expect(() => consoleAddressOf(text)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  })

  test('the key of a data directory stays, and nobody else may read it', () => {
    const key = consoleKeyOf(run.dataDirectory)
    expect(key).toMatch(/^[\w-]{22,}$/)
    expect(consoleKeyOf(run.dataDirectory)).toBe(key)
    expect(statSync(join(run.dataDirectory, 'console.key')).mode & 0o777).toBe(0o600)
    expect(consoleKeyOf(folder)).not.toBe(key)
  })
})

test('300 silent connections keep nobody out, and no page that is open is ended for them', async () => {
  const address = await open({ key: null })
  const page = new WebSocket(`${address.replace('http', 'ws')}/live`, ['millrace.v1'])
  sockets.push(page)
  let isClosed = false
  page.on('close', () => {
    isClosed = true
  })
  await new Promise(resolve => page.once('open', resolve))
  const silent = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const socket = connect(Number(new URL(address).port), '127.0.0.1')
      socket.on('error', () => {})
      await new Promise(resolve => socket.once('connect', resolve))
      return socket
    }),
  )
  expect((await fetch(address)).status).toBe(200)
  expect(isClosed).toBe(false)
  for (const socket of silent) socket.destroy()
})

test('a console without a key is for this machine: nothing goes through a proxy', async () => {
  const address = await open({ key: null })
  expect((await fetch(address)).status).toBe(200)
  for (const headers of [
    { 'x-forwarded-for': '203.0.113.9' },
    { forwarded: 'for=203.0.113.9' },
    { 'x-real-ip': '::2' },
  ]) {
    expect((await fetch(address, { headers })).status).toBe(403)
    const socket = new WebSocket(`${address.replace('http', 'ws')}/live`, ['millrace.v1'], { headers })
    sockets.push(socket)
    const [error] = await new Promise<[Error]>(resolve => socket.once('error', error => resolve([error])))
    expect(error.message).toContain('403')
  }
})
