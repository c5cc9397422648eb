/** A log that goes back to the offset that the last epoch committed: what is behind it is gone, what is before it is there. */
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/system/random.ts'
import type { Storage } from '../../src/system/storage.ts'
import { contentsOf, openLog, records, recordText } from './logs.ts'
import { MemoryStorage } from './memory-storage.ts'

const SMALL = { segmentBytes: 700 }

/** A log of one block a number in `ends`, which are the offsets where blocks end; not closed. */
async function written(storage: MemoryStorage, ends: readonly number[]): Promise<void> {
  const log = openLog(storage.forProcess(), SMALL)
  let from = log.next
  for (const end of ends) {
    await log.append(records(from, end - from))
    from = end
  }
}

const ENDS = [3, 5, 6, 10, 14, 15, 19, 23, 24, 28]
const texts = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => recordText(from + index))
const textsOf = (log: Parameters<typeof contentsOf>[0]) => [...contentsOf(log).texts.values()]

describe.each([
  ['with the marker', true],
  ['when the marker is gone', false],
])('%s', (_, hasMarker) => {
  test('records from the offset on are gone, and other ones take their places', async () => {
    for (const cutTo of [0, ...ENDS]) {
      const storage = new MemoryStorage()
      await written(storage, ENDS)
      if (!hasMarker) storage.remove('/data/topics/t/0/marker')
      storage.kill()
      const log = openLog(storage.forProcess(), { ...SMALL, cutTo })
      expect([log.next, log.damage]).toEqual([cutTo, []])
      expect(log.cut === null ? cutTo : log.cut.offset).toBe(cutTo)
      expect(textsOf(log)).toEqual(texts(0, cutTo))
      expect(storage.paths.filter(path => path.includes('quarantine'))).toEqual([])
      await log.append({ bytes: Buffer.from('{"anew":1}\n{"anew":2}\n') })
      await log.close()
      for (const checkBytes of [0, 1e9]) {
        const again = openLog(storage.forProcess(), { ...SMALL, checkBytes })
        expect([again.next, again.damage, again.cut]).toEqual([cutTo + 2, [], null])
        expect(textsOf(again)).toEqual([...texts(0, cutTo), '{"anew":1}', '{"anew":2}'])
        await again.close()
      }
    }
  })
})

test('a log that is opened to its end changes nothing; a reader beside it cuts nothing', async () => {
  const storage = new MemoryStorage()
  await written(storage, ENDS)
  expect(openLog(storage, { ...SMALL, readOnly: true, cutTo: 5 }).next).toBe(28)
  const log = openLog(storage.forProcess(), { ...SMALL, cutTo: 28 })
  expect([log.next, log.cut]).toEqual([28, null])
  expect(textsOf(log)).toEqual(texts(0, 28))
})

test('what was safe before the cut never counts again, whatever rots in the marker', async () => {
  const whole = new MemoryStorage()
  await written(whole, ENDS)
  whole.kill()
  openLog(whole.forProcess(), { ...SMALL, cutTo: 6 })
  whole.kill()
  const marker = '/data/topics/t/0/marker'
  for (let byte = 0; byte < whole.lengthOf(marker)!; byte++) {
    whole.flip(marker, byte, byte % 8)
    const log = openLog(whole, { ...SMALL, readOnly: true })
    expect({ byte, next: log.next, damage: log.damage }).toEqual({ byte, next: 6, damage: [] })
    whole.flip(marker, byte, byte % 8)
  }
})

test('an offset inside a block is refused, and nothing is changed', async () => {
  const storage = new MemoryStorage()
  await written(storage, ENDS)
  expect(() => openLog(storage.forProcess(), { ...SMALL, cutTo: 12 })).toThrow(
    expect.objectContaining({ code: 'LOG_FORMAT' }),
  )
  expect(textsOf(openLog(storage.forProcess(), SMALL))).toEqual(texts(0, 28))
})

test('records of another stream are not cut', async () => {
  const storage = new MemoryStorage()
  await written(storage, ENDS)
  expect(() => openLog(storage.forProcess(), { ...SMALL, cutTo: 0, incarnation: 'f'.repeat(32) })).toThrow(
    expect.objectContaining({ code: 'DATA_DIR_MISMATCH' }),
  )
  expect(textsOf(openLog(storage.forProcess(), SMALL))).toEqual(texts(0, 28))
})

describe('records that were promised and are not there', () => {
  test('a log without any is another one', () => {
    expect(() => openLog(new MemoryStorage(), { cutTo: 3 })).toThrow(
      expect.objectContaining({ code: 'DATA_DIR_MISMATCH', message: expect.stringContaining('up to 3') }),
    )
  })

  test('a file that was cut off is damage, although nothing else vouches for its records', async () => {
    const storage = new MemoryStorage()
    await written(storage, ENDS)
    storage.remove('/data/topics/t/0/marker')
    const path = storage.paths.at(-1)!
    storage.cutOff(path, storage.lengthOf(path)! - 10)
    storage.kill()
    const log = openLog(storage.forProcess(), { ...SMALL, cutTo: 28 })
    expect(log.damage).toMatchObject([{ from: 24, to: 28 }])
    expect(log.next).toBe(28)
    expect(await log.append(records(28, 2))).toBe(28)
    await log.close()
    const again = contentsOf(openLog(storage.forProcess(), SMALL))
    expect(again.gaps).toEqual([{ from: 24, to: 28 }])
    expect(again.texts.size).toBe(26)
  })

  test('damage before the offset is told as far as the offset', async () => {
    for (const damaged of [5, 8, 9]) {
      for (const cutTo of [19, 23]) {
        const storage = new MemoryStorage()
        await written(storage, ENDS)
        // The block that ends at ENDS[damaged], its header and all.
        for (const path of storage.paths.filter(each => each.endsWith('.log'))) {
          const bytes = storage.bytesOf(path)
          for (let at = bytes.indexOf('MBLK'); at >= 0; at = bytes.indexOf('MBLK', at + 1)) {
            if (Number(bytes.readBigUInt64LE(at + 32)) === ENDS[damaged - 1]) storage.flip(path, at + 40, 3)
          }
        }
        storage.kill()
        const log = openLog(storage.forProcess(), { ...SMALL, cutTo })
        const from = ENDS[damaged - 1]!
        const lost = from >= cutTo ? [] : [{ from, to: Math.min(ENDS[damaged]!, cutTo) }]
        expect(contentsOf(log).gaps).toEqual(lost)
        expect(log.damage.map(each => ({ from: each.from, to: each.to }))).toEqual(lost)
        await log.append(records(cutTo, 1))
        await log.close()
        const again = openLog(storage.forProcess(), SMALL)
        expect([again.next, contentsOf(again).gaps]).toEqual([cutTo + 1, lost])
      }
    }
  })
})

/** What is wrong after power was lost at each sync of a cut and the appends after it; `wrap` plants a fault. */
async function violations(wrap: (storage: Storage) => Storage, enough = Number.POSITIVE_INFINITY): Promise<string[]> {
  const found: string[] = []
  const life = async (storage: MemoryStorage, cutTo: number) => {
    const log = openLog(wrap(storage.forProcess()), { ...SMALL, cutTo })
    await log.append(records(100, 2))
    await log.append(records(102, 3))
    await log.close()
  }
  for (const cutTo of [0, 3, 6, 14, 24]) {
    for (let sync = 1; ; sync++) {
      let wasOff = false
      for (const moment of ['before', 'after'] as const) {
        const storage = new MemoryStorage()
        await written(storage, ENDS)
        storage.kill()
        storage.losePowerAt(storage.syncs + sync, moment)
        await life(storage, cutTo).catch(error => {
          if (!storage.isOff) throw error
        })
        wasOff ||= storage.isOff
        storage.crash(seededRandom(sync * 31 + cutTo))
        const where = `cut to ${cutTo}, power lost ${moment} sync ${sync}`
        try {
          const log = openLog(wrap(storage.forProcess()), { ...SMALL, cutTo })
          const what = [log.next, log.damage.length, ...textsOf(log)]
          if (JSON.stringify(what) !== JSON.stringify([cutTo, 0, ...texts(0, cutTo)])) found.push(`${where}: ${what}`)
          // The rows are made again: the same bytes as the block that was cut off first.
          const end = ENDS[ENDS.indexOf(cutTo) + 1]!
          await log.append(records(cutTo, end - cutTo))
          storage.crash(seededRandom(sync))
          const again = openLog(wrap(storage.forProcess()), SMALL)
          const then = [again.damage.length, ...textsOf(again)]
          if (JSON.stringify(then) !== JSON.stringify([0, ...texts(0, end)])) {
            found.push(`${where}, the second time: ${then}`)
          }
        } catch (error) {
          found.push(`${where}: ${error}`)
        }
        if (found.length >= enough) return found
      }
      if (!wasOff) break
    }
  }
  return found
}

test('power lost at every sync while it is cut: what was promised is there, what was cut never comes back', async () => {
  expect(await violations(storage => storage)).toEqual([])
}, 60_000)

test('planted: a cut that is not synced is found', async () => {
  const found = await violations(
    storage => ({
      ...storage,
      open: path => ({ ...storage.open(path), truncate: () => {} }),
    }),
    1,
  )
  expect(found.length).toBe(1)
})
