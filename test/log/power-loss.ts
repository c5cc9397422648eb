/** Histories of a log that end with a loss of power at each of their syncs, and what is then wrong with it. */
import type { TopicLogOptions } from '../../src/log/options.ts'
import type { TopicLog } from '../../src/log/topic-log.ts'
import { seededRandom } from '../../src/system/random.ts'
import type { Storage } from '../../src/system/storage.ts'
import { contentsOf, HandClock, openLog, records, recordText } from './logs.ts'
import { MemoryStorage } from './memory-storage.ts'

/** What the log has promised. */
class Promises {
  readonly acknowledged = new Map<number, string>()
  /** Records handed to the log so far are numbered from 0. */
  handed = 0
  /** Retention has been asked for up to here at most. */
  mayStartAt = 0

  append(log: TopicLog, count: number): Promise<void> {
    const first = this.handed
    this.handed += count
    return log.append(records(first, count)).then(offset => {
      for (let index = 0; index < count; index++) this.acknowledged.set(offset + index, recordText(first + index))
    })
  }

  /** What is wrong with the log as it is found. */
  broken(log: TopicLog): string[] {
    const found: string[] = []
    if (log.damage.length > 0) found.push(`damage where there was none: ${log.damage[0]!.reason}`)
    if (log.start > this.mayStartAt) found.push(`begins at ${log.start}, retention went to ${this.mayStartAt} at most`)
    const { texts, gaps } = contentsOf(log, log.start)
    if (gaps.length > 0) found.push(`a gap ${gaps[0]!.from} to ${gaps[0]!.to}`)
    for (const [offset, text] of this.acknowledged) {
      if (offset >= log.start && texts.get(offset) !== text)
        found.push(`lost ${offset}: ${text} is ${texts.get(offset)}`)
    }
    let last = -1
    for (const [offset, text] of texts) {
      const { n } = JSON.parse(text) as { n: number }
      if (text !== recordText(n) || n >= this.handed) found.push(`never handed over: ${text} at ${offset}`)
      if (n <= last) found.push(`twice or out of order: ${n} at ${offset} after ${last}`)
      last = n
    }
    return found
  }
}

const SMALL: Partial<TopicLogOptions> = {
  segmentBytes: 900,
  blockBytes: 400,
  retention: { bytes: 2500, time_us: null },
}

async function live(
  storage: MemoryStorage,
  wrap: Wrap,
  promises: Promises,
  seed: number,
  steps: number,
): Promise<void> {
  const random = seededRandom(seed)
  const clock = new HandClock()
  const open = () => openLog(wrap(storage.forProcess()), { ...SMALL, clock })
  let log = open()
  for (let step = 0; step < steps; step++) {
    clock.time += 1000
    switch (random.integer(10)) {
      case 0:
        await log.close()
        log = open()
        break
      case 1:
        storage.kill()
        log = open()
        break
      case 2:
        promises.mayStartAt = Math.max(promises.mayStartAt, log.segments.at(-1)?.firstOffset ?? 0)
        log.retain()
        break
      case 3:
        // Without waiting: what a kill or the loss of power finds half done.
        for (let count = random.integer(4); count >= 0; count--) {
          promises.append(log, 1 + random.integer(3)).catch(() => {})
        }
        if (random.integer(2) === 0) await Promise.resolve()
        break
      default: {
        // Records of one length, now and then, so that blocks fall on the places of those before.
        const appends = Array.from({ length: 1 + random.integer(3) }, () => promises.append(log, 1 + random.integer(2)))
        const settled = await Promise.allSettled(appends)
        for (const one of settled) if (one.status === 'rejected') throw one.reason
      }
    }
  }
  await log.close()
}

export type Wrap = (storage: Storage) => Storage

/** All that is wrong after a loss of power at each sync of some histories; empty when the log keeps its promises. */
export async function violations(
  wrap: Wrap,
  seeds: readonly number[],
  enough = Number.POSITIVE_INFINITY,
): Promise<string[]> {
  const found: string[] = []
  for (const seed of seeds) {
    const whole = new MemoryStorage()
    await live(whole, wrap, new Promises(), seed, 40)
    for (let sync = 1; sync <= whole.syncs; sync++) {
      for (const moment of ['before', 'after'] as const) {
        const where = `history ${seed}, power lost ${moment} sync ${sync}`
        for (const broken of await afterLoss(wrap, seed, sync, moment)) {
          found.push(`${where}: ${broken}`)
          if (found.length >= enough) return found
        }
      }
    }
  }
  return found
}

async function afterLoss(wrap: Wrap, seed: number, sync: number, moment: 'before' | 'after'): Promise<string[]> {
  const storage = new MemoryStorage()
  const promises = new Promises()
  storage.losePowerAt(sync, moment)
  try {
    await live(storage, wrap, promises, seed, 40)
  } catch (error) {
    if (!storage.isOff) throw error
  }
  const random = seededRandom(seed * 1000 + sync * 2 + (moment === 'before' ? 0 : 1))
  storage.crash(random)
  const clock = new HandClock()
  const log = openLog(wrap(storage.forProcess()), { ...SMALL, clock })
  const found = promises.broken(log)
  // It goes on, and power is lost again, now at any moment.
  for (let count = 0; count < 3 && found.length === 0; count++) await promises.append(log, 1 + random.integer(2))
  promises.append(log, 2).catch(() => {})
  if (random.integer(2) === 0) await Promise.resolve()
  storage.crash(random)
  found.push(
    ...promises
      .broken(openLog(wrap(storage.forProcess()), { ...SMALL, clock }))
      .map(broken => `the second time: ${broken}`),
  )
  return found
}
