import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { appendsOf } from '../../src/log/appends.ts'
import { deadLetterBytes } from '../../src/log/dead-letter.ts'
import { Log } from '../../src/log/log.ts'
import { listTopics, openForReading, readTopic, readTopicLines, type TopicGap } from '../../src/log/topic-store.ts'
import { systemClock } from '../../src/system/clock.ts'
import { diskStorage } from '../../src/system/storage.ts'
import { openRows, put, ROWS } from './stored.ts'

let folder: string
const segment = (topic: string) => join(folder, `topics/${topic}/0/00000000000000000000.log`)
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-topics-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('stored topics', () => {
  test('are read back in order, from any offset, after the writer has gone and come', async () => {
    const first = openRows(folder, 'a.topic')
    put(first, '{"n":0}', '{"n":1}')
    put(first, '{"n":2}')
    expect(first.next).toBe(3)
    await first.close()
    const second = openRows(folder, 'a.topic')
    expect(second.next).toBe(3)
    put(second, '{"n":3}')
    await second.close()
    expect([...readTopic(folder, 'a.topic')]).toEqual(['{"n":0}', '{"n":1}', '{"n":2}', '{"n":3}'])
    expect([...readTopic(folder, 'a.topic', 2)]).toEqual(['{"n":2}', '{"n":3}'])
    expect(listTopics(folder)).toEqual([{ name: 'a.topic', stored_records: 4, bytes: 2 * 96 + 32 }])
    expect(Buffer.concat([...readTopicLines(folder, 'a.topic')].map(piece => Buffer.from(piece))).toString()).toBe(
      '{"n":0}\n{"n":1}\n{"n":2}\n{"n":3}\n',
    )
  })

  test('lose a record that a crash cut off, and go on after the last whole one', async () => {
    const writer = openRows(folder, 't')
    put(writer, '{"n":0}')
    await writer.close()
    appendFileSync(segment('t'), readFileSync(segment('t')).subarray(0, 100))
    expect([...readTopic(folder, 't')]).toEqual(['{"n":0}'])
    const again = openRows(folder, 't')
    expect(again.next).toBe(1)
    expect(again.damage).toEqual([])
    expect(again.cut).toMatchObject({ offset: 1, position: 104, bytes: 100 })
    put(again, '{"n":1}')
    await again.close()
    expect([...readTopic(folder, 't')]).toEqual(['{"n":0}', '{"n":1}'])
  })

  test('tell what is damaged, set it aside, and keep the rest', async () => {
    for (let n = 0; n < 3; n++) {
      const writer = openRows(folder, 't')
      put(writer, `{"n":${n}}`, `{"n":${n + 10}}`)
      await writer.close()
    }
    const path = segment('t')
    const bytes = readFileSync(path)
    bytes[bytes.indexOf('{"n":11}') + 5]! ^= 1
    writeFileSync(path, bytes)
    const gaps: TopicGap[] = []
    expect([...readTopic(folder, 't', 0, gap => gaps.push(gap))]).toEqual([
      '{"n":0}',
      '{"n":10}',
      '{"n":2}',
      '{"n":12}',
    ])
    expect(gaps).toMatchObject([{ from: 2, to: 4 }])
    const writer = openRows(folder, 't')
    expect(writer.next).toBe(6)
    expect(writer.damage).toMatchObject([{ topic: 't', path, from: 2, to: 4, bytes: 96 + 17 }])
    expect(readFileSync(writer.damage[0]!.quarantined!).includes('{"n":01}')).toBe(true)
    await writer.close()
  })

  test('refuse records of another stream, and the form of an earlier version', async () => {
    // A topic without a record is nobody's.
    await openRows(folder, 't', { incarnation: 'c'.repeat(32), adoptIncarnation: false }).close()
    const writer = openRows(folder, 't', { incarnation: 'a'.repeat(32), adoptIncarnation: false })
    put(writer, '{"n":0}')
    await writer.close()
    expect(() => openRows(folder, 't', { incarnation: 'b'.repeat(32), adoptIncarnation: false })).toThrow(
      expect.objectContaining({ code: 'DATA_DIR_MISMATCH' }),
    )
    mkdirSync(join(folder, 'topics/old'))
    writeFileSync(join(folder, 'topics/old/00000000000000000000.ndjson'), '{}\n')
    expect(() => openRows(folder, 'old')).toThrow(expect.objectContaining({ code: 'LOG_FORMAT' }))
  })

  test('are kept in segments named by their first offset', async () => {
    const line = JSON.stringify({ text: 'x'.repeat(1_000_000) })
    const writer = openRows(folder, 'big', { blockBytes: 1024 * 1024 })
    for (let record = 0; record < 70; record++) put(writer, line)
    put(writer, '{"last":true}')
    await writer.close()
    const names = readdirSync(join(folder, 'topics/big/0')).filter(name => name.endsWith('.log'))
    expect(names.length).toBe(2)
    const offset = Number(names[1]!.slice(0, 20))
    expect(offset).toBeGreaterThan(60)
    expect([...readTopic(folder, 'big', offset)].length).toBe(71 - offset)
    expect([...readTopic(folder, 'big')].length).toBe(71)
    expect([...readTopic(folder, 'big', 70)]).toEqual(['{"last":true}'])
    expect(listTopics(folder)[0]!.stored_records).toBe(71)
    const again = openRows(folder, 'big')
    expect(again.next).toBe(71)
    await again.close()
  })

  test('have partitions: each is written on its own, and all are read', async () => {
    const zero = openRows(folder, 't')
    const two = openRows(folder, 't', { partition: 2 })
    put(zero, '{"n":0}')
    put(zero, '{"n":1}')
    two.put({ bytes: Buffer.from('{"n":20}\n'), count: 1, headers: { from: 'a test' } }, () => {})
    put(two, '{"n":21}')
    await Promise.all([zero.close(), two.close()])
    writeFileSync(join(folder, 'topics/t/stray'), '')
    expect([...readTopic(folder, 't')]).toEqual(['{"n":0}', '{"n":1}', '{"n":20}', '{"n":21}'])
    expect([...readTopic(folder, 't', 1)]).toEqual(['{"n":1}', '{"n":21}'])
    expect([...readTopic(folder, 't', 0, () => {}, 2)]).toEqual(['{"n":20}', '{"n":21}'])
    expect(Buffer.concat([...readTopicLines(folder, 't')].map(piece => Buffer.from(piece))).toString()).toBe(
      '{"n":0}\n{"n":1}\n{"n":20}\n{"n":21}\n',
    )
    expect(listTopics(folder)).toMatchObject([{ name: 't', stored_records: 4 }])
    const [event] = openForReading(folder, 't', 2).read(0)
    expect(event?.kind === 'block' && [...appendsOf(event.block)]).toEqual([
      { firstOffset: 0, records: 1, headers: { from: 'a test' } },
      { firstOffset: 1, records: 1, headers: null },
    ])
    const bytes = readFileSync(join(folder, 'topics/t/2/00000000000000000000.log'))
    bytes[100]! ^= 1
    writeFileSync(join(folder, 'topics/t/2/00000000000000000000.log'), bytes)
    const gaps: TopicGap[] = []
    expect([...readTopic(folder, 't', 0, gap => gaps.push(gap))]).toEqual(['{"n":0}', '{"n":1}'])
    expect(gaps).toMatchObject([{ partition: 2, from: 0, to: 2 }])
  })

  test('go back to where an epoch left them, and share a budget', async () => {
    const log = new Log({ storage: diskStorage, clock: systemClock, dataDirectory: folder, budgetBytes: 1000 })
    const first = log.open('t', ROWS)
    put(first, '{"n":0}')
    await first.commit()
    put(first, '{"n":1}')
    await first.commit()
    await log.close()
    const again = openRows(folder, 't', { cutTo: 1 })
    expect(again.next).toBe(1)
    put(again, '{"n":2}')
    await again.close()
    expect([...readTopic(folder, 't')]).toEqual(['{"n":0}', '{"n":2}'])
    const small = new Log({ storage: diskStorage, clock: systemClock, dataDirectory: folder, budgetBytes: 300 })
    const full = small.open('t', ROWS)
    put(full, '{"n":3}')
    await expect(full.close()).rejects.toMatchObject({ code: 'LOG_FULL' })
  })

  test('refuse names that lead elsewhere', () => {
    for (const name of ['', '.', '..', '../x', 'a/b', 'a\\b', '.hidden', 'a\0b', 'x'.repeat(300)]) {
      expect(() => openRows(folder, name)).toThrow(expect.objectContaining({ code: 'TOPIC_UNKNOWN' }))
      expect(() => [...readTopic(folder, name)]).toThrow(expect.objectContaining({ code: 'TOPIC_UNKNOWN' }))
    }
    expect(readdirSync(folder)).toEqual([])
  })

  test('name the nearest topic for one that there is not, and pass over strange files', async () => {
    await openRows(folder, 'processed').close()
    writeFileSync(join(folder, 'topics/stray'), '')
    expect(() => [...readTopic(folder, 'procesed')]).toThrow(/Did you mean processed\?/)
    expect(listTopics(folder).map(topic => topic.name)).toEqual(['processed'])
    expect(listTopics(join(folder, 'missing'))).toEqual([])
  })
})

test('dead letters keep bytes as text where they are UTF-8, cut between characters, else as base64', () => {
  expect(deadLetterBytes(null)).toEqual({ bytes: null })
  expect(deadLetterBytes(Buffer.from('{"ä":1'))).toEqual({ bytes: '{"ä":1' })
  expect(deadLetterBytes(Buffer.from([0xff, 0x00]))).toEqual({ bytes: '/wA=', encoding: 'base64' })
  const long = deadLetterBytes(Buffer.from(`x${'€'.repeat(50_000)}`))
  expect(long.encoding).toBeUndefined()
  expect(long.bytes!.endsWith('€')).toBe(true)
  expect(Buffer.byteLength(long.bytes!)).toBeLessThanOrEqual(64 * 1024)
})
