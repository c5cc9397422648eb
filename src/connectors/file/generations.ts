/**
 * What a path holds may be replaced: the file is cut and written anew, or another one takes its place. What it holds then
 * is a partition of its own, `PATH#2`, `PATH#3`, and so on, so that positions never mean other bytes than they did.
 */
import type { ResumePoint } from '../../formats/lines.ts'
import type { FileStatus } from '../../system/files.ts'
import type { Damage, PartitionEnd, PartitionInfo } from '../contract.ts'
import { beginsAs } from './fingerprint.ts'
import { isPlain, type Partition } from './readers.ts'

/** The partition that a path was last, and where it goes on; null: nothing of it has been read. */
export function latestOf(
  path: string,
  from: ReadonlyMap<string, ResumePoint>,
): { readonly name: string; readonly point: ResumePoint | null } {
  let name = path
  for (let next = nextName(path, name); from.has(next); next = nextName(path, name)) name = next
  return { name, point: from.get(name) ?? null }
}

export function nextName(path: string, name: string): string {
  const number = name === path ? 1 : Number(name.slice(path.length + 1))
  return `${path}#${number + 1}`
}

export interface Replacement {
  /** How far the old content was read. */
  readonly position: number
  readonly what: string
}

/** How the file's content was replaced since the point was kept; null: as far as can be told it was not. */
export function replacement(
  path: string,
  status: FileStatus,
  point: ResumePoint,
  isLines: boolean,
): Replacement | null {
  if (status.kind !== 'file') return null
  const { fingerprint, fileBytes, endedAt } = point
  const position = endedAt ?? point.position
  const bytesKnown = Math.max(fileBytes ?? 0, isLines ? position : 0)
  if (status.bytes < bytesKnown) return { position, what: 'it was cut, or another is there' }
  if (fingerprint === undefined || beginsAs(path, fingerprint)) return null
  return { position, what: 'it was written anew, or another is there' }
}

/** Where a partition goes on: one that had ended and whose file has grown since goes on where it ended. */
export function goingOn(status: FileStatus, point: ResumePoint): ResumePoint {
  const { endedAt, fileBytes } = point
  if (endedAt === undefined || fileBytes === undefined || status.bytes <= fileBytes) return point
  return { ...point, position: endedAt }
}

/** What a partition says last. */
export function endOfReplaced(
  { number, path }: Partition,
  { position, what }: Replacement,
  next: string,
): [Damage, PartitionEnd] {
  const reason = `the file is another one now: ${what}. It was read as far as byte ${position}; what it held behind that is lost. What ${path} holds now is read from its start, as ${next}`
  const damage: Damage = { kind: 'damaged', partition: number, position, reason, bytes: null, code: 'FILE_UNREADABLE' }
  return [damage, { kind: 'end', partition: number }]
}

export function infoOf(partition: Partition): PartitionInfo {
  const { name, status, from, fingerprint } = partition
  const goesOn = from?.endedAt !== undefined && from.position !== Number.POSITIVE_INFINITY
  return {
    name,
    bytes: isPlain(partition) ? status.bytes : null,
    ...(status.kind === 'file' ? { fingerprint, fileBytes: status.bytes } : {}),
    ...(goesOn ? { goesOn } : {}),
  }
}
