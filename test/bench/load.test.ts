/** The load generator says what it did: bodies that are right, and every request counted once. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { type BodyOptions, Device, FORMS, type Form } from '../../bench/load/bodies.ts'
import { Generator } from '../../bench/load/generator.ts'

const START_US = Date.UTC(2026, 0, 1) * 1000
const optionsFor = (form: Form, url = 'http://127.0.0.1:1/push?key=k'): BodyOptions => ({
  url: new URL(url),
  form,
  devices: 1,
  batch: 7,
  session: 's1',
})

interface Reading {
  sessionId: string
  deviceId: string
  name: string
  time: string
  values: object
}

/** The readings of a request, their times as digits. */
function readingsOf(request: string, form: Form): { readings: Reading[]; messageId: number | null } {
  const [head, body] = request.split('\r\n\r\n') as [string, string]
  expect(head).toContain('POST /push?key=k HTTP/1.1\r\nHost: 127.0.0.1:1\r\n')
  expect(Number(/Content-Length: (\d+)/.exec(head)![1])).toBe(Buffer.byteLength(body))
  const text = body.replaceAll(/"time":(\d{19})/g, '"time":"$1"')
  switch (form) {
    case 'sensor-logger': {
      const { payload, messageId, ...whose } = JSON.parse(text) as { payload: Reading[]; messageId: number }
      return { readings: payload.map(reading => ({ ...whose, ...reading })), messageId }
    }
    case 'array':
      return { readings: JSON.parse(text) as Reading[], messageId: null }
    case 'ndjson':
      return {
        readings: text
          .trimEnd()
          .split('\n')
          .map(line => JSON.parse(line) as Reading),
        messageId: null,
      }
  }
}

describe.each(FORMS)('requests of the form %s', form => {
  test('have times that go on evenly to the one that is asked for', () => {
    const device = new Device('d1', optionsFor(form), START_US)
    let last = BigInt(START_US) * 1000n
    const numbers: (number | null)[] = []
    for (const until_us of [START_US + 700, START_US + 1e6, START_US + 200e6]) {
      device.renew(until_us)
      const { readings, messageId } = readingsOf(device.bytes.toString(), form)
      numbers.push(messageId)
      expect(readings).toHaveLength(7)
      for (const { sessionId, deviceId, name, time, values } of readings) {
        expect([sessionId, deviceId, name]).toEqual(['s1', 'd1', 'accelerometer'])
        expect(Object.keys(values)).toEqual(['x', 'y', 'z'])
        expect(BigInt(time)).toBeGreaterThan(last)
        last = BigInt(time)
      }
      expect(last).toBe(BigInt(until_us) * 1000n)
    }
    if (form === 'sensor-logger') expect(numbers).toEqual([1_000_000_000, 1_000_000_001, 1_000_000_002])
  })
})

describe('the generator', () => {
  let server: Server
  afterEach(() => server.close())

  test.each([
    ['as fast as answers come', null],
    ['at planned times', 7000],
  ])('counts each request once: %s', async (_, rate) => {
    let received = 0
    const bodies = new Set<string>()
    server = createServer((request, response) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', () => {
        bodies.add(Buffer.concat(pieces).toString())
        const turn = received++ % 10
        if (turn === 7) request.socket.destroy()
        else if (turn === 8) response.writeHead(503, { connection: 'close' }).end('busy')
        // With a length, and in chunks.
        else if (turn % 2 === 0) response.end('kept')
        else response.write('ke', () => response.end('pt'))
      })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const options = { ...optionsFor('sensor-logger', url), devices: 20, connections: 4, probe: null }
    const result = await new Generator({ ...options, rate, warmup_s: 0, duration_s: 0.5 }).run()
    const { 0: broken = 0, 503: busy = 0 } = result.errors
    expect(result.unanswered).toBe(0)
    expect(received).toBeGreaterThan(50)
    expect(bodies.size).toBe(received)
    expect(broken).toBe(Math.floor((received + 2) / 10))
    expect(busy).toBe(Math.floor((received + 1) / 10))
    expect(result.acknowledged_ms.count).toBeLessThanOrEqual(received - broken - busy)
    expect(result.acknowledged).toBeLessThanOrEqual(result.acknowledged_ms.count)
  })
})
