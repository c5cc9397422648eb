/** Knows a file again by its first bytes: one that was cut and written anew has others. */
import { createHash } from 'node:crypto'
import { closeFile, openForReading, readBytes } from '../../system/files.ts'

/** More of a file tells it from others no better. */
export const FINGERPRINT_BYTES = 1024

/** Of a file that nothing is known of. */
export const NO_BYTES = `0:${createHash('sha256').digest('hex').slice(0, 16)}`

export function fingerprintOf(path: string, bytesMax = FINGERPRINT_BYTES): string {
  const descriptor = openForReading(path)
  try {
    return fingerprintOfOpen(descriptor, bytesMax)
  } finally {
    closeFile(descriptor)
  }
}

/** Of at most so many bytes: `LENGTH:DIGEST`. */
export function fingerprintOfOpen(descriptor: number, bytesMax: number): string {
  const buffer = Buffer.alloc(Math.min(bytesMax, FINGERPRINT_BYTES))
  const length = readBytes(descriptor, buffer, 0, buffer.length, 0)
  return `${length}:${createHash('sha256').update(buffer.subarray(0, length)).digest('hex').slice(0, 16)}`
}

/** Whether the file still begins as it did. */
export function beginsAs(path: string, fingerprint: string): boolean {
  return fingerprintOf(path, fingerprintLength(fingerprint)) === fingerprint
}

export function fingerprintLength(fingerprint: string): number {
  return Number.parseInt(fingerprint, 10)
}
