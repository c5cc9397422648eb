/**
 * The marker of a topic's partition: where it begins, and an offset below which all was safe when it was written.
 *
 * It tells damage (a block below that offset is missing) from a write that a crash cut off (nobody was promised it).
 * Three slots of 64 bytes: slot 0 is written after each commit and not synced, so it may be lost, never wrong; slots 1
 * and 2 are written in turn, each synced before the other is written again: one of them is always whole. When a log is
 * cut back, what was safe before counts no more: the slots of the highest cut alone say how far it reaches.
 */
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Storage, StorageFile } from '../system/storage.ts'
import { marksAgree } from './place-mark.ts'

const MARKER_NAME = 'marker'
const SLOT_BYTES = 64
const SLOTS = 3
const MARK_AT = 56
const MAGIC = 0x4b52414d
const VERSION = 1

export interface MarkerState {
  readonly incarnation: string
  /** First offset that is kept; what is below went by retention. */
  readonly start: number
  /** All offsets below it were durable. */
  readonly durable: number
}

/** What the slots say together, or null when none is whole, or they are of another place than the `mark` says. */
export function readMarker(storage: Storage, folder: string, mark: number): MarkerState | null {
  const path = join(folder, MARKER_NAME)
  const length = storage.lengthOf(path)
  if (length === null) return null
  const file = storage.openForReading(path)
  try {
    return read(file, mark)?.state ?? null
  } finally {
    file.close()
  }
}

interface Found {
  readonly state: MarkerState
  readonly sequence: number
  readonly lastSynced: number
  /** How often the log had been cut back. */
  readonly cuts: number
}

function read(file: StorageFile, mark: number): Found | null {
  const bytes = Buffer.alloc(SLOT_BYTES * SLOTS)
  file.read(bytes, 0)
  let state = null as MarkerState | null
  let sequence = 0
  let cuts = 0
  let lastSynced = 1
  let lastSyncedSequence = -1
  for (let slot = 0; slot < SLOTS; slot++) {
    const at = slot * SLOT_BYTES
    if (bytes.readUInt32LE(at) !== MAGIC || bytes.readUInt32LE(at + 4) !== VERSION) continue
    if (crc32(bytes.subarray(at, at + SLOT_BYTES - 4)) !== bytes.readUInt32LE(at + SLOT_BYTES - 4)) continue
    if (!marksAgree(bytes.readUInt32LE(at + MARK_AT), mark)) continue
    const own = Number(bytes.readBigUInt64LE(at + 24))
    if (slot > 0 && own > lastSyncedSequence) {
      lastSynced = slot
      lastSyncedSequence = own
    }
    const ownCuts = Number(bytes.readBigUInt64LE(at + 48))
    const durable = Number(bytes.readBigUInt64LE(at + 40))
    state = {
      incarnation: state === null || own >= sequence ? bytes.toString('hex', at + 8, at + 24) : state.incarnation,
      start: Math.max(state?.start ?? 0, Number(bytes.readBigUInt64LE(at + 32))),
      durable: ownCuts > cuts ? durable : ownCuts < cuts ? state!.durable : Math.max(state?.durable ?? 0, durable),
    }
    cuts = Math.max(cuts, ownCuts)
    sequence = Math.max(sequence, own)
  }
  return state === null ? null : { state, sequence, lastSynced, cuts }
}

/** The marker of a log that is open for writing. */
export class Marker {
  readonly #file: StorageFile
  readonly #slot = Buffer.alloc(SLOT_BYTES)
  readonly #mark: number
  #sequence: number
  #lastSynced: number
  #cuts: number

  constructor(storage: Storage, folder: string, mark: number) {
    this.#mark = mark
    this.#file = storage.open(join(folder, MARKER_NAME))
    try {
      const found = read(this.#file, mark)
      this.#sequence = found?.sequence ?? 0
      this.#lastSynced = found?.lastSynced ?? 2
      this.#cuts = found?.cuts ?? 0
      // All of it has its place on the disk from the beginning: writing it again needs no room.
      const length = this.#file.length()
      if (length < SLOT_BYTES * SLOTS) this.#file.write(Buffer.alloc(SLOT_BYTES * SLOTS - length), length)
    } catch (error) {
      this.#file.close()
      throw error
    }
  }

  /** Written, not synced: after a loss of power an older state may be found. */
  note(state: MarkerState): void {
    this.#write(state, 0)
  }

  /** Safe when it returns. */
  save(state: MarkerState): void {
    const slot = this.#lastSynced === 1 ? 2 : 1
    this.#write(state, slot)
    this.#file.syncNow()
    this.#lastSynced = slot
  }

  /** As `save`, for a log that is cut back to where `state` says: what was noted before counts no more. */
  cutBack(state: MarkerState): void {
    this.#cuts++
    // In all slots, so that none of them, when it rots, leaves an older one to count.
    this.save(state)
    this.save(state)
    this.note(state)
  }

  close(): void {
    this.#file.close()
  }

  #write(state: MarkerState, slot: number): void {
    const bytes = this.#slot.fill(0)
    bytes.writeUInt32LE(MAGIC, 0)
    bytes.writeUInt32LE(VERSION, 4)
    bytes.write(state.incarnation, 8, 'hex')
    bytes.writeBigUInt64LE(BigInt(++this.#sequence), 24)
    bytes.writeBigUInt64LE(BigInt(state.start), 32)
    bytes.writeBigUInt64LE(BigInt(state.durable), 40)
    bytes.writeBigUInt64LE(BigInt(this.#cuts), 48)
    bytes.writeUInt32LE(this.#mark, MARK_AT)
    bytes.writeUInt32LE(crc32(bytes.subarray(0, SLOT_BYTES - 4)), SLOT_BYTES - 4)
    this.#file.write(bytes, slot * SLOT_BYTES)
  }
}
