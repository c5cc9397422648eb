/**
 * Reads the stored topics of a data directory by docs/log.md alone, sharing no code with what wrote them: every block with
 * both its checksums, every offset in its turn.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

const HEADER_BYTES = 96

export interface Stored {
  /** The records, partition by partition, each partition in its order. */
  readonly records: readonly string[]
  /** What is wrong with the files, with its place. */
  readonly faults: readonly string[]
}

/** All records of a topic; none when nothing was ever stored in it. */
export function readStored(dataDirectory: string, topic: string): Stored {
  const records: string[] = []
  const faults: string[] = []
  const root = join(dataDirectory, 'topics', topic)
  for (const partition of namesIn(root).filter(name => /^\d+$/.test(name))) {
    let next: number | null = null
    for (const name of namesIn(join(root, partition)).filter(name => name.endsWith('.log'))) {
      next = readSegment(join(root, partition, name), Number(name.slice(0, -4)), next, records, faults)
    }
  }
  return { records, faults }
}

/** Answers the offset that must come next. */
function readSegment(
  path: string,
  named: number,
  expected: number | null,
  records: string[],
  faults: string[],
): number | null {
  const bytes = readFileSync(path)
  let next = expected
  if (next !== null && named !== next && bytes.length > 0) faults.push(`${path} begins at ${named}, not at ${next}`)
  for (let at = 0; at < bytes.length; ) {
    const place = `${path} at byte ${at}`
    if (bytes.length - at < HEADER_BYTES || bytes.toString('latin1', at, at + 4) !== 'MBLK') {
      faults.push(`${place}: ${bytes.length - at} bytes that are no block`)
      return next
    }
    const header = bytes.subarray(at, at + HEADER_BYTES)
    const payload = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + header.readUInt32LE(68))
    if (crc32(header.subarray(0, 92)) !== header.readUInt32LE(92)) faults.push(`${place}: the header is damaged`)
    if (crc32(payload) !== header.readUInt32LE(80)) faults.push(`${place}: the payload is damaged`)
    const first = Number(header.readBigUInt64LE(32))
    if (next !== null && first !== next) faults.push(`${place}: offset ${first}, not ${next}`)
    const count = header.readUInt32LE(64)
    let start = 0
    for (let record = 0; record < count; record++) {
      const end = payload.indexOf(10, start)
      records.push(payload.toString('utf8', start, end))
      start = end + 1
    }
    next = first + count
    at += HEADER_BYTES + payload.length
  }
  return next
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}
