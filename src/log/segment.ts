/** Segments: append-only files of blocks, named by the offset of their first record; and how one is read block by block. */
import { join } from 'node:path'
import type { StorageFile } from '../system/storage.ts'
import { type Block, type BlockHeader, blockOf, HEADER_BYTES, headerAt, MAGIC_BYTES } from './block.ts'
import { marksAgree } from './place-mark.ts'

const SEGMENT_NAME = /^\d{20}\.log$/
const READ_AHEAD_BYTES = 512 * 1024
const PLACE_EVERY_BYTES = 1024 * 1024

export interface Segment {
  readonly firstOffset: number
  readonly path: string
  /** Length of the file as far as it holds blocks. */
  bytes: number
  /** How much of it is safe from a loss of power. */
  durableBytes: number
  /** Arrival times of its first and last record, microseconds; null where nobody has looked or there is none. */
  firstArrival: number | null
  lastArrival: number | null
  /** Where some of its blocks begin, about one a megabyte, in rising order. */
  readonly places: { readonly offset: number; readonly position: number }[]
}

export function segmentOf(folder: string, firstOffset: number, bytes: number): Segment {
  const path = join(folder, `${String(firstOffset).padStart(20, '0')}.log`)
  return { firstOffset, path, bytes, durableBytes: bytes, firstArrival: null, lastArrival: null, places: [] }
}

/** The first offset in a segment's name, or null when it is the name of something else. */
export function offsetInName(name: string): number | null {
  return SEGMENT_NAME.test(name) ? Number(name.slice(0, 20)) : null
}

/** Remembers a block that stands in the segment: arrival times, and now and then its place. */
export function noteBlock(segment: Segment, header: BlockHeader): void {
  segment.firstArrival ??= header.firstArrival
  segment.lastArrival = Math.max(segment.lastArrival ?? header.lastArrival, header.lastArrival)
  const last = segment.places.at(-1)
  if (last !== undefined && header.position < last.position + PLACE_EVERY_BYTES) return
  segment.places.push({ offset: header.firstOffset, position: header.position })
}

/** Where to begin to read so as to meet the block of an offset. */
export function positionBefore(segment: Segment, offset: number): number {
  let position = 0
  for (const place of segment.places) {
    if (place.offset > offset) break
    position = place.position
  }
  return position
}

/** What a topic's blocks have in common. */
export interface Expected {
  /** null: not known yet. */
  readonly incarnation: string | null
  readonly partition: number
  readonly mark: number
}

/** The offsets of a segment: a block of others was copied from another one. */
export interface Bounds {
  readonly from: number
  /** Excluded. */
  readonly to: number
}

export type Found =
  | { readonly kind: 'block'; readonly header: BlockHeader; readonly block: Block | null; readonly length: number }
  | {
      readonly kind: 'bad'
      readonly position: number
      readonly length: number
      readonly reason: string
      /** The header where it is whole and only the payload is damaged. */
      readonly header: BlockHeader | null
      /** The damage goes on to the end of the file. */
      readonly atEnd: boolean
    }

/**
 * The blocks of a segment from a position (`start`) on, and each damaged place between them; bytes are lent until the next step.
 * Payloads of blocks that `skips` are not read: their `block` is null.
 */
export function* walk(
  file: StorageFile,
  fileLength: number,
  expected: Expected & Bounds,
  start = 0,
  skips: (header: BlockHeader) => boolean = () => false,
): Generator<Found, void, undefined> {
  const window = new Window(file, fileLength)
  for (let position = start; position < fileLength; ) {
    const bytes = window.at(position, HEADER_BYTES)
    const found = headerAt(bytes, 0)
    const problem = found === null ? 'no block begins here' : misplaced(found.header, expected, position)
    if (found === null || problem !== null) {
      const next = nextHeader(window, fileLength, position + 1, expected)
      yield {
        kind: 'bad',
        position,
        length: next - position,
        reason: problem ?? reasonOf(bytes),
        header: null,
        atEnd: next === fileLength,
      }
      position = next
      continue
    }
    const { header, checksum } = found
    const length = HEADER_BYTES + header.payloadBytes
    if (position + length > fileLength) {
      yield {
        kind: 'bad',
        position,
        length: fileLength - position,
        reason: 'the block is cut off',
        header,
        atEnd: true,
      }
      return
    }
    if (skips(header)) yield { kind: 'block', header, block: null, length }
    else {
      const payload = window.at(position + HEADER_BYTES, header.payloadBytes)
      const block = payload.length < header.payloadBytes ? null : blockOf(header, checksum, payload)
      if (block !== null) yield { kind: 'block', header, block, length }
      else {
        const atEnd = position + length === fileLength
        yield { kind: 'bad', position, length, reason: 'the checksum of its records is wrong', header, atEnd }
      }
    }
    position += length
  }
}

function misplaced(header: BlockHeader, expected: Expected & Bounds, position: number): string | null {
  if (header.position !== position) return `the block belongs to byte ${header.position}`
  const stranger = strangeness(header, expected)
  if (stranger !== null) return stranger
  if (header.firstOffset >= expected.from && header.firstOffset < expected.to) return null
  return `the block belongs to offset ${header.firstOffset}, in another segment`
}

/** Why a block cannot be one of this log, null when it can. */
export function strangeness(header: BlockHeader, { incarnation, partition, mark }: Expected): string | null {
  if (header.partition !== partition) return `the block belongs to partition ${header.partition}`
  const isOwn = marksAgree(header.mark, mark) && (incarnation === null || header.incarnation === incarnation)
  return isOwn ? null : 'the block belongs to another topic'
}

function reasonOf(bytes: Buffer): string {
  if (bytes.length < HEADER_BYTES) return 'the header of a block is cut off'
  return bytes.subarray(0, MAGIC_BYTES.length).equals(MAGIC_BYTES)
    ? 'the checksum of a header is wrong'
    : 'no block begins here'
}

/** Where the next whole header begins, the end of the file when there is none. */
function nextHeader(window: Window, fileLength: number, from: number, expected: Expected & Bounds): number {
  for (let position = from; position + HEADER_BYTES <= fileLength; ) {
    const bytes = window.at(position, Math.min(READ_AHEAD_BYTES, fileLength - position))
    for (let at = bytes.indexOf(MAGIC_BYTES); at >= 0; at = bytes.indexOf(MAGIC_BYTES, at + 1)) {
      const found = headerAt(bytes, at)
      if (found !== null && misplaced(found.header, expected, position + at) === null) return position + at
    }
    // A header may lie across the end of what was looked at.
    if (bytes.length <= HEADER_BYTES) break
    position += bytes.length - HEADER_BYTES + 1
  }
  return fileLength
}

/** A piece of a file in memory that moves on as it is read. */
class Window {
  readonly #file: StorageFile
  readonly #fileLength: number
  #buffer = Buffer.alloc(0)
  #start = 0
  #length = 0

  constructor(file: StorageFile, fileLength: number) {
    this.#file = file
    this.#fileLength = fileLength
  }

  /** Bytes at a position, fewer when the file ends; lent until the next call. */
  at(position: number, wanted: number): Buffer {
    const length = Math.max(0, Math.min(wanted, this.#fileLength - position))
    if (position < this.#start || position + length > this.#start + this.#length) this.#read(position, length)
    const from = position - this.#start
    return this.#buffer.subarray(from, Math.min(from + length, this.#length))
  }

  #read(position: number, length: number): void {
    const wanted = Math.min(Math.max(length, READ_AHEAD_BYTES), this.#fileLength - position)
    if (this.#buffer.length < wanted) this.#buffer = Buffer.allocUnsafe(wanted)
    this.#start = position
    this.#length = this.#file.read(this.#buffer.subarray(0, wanted), position)
  }
}
