/** Plain NDJSON files: the hot path. Read with one call a chunk into a buffer that all partitions share. */

import { DAMAGED_BYTES_KEPT, lineTooLong } from '../../formats/lines.ts'
import type { Clock } from '../../system/clock.ts'
import { closeFile, type FileStatus, openForReading, readBytes, statusOf, statusOfOpen } from '../../system/files.ts'
import { FINGERPRINT_BYTES, fingerprintLength, fingerprintOfOpen, NO_BYTES } from './fingerprint.ts'
import type { PartitionEvent, PartitionReader } from './readers.ts'

const LINE_FEED = 10

/** The shared buffer: one caller reads one partition at a time, and a chunk is valid until the next read. */
export interface SharedBuffer {
  readonly bytes: Buffer
}

/**
 * Reads one file from a position on. Bounded: to the length that it had when it was opened. Following: until another file
 * has taken its place, or it was cut: what is there now is another partition.
 */
export class PlainReader implements PartitionReader {
  readonly #path: string
  readonly #shared: SharedBuffer
  readonly #follow: boolean
  readonly #clock: Clock
  #descriptor = -1
  #opened: FileStatus | null = null
  #position = 0
  #fingerprint: string

  constructor(path: string, shared: SharedBuffer, follow: boolean, clock: Clock, from = 0, fingerprint = NO_BYTES) {
    this.#position = from
    this.#fingerprint = fingerprint
    this.#path = path
    this.#shared = shared
    this.#follow = follow
    this.#clock = clock
  }

  async next(): Promise<PartitionEvent> {
    if (this.#descriptor < 0) {
      if (this.#follow && statusOf(this.#path) === null) return { kind: 'idle' }
      this.#descriptor = openForReading(this.#path)
      this.#opened = statusOfOpen(this.#descriptor)
    }
    const buffer = this.#shared.bytes
    const limit = this.#follow ? buffer.length : Math.min(buffer.length, this.#opened!.bytes - this.#position)
    const read = limit <= 0 ? 0 : readBytes(this.#descriptor, buffer, 0, limit, this.#position)
    if (read === 0) return this.#atEnd()
    // Since the last read it may have been cut, and have grown past where it was: the process may have stood still.
    const known = fingerprintLength(this.#fingerprint)
    if (this.#follow && fingerprintOfOpen(this.#descriptor, known) !== this.#fingerprint) {
      return this.#replaced('it was cut and written anew')
    }
    const end = buffer.lastIndexOf(LINE_FEED, read - 1)
    if (end >= 0) return this.#records(end + 1)
    // No line feed before the end of the file: the last line, or one that is still being written.
    if (!this.#follow && this.#position + read === this.#opened!.bytes) return this.#records(read)
    if (read === buffer.length) return this.#skipLongLine()
    if (this.#follow) return this.#atEnd()
    this.#opened = { ...this.#opened!, bytes: this.#position + read }
    return this.#note('the file was cut while it was read')
  }

  close(): void {
    if (this.#descriptor >= 0) closeFile(this.#descriptor)
    this.#descriptor = -1
  }

  #records(length: number): PartitionEvent {
    const position = this.#position
    this.#position += length
    const arrival = this.#follow ? this.#clock.now() : null
    const bytes = this.#shared.bytes
    // A byte order mark is no part of the first record.
    const skip = position === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
    const known = fingerprintLength(this.#fingerprint)
    const isKnown = !this.#follow || known >= Math.min(FINGERPRINT_BYTES, this.#position)
    if (!isKnown) this.#fingerprint = fingerprintOfOpen(this.#descriptor, this.#position)
    return {
      kind: 'records',
      bytes: bytes.subarray(skip, length),
      position: position + skip,
      arrival,
      ...(isKnown ? {} : { fingerprint: this.#fingerprint }),
    }
  }

  #skipLongLine(): PartitionEvent {
    const buffer = this.#shared.bytes
    const start = this.#position
    const head = Buffer.from(buffer.subarray(0, DAMAGED_BYTES_KEPT))
    let at = start + buffer.length
    for (;;) {
      const limit = this.#follow ? buffer.length : Math.min(buffer.length, this.#opened!.bytes - at)
      const read = limit <= 0 ? 0 : readBytes(this.#descriptor, buffer, 0, limit, at)
      if (read === 0) break
      const end = buffer.subarray(0, read).indexOf(LINE_FEED)
      at += end < 0 ? read : end + 1
      if (end >= 0) break
    }
    this.#position = at
    return {
      kind: 'damaged',
      position: start,
      reason: lineTooLong(at - start, buffer.length),
      bytes: head,
      bytesTotal: at - start,
      lines: 1,
    }
  }

  #atEnd(): PartitionEvent {
    if (!this.#follow) {
      if (this.#position >= this.#opened!.bytes) return { kind: 'end' }
      this.#opened = { ...this.#opened!, bytes: this.#position }
      return this.#note('the file was cut while it was read')
    }
    if (statusOfOpen(this.#descriptor).bytes < this.#position) return this.#replaced('it was cut')
    const now = statusOf(this.#path)
    if (now !== null && now.identity !== this.#opened!.identity) {
      // What the old file held to its end has been read, but for a line without its line feed: it will not grow now.
      const buffer = this.#shared.bytes
      const read = readBytes(this.#descriptor, buffer, 0, buffer.length, this.#position)
      if (read > 0 && read < buffer.length) return this.#records(read)
      return this.#replaced('another file has taken its place')
    }
    return { kind: 'idle' }
  }

  #replaced(what: string): PartitionEvent {
    return { kind: 'replaced', position: this.#position, what }
  }

  #note(reason: string): PartitionEvent {
    return { kind: 'damaged', position: this.#position, reason, bytes: null }
  }
}
