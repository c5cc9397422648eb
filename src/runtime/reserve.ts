/**
 * Some megabytes of the disk that a run keeps for the start of the next one. On a disk that is completely full nothing can
 * be started, though a start may be what makes room: what retention gives up goes only while a run is at work.
 */
import { join } from 'node:path'
import { closeFile, openForWriting, remove, statusOf, writeBytes } from '../system/files.ts'

const RESERVE_BYTES = 4 * 1024 * 1024
const PIECE_BYTES = 256 * 1024
const SCATTER = 2_654_435_761

export class Reserve {
  readonly #path: string
  #isWhole = false

  constructor(dataDirectory: string) {
    this.#path = join(dataDirectory, 'reserve')
  }

  /** Gives the reserve up when the error is that the disk is full; answers whether there is room now that was not. */
  release(error: unknown): boolean {
    if (!isDiskFull(error) || (statusOf(this.#path)?.bytes ?? 0) === 0) return false
    remove(this.#path)
    this.#isWhole = false
    return true
  }

  /** Makes it as long as it should be, or as long as the disk allows for now. */
  fill(): void {
    if (this.#isWhole) return
    try {
      const descriptor = openForWriting(this.#path)
      const piece = scattered()
      try {
        for (let at = statusOf(this.#path)?.bytes ?? 0; at < RESERVE_BYTES; at += PIECE_BYTES) {
          writeBytes(descriptor, piece.subarray(0, RESERVE_BYTES - at), at, this.#path)
        }
        this.#isWhole = true
      } finally {
        closeFile(descriptor)
      }
    } catch {
      // What fits is kept, and the rest is tried again: a run does not end for what the next one may need.
    }
  }
}

/** Bytes that a file system which packs what it stores cannot make shorter. */
function scattered(): Uint8Array {
  const words = new Uint32Array(PIECE_BYTES / 4)
  for (let index = 0; index < words.length; index++) words[index] = Math.imul(index + 1, SCATTER)
  return new Uint8Array(words.buffer)
}

/** Whether an error was caused by a disk, or a quota, that is full. */
function isDiskFull(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOSPC' || code === 'EDQUOT' || /no space left on device/i.test(cause.message)) return true
  }
  return false
}
