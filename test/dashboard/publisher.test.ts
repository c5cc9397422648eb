/** When clients are told what, under a clock that the test holds. */
import { describe, expect, test } from 'vitest'
import type { PanelRows, ServerMessage } from '../../src/dashboard/protocol.ts'
import { type Client, Publisher } from '../../src/dashboard/publisher.ts'
import { batchOf } from '../../src/engine/batch.ts'
import { panelStreamsOf } from '../../src/plan/walk.ts'
import type { Clock } from '../../src/system/clock.ts'
import { readings, roomPlan } from './fake-run.ts'

const START_US = 1_700_000_040_000_000

/** Time passes when the test says so. */
class HandClock implements Clock {
  #ms = 0
  #sleepers: { readonly until_ms: number; readonly wake: () => void }[] = []

  now(): number {
    return START_US + this.#ms * 1000
  }

  monotonic_ms(): number {
    return this.#ms
  }

  sleep(duration_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      this.#sleepers.push({ until_ms: this.#ms + duration_ms, wake: resolve })
      signal?.addEventListener('abort', () => resolve())
    })
  }

  async pass(duration_ms: number): Promise<void> {
    this.#ms += duration_ms
    const due = this.#sleepers.filter(({ until_ms }) => until_ms <= this.#ms)
    this.#sleepers = this.#sleepers.filter(({ until_ms }) => until_ms > this.#ms)
    for (const { wake } of due) wake()
    await settled()
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

/** What it is sent counts as on its way until the test lets it go. */
class Reader implements Client {
  readonly #isSlow: boolean
  waitingBytes = 0
  heard: ServerMessage[] = []

  constructor(isSlow = false) {
    this.#isSlow = isSlow
  }

  send(text: string): void {
    if (this.#isSlow) this.waitingBytes += text.length
    this.heard.push(JSON.parse(text) as ServerMessage)
  }

  /** Rows of a panel since the last call. */
  rows(panel: string): PanelRows[] {
    const rows = this.heard.filter((message): message is PanelRows => message.kind === 'rows')
    this.heard = []
    return rows.filter(message => message.panel === panel)
  }
}

const [stream] = panelStreamsOf(roomPlan)

function start() {
  const clock = new HandClock()
  const missed: unknown[] = []
  const publisher = new Publisher(roomPlan, clock, error => missed.push(error))
  const read = (...rows: readonly { device: string; level: number; note?: string }[]) => {
    const whole = rows.map(row => ({ note: null, at: clock.now(), ...row }))
    publisher.rows(stream!, batchOf(readings.node.columns, whole))
  }
  const join = (reader: Reader) => {
    publisher.add(reader, { kind: 'hello' } as unknown as ServerMessage)
    return reader
  }
  return { clock, publisher, read, join, missed }
}

describe('pace', () => {
  test('a row is told at once, those that follow together after the pause', async () => {
    const { clock, read, join } = start()
    const reader = join(new Reader())
    expect(reader.heard[0]!.kind).toBe('hello')
    await clock.pass(100)
    reader.rows('room/latest')

    read({ device: 'a', level: 1 })
    await settled()
    expect(reader.rows('room/latest').map(({ columns }) => columns.level)).toEqual([[1]])
    read({ device: 'a', level: 2 })
    await clock.pass(3)
    read({ device: 'b', level: 3 })
    await clock.pass(3)
    expect(reader.rows('room/latest')).toEqual([])
    await clock.pass(4)
    expect(reader.rows('room/latest').map(({ columns, reset }) => [columns.level, reset])).toEqual([[[2, 3], false]])
    await clock.pass(1_000)
    expect(reader.heard).toEqual([])
  })

  async function roundsOfASecond(rows: number, note = ''): Promise<number> {
    const { clock, read, join } = start()
    const reader = join(new Reader())
    await clock.pass(100)
    reader.rows('room/latest')
    for (let millisecond = 0; millisecond < 1_000; millisecond++) {
      read(...Array.from({ length: rows }, (_, row) => ({ device: `${row}`, level: millisecond, note })))
      await clock.pass(1)
    }
    return reader.rows('room/latest').length
  }

  test('at most 125 rounds a second, however fast rows come', async () => {
    const rounds = await roundsOfASecond(1)
    expect(rounds).toBeGreaterThan(80)
    expect(rounds).toBeLessThanOrEqual(126)
  })

  test('the more there is to tell, the fewer rounds', async () => {
    // A round of 50 kB.
    const rounds = await roundsOfASecond(100, 'x'.repeat(490))
    expect(rounds).toBeGreaterThanOrEqual(19)
    expect(rounds).toBeLessThanOrEqual(40)
  })

  test('nothing is planned for nobody', async () => {
    const { clock, read, join } = start()
    read({ device: 'a', level: 1 })
    const late = join(new Reader())
    expect(late.rows('room/latest')).toMatchObject([{ reset: true, columns: { level: [1] } }])
    await clock.pass(100)
    expect(late.heard).toEqual([])
  })
})

describe('a slow client', () => {
  const note = 'x'.repeat(490)
  const hundred = (level: number) => Array.from({ length: 100 }, (_, key) => ({ device: `${key}`, level, note }))

  test('is told nothing while much is on its way, and the rest as one', async () => {
    const { clock, read, join } = start()
    const [slow, quick] = [join(new Reader(true)), join(new Reader())]
    for (let round = 0; round < 200; round++) {
      read(...hundred(round))
      await clock.pass(50)
    }
    // One message more than what may be on its way: about 55 kB.
    expect(slow.waitingBytes).toBeLessThan((1 << 20) + 100_000)
    expect(quick.rows('room/latest').length).toBeGreaterThan(199)
    const heard = slow.rows('room/latest')
    expect(heard.at(-1)!.columns.level!.every(level => Number(level) < 50)).toBe(true)

    slow.waitingBytes = 0
    await clock.pass(50)
    const [rest, ...more] = slow.rows('room/latest')
    expect(rest).toMatchObject({ reset: false, length: 100 })
    expect(rest!.columns.level!.every(level => level === 199)).toBe(true)
    expect(more).toEqual([])
  })

  test('is told everything anew when what it missed is gone', async () => {
    const { clock, read, join } = start()
    const slow = join(new Reader(true))
    slow.waitingBytes = 1 << 21
    for (let round = 0; round < 5; round++) {
      read(...Array.from({ length: 100 }, (_, key) => ({ device: `${round}/${key}`, level: round })))
      await clock.pass(50)
    }
    slow.rows('room/latest')
    slow.waitingBytes = 0
    await clock.pass(50)
    const [anew] = slow.rows('room/latest')
    expect(anew).toMatchObject({ reset: true, length: 100 })
    expect(anew!.columns.device!.every(device => String(device).startsWith('4/'))).toBe(true)
  })

  test('gets no status either', () => {
    const { publisher, join } = start()
    const slow = join(new Reader(true))
    slow.heard = []
    slow.waitingBytes = 1 << 21
    publisher.broadcast({ kind: 'status' } as unknown as ServerMessage)
    expect(slow.heard).toEqual([])
  })

  test('who has left is told nothing', async () => {
    const { clock, publisher, read, join } = start()
    const reader = join(new Reader())
    reader.heard = []
    publisher.remove(reader)
    read({ device: 'a', level: 1 })
    await clock.pass(100)
    expect(reader.heard).toEqual([])
  })
})

test('what cannot be shown concerns nobody else: not who gave it, and no other page', async () => {
  const { clock, publisher, read, join, missed } = start()
  const broken = join(new Reader())
  const reader = join(new Reader())
  await clock.pass(100)
  reader.rows('room/latest')
  broken.send = () => {
    throw new Error('cannot be sent')
  }
  read({ device: 'a', level: 1 })
  await settled()
  expect(reader.rows('room/latest').map(({ columns }) => columns.level)).toEqual([[1]])
  const batch = batchOf(readings.node.columns, [{ device: 'b', at: 0, level: 2, note: null }])
  publisher.rows(stream!, {
    ...batch,
    get length(): number {
      throw new Error('no rows')
    },
  })
  expect(missed.map(error => error instanceof Error)).toEqual([true, true])
})
