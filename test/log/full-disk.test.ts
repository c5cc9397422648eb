/** A disk that is full or fails: an append is refused with a code, leaves nothing behind, and works again later. */
import { expect, test } from 'vitest'
import type { TopicLog } from '../../src/log/topic-log.ts'
import { contentsOf, HandClock, openLog, records } from './logs.ts'
import { MemoryStorage } from './memory-storage.ts'

const OPTIONS = { segmentBytes: 1500, blockBytes: 500, clock: new HandClock() }

/** Appends until `count` records are in the log; once something was refused, the disk is mended. */
async function fill(storage: MemoryStorage, log: TopicLog, count: number, code: string) {
  const kept: string[] = []
  const refusals: unknown[] = []
  while (kept.length < count) {
    const sizes = [1, 2, 1 + (kept.length % 3)]
    let first = 1000 * refusals.length + kept.length
    const appends = sizes.map(size => {
      const bytes = records(first, size)
      first += size
      return log.append(bytes).then(offset => ({ offset, texts: bytes.bytes.toString().trimEnd().split('\n') }))
    })
    for (const one of await Promise.allSettled(appends)) {
      if (one.status === 'fulfilled') {
        expect(one.value.offset).toBe(kept.length)
        kept.push(...one.value.texts)
      } else {
        expect(one.reason).toMatchObject({ code })
        refusals.push(one.reason)
      }
    }
    expect([log.next, log.durable]).toEqual([kept.length, kept.length])
    expect([...contentsOf(log, 0, true).texts.values()]).toEqual(kept)
    expect([...contentsOf(openLog(storage, { ...OPTIONS, readOnly: true })).texts.values()]).toEqual(kept)
    if (refusals.length > 0 && refusals.length < 1000) {
      storage.mend()
      refusals.length = 1000
    }
  }
  await log.close()
  const again = openLog(storage, OPTIONS)
  expect([again.damage, again.cut]).toEqual([[], null])
  expect([...contentsOf(again).texts.values()]).toEqual(kept)
  return refusals.length > 0
}

test('a disk that is full at 50 points', async () => {
  let refused = 0
  for (let point = 0; point < 50; point++) {
    const storage = new MemoryStorage()
    const log = openLog(storage, OPTIONS)
    storage.fail('ENOSPC', point * 97)
    if (await fill(storage, log, 80, 'LOG_FULL')) refused++
  }
  expect(refused).toBe(50)
})

test('a sync that fails: nothing of what it was for is acknowledged, and the log goes on', async () => {
  let refused = 0
  for (let sync = 0; sync < 12; sync++) {
    const storage = new MemoryStorage()
    const log = openLog(storage, OPTIONS)
    storage.fail('EIO', sync)
    if (await fill(storage, log, 80, 'FILE_UNWRITABLE')) refused++
  }
  expect(refused).toBe(12)
})

test('a log that cannot be opened on a full disk says so, and opens when there is room', async () => {
  for (let room = 0; room < 192; room += 48) {
    const storage = new MemoryStorage()
    storage.fail('ENOSPC', room)
    expect(() => openLog(storage, OPTIONS)).toThrow(expect.objectContaining({ code: 'LOG_FULL' }))
    storage.mend()
    await fill(storage, openLog(storage, OPTIONS), 20, '')
  }
})

test('what fails for one is tried again for the next, and a full disk says so', async () => {
  const storage = new MemoryStorage()
  const log = openLog(storage, OPTIONS)
  await log.append(records(0, 2))
  storage.fail('ENOSPC', 10)
  await expect(log.append(records(2, 5))).rejects.toThrow(/no room for more records of topic t/)
  await expect(log.append(records(2, 5))).rejects.toMatchObject({
    code: 'LOG_FULL',
    next: expect.stringMatching(/room/),
  })
  storage.mend()
  expect(await log.append(records(2, 1))).toBe(2)
  await log.close()
})
