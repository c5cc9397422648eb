/** What is done to the files of a log besides appending: copies of damage, lengths, a look at a header. */
import { basename, join } from 'node:path'
import { MillraceError } from '../system/errors.ts'
import type { Storage, StorageFile } from '../system/storage.ts'
import { type BlockHeader, HEADER_BYTES, headerAt } from './block.ts'
import type { TopicLogOptions } from './options.ts'
import type { Cut, Recovered } from './recovery.ts'
import type { Segment } from './segment.ts'

const QUARANTINE_BYTES_MAX = 1024 * 1024 * 1024

/** What opening found damaged and cuts off, with its copies: of all damage, and of a cut that may be more than an unfinished write. */
export function setAsideAll(
  { damage, cut }: Pick<Recovered, 'damage' | 'cut'>,
  { storage, quarantine, topic, partition = 0 }: TopicLogOptions,
): Pick<Recovered, 'damage' | 'cut'> {
  const aside = (piece: { readonly path: string | null; readonly position: number; readonly bytes: number }) =>
    piece.path === null ? null : setAside(storage, quarantine, { ...piece, path: piece.path }, topic, partition)
  return {
    damage: damage.map(each => ({ ...each, quarantined: each.quarantined ?? aside(each) })),
    cut: cut && { ...cut, quarantined: holdsBlock(storage, cut) ? aside(cut) : null },
  }
}

/** Copies bytes of a damaged file into the folder of what was set aside; null when there is no room for them. */
function setAside(
  storage: Storage,
  quarantine: string,
  { path, position, bytes }: { readonly path: string; readonly position: number; readonly bytes: number },
  topic: string,
  partition: number,
): string | null {
  if (bytes === 0 || bytes > QUARANTINE_BYTES_MAX) return null
  const copy = join(quarantine, `${topic}-${partition}-${basename(path, '.log')}-${position}.block`)
  try {
    if (storage.lengthOf(copy) === bytes) return copy
    storage.makeFolder(quarantine)
    const from = storage.openForReading(path)
    try {
      copyTo(storage, copy, from, position, bytes)
    } finally {
      from.close()
    }
    storage.syncFolder(quarantine)
    return copy
  } catch {
    return null
  }
}

function copyTo(storage: Storage, path: string, from: StorageFile, position: number, bytes: number): void {
  const to = storage.open(path)
  try {
    const piece = Buffer.allocUnsafe(Math.min(bytes, 1024 * 1024))
    for (let at = 0; at < bytes; ) {
      const read = from.read(piece.subarray(0, Math.min(piece.length, bytes - at)), position + at)
      if (read === 0) break
      to.write(piece.subarray(0, read), at)
      at += read
    }
    to.syncNow()
  } finally {
    to.close()
  }
}

/** Whether what is cut off begins with a whole block's header: it may have been more than a write that was cut off. */
function holdsBlock(storage: Storage, { path, position, bytes }: Cut): boolean {
  if (bytes < HEADER_BYTES || storage.lengthOf(path) === null) return false
  const header = headerIn(storage, path, position)
  return header !== null && HEADER_BYTES + header.payloadBytes <= bytes
}

/** When the first record of a segment arrived, or null when its first block is not whole. */
export function firstArrivalIn(storage: Storage, segment: Segment): number | null {
  return headerIn(storage, segment.path, 0)?.firstArrival ?? null
}

/** The header of a block, null when there is no whole one. */
export function headerIn(storage: Storage, path: string, position: number): BlockHeader | null {
  const file = storage.openForReading(path)
  try {
    const bytes = Buffer.alloc(HEADER_BYTES)
    file.read(bytes, position)
    return headerAt(bytes, 0)?.header ?? null
  } finally {
    file.close()
  }
}

/** LOG_FULL for what a full disk, or a full quota, refused. */
export function coded(cause: unknown, topic: string): Error {
  if (!(cause instanceof MillraceError)) return cause instanceof Error ? cause : new Error(String(cause))
  const code = (cause.cause as NodeJS.ErrnoException | undefined)?.code
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return cause
  return new MillraceError('LOG_FULL', `The disk has no room for more records of topic ${topic}.`, { cause })
}

/** Makes a segment safe, cut to a length where one is given. */
export function syncSegment(storage: Storage, segment: Segment, length: number | null = null): void {
  const file = storage.open(segment.path)
  try {
    if (length !== null && file.length() > length) file.truncate(length)
    file.syncNow()
  } finally {
    file.close()
  }
}
