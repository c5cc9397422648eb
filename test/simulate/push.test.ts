import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { FaultRates } from '../../src/simulate/faults.ts'
import { type MessagesOptions, type PushMessage, simulateMessages } from '../../src/simulate/messages.ts'
import { simulatePhones } from '../../src/simulate/phones.ts'
import { type PushOptions, type PushProgress, pushMessages } from '../../src/simulate/push.ts'
import { type Clock, systemClock } from '../../src/system/clock.ts'
import { seededRandom } from '../../src/system/random.ts'
import { inFolder, millrace, ROOT, start } from '../cli/support.ts'

const OPTIONS: MessagesOptions = {
  people: 4,
  seed: 5,
  start_us: Date.UTC(2026, 0, 1) * 1000,
  duration_us: 60e6,
  readings_hz: 5,
}

interface Message {
  messageId: number
  sessionId: string
  deviceId: string
  userId: string
  payload: { name: string; time: number; values: { x: number } }[]
}

const messagesWith = (faults: FaultRates, options: Partial<MessagesOptions> = {}) => [
  ...simulateMessages({ ...OPTIONS, ...options, faults }),
]
const nameOf = ({ person, messageId }: PushMessage) => `${person}/${messageId}`

describe('messages', () => {
  test('hold every reading once, in the form of the app', () => {
    const inMessages = messagesWith({}).flatMap(({ body }) => {
      const { payload, deviceId } = JSON.parse(body) as Message
      expect(Object.keys(JSON.parse(body) as object)).toEqual([
        'messageId',
        'sessionId',
        'deviceId',
        'userId',
        'payload',
      ])
      return payload.map(({ name, time, values }) => JSON.stringify([deviceId, name, time, values]))
    })
    const inLines = [...simulatePhones(OPTIONS)].map(({ line }) => {
      const { deviceId, name, time, values } = JSON.parse(line) as Message['payload'][0] & Message
      return JSON.stringify([deviceId, name, time, values])
    })
    expect(inMessages.toSorted()).toEqual(inLines.toSorted())
  })

  test('set off once a second from each phone, numbered from 0', () => {
    const byPhone = Map.groupBy(messagesWith({}), message => message.person)
    expect([...byPhone.keys()].toSorted()).toEqual([0, 1, 2, 3])
    for (const messages of byPhone.values()) {
      expect(messages.map(({ messageId }) => messageId)).toEqual(messages.map((_, index) => index))
      for (const [index, { arrival_us }] of messages.entries()) {
        expect(arrival_us - messages[0]!.arrival_us).toBe(index * 1e6)
      }
    }
    expect(messagesWith({}, { every_us: 5e6 }).length).toBeLessThan(messagesWith({}).length / 4)
  })

  test('of another start belong to another recording of the same phones', () => {
    const identities = (start_us: number) => simulateMessages({ ...OPTIONS, start_us }).phones
    const [one, other] = [identities(1e15), identities(2e15)]
    expect(other.map(phone => phone.deviceId)).toEqual(one.map(phone => phone.deviceId))
    expect(new Set([...one, ...other].map(phone => phone.sessionId)).size).toBe(8)
  })

  test('the network changes when and how often they come, never what they say', () => {
    const rates = fc.record<FaultRates>({
      retry: fc.double({ min: 0, max: 1, noNaN: true }),
      reorder: fc.double({ min: 0, max: 1, noNaN: true }),
      timeout: fc.double({ min: 0, max: 1, noNaN: true }),
      offline: fc.double({ min: 0, max: 60, noNaN: true }),
      duplicate: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    const calm = messagesWith({}).map(message => `${nameOf(message)} ${message.body}`)
    fc.assert(
      fc.property(rates, faults => {
        const messages = messagesWith(faults)
        for (const [index, { arrival_us }] of messages.entries()) {
          expect(arrival_us).toBeGreaterThanOrEqual(messages[index - 1]?.arrival_us ?? 0)
        }
        const said = (again: boolean) =>
          messages.filter(message => message.again === again).map(message => `${nameOf(message)} ${message.body}`)
        expect(said(false).toSorted()).toEqual(calm.toSorted())
        expect(said(true).filter(text => !calm.includes(text))).toEqual([])
      }),
      { numRuns: 30 },
    )
  })

  test('each fault shows', () => {
    expect(messagesWith({ retry: 0.2 }).filter(({ twice }) => twice).length).toBeGreaterThan(20)
    expect(messagesWith({ timeout: 0.2 }).filter(({ giveUp_ms }) => giveUp_ms !== null).length).toBeGreaterThan(20)
    expect(messagesWith({ duplicate: 0.2 }).filter(({ again }) => again).length).toBeGreaterThan(20)
    const overtaken = (messages: PushMessage[]) =>
      messages.filter((message, index) =>
        messages
          .slice(0, index)
          .some(before => before.person === message.person && before.messageId > message.messageId),
      ).length
    expect(overtaken(messagesWith({ reorder: 0.2 }))).toBeGreaterThan(20)
    expect(overtaken(messagesWith({ offline: 2 }))).toBe(0)
    const calm = new Map(messagesWith({}).map(message => [nameOf(message), message.arrival_us]))
    const held = messagesWith({ offline: 2 }).map(message => message.arrival_us - calm.get(nameOf(message))!)
    expect(Math.max(...held)).toBeGreaterThan(15e6)
    const broken = messagesWith({ malformed: 0.2 }).filter(({ body }) => !body.endsWith(']}'))
    expect(broken.length).toBeGreaterThan(20)
  })
})

describe('pushing', () => {
  let server: Server | null = null
  afterEach(() => server?.close())

  /** Quick: back-off is a matter of milliseconds. */
  const clock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) }

  interface Seen {
    readonly url: string
    readonly body: string
    readonly status: number | null
  }

  /** A server that answers what `answer` says; null: it cuts the connection. */
  async function listen(answer: (count: number) => [status: number, text?: string] | null, port = 0) {
    const seen: Seen[] = []
    let connections = 0
    server = createServer((request: IncomingMessage, response: ServerResponse) => {
      let body = ''
      request.setEncoding('utf8')
      request.on('data', piece => {
        body += piece
      })
      request.on('end', () => {
        const said = answer(seen.length)
        seen.push({ url: request.url!, body, status: said?.[0] ?? null })
        if (said === null) request.socket.destroy()
        else response.writeHead(said[0]).end(said[1] ?? '')
      })
    })
    server.on('connection', () => {
      connections++
    })
    await new Promise<void>(resolve => server!.listen(port, '127.0.0.1', resolve))
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return { seen, address, connections: () => connections }
  }

  function push(address: string, faults: FaultRates = {}, options: Partial<PushOptions> = {}): Promise<PushProgress> {
    return pushMessages(simulateMessages({ ...OPTIONS, faults }), {
      to: new URL(`${address}/sensor-logger?key=secret`),
      realtime: false,
      connections: 8,
      clock,
      random: seededRandom(1),
      signal: new AbortController().signal,
      onRefused: () => {},
      ...options,
    })
  }

  /** What was kept, message by message in the order of its first arrival. */
  const keptBy = (seen: readonly Seen[]) => [
    ...new Set(seen.filter(({ status }) => status === 200).map(({ body }) => body)),
  ]

  const everything = () => messagesWith({}).map(({ body }) => body)

  test('sends each message once to a server that is well, over few connections', async () => {
    const { seen, address, connections } = await listen(() => [200])
    const progress = await push(address)
    const calm = everything()
    expect(seen.map(({ body }) => body).toSorted()).toEqual(calm.toSorted())
    expect(new Set(seen.map(({ url }) => url))).toEqual(new Set(['/sensor-logger?key=secret']))
    expect(connections()).toBeLessThanOrEqual(8)
    expect(progress).toMatchObject({
      requests: calm.length,
      messages: calm.length,
      readings: 4 * 60 * 5 * 3,
      repeated: 0,
      refused: 0,
      waiting: 0,
    })
  })

  test('gives up nothing while the server fails, hangs up or is busy, and keeps the order of each phone', async () => {
    const { seen, address } = await listen(count =>
      count % 7 === 1 ? [503] : count % 7 === 3 ? null : count % 7 === 5 ? [429] : [200],
    )
    const progress = await push(address)
    expect(keptBy(seen).toSorted()).toEqual(everything().toSorted())
    for (const messages of Map.groupBy(
      keptBy(seen).map(body => JSON.parse(body) as Message),
      ({ deviceId }) => deviceId,
    ).values()) {
      expect(messages.map(({ messageId }) => messageId)).toEqual(messages.map((_, index) => index))
    }
    expect(progress.messages).toBe(everything().length)
    expect(progress.repeated).toBe(seen.length - progress.messages)
  })

  test('waits for a server that is not there yet', async () => {
    const { address } = await listen(() => [200])
    const port = Number(new URL(address).port)
    server!.close()
    const pushed = push(address)
    await systemClock.sleep(50)
    const { seen } = await listen(() => [200], port)
    expect((await pushed).messages).toBe(everything().length)
    expect(keptBy(seen)).toHaveLength(everything().length)
  })

  test('takes 4xx for the last word, and says each text once', async () => {
    const told: string[] = []
    const { seen, address } = await listen(count => (count % 2 === 0 ? [499, 'the key is wrong'] : [400, 'bad']))
    const progress = await push(address, {}, { onRefused: (status, text) => told.push(`${status} ${text}`) })
    expect(seen).toHaveLength(everything().length)
    expect(progress).toMatchObject({ messages: 0, readings: 0, refused: seen.length, repeated: 0 })
    expect(told.toSorted()).toEqual(['400 bad', '499 the key is wrong'])
  })

  test('repeats what it is asked to repeat, and counts each message once', async () => {
    const { seen, address } = await listen(() => [200])
    const faults = { retry: 0.3, timeout: 0.3, duplicate: 0.3 }
    const progress = await push(address, faults)
    expect(keptBy(seen).toSorted()).toEqual(everything().toSorted())
    expect(progress.messages).toBe(everything().length)
    expect(progress.repeated).toBeGreaterThan(everything().length * 0.4)
    expect(progress.requests).toBe(progress.messages + progress.repeated)
  })

  test('stops when it is told to, and not before what it sent was answered', async () => {
    const stop = new AbortController()
    const { seen, address } = await listen(count => {
      if (count === 20) stop.abort()
      return [200]
    })
    const progress = await push(address, {}, { signal: stop.signal })
    expect(progress.messages).toBe(seen.length)
    expect(progress.messages).toBeLessThan(60)
  })

  test('the command: to a real server, in real time, until Ctrl-C', async () => {
    const { seen, address } = await listen(() => [200])
    const words = ['simulate', 'phones', '--to', `${address}/push`, '--people', '3', '--every', '100ms', '--json']
    const running = start(words)
    while (seen.length < 12) await systemClock.sleep(10)
    running.child.kill('SIGINT')
    const { code, stdout } = await running.result
    expect(code).toBe(0)
    const summary = JSON.parse(stdout) as { messages: number; readings: number }
    expect(summary.messages).toBe(new Set(seen.map(({ body }) => body)).size)
    expect(summary.readings).toBeGreaterThanOrEqual(summary.messages * 9)
  })

  test('the command: what is refused is said without the key, and is no success', async () => {
    const { address } = await listen(() => [499, 'Millrace: the key is wrong.'])
    const { code, stderr, stdout } = await millrace([
      ...['simulate', 'phones', '--to', `${address}/push?key=secret`, '--for', '3s', '--rate', 'max'],
    ])
    expect(code).toBe(1)
    expect(stderr).toBe(`refused with 499 by ${address}: Millrace: the key is wrong.\n`)
    expect(stdout).toMatch(/^0 messages with 0 readings kept, 15 refused in/)
  })

  test.each([
    [['--to', 'localhost:4401'], '--to needs an address'],
    [['--every', '1s'], '--every is for phones that push'],
    [['--faults', 'retry'], 'needs --to URL'],
    [['--to', 'http://127.0.0.1:1/', '--output', 'x'], '--output'],
  ])('the command refuses %j', (words, message) =>
    inFolder(async folder => {
      const { code, stderr } = await millrace(['simulate', 'phones', ...words], { cwd: folder })
      expect(code).toBe(2)
      expect(stderr).toContain(message)
    }),
  )
})

test('the recorded session of the example is what its generator writes', () =>
  inFolder(async folder => {
    const example = join(ROOT, 'examples/activity-tracker')
    const generator = join(example, 'recorded-session/generate.ts')
    const { status } = spawnSync(process.execPath, [generator, `${folder}/again.json`])
    expect(status).toBe(0)
    const text = readFileSync(join(example, 'recorded-session.json'), 'utf8')
    expect(readFileSync(`${folder}/again.json`, 'utf8')).toBe(text)
    const { payload } = JSON.parse(text) as Message
    expect(payload).toHaveLength(110 * 10 * 3)
  }))
