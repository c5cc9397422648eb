/** Appends are never split, their headers come back, and the topic is read again as it came. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { appendsOf, type StoredAppend } from '../../src/log/appends.ts'
import { FORM, recordsOf } from '../../src/log/block.ts'
import type { TopicLogOptions } from '../../src/log/options.ts'
import type { TopicLog } from '../../src/log/topic-log.ts'
import { readChunks } from '../../src/log/topic-reader.ts'
import type { Storage } from '../../src/system/storage.ts'
import { HandClock, openLog, records, recordText } from './logs.ts'
import { MemoryStorage } from './memory-storage.ts'

function storedAppends(log: TopicLog, from = 0): StoredAppend[] {
  const all: StoredAppend[] = []
  for (const event of log.read(from)) if (event.kind === 'block') all.push(...appendsOf(event.block))
  return all
}

const texts = (log: TopicLog) =>
  [...log.read(0)].flatMap(event =>
    event.kind === 'gap' ? [] : [...recordsOf(event.block)].map(({ bytes }) => bytes.toString()),
  )

const headers = fc.option(fc.dictionary(fc.string({ maxLength: 8 }), fc.string({ maxLength: 20 }), { maxKeys: 3 }))
const append = fc.record({ count: fc.integer({ min: 1, max: 6 }), headers, later_us: fc.nat(2), awaited: fc.boolean() })

describe('headers of appends', () => {
  test('come back, each with its records, whatever shares its block and is read how', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(append, { maxLength: 30 }),
        fc.constantFrom(FORM.records, FORM.rows),
        fc.constantFrom(150, 600, 1e6),
        fc.constantFrom(400, 1e6),
        async (appends, form, blockBytes, segmentBytes) => {
          const storage = new MemoryStorage()
          const options = { form, blockBytes, segmentBytes }
          const log = openLog(storage.forProcess(), options)
          let arrival = 1_700_000_000_000_000
          const expected: StoredAppend[] = []
          for (const { count, headers, later_us, awaited } of appends) {
            arrival += later_us
            expected.push({ firstOffset: log.next, records: count, headers })
            const given = { ...records(log.next, count), arrival, headers }
            if (awaited) await log.append(given)
            else log.put(given, () => {})
          }
          await log.commit()
          for (const opened of [log, openLog(storage.forProcess(), options)]) {
            const found = storedAppends(opened)
            // What has headers comes alone; neighbours without may come as one, but never a part of one.
            expect(found.filter(each => each.headers !== null)).toEqual(expected.filter(each => each.headers !== null))
            const starts = new Set(expected.map(each => each.firstOffset))
            expect(found.every(each => starts.has(each.firstOffset))).toBe(true)
            expect(found.reduce((sum, each) => sum + each.records, 0)).toBe(log.next)
            expect(texts(opened)).toEqual(Array.from({ length: log.next }, (_, n) => recordText(n)))
          }
        },
      ),
    )
  })

  test('cost nothing where there are none: the block is as it was before there were headers', async () => {
    const bytesOf = async (headers: Record<string, string> | null) => {
      const storage = new MemoryStorage()
      const log = openLog(storage, { clock: new HandClock() })
      await log.append({ ...records(0, 3), headers })
      return storage.bytesOf(storage.paths.find(path => path.endsWith('.log'))!)
    }
    const without = await bytesOf(null)
    const withHeaders = await bytesOf({ a: 'b' })
    expect(without[5]).toBe(FORM.records)
    expect(withHeaders[5]).toBe(FORM.records + 2)
    // Records, length of the headers, the headers, length of it all.
    expect(withHeaders.length).toBe(without.length + 4 + 4 + 9 + 4)
  })

  test('need a record', () => {
    const log = openLog(new MemoryStorage())
    expect(() => log.put({ bytes: Buffer.alloc(0), headers: { a: 'b' } }, () => {})).toThrow(/without a record/)
    expect(log.next).toBe(0)
  })
})

test('a form of payload that is not known is refused', async () => {
  const storage = new MemoryStorage()
  const log = openLog(storage)
  await log.append(records(0, 3))
  await log.close()
  const path = storage.paths.find(each => each.endsWith('.log'))!
  const { crc32 } = await import('node:zlib')
  const bytes = storage.bytesOf(path)
  bytes[5] = 5
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 92)), 92)
  storage.open(path).write(bytes, 0)
  expect(() => openLog(storage)).toThrow(expect.objectContaining({ code: 'LOG_FORMAT' }))
})

test('a large append is one block, and all or nothing of it is there', async () => {
  const log = openLog(new MemoryStorage(), { blockBytes: 200, segmentBytes: 500 })
  await Promise.all([log.append(records(0, 3)), log.append(records(3, 400)), log.append(records(403, 3))])
  const blocks = [...log.read(0)].map(event => (event.kind === 'block' ? event.block.header.records : 0))
  expect(blocks).toEqual([3, 400, 3])
})

describe('a topic that is read again', () => {
  const chunksOf = (log: TopicLog, from: number, to?: number) =>
    [...readChunks(log, from, to)].map(chunk =>
      'kind' in chunk ? chunk : { ...chunk, bytes: undefined, text: chunk.bytes.toString() },
    )

  test('comes in chunks of one arrival, cut to the offset', async () => {
    const storage = new MemoryStorage()
    const log = openLog(storage)
    log.put({ ...records(0, 3), arrival: 1000 }, () => {})
    log.put({ ...records(3, 2), arrival: 1000, headers: { a: 'b' } }, () => {})
    log.put({ ...records(5, 2), arrival: 1007 }, () => {})
    await log.commit()
    await log.append({ ...records(7, 1), arrival: 900 })
    const text = (from: number, to: number) => records(from, to - from).bytes.toString()
    expect(chunksOf(log, 0)).toEqual([
      { text: text(0, 5), firstOffset: 0, records: 5, arrival: 1000 },
      { text: text(5, 7), firstOffset: 5, records: 2, arrival: 1007 },
      { text: text(7, 8), firstOffset: 7, records: 1, arrival: 900 },
    ])
    for (let from = 0; from <= 8; from++) {
      for (let to = from; to <= 9; to++) {
        const all = chunksOf(log, from, to).map(chunk => ('text' in chunk ? chunk.text : ''))
        expect(all.join('')).toBe(text(from, Math.min(to, 8)))
      }
    }
    expect(chunksOf(log, 4)[0]).toEqual({ text: text(4, 5), firstOffset: 4, records: 1, arrival: 1000 })
  })

  test('rows come block by block, and gaps in their place', async () => {
    const storage = new MemoryStorage()
    const log = openLog(storage, { form: FORM.rows, segmentBytes: 300 })
    for (let n = 0; n < 12; n += 3) await log.append({ ...records(n, 3), arrival: 5 })
    const all = (from: number) =>
      chunksOf(log, from).map(chunk => ('kind' in chunk ? [chunk.from, chunk.to] : chunk.firstOffset))
    expect(all(0)).toEqual([0, 3, 6, 9])
    expect(all(4)).toEqual([4, 6, 9])
    log.drop(1)
    expect(all(0)).toEqual([[0, log.start], ...[3, 6, 9].filter(offset => offset >= log.start)])
    expect(chunksOf(log, 0)[0]).toEqual({ kind: 'gap', from: 0, to: log.start, reason: 'retention gave them up' })
    expect(chunksOf(log, 0, 1)).toEqual([{ kind: 'gap', from: 0, to: 1, reason: 'retention gave them up' }])
    expect(chunksOf(log, 0, 0)).toEqual([])
  })
})

/** A storage that knows its open files, and fails at a call. */
function counting(storage: Storage, failAt: number) {
  const open = new Set<object>()
  let calls = 0
  const step = <A extends unknown[], R>(call: (...words: A) => R) => {
    return (...words: A): R => {
      calls++
      if (calls === failAt) throw new Error('on purpose')
      return call(...words)
    }
  }
  const counted = (file: ReturnType<Storage['open']>) => {
    const own = {
      ...file,
      length: step(file.length),
      read: step(file.read),
      write: step(file.write),
      truncate: step(file.truncate),
      syncNow: step(file.syncNow),
      close() {
        open.delete(own)
        file.close()
      },
    }
    open.add(own)
    return own
  }
  const wrapped: Storage = {
    open: step(path => counted(storage.open(path))),
    openForReading: step(path => counted(storage.openForReading(path))),
    lengthOf: step(path => storage.lengthOf(path)),
    list: step(path => storage.list(path)),
    makeFolder: step(path => storage.makeFolder(path)),
    syncFolder: step(path => storage.syncFolder(path)),
    rename: step((from, to) => storage.rename(from, to)),
    remove: step(path => storage.remove(path)),
  }
  return { wrapped, open, calls: () => calls }
}

test('opening that fails, wherever it is, leaves no file open', async () => {
  const life = async (options: Partial<TopicLogOptions>) => {
    const storage = new MemoryStorage()
    const log = openLog(storage.forProcess(), { segmentBytes: 300 })
    for (let n = 0; n < 12; n += 3) await log.append(records(n, 3))
    storage.kill()
    const path = storage.paths.find(each => each.endsWith('.log'))!
    storage.flip(path, 100, 1)
    for (let failAt = 1; ; failAt++) {
      const { wrapped, open, calls } = counting(storage.forProcess(), failAt)
      let isOpen = true
      try {
        await openLog(wrapped, { segmentBytes: 300, ...options }).close()
      } catch {
        isOpen = false
      }
      expect({ failAt, left: [...open] }).toEqual({ failAt, left: [] })
      if (isOpen && calls() < failAt) return
    }
  }
  await life({})
  await life({ cutTo: 6 })
  await life({ readOnly: true })
})
