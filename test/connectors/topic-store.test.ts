import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { batchOf } from '../../src/engine/batch.ts'
import { deadLetterBytes, listTopics, readTopic, topicWriter } from '../../src/log/topic-store.ts'
import type { Column } from '../../src/plan/schema.ts'

const COLUMNS: readonly Column[] = [{ name: 'n', type: 'number', nullable: false }]
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-topics-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('stored topics', () => {
  test('are read back in order, from any offset, after the writer has gone and come', () => {
    const first = topicWriter(folder, 'a.topic', COLUMNS)
    first.append(batchOf(COLUMNS, [{ n: 0 }, { n: 1 }]))
    first.appendJson('{"n":2}')
    expect(first.offset).toBe(3)
    first.close()
    const second = topicWriter(folder, 'a.topic', COLUMNS)
    expect(second.offset).toBe(3)
    second.appendJson('{"n":3}')
    second.close()
    expect([...readTopic(folder, 'a.topic')]).toEqual(['{"n":0}', '{"n":1}', '{"n":2}', '{"n":3}'])
    expect([...readTopic(folder, 'a.topic', 2)]).toEqual(['{"n":2}', '{"n":3}'])
    expect(listTopics(folder)).toEqual([{ name: 'a.topic', records: 4, bytes: 32 }])
  })

  test('lose a record that a crash cut off, and go on after the last whole one', () => {
    const writer = topicWriter(folder, 't', COLUMNS)
    writer.appendJson('{"n":0}')
    writer.close()
    appendFileSync(join(folder, 'topics/t/00000000000000000000.ndjson'), '{"n":')
    expect([...readTopic(folder, 't')]).toEqual(['{"n":0}'])
    const again = topicWriter(folder, 't', COLUMNS)
    expect(again.offset).toBe(1)
    again.appendJson('{"n":1}')
    again.close()
    expect([...readTopic(folder, 't')]).toEqual(['{"n":0}', '{"n":1}'])
  })

  test('are kept in segments named by their first offset', () => {
    const line = JSON.stringify({ text: 'x'.repeat(1_000_000) })
    const writer = topicWriter(folder, 'big', COLUMNS)
    for (let record = 0; record < 70; record++) writer.appendJson(line)
    writer.appendJson('{"last":true}')
    writer.close()
    const names = readdirSync(join(folder, 'topics/big'))
    expect(names.length).toBe(2)
    const offset = Number(names[1]!.slice(0, 20))
    expect(offset).toBeGreaterThan(60)
    expect([...readTopic(folder, 'big', offset)].length).toBe(71 - offset)
    expect([...readTopic(folder, 'big')].length).toBe(71)
    expect([...readTopic(folder, 'big', 70)]).toEqual(['{"last":true}'])
    expect(listTopics(folder)[0]!.records).toBe(71)
    expect(topicWriter(folder, 'big', COLUMNS).offset).toBe(71)
  })

  test('refuse names that lead elsewhere', () => {
    for (const name of ['', '.', '..', '../x', 'a/b', 'a\\b', '.hidden', 'a\0b', 'x'.repeat(300)]) {
      expect(() => topicWriter(folder, name, COLUMNS)).toThrow(expect.objectContaining({ code: 'TOPIC_UNKNOWN' }))
      expect(() => [...readTopic(folder, name)]).toThrow(expect.objectContaining({ code: 'TOPIC_UNKNOWN' }))
    }
    expect(readdirSync(folder)).toEqual([])
  })

  test('name the nearest topic for one that there is not, and pass over strange files', () => {
    topicWriter(folder, 'processed', COLUMNS).close()
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
