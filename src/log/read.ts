/** Reading the segments of a topic's partition from an offset on: blocks in order, and a word for each hole between them. */
import type { Storage, StorageFile } from '../system/storage.ts'
import type { Block } from './block.ts'
import { positionBefore, type Segment, walk } from './segment.ts'

export type LogEvent =
  /** The block's records from `from` on are asked for; those before it come before the offset that was given. */
  | { readonly kind: 'block'; readonly block: Block; readonly from: number }
  /** Offsets `from` to `to` (excluded) are not there: given up by retention, or damaged. */
  | {
      readonly kind: 'gap'
      readonly from: number
      readonly to: number
      readonly reason: string
      readonly path: string | null
    }

export interface Readable {
  readonly storage: Storage
  readonly topic: string
  readonly partition: number
  readonly incarnation: string
  readonly mark: number
  readonly segments: readonly Segment[]
  readonly start: number
  /** Nothing is read at this offset and behind it. */
  readonly end: number
  /** The block that holds the offset, where it is at hand. */
  inMemory(offset: number): Block | null
}

export function* readSegments(log: Readable, from: number): Generator<LogEvent, void, undefined> {
  let offset = from
  if (offset < log.start) {
    yield { kind: 'gap', from: offset, to: log.start, reason: 'retention gave them up', path: null }
    offset = log.start
  }
  while (offset < log.end) {
    const block = log.inMemory(offset)
    if (block !== null) {
      if (block.header.firstOffset >= log.end) return
      yield { kind: 'block', block, from: offset }
      offset = block.header.firstOffset + block.header.records
      continue
    }
    if (offset < log.start) {
      yield { kind: 'gap', from: offset, to: log.start, reason: 'retention gave them up', path: null }
      offset = log.start
      continue
    }
    const { segments } = log
    const index = segments.findLastIndex(segment => segment.firstOffset <= offset)
    const segment = segments[index]
    const until = segments[index + 1]?.firstOffset ?? log.end
    let reached = offset
    let reason = 'the records are missing'
    if (segment !== undefined) {
      // A segment that retention removes meanwhile is met again as a gap.
      const file = openKept(log, segment)
      if (file === null) continue
      try {
        for (const event of readSegment(log, segment, file, offset, until)) {
          if (event.kind === 'trouble') reason = event.reason
          else {
            if (event.block.header.firstOffset > reached) {
              yield { kind: 'gap', from: reached, to: event.block.header.firstOffset, reason, path: segment.path }
              reached = event.block.header.firstOffset
            }
            yield { kind: 'block', block: event.block, from: reached }
            reached = event.block.header.firstOffset + event.block.header.records
            reason = 'the records are missing'
          }
        }
      } finally {
        file.close()
      }
    }
    offset = reached
    // A failed sync may have taken back what was visible.
    if (offset < Math.min(until, log.end)) {
      yield { kind: 'gap', from: offset, to: until, reason, path: segment?.path ?? null }
      offset = until
    }
  }
}

function openKept(log: Readable, segment: Segment): StorageFile | null {
  try {
    return log.storage.openForReading(segment.path)
  } catch (error) {
    if (log.segments.includes(segment)) throw error
    return null
  }
}

type Step = { readonly kind: 'block'; readonly block: Block } | { readonly kind: 'trouble'; readonly reason: string }

function* readSegment(
  log: Readable,
  segment: Segment,
  file: StorageFile,
  from: number,
  until: number,
): Generator<Step, void, undefined> {
  let expected = from
  const ends = (header: Block['header']) => header.firstOffset + header.records
  // The length in the file may be shorter than it was written, where it is damaged.
  const length = Math.min(segment.bytes, file.length())
  const { incarnation, partition, mark } = log
  // What another process appends meanwhile to the last segment is none of another one.
  const to = segment === log.segments.at(-1) ? Number.POSITIVE_INFINITY : until
  const place = { incarnation, partition, mark, from: segment.firstOffset, to }
  for (const found of walk(file, length, place, positionBefore(segment, from), header => ends(header) <= expected)) {
    if (found.kind === 'bad') {
      if (found.header !== null && ends(found.header) <= expected) continue
      yield { kind: 'trouble', reason: found.reason }
      continue
    }
    const { header, block } = found
    if (header.firstOffset >= until) return
    if (block === null) continue
    if (header.firstOffset < expected && expected !== from) continue
    yield { kind: 'block', block }
    expected = ends(header)
    if (expected >= until) return
  }
}
