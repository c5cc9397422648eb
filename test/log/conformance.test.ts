/** The same promises on the disk and in memory. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FORM, recordsOf } from '../../src/log/block.ts'
import { Log } from '../../src/log/log.ts'
import type { TopicLog } from '../../src/log/topic-log.ts'
import { diskStorage, type Storage } from '../../src/system/storage.ts'
import { contentsOf, HandClock, INCARNATION, openLog, records, recordText } from './logs.ts'
import { MemoryStorage } from './memory-storage.ts'

const FORMS: readonly (readonly [string, () => Storage])[] = [
  ['disk', () => diskStorage],
  ['memory', () => new MemoryStorage()],
]

describe.each(FORMS)('on the %s', (_, make) => {
  let root: string
  let storage: Storage
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'millrace-log-'))
    storage = make()
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))
  const open = (options: Parameters<typeof openLog>[1] = {}) => openLog(storage, { root, ...options })
  const expectRange = (log: TopicLog, from: number, to: number) => {
    const { texts, gaps } = contentsOf(log, from)
    expect(gaps).toEqual([])
    expect([...texts.keys()]).toEqual(Array.from({ length: to - from }, (_, index) => from + index))
    for (const [offset, text] of texts) expect(text).toBe(recordText(offset))
  }

  test('a file holds what was written, where it was written', () => {
    const path = join(root, 'a', 'b', 'file')
    expect(storage.lengthOf(path)).toBeNull()
    expect(storage.list(join(root, 'a', 'b'))).toEqual([])
    expect(() => storage.openForReading(path)).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }))
    storage.makeFolder(join(root, 'a', 'b'))
    storage.makeFolder(join(root, 'a', 'b'))
    const file = storage.open(path)
    file.write(Buffer.from('hello'), 0)
    file.write(Buffer.from('J'), 0)
    file.write(Buffer.from('!'), 7)
    expect(file.length()).toBe(8)
    const target = Buffer.alloc(20, 0x2e)
    expect(file.read(target, 1)).toBe(7)
    expect(target.toString('latin1')).toBe('ello\0\0!.............')
    expect(file.read(target, 8)).toBe(0)
    file.truncate(3)
    file.truncate(5)
    expect(file.length()).toBe(5)
    expect(file.read(target, 0)).toBe(5)
    expect(target.toString('latin1', 0, 5)).toBe('Jel\0\0')
    file.syncNow()
    file.close()
    file.close()
    storage.syncFolder(join(root, 'a', 'b'))
    storage.rename(path, join(root, 'a', 'b', 'other'))
    expect(storage.lengthOf(path)).toBeNull()
    expect(storage.lengthOf(join(root, 'a', 'b', 'other'))).toBe(5)
    expect(storage.list(join(root, 'a', 'b'))).toEqual(['other'])
    storage.remove(path)
    storage.remove(join(root, 'a', 'b', 'other'))
    expect(storage.list(join(root, 'a', 'b'))).toEqual([])
  })

  test('appends are given offsets in order, and acknowledged when they are durable', async () => {
    const log = open()
    const done = [log.append(records(0, 3)), log.append(records(3, 1)), log.append(records(4, 2))]
    expect(log.next).toBe(6)
    expect(log.durable).toBe(0)
    expect([...contentsOf(log).texts]).toEqual([])
    expect(contentsOf(log, 0, true).texts.size).toBe(6)
    expect(await Promise.all(done)).toEqual([0, 3, 4])
    expect(log.durable).toBe(6)
    expectRange(log, 0, 6)
    expectRange(log, 4, 6)
    await log.close()
    const again = open()
    expect([again.start, again.next, again.cut, again.damage]).toEqual([0, 6, null, []])
    expectRange(again, 0, 6)
    expect(await again.append(records(6, 1))).toBe(6)
    expectRange(again, 0, 7)
    await again.close()
  })

  test('records keep their bytes, line feeds among them, and their arrival', async () => {
    const log = open()
    const texts = ['{\n "a": 1\n}', '', '\u0000MBLK', '{"b":2}']
    const bytes = Buffer.from(texts.map(text => `${text}\n`).join(''))
    let end = 0
    const ends = texts.map(text => {
      end += Buffer.byteLength(text) + 1
      return end
    })
    log.put({ bytes: Buffer.from('{"first":1}'), arrival: 5_000_000 }, () => {})
    log.put({ bytes, ends, arrival: 5_000_007 }, () => {})
    // An arrival before that of the block's first record begins a new block.
    log.put({ bytes: Buffer.from('{"last":1}\n'), arrival: 4_999_999 }, () => {})
    await log.commit()
    await log.close()
    const read = [...open().read(0)].flatMap(event => {
      if (event.kind === 'gap') throw new Error('a gap')
      return [...recordsOf(event.block)].map(record => [record.bytes.toString(), record.arrival])
    })
    expect(read).toEqual([
      ['{"first":1}', 5_000_000],
      ...texts.map(text => [text, 5_000_007]),
      ['{"last":1}', 4_999_999],
    ])
  })

  test('segments roll by size and by age, and are read across', async () => {
    const clock = new HandClock()
    const log = open({ segmentBytes: 2000, segmentAge_us: 60_000_000, clock })
    for (let n = 0; n < 100; n += 5) await log.append(records(n, 5))
    const bySize = log.segments.length
    expect(bySize).toBeGreaterThan(3)
    expect(log.segments.every(segment => segment.bytes <= 2000)).toBe(true)
    clock.time += 61_000_000
    await log.append(records(100, 1))
    expect(log.segments.length).toBe(bySize + 1)
    for (const from of [0, 1, 37, 99, 100]) expectRange(log, from, 101)
    await log.close()
    const again = open({ segmentBytes: 2000, checkBytes: 0 })
    for (const from of [0, 1, 37, 99, 100]) expectRange(again, from, 101)
    await again.close()
  })

  test('retention by size and by time takes whole segments from the oldest, and offsets stay', async () => {
    const clock = new HandClock()
    const retention = { bytes: 3000, time_us: 3_600_000_000 }
    const log = open({ segmentBytes: 1000, clock, retention })
    for (let n = 0; n < 60; n += 5) await log.append(records(n, 5))
    const before = log.segments.length
    const removed = log.retain()
    expect(removed).toBeGreaterThan(0)
    expect(log.segments.length).toBe(before - removed)
    expect(log.bytes).toBeLessThanOrEqual(3000)
    const { start } = log
    expect(start).toBe(log.segments[0]!.firstOffset)
    expectRange(log, start, 60)
    expect(contentsOf(log, 2).gaps).toEqual([{ from: 2, to: start }])
    await log.close()
    const again = open({ segmentBytes: 1000, clock, retention })
    expect([again.start, again.next, again.damage]).toEqual([start, 60, []])
    expect(again.retain()).toBe(0)
    clock.time += 3_700_000_000
    again.retain()
    expect(again.segments.length).toBe(1)
    expect(await again.append(records(60, 1))).toBe(60)
    await again.close()
  })

  test('retention by time knows segments that opening did not look at', async () => {
    const clock = new HandClock()
    const log = open({ segmentBytes: 400, clock })
    for (let n = 0; n < 40; n++) {
      await log.append(records(n, 1))
      clock.time += 1_000_000
    }
    await log.close()
    const again = open({ segmentBytes: 400, clock, checkBytes: 0, retention: { bytes: null, time_us: 20_000_000 } })
    again.retain()
    // What is gone is older than 20 s; at most one segment's worth of older records is still there.
    expect(again.start).toBeGreaterThan(12)
    expect(again.start).toBeLessThanOrEqual(20)
    await again.close()
  })

  test('a second reader sees what is written, changes nothing and refuses to write', async () => {
    const log = open()
    await log.append(records(0, 5))
    const reader = open({ readOnly: true })
    expectRange(reader, 0, 5)
    expect(() => reader.put(records(5, 1), () => {})).toThrow(/closed/)
    await log.append(records(5, 5))
    await log.close()
    expectRange(open({ readOnly: true }), 0, 10)
  })

  test('rows have no index; another stream is refused', async () => {
    const log = open({ form: FORM.rows, schemaId: 7 })
    await log.append({ ...records(0, 9), count: 9 })
    await log.append(records(9, 1))
    expectRange(log, 0, 10)
    await log.close()
    expect(() => open({ incarnation: 'f'.repeat(32) })).toThrow(expect.objectContaining({ code: 'DATA_DIR_MISMATCH' }))
    const [event] = open({ readOnly: true }).read(0)
    expect(event).toMatchObject({ block: { header: { schemaId: 7, form: 1, incarnation: INCARNATION } } })
  })

  test('topics share one budget: the oldest segments go, and it is told before', async () => {
    const clock = new HandClock()
    const told: string[] = []
    const log = new Log({
      storage,
      clock,
      dataDirectory: root,
      budgetBytes: 6000,
      onEvent: event => told.push(event.kind),
    })
    const retention = { bytes: null, time_us: 3_600_000_000 }
    const a = log.open('a', { incarnation: INCARNATION, segmentBytes: 1000, retention })
    const b = log.open('b', { incarnation: INCARNATION, segmentBytes: 1000, retention })
    for (let n = 0; n < 100; n += 4) {
      clock.time += 1000
      await a.append(records(n, 4))
      if (n < 20) await b.append(records(n, 4))
      expect(log.bytes).toBeLessThanOrEqual(6000)
    }
    expect(told[0]).toBe('nearly-full')
    expect(told).toContain('dropped')
    // The topic that nobody writes to any more has lost its older segments first.
    expect(b.segments.length).toBe(1)
    expect(contentsOf(a, a.start).texts.size).toBe(100 - a.start)
    await expect(a.append({ bytes: Buffer.alloc(7000, 0x61) })).rejects.toMatchObject({ code: 'LOG_FULL' })
    expect(await a.append(records(100, 1))).toBe(100)
    await log.close()
  })

  test('the budget takes nothing from a topic that keeps everything, nor what somebody still needs', async () => {
    const make = (budgetBytes: number, other = 0) =>
      new Log({ storage, clock: new HandClock(), dataDirectory: root, budgetBytes, otherBytes: () => other })
    const log = make(6000)
    const kept = log.open('kept', { incarnation: INCARNATION, segmentBytes: 1000 })
    const held = log.open('held', {
      incarnation: INCARNATION,
      segmentBytes: 1000,
      retention: { bytes: 2000, time_us: null },
    })
    held.pin(() => 14)
    let n = 0
    const fill = async () => {
      for (;;) {
        await held.append(records(n, 4))
        n += 4
      }
    }
    for (let first = 0; first < 40; first += 4) await kept.append(records(first, 4))
    await expect(fill()).rejects.toMatchObject({ code: 'LOG_FULL' })
    log.retain()
    expectRange(kept, 0, 40)
    expect(held.start).toBeGreaterThan(0)
    expect(held.start).toBeLessThanOrEqual(14)
    expectRange(held, 14, n)
    held.pin(() => n)
    await held.append(records(n, 4))
    log.retain()
    expect(held.start).toBeGreaterThan(14)
    expectRange(kept, 0, 40)
    await log.close()
    const full = make(6000, 6000)
    await expect(full.open('kept', { incarnation: INCARNATION }).append(records(40, 1))).rejects.toMatchObject({
      code: 'LOG_FULL',
    })
    await full.close()
  })
})
