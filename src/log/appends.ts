/**
 * The appends of a block and their headers: short texts that were handed over with the records and are stored once.
 *
 * They stand behind the records and their index, and only in blocks in which an append has headers: for each append the
 * number of its records and the length of its headers (4 bytes each) and the headers as JSON (no bytes: none), and at the
 * very end the length of all this (4 bytes). An append is never split over two blocks.
 */
import type { Block } from './block.ts'

/** Few and short. */
export type Headers = Readonly<Record<string, string>>

const LENGTH_BYTES = 4
const ENTRY_BYTES = 8

export interface StoredAppend {
  readonly firstOffset: number
  readonly records: number
  readonly headers: Headers | null
}

/** Where the appends begin in the payload of a block that has them. */
export function appendsBegin(payload: Buffer): number {
  return payload.length - LENGTH_BYTES - payload.readUInt32LE(payload.length - LENGTH_BYTES)
}

/**
 * The appends of a block in their order. Neighbours without headers may be given as one: a block without any headers is
 * one append.
 */
export function* appendsOf({ header, appends }: Pick<Block, 'header' | 'appends'>): Generator<StoredAppend> {
  if (!header.hasHeaders) {
    yield { firstOffset: header.firstOffset, records: header.records, headers: null }
    return
  }
  let firstOffset = header.firstOffset
  for (let at = 0; at < appends.length - LENGTH_BYTES; ) {
    const records = appends.readUInt32LE(at)
    const length = appends.readUInt32LE(at + LENGTH_BYTES)
    at += ENTRY_BYTES
    const headers = length === 0 ? null : (JSON.parse(appends.toString('utf8', at, at + length)) as Headers)
    at += length
    yield { firstOffset, records, headers }
    firstOffset += records
  }
}

/** Gathers the appends of a block that is being built. */
export class AppendsBuilder {
  #entries: { records: number; readonly headers: Buffer | null }[] = []
  #headersBytes = 0
  hasHeaders = false

  /** Length of what `write` writes. */
  get bytes(): number {
    return this.hasHeaders ? this.#entries.length * ENTRY_BYTES + this.#headersBytes + LENGTH_BYTES : 0
  }

  add(records: number, headers: Headers | null): void {
    const last = this.#entries.at(-1)
    if (headers === null) {
      if (last !== undefined && last.headers === null) last.records += records
      else this.#entries.push({ records, headers: null })
      return
    }
    const bytes = Buffer.from(JSON.stringify(headers))
    this.#entries.push({ records, headers: bytes })
    this.#headersBytes += bytes.length
    this.hasHeaders = true
  }

  /** Writes the appends at the end of the block; nothing when none has headers. */
  write(block: Buffer): void {
    if (!this.hasHeaders) return
    const { bytes } = this
    let at = block.length - bytes
    for (const { records, headers } of this.#entries) {
      at = block.writeUInt32LE(records, at)
      at = block.writeUInt32LE(headers?.length ?? 0, at)
      if (headers !== null) at += headers.copy(block, at)
    }
    block.writeUInt32LE(bytes - LENGTH_BYTES, at)
  }

  clear(): void {
    this.#entries = []
    this.#headersBytes = 0
    this.hasHeaders = false
  }
}
