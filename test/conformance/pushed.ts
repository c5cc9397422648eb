/** What every source that is pushed to owes the runtime (src/connectors/contract.ts), as tests that each of them runs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadSource, type Pushed, type PushOutcome, type Source } from '../../src/connectors/contract.ts'
import type { SourceReference } from '../../src/plan/nodes.ts'
import { MillraceError } from '../../src/system/errors.ts'
import { contextOf } from './source.ts'

export interface PushedCase {
  readonly name: string
  readonly reference: () => SourceReference
  /** Sends one message with so many records and answers what was said; it rejects when nothing was. */
  send(
    address: string,
    message: { readonly number: number; readonly records: number; readonly padding?: number },
  ): Promise<Said>
  /** Whether an answer says that all is kept. */
  isKept(said: Said): boolean
}

export interface Said {
  readonly status: number
  readonly text: string
  readonly retryAfter: string | null
}

const kept = (records: number): PushOutcome => ({ kind: 'kept', accepted: records, refusedCount: 0, refused: [] })

export function pushedConformance({ name, reference, send, isKept }: PushedCase): void {
  describe(`source ${name}`, () => {
    let dataDirectory: string
    let source: Source
    const context = (changes = {}) =>
      contextOf([], { untilEnd: false, dataDirectory, maximumChunkBytes: 64 * 1024, ...changes })
    beforeEach(async () => {
      dataDirectory = mkdtempSync(join(tmpdir(), 'millrace-pushed-'))
      source = await loadSource(reference())
    })
    afterEach(async () => {
      await source.close()
      rmSync(dataDirectory, { recursive: true, force: true })
    })

    /** Reads until so many messages have come. */
    const take = async (count: number): Promise<Pushed[]> => {
      const events: Pushed[] = []
      while (events.reduce((sum, { messages }) => sum + messages.length, 0) < count) {
        const event = await source.read()
        if (event === null) throw new Error('the source ended')
        if (event.kind === 'pushed') events.push(check(event))
        else expect(event.kind).toBe('idle')
      }
      return events
    }
    const check = (event: Pushed) => {
      expect(event.bytes.length).toBeLessThanOrEqual(64 * 1024)
      expect(event.messages.length).toBeGreaterThan(0)
      expect(event.messages.reduce((sum, message) => sum + message.bytes, 0)).toBe(event.bytes.length)
      let at = 0
      for (const message of event.messages) {
        const text = Buffer.from(event.bytes.subarray(at, at + message.bytes)).toString()
        at += message.bytes
        expect(text.endsWith('\n')).toBe(true)
        expect(text.split('\n').filter(line => line.trim() !== '')).toHaveLength(message.records)
      }
      return event
    }

    test('says that it does not replay, and where to send to', async () => {
      expect(source.replays).toBe(false)
      const partitions = await source.open(context())
      expect(partitions).toHaveLength(1)
      expect(partitions[0]!.bytes).toBeNull()
      expect(source.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/./)
    })

    test('is idle while nothing comes, and ends when it is told to stop', async () => {
      const told = new AbortController()
      await source.open(context({ signal: told.signal }))
      expect(await source.read()).toEqual({ kind: 'idle' })
      const reading = source.read()
      told.abort()
      expect(await reading).toBeNull()
      expect(await source.read()).toBeNull()
    })

    test('has no end to read to', async () => {
      await expect(source.open(context({ untilEnd: true }))).rejects.toMatchObject({ code: 'INPUT_MISSING' })
    })

    test('hands out each message once, whole, and answers when it is settled', async () => {
      await source.open(context())
      const sent = Array.from({ length: 40 }, (_, number) => ({ number, records: 1 + (number % 5) }))
      let answered = 0
      const said = Promise.all(
        sent.map(async message => {
          const answer = await send(source.address!, message)
          answered++
          return answer
        }),
      )
      const events = await take(sent.length)
      expect(answered).toBe(0)
      const messages = events.flatMap(event => event.messages)
      expect(messages).toHaveLength(sent.length)
      expect(messages.map(({ records }) => records).sort()).toEqual(sent.map(({ records }) => records).sort())
      for (const message of messages) message.settle(kept(message.records))
      expect((await said).every(isKept)).toBe(true)
    })

    test('the first outcome counts, whatever is said after it', async () => {
      await source.open(context())
      const said = send(source.address!, { number: 0, records: 1 })
      const [message] = (await take(1))[0]!.messages
      message!.settle(kept(1))
      message!.settle({ kind: 'failed', error: new MillraceError('LOG_FULL', 'full') })
      expect(isKept(await said)).toBe(true)
    })

    test('a message that is kept already is kept; one that failed is sent again', async () => {
      await source.open(context())
      const repeated = send(source.address!, { number: 0, records: 2 })
      ;(await take(1))[0]!.messages[0]!.settle({ kind: 'repeated' })
      expect((await repeated).status).toBe(200)
      const failed = send(source.address!, { number: 1, records: 2 })
      ;(await take(1))[0]!.messages[0]!.settle({ kind: 'failed', error: new MillraceError('LOG_FULL', 'no room') })
      const { status, text, retryAfter } = await failed
      expect(status).toBe(503)
      expect(text).toContain('There is no room')
      expect(Number(retryAfter)).toBeGreaterThan(0)
    })

    test('what waits is bounded in memory, and hands out no more than the engine takes', async () => {
      await source.open(context())
      const sent = Array.from({ length: 30 }, (_, number) =>
        send(source.address!, { number, records: 1, padding: 20_000 }),
      )
      // Long enough that several wait, so that a bound is needed.
      await new Promise(resolve => setTimeout(resolve, 200))
      const events = await take(30)
      expect(events.length).toBeGreaterThan(8)
      for (const { messages } of events) for (const message of messages) message.settle(kept(1))
      expect((await Promise.all(sent)).every(isKept)).toBe(true)
    })

    test('a message that is larger than the engine takes is refused, and the next one is taken', async () => {
      await source.open(context())
      const large = await send(source.address!, { number: 0, records: 1, padding: 70_000 })
      expect([413, 499]).toContain(large.status)
      expect(large.text).toMatch(/large/)
      const said = send(source.address!, { number: 1, records: 1 })
      const [message] = (await take(1))[0]!.messages
      message!.settle(kept(1))
      expect(isKept(await said)).toBe(true)
    })

    test('closed while requests wait: each of them is told to come again, also those that were never settled', async () => {
      await source.open(context())
      const taken = send(source.address!, { number: 0, records: 1 })
      await take(1)
      const waiting = [1, 2, 3].map(number => send(source.address!, { number, records: 1 }))
      // Nothing tells that they have come; one that has not by then finds nobody, which says the same.
      await new Promise(resolve => setTimeout(resolve, 100))
      await source.close()
      const told = (await Promise.allSettled([taken, ...waiting])).flatMap(each => {
        if (each.status === 'fulfilled') return [each.value]
        expect(each.reason).toMatchObject({ code: 'ECONNREFUSED' })
        return []
      })
      expect(told.length).toBeGreaterThan(0)
      for (const { status, retryAfter } of told) {
        expect(status).toBe(503)
        expect(Number(retryAfter)).toBeGreaterThan(0)
      }
      expect(await source.read()).toBeNull()
      await source.close()
    })

    test('what was taken before it is closed can still be settled while it closes', async () => {
      await source.open(context())
      const said = send(source.address!, { number: 0, records: 1 })
      const [message] = (await take(1))[0]!.messages
      const closing = source.close()
      message!.settle(kept(1))
      expect(isKept(await said)).toBe(true)
      await closing
    })
  })
}
