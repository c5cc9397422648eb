/**
 * Plain NDJSON files cut into ranges that threads read by themselves.
 *
 * A range owns the lines that begin in it: its reader skips to the first line that begins at or after its start and reads
 * on past its end to the end of its last line.
 */
import { closeFile, openForReading, readBytes } from '../../system/files.ts'

const LINE_FEED = 10

export interface PlainFile {
  readonly path: string
  readonly bytes: number
  /** Where its first line begins that is still to be read. Default 0. */
  readonly start?: number
}

export interface Range {
  readonly partition: number
  readonly start: number
  readonly end: number
}

/** Ranges of all files: file by file, or one of each file in turn, so that no partition lags far behind the others. */
export function rangesOf(files: readonly PlainFile[], rangeBytes: number, oneByOne: boolean): Range[] {
  if (oneByOne) {
    return files.flatMap((file, partition) =>
      rangesOf([file], rangeBytes, false).map(range => ({ ...range, partition })),
    )
  }
  const ranges: Range[] = []
  const longest = files.reduce((most, file) => Math.max(most, file.bytes), 0)
  for (let start = 0; start < longest; start += rangeBytes) {
    files.forEach((file, partition) => {
      const from = Math.max(start, file.start ?? 0)
      const end = Math.min(start + rangeBytes, file.bytes)
      if (from < end) ranges.push({ partition, start: from, end })
    })
  }
  return ranges
}

/** The lines of a range, lying in the buffer from `from` to `to`. */
export interface RangeLines {
  readonly from: number
  readonly to: number
  /** Position in the file of the buffer's first byte. */
  readonly position: number
  /** The last line of the range is longer than a record may be: it begins at `to`. */
  readonly endsInLongLine: boolean
}

export class RangeReader {
  readonly #files: readonly PlainFile[]
  readonly #recordBytesMax: number
  readonly #descriptors: number[] = []

  constructor(files: readonly PlainFile[], recordBytesMax: number) {
    this.#files = files
    this.#recordBytesMax = recordBytesMax
  }

  /** Reads the lines that begin in the range into a buffer that holds the range and the longest record. */
  read({ partition, start, end }: Range, buffer: Buffer): RangeLines {
    const descriptor = this.#descriptor(partition)
    const { bytes } = this.#files[partition]!
    // One byte before the range tells whether a line begins at its start.
    const position = start === 0 ? 0 : start - 1
    const inRange = end - position
    const room = Math.min(bytes - position, buffer.length)
    let known = readBytes(descriptor, buffer, 0, Math.min(inRange + LINE_BYTES_USUAL, room), position)
    let from = 0
    if (start > 0) from = buffer.subarray(0, Math.min(known, inRange)).indexOf(LINE_FEED) + 1
    const none = { from: 0, to: 0, position, endsInLongLine: false }
    if ((start > 0 && from === 0) || from >= inRange) return none
    if (start === 0 && buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf) from = 3
    const lastLine = Math.max(from, buffer.lastIndexOf(LINE_FEED, Math.min(known, inRange) - 2) + 1)
    for (let searched = Math.min(known, inRange) - 1; ; ) {
      const lineFeed = buffer.subarray(0, known).indexOf(LINE_FEED, searched)
      const length = (lineFeed < 0 ? known : lineFeed) - lastLine
      const mayGoOn = lineFeed >= 0 || position + known < bytes
      if (length > this.#recordBytesMax || (length === this.#recordBytesMax && mayGoOn))
        return { from, to: lastLine, position, endsInLongLine: true }
      if (lineFeed >= 0) return { from, to: lineFeed + 1, position, endsInLongLine: false }
      searched = known
      known += readBytes(descriptor, buffer, known, room - known, position + known)
      // The file ends without a line feed.
      if (known === searched) return { from, to: known, position, endsInLongLine: false }
    }
  }

  close(): void {
    for (const descriptor of this.#descriptors) if (descriptor !== undefined) closeFile(descriptor)
    this.#descriptors.length = 0
  }

  #descriptor(partition: number): number {
    this.#descriptors[partition] ??= openForReading(this.#files[partition]!.path)
    return this.#descriptors[partition]
  }
}

/** Read past the end of a range at once, so that its last line is whole without a second call. */
const LINE_BYTES_USUAL = 4096
