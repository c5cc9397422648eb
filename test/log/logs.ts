/** What the tests of the log share: a log of numbered records on a given storage, and what it holds. */
import { recordsOf } from '../../src/log/block.ts'
import type { TopicLogOptions } from '../../src/log/options.ts'
import { TopicLog } from '../../src/log/topic-log.ts'
import { type Clock, systemClock } from '../../src/system/clock.ts'
import type { Storage } from '../../src/system/storage.ts'

export const INCARNATION = '0123456789abcdef'.repeat(2)

export function openLog(
  storage: Storage,
  options: Partial<TopicLogOptions> & { readonly root?: string } = {},
): TopicLog {
  const { root = '/data', ...rest } = options
  return new TopicLog({
    storage,
    clock: systemClock,
    folder: `${root}/topics/t/0`,
    quarantine: `${root}/quarantine`,
    topic: 't',
    incarnation: INCARNATION,
    ...rest,
  })
}

/** A clock that stands until it is moved. */
export class HandClock implements Clock {
  time = 1_700_000_000_000_000
  now = () => this.time
  monotonic_ms = () => this.time / 1000
  sleep = () => Promise.resolve()
}

/** The n-th record: no two are alike, and each says where it belongs. */
export const recordText = (n: number) => `{"n":${n},"text":"${'abcdefghij'.repeat((n * 7) % 5)}"}`

export function records(first: number, count: number): { bytes: Buffer } {
  let text = ''
  for (let n = first; n < first + count; n++) text += `${recordText(n)}\n`
  return { bytes: Buffer.from(text) }
}

export interface Contents {
  /** Text by offset. */
  readonly texts: ReadonlyMap<number, string>
  readonly gaps: readonly { readonly from: number; readonly to: number }[]
}

/** All that a log gives from an offset on. Throws when offsets come twice, out of order, or with a hole that is not told. */
export function contentsOf(log: TopicLog, from = 0, visible = false): Contents {
  const texts = new Map<number, string>()
  const gaps: { from: number; to: number }[] = []
  let next = from
  const follows = (offset: number, what: string) => {
    if (offset !== next) throw new Error(`${what} at ${offset} where ${next} comes next`)
  }
  for (const event of log.read(from, { visible })) {
    if (event.kind === 'gap') {
      follows(event.from, 'a gap')
      if (event.to <= event.from) throw new Error(`an empty gap at ${event.from}`)
      gaps.push({ from: event.from, to: event.to })
      next = event.to
      continue
    }
    for (const record of recordsOf(event.block, event.from)) {
      follows(record.offset, 'a record')
      texts.set(record.offset, record.bytes.toString())
      next++
    }
  }
  const end = visible ? log.next : log.durable
  if (next < end) throw new Error(`reading ended at ${next}, the log at ${end}`)
  return { texts, gaps }
}
