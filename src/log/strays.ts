/**
 * Segments that are none of a log's: files of another topic, or of another place in the same one, that somebody copied
 * into its folder. They are told, renamed out of the way, and never read.
 */
import type { Storage } from '../system/storage.ts'
import { headerIn } from './mend.ts'
import { type Bounds, type Expected, type Segment, strangeness, walk } from './segment.ts'

const STRAY_SUFFIX = '.stray'

/** Whether a segment begins with a whole block that stands where it belongs. */
export function beginsWell(storage: Storage, segment: Segment, expected: Expected): boolean {
  const header = headerIn(storage, segment.path, 0)
  if (header === null || header.position !== 0 || header.firstOffset !== segment.firstOffset) return false
  return strangeness(header, expected) === null
}

/** The segments, in order, without those that are none; and these. */
export function withoutStrays(
  storage: Storage,
  listed: readonly Segment[],
  expected: Expected,
): { segments: Segment[]; strays: Segment[] } {
  const segments: Segment[] = []
  const strays: Segment[] = []
  listed.forEach((segment, index) => {
    const next = listed[index + 1]?.firstOffset ?? Number.POSITIVE_INFINITY
    const isOne = isStray(storage, segment, next, segments.at(-1), expected)
    ;(isOne ? strays : segments).push(segment)
  })
  return { segments, strays }
}

/** None of its blocks stands where it belongs, and it holds blocks of another place, or its name is in `previous`. */
function isStray(
  storage: Storage,
  segment: Segment,
  next: number,
  previous: Segment | undefined,
  expected: Expected,
): boolean {
  if (beginsWell(storage, segment, expected)) return false
  const bounds = { from: segment.firstOffset, to: next }
  if (endOf(storage, segment, { ...expected, ...bounds }) !== null) return false
  if (headerIn(storage, segment.path, 0) !== null) return true
  if (previous === undefined) return false
  const all = { from: previous.firstOffset, to: Number.POSITIVE_INFINITY }
  return (endOf(storage, previous, { ...expected, ...all }) ?? 0) > segment.firstOffset
}

/** The offset behind the last block of a segment that stands where it belongs, null when there is none. */
function endOf(storage: Storage, segment: Segment, expected: Expected & Bounds): number | null {
  const file = storage.openForReading(segment.path)
  try {
    let end: number | null = null
    for (const item of walk(file, segment.bytes, expected, 0, () => true)) {
      if (item.kind === 'block') end = item.header.firstOffset + item.header.records
    }
    return end
  } finally {
    file.close()
  }
}

/** Where a stray file is kept. */
export function strayPath(path: string): string {
  return `${path}${STRAY_SUFFIX}`
}
