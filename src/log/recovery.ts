/**
 * What is found when a topic's log is opened: its segments, what is damaged, and what must be cut off.
 *
 * Two kinds of trouble look alike and are not. What lies below the durable offset (the largest that the marker or any
 * later block vouches for) was promised to somebody: it is damage, named and kept aside, and its offsets stay lost. What
 * lies above it is a write that a crash cut off: nobody was promised it, and the log is cut before it.
 */
import { join } from 'node:path'
import type { Storage } from '../system/storage.ts'
import { type MarkerState, readMarker } from './marker.ts'
import { placeMark } from './place-mark.ts'
import { type Found, noteBlock, offsetInName, type Segment, segmentOf, walk } from './segment.ts'
import { beginsWell, strayPath, withoutStrays } from './strays.ts'

/** Records that are lost, and where they stood. */
export interface Damage {
  readonly topic: string
  readonly partition: number
  /** The file; null when it is a whole segment that is missing. */
  readonly path: string | null
  /** First damaged byte, and how many. */
  readonly position: number
  readonly bytes: number
  /** Offsets lost: `from` to `to`, `to` excluded. Equal when only bytes between blocks are damaged. */
  readonly from: number
  readonly to: number
  readonly reason: string
  /** Copy of the damaged bytes; null when there are none, or when there was no room for it. */
  readonly quarantined: string | null
}

/** The end of a log that was cut off because it was not whole; no record of it had been acknowledged. */
export interface Cut {
  readonly path: string
  readonly position: number
  readonly bytes: number
  /** Offset at which the log goes on. */
  readonly offset: number
  readonly reason: string
  readonly quarantined: string | null
}

export interface Recovered {
  /** null: a new log. */
  readonly marker: MarkerState | null
  readonly incarnation: string | null
  /** In order of their offsets; those that retention had already given up are not among them. */
  readonly segments: readonly Segment[]
  /** Paths of segments that retention or the cut removes. */
  readonly obsolete: readonly string[]
  /** Paths of files that look like segments and are of another place. */
  readonly strays: readonly string[]
  readonly start: number
  /** Offset of the next record. */
  readonly next: number
  readonly damage: readonly Damage[]
  readonly cut: Cut | null
  /** The last segment ends with a whole block, so that it can be written on. */
  readonly goesOn: boolean
}

/** A log may have this many segments at its end that are not safe yet. */
const CHECKED_MIN = 2

interface Trouble {
  readonly segment: number
  readonly position: number
  readonly bytes: number
  readonly expected: number
  readonly reason: string
  /** Offset of the first record that is there again; null while none has been found. */
  to: number | null
}

export interface Place {
  readonly storage: Storage
  readonly folder: string
  readonly topic: string
  readonly partition: number
  /** The newest segments are checked byte by byte up to so many bytes; what is older is checked as it is read. */
  readonly checkBytes: number
  /** All offsets below it were safe, whatever the files say. Default 0. */
  readonly promised?: number
}

/** Looks, and changes nothing. */
export function recover(place: Place): Recovered {
  const { storage, folder, topic, partition, promised = 0 } = place
  const mark = placeMark(topic, partition)
  const marker = readMarker(storage, folder, mark)
  const listed: Segment[] = []
  for (const name of storage.list(folder)) {
    const firstOffset = offsetInName(name)
    if (firstOffset === null) continue
    listed.push(segmentOf(folder, firstOffset, storage.lengthOf(join(folder, name)) ?? 0))
  }
  listed.sort((a, b) => a.firstOffset - b.firstOffset)
  const own = { incarnation: marker?.incarnation ?? null, partition, mark }
  const { segments: found, strays } = withoutStrays(storage, listed, own)
  // Retention writes the marker first: segments that are wholly below it were being removed.
  const keptFrom = found.findLastIndex(segment => segment.firstOffset <= (marker?.start ?? 0))
  const segments = found.slice(Math.max(keptFrom, 0))
  const obsolete = found.slice(0, Math.max(keptFrom, 0)).map(segment => segment.path)
  const start = marker?.start ?? listed[0]?.firstOffset ?? 0

  let incarnation = marker?.incarnation ?? null
  let expected = start
  let durable = Math.max(marker?.durable ?? start, promised)
  /** End of the last whole block of the last segment. */
  let wholeEnd = 0
  const troubles: Trouble[] = []
  const resume = (offset: number): void => {
    for (let index = troubles.length - 1; index >= 0 && troubles[index]!.to === null; index--)
      troubles[index]!.to = offset
  }
  const lacking = (segment: number, position: number, to: number, reason: string): void => {
    troubles.push({ segment, position, bytes: 0, expected, reason, to })
  }
  const firstChecked = firstToCheck(segments, place.checkBytes)
  segments.forEach((segment, index) => {
    wholeEnd = 0
    if (segment.firstOffset > expected) {
      if (troubles.at(-1)?.to === null) resume(segment.firstOffset)
      else lacking(index, 0, segment.firstOffset, 'records between two segments are missing')
      expected = segment.firstOffset
    }
    if (index < firstChecked) {
      // Looked at when it is read; the name of the next segment says where it ends.
      expected = segments[index + 1]!.firstOffset
      durable = Math.max(durable, expected)
      return
    }
    const next = segments.slice(index + 1).find(later => beginsWell(storage, later, { incarnation, partition, mark }))
    const bounds = { from: segment.firstOffset, to: next?.firstOffset ?? Number.POSITIVE_INFINITY }
    const file = storage.openForReading(segment.path)
    try {
      for (const item of walk(file, segment.bytes, { incarnation, partition, mark, ...bounds })) {
        if (item.kind === 'block' && incarnation === null) incarnation = item.header.incarnation
        const problem = problemOf(item, expected, incarnation)
        if (problem === null && item.kind === 'block') {
          const { header } = item
          if (troubles.at(-1)?.to === null) resume(header.firstOffset)
          else if (header.firstOffset > expected) {
            lacking(index, header.position, header.firstOffset, 'records between two blocks are missing')
          }
          expected = header.firstOffset + header.records
          durable = Math.max(durable, header.durableOffset)
          wholeEnd = header.position + item.length
          noteBlock(segment, header)
          continue
        }
        const position = item.kind === 'bad' ? item.position : item.header.position
        const whole = item.header !== null && item.header.firstOffset >= expected ? item.header : null
        troubles.push({
          segment: index,
          position,
          bytes: item.length,
          expected,
          reason: problem!,
          to: null,
        })
        if (whole !== null) {
          durable = Math.max(durable, whole.durableOffset)
          // The header says which offsets are lost, and the log goes on behind them.
          if (item.kind === 'bad' && !item.atEnd) {
            resume(whole.firstOffset + whole.records)
            expected = whole.firstOffset + whole.records
          }
        }
      }
    } finally {
      file.close()
    }
  })

  const cutAt = troubles.find(trouble => trouble.expected >= durable)
  const told = troubles.slice(0, cutAt === undefined ? undefined : troubles.indexOf(cutAt)).map((trouble): Damage => {
    const { position, bytes, reason } = trouble
    const to = trouble.to ?? durable
    const path = bytes === 0 ? null : segments[trouble.segment]!.path
    return { topic, partition, path, position, bytes, from: trouble.expected, to, reason, quarantined: null }
  })
  const damage = [...strays.map(stray => strayDamage(stray, topic, partition)), ...told]
  const common = { marker, incarnation, start, damage, strays: strays.map(({ path }) => path) }
  if (cutAt !== undefined) {
    const segment = segments[cutAt.segment]!
    const kept = segments.slice(0, cutAt.segment + 1)
    obsolete.push(...segments.slice(cutAt.segment + 1).map(later => later.path))
    // A segment whose name leaves a hole before it goes as a whole.
    const goesWhole = segment.firstOffset > cutAt.expected
    if (goesWhole) obsolete.push(kept.pop()!.path)
    const cut: Cut = {
      path: segment.path,
      position: goesWhole ? 0 : cutAt.position,
      bytes: segment.bytes - (goesWhole ? 0 : cutAt.position),
      offset: cutAt.expected,
      reason: cutAt.reason,
      quarantined: null,
    }
    if (!goesWhole) segment.bytes = cutAt.position
    trimPlaces(segment)
    const goesOn = kept.length > 0 && endsWhole(damage, kept.at(-1)!)
    return { ...common, segments: kept, obsolete, next: cutAt.expected, cut, goesOn }
  }
  const last = segments.at(-1)
  const next = Math.max(expected, durable)
  const isShort = expected < durable
  if (isShort && troubles.at(-1)?.to !== null) {
    damage.push({
      topic,
      partition,
      path: null,
      position: last?.bytes ?? 0,
      bytes: 0,
      from: expected,
      to: durable,
      reason: 'the end of the log is missing',
      quarantined: null,
    })
  }
  const goesOn = last !== undefined && !isShort && wholeEnd === last.bytes
  return { ...common, segments, obsolete, next, cut: null, goesOn }
}

/** No record of this log is lost with it. */
function strayDamage({ path, bytes, firstOffset }: Segment, topic: string, partition: number): Damage {
  const reason = 'the file belongs to another place and was renamed'
  const lost = { from: firstOffset, to: firstOffset }
  return { topic, partition, path, position: 0, bytes, ...lost, reason, quarantined: strayPath(path) }
}

function problemOf(item: Found, expected: number, incarnation: string | null): string | null {
  if (item.kind === 'bad') return item.reason
  if (item.header.incarnation !== incarnation) return 'the block belongs to another topic'
  return item.header.firstOffset < expected ? 'the block repeats earlier offsets' : null
}

function firstToCheck(segments: readonly Segment[], checkBytes: number): number {
  let index = segments.length
  for (let bytes = 0; index > 0 && (bytes < checkBytes || segments.length - index < CHECKED_MIN); )
    bytes += segments[--index]!.bytes
  return index
}

function trimPlaces(segment: Segment): void {
  while (segment.places.length > 0 && segment.places.at(-1)!.position >= segment.bytes) segment.places.pop()
}

/** Whether no damage reaches the end of the segment. */
function endsWhole(damage: readonly Damage[], segment: Segment): boolean {
  return !damage.some(({ path, position, bytes }) => path === segment.path && position + bytes >= segment.bytes)
}
