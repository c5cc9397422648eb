/** A log that goes back to an earlier offset: what its epochs did not commit is taken out of what was found. */
import { MillraceError } from '../system/errors.ts'
import type { Storage } from '../system/storage.ts'
import type { TopicLogOptions } from './options.ts'
import { placeMark } from './place-mark.ts'
import type { Recovered } from './recovery.ts'
import { type Expected, positionBefore, type Segment, walk } from './segment.ts'

/** What is found once the records from `cutTo` on are gone. Changes no file. */
export function cutBack(found: Recovered, cutTo: number, options: TopicLogOptions): Recovered {
  const { storage, folder, topic, partition = 0 } = options
  if (cutTo < found.start || (cutTo > found.start && found.segments.length === 0)) {
    throw new MillraceError(
      'DATA_DIR_MISMATCH',
      `Topic ${topic} (${folder}) lacks its records up to ${cutTo}, which were there when the last epoch was committed.`,
      { next: 'Put back a copy of that folder, or of the whole data directory.' },
    )
  }
  // What was promised and is missing at the end is damage already: the log never ends before `cutTo`.
  const damage = found.damage
    .filter(({ from }) => from < cutTo)
    .map(each => (each.to <= cutTo ? each : { ...each, to: cutTo }))
  const kept = found.segments.filter(segment => segment.firstOffset < cutTo)
  const obsolete = [...found.obsolete, ...found.segments.slice(kept.length).map(({ path }) => path)]
  const last = kept.at(-1)
  const isShorter = kept.length < found.segments.length
  if (last === undefined) return { ...found, segments: kept, obsolete, damage, next: cutTo, cut: null, goesOn: false }
  const expected = { incarnation: found.incarnation, partition, mark: placeMark(topic, partition) }
  const { position, reached } = placeOf(storage, last, cutTo, expected, topic)
  const isDamaged = damage.some(each => each.path === last.path && each.position + each.bytes >= position)
  const common = { ...found, obsolete, damage, next: cutTo, goesOn: reached === cutTo && !isDamaged }
  if (position === last.bytes) return { ...common, segments: kept, cut: isShorter ? null : found.cut }
  const cut = {
    path: last.path,
    position,
    bytes: last.bytes - position,
    offset: cutTo,
    reason: 'no epoch committed it',
    quarantined: null,
  }
  return { ...common, segments: [...kept.slice(0, -1), shortened(last, position)], cut }
}

/** Where the first block at an offset or behind it stands in its segment, and the offset that the block before reaches. */
function placeOf(
  storage: Storage,
  segment: Segment,
  offset: number,
  expected: Expected,
  topic: string,
): { position: number; reached: number | null } {
  const file = storage.openForReading(segment.path)
  try {
    let reached: number | null = null
    const place = { ...expected, from: segment.firstOffset, to: Number.POSITIVE_INFINITY }
    for (const item of walk(file, segment.bytes, place, positionBefore(segment, offset), () => true)) {
      if (item.kind === 'bad') {
        reached = null
        continue
      }
      const { firstOffset, records, position } = item.header
      if (firstOffset >= offset) return { position, reached }
      reached = firstOffset + records
      if (reached > offset) {
        throw new MillraceError(
          'LOG_FORMAT',
          `Topic ${topic} cannot be cut at offset ${offset}: the block at byte ${position} of ${segment.path} goes across it.`,
        )
      }
    }
    return { position: segment.bytes, reached }
  } finally {
    file.close()
  }
}

function shortened(segment: Segment, bytes: number): Segment {
  const places = segment.places.filter(({ position }) => position < bytes)
  return { ...segment, bytes, durableBytes: bytes, lastArrival: null, places }
}
