/**
 * The CSV entries of a zip file, each readable on its own and unpacked as it is read; nothing is ever written to disk, so
 * an entry's name is only a name.
 */
import { crc32, createInflateRaw } from 'node:zlib'
import { closeFile, openForReading, readBytes, statusOfOpen } from '../system/files.ts'
import { unpackedBytes } from './bytes.ts'
import { Damaged } from './lines.ts'

export interface ZipEntry {
  readonly name: string
  /** 0: stored, 8: deflated. */
  readonly method: number
  /** Bytes in the zip; null when only the entry itself will tell. */
  readonly packedBytes: number | null
  /** CRC-32 of the unpacked bytes; null when the list of contents is missing. */
  readonly checksum: number | null
  /** Where its local header is. */
  readonly offset: number
}

export interface ZipListing {
  readonly entries: readonly ZipEntry[]
  /** Why the list of contents at the end of the file could not be used; null when it could. */
  readonly damage: string | null
}

const LOCAL = 0x04034b50
const CENTRAL = 0x02014b50
const END = 0x06054b50
const LOCAL_BYTES = 30
const CENTRAL_BYTES = 46
const END_BYTES = 22
/** No honest export has a longer list of contents. */
const DIRECTORY_BYTES_MAX = 16 * 1024 * 1024
const UNKNOWN_32 = 0xffffffff

/** The entries by the list at the file's end or, when that is cut off or damaged, by looking for their headers. */
export function listZip(path: string): ZipListing {
  const descriptor = openForReading(path)
  try {
    const size = statusOfOpen(descriptor).bytes
    try {
      return { entries: centralDirectory(descriptor, size), damage: null }
    } catch (error) {
      return { entries: scanForHeaders(descriptor, size), damage: (error as Error).message }
    }
  } finally {
    closeFile(descriptor)
  }
}

function readAt(descriptor: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length)
  let held = 0
  while (held < length) {
    const read = readBytes(descriptor, buffer, held, length - held, position + held)
    if (read === 0) break
    held += read
  }
  return buffer.subarray(0, held)
}

function centralDirectory(descriptor: number, size: number): ZipEntry[] {
  // The end record is followed by a comment of at most 65,535 bytes.
  const tailStart = Math.max(0, size - END_BYTES - 65_535)
  const tail = readAt(descriptor, tailStart, size - tailStart)
  let end = tail.length - END_BYTES
  while (end >= 0 && tail.readUInt32LE(end) !== END) end--
  if (end < 0) throw new Error('the zip file is cut off: its list of contents is missing')
  const length = tail.readUInt32LE(end + 12)
  const start = tail.readUInt32LE(end + 16)
  if (start === UNKNOWN_32 || length === UNKNOWN_32) throw new Error('the zip file is in the form for more than 4 GB')
  if (start + length > size || length > DIRECTORY_BYTES_MAX)
    throw new Error('the zip file’s list of contents is damaged')
  const list = readAt(descriptor, start, length)
  const entries: ZipEntry[] = []
  for (let at = 0; at + CENTRAL_BYTES <= list.length; ) {
    if (list.readUInt32LE(at) !== CENTRAL) throw new Error('the zip file’s list of contents is damaged')
    const nameLength = list.readUInt16LE(at + 28)
    const extra = list.readUInt16LE(at + 30) + list.readUInt16LE(at + 32)
    const packedBytes = list.readUInt32LE(at + 20)
    entries.push({
      name: list.toString('utf8', at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameLength),
      method: list.readUInt16LE(at + 10),
      packedBytes: packedBytes === UNKNOWN_32 ? null : packedBytes,
      checksum: list.readUInt32LE(at + 16),
      offset: list.readUInt32LE(at + 42),
    })
    at += CENTRAL_BYTES + nameLength + extra
  }
  return entries
}

/** Packed data may look like a header by chance: only one that names a CSV file counts. */
function scanForHeaders(descriptor: number, size: number): ZipEntry[] {
  const entries: ZipEntry[] = []
  const signature = Buffer.from([0x50, 0x4b, 0x03, 0x04])
  const step = 1024 * 1024
  for (let position = 0; position < size; position += step) {
    // Windows overlap, so that no header is cut by their edge.
    const window = readAt(descriptor, position, step + LOCAL_BYTES + 256)
    for (let at = window.indexOf(signature); at >= 0 && at < step; at = window.indexOf(signature, at + 1)) {
      if (at + LOCAL_BYTES > window.length || window.readUInt32LE(at) !== LOCAL) continue
      const method = window.readUInt16LE(at + 8)
      const nameLength = window.readUInt16LE(at + 26)
      const name = window.toString('utf8', at + LOCAL_BYTES, at + LOCAL_BYTES + nameLength)
      if (nameLength > 255 || !/^[\w ./-]+\.csv$/i.test(name) || (method !== 0 && method !== 8)) continue
      const packed = window.readUInt32LE(at + 18)
      entries.push({
        name,
        method,
        packedBytes: packed === 0 || packed === UNKNOWN_32 ? null : packed,
        checksum: null,
        offset: position + at,
      })
    }
  }
  return entries
}

/** The entry's unpacked bytes; throws Damaged where it is broken or cut off, after all that came before. */
export async function* entryBytes(path: string, entry: ZipEntry): AsyncGenerator<Uint8Array, void, undefined> {
  let checksum = 0
  for await (const bytes of rawEntryBytes(path, entry)) {
    checksum = crc32(bytes, checksum)
    yield bytes
  }
  if (entry.checksum !== null && checksum !== entry.checksum) {
    throw new Damaged(`the zip entry ${entry.name} has another checksum: some of its rows are not what was written`)
  }
}

async function* rawEntryBytes(path: string, entry: ZipEntry): AsyncGenerator<Uint8Array, void, undefined> {
  const descriptor = openForReading(path)
  try {
    const header = readAt(descriptor, entry.offset, LOCAL_BYTES)
    if (header.length < LOCAL_BYTES || header.readUInt32LE(0) !== LOCAL) {
      throw new Damaged(`the zip entry ${entry.name} is not where the list of contents says`)
    }
    if ((header.readUInt16LE(6) & 1) === 1) throw new Damaged(`the zip entry ${entry.name} is encrypted`)
    const start = entry.offset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28)
    const end = entry.packedBytes === null ? Number.POSITIVE_INFINITY : start + entry.packedBytes
    if (entry.method === 8) {
      yield* unpackedBytes(descriptor, () => createInflateRaw(), `the zip entry ${entry.name}`, { start, end })
    } else if (entry.method === 0 && Number.isFinite(end)) {
      for (let position = start; position < end; ) {
        const bytes = readAt(descriptor, position, Math.min(64 * 1024, end - position))
        if (bytes.length === 0) throw new Damaged(`the zip entry ${entry.name} is cut off`)
        position += bytes.length
        yield bytes
      }
    } else
      throw new Damaged(`the zip entry ${entry.name} is packed in a way that is not known (method ${entry.method})`)
  } finally {
    closeFile(descriptor)
  }
}
