/** The unpacked bytes of a file as a stream: plain, gzip or Zstandard. */
import type { Transform } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { closeFile, openForReading, readBytes } from '../system/files.ts'
import type { Compression } from './compression.ts'
import { Damaged } from './lines.ts'

/**
 * What is handed to the unpacker at once. It answers with all that comes out of it, at most a thousand times as much, so
 * this bounds memory also for a file made to burst.
 */
const PACKED_BYTES = 16 * 1024
const PLAIN_BYTES = 256 * 1024

/** Step in which the last piece before damage is unpacked again: nothing readable is lost, at some 0.2 s a damaged file. */
const CAREFUL_BYTES = 1

/**
 * Unpacked bytes in order, from a place on: a packed file is unpacked from its start, for no block of it says where it is.
 * Throws Damaged where a packed file is broken or cut off, after all that came before it.
 */
export async function* bytesOf(
  path: string,
  compression: Compression,
  from = 0,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (compression !== 'none' && from > 0) {
    let skipped = 0
    for await (const bytes of bytesOf(path, compression)) {
      const skip = Math.min(from - skipped, bytes.length)
      skipped += skip
      if (skip < bytes.length) yield bytes.subarray(skip)
    }
    return
  }
  const descriptor = openForReading(path)
  try {
    if (compression === 'none') yield* plain(descriptor, from)
    else {
      // Node goes on to the next part of a gzip file by itself, with Zstandard it stops.
      const unpacker = compression === 'gzip' ? () => createGunzip() : () => createZstdDecompress()
      yield* unpackedBytes(descriptor, unpacker, `the ${compression} file`, { continues: compression === 'zstd' })
    }
  } finally {
    closeFile(descriptor)
  }
}

function* plain(descriptor: number, from: number): Generator<Uint8Array, void, undefined> {
  const buffer = Buffer.allocUnsafe(PLAIN_BYTES)
  for (let position = from; ; ) {
    const read = readBytes(descriptor, buffer, 0, buffer.length, position)
    if (read === 0) return
    position += read
    yield buffer.subarray(0, read)
  }
}

type Unpacker = Transform & { readonly bytesWritten: number }

/** How the unpacking of one stretch of packed data ended. */
interface Outcome {
  readonly failure: Error | null
  /** Where the piece begins that brought the failure. */
  readonly failedAt: number
  /** Where the packed data ended though the file goes on; null when all was taken. */
  readonly endedAt: number | null
}

/**
 * What the unpacker makes of the file's bytes from `start` to `end` or to the end of the packed data, whichever is first;
 * with `continues`, packed data that follows is unpacked too. `what` names the thing in the reason of Damaged.
 *
 * An unpacker that meets damage drops what it had made of the same piece of input. So the file is then unpacked once more
 * up to that piece, and the piece itself byte by byte: all that is readable is delivered.
 */
export async function* unpackedBytes(
  descriptor: number,
  makeUnpacker: () => Unpacker,
  what: string,
  { start = 0, end = Number.POSITIVE_INFINITY, continues = false } = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let from: number | null = start; from !== null; ) {
    let delivered = 0
    const bytes: AsyncGenerator<Uint8Array, Outcome, undefined> = unpack(descriptor, makeUnpacker(), from, end, end)
    let step = await bytes.next()
    for (; !step.done; step = await bytes.next()) {
      delivered += step.value.length
      yield step.value
    }
    const { failure, failedAt, endedAt } = step.value
    if (failure !== null) {
      for await (const again of unpack(descriptor, makeUnpacker(), from, end, failedAt)) {
        const skipped = Math.min(delivered, again.length)
        delivered -= skipped
        if (skipped < again.length) yield again.subarray(skipped)
      }
      throw new Damaged(`${what} is damaged or cut off (${failure.message})`)
    }
    from = continues ? endedAt : null
  }
}

/** Goes in pieces of one byte from the position `careful`. */
async function* unpack(
  descriptor: number,
  unpacker: Unpacker,
  start: number,
  end: number,
  careful: number,
): AsyncGenerator<Uint8Array, Outcome, undefined> {
  let ready: Uint8Array[] = []
  let failure: Error | null = null
  let wake: (() => void) | null = null
  // Data events come before the error event: nothing that was unpacked is lost with the stream's own buffer.
  unpacker.on('data', (bytes: Uint8Array) => ready.push(bytes))
  unpacker.on('end', () => wake?.())
  unpacker.on('error', error => {
    failure = error
    wake?.()
  })
  const step = (begin: (done: () => void) => void) =>
    new Promise<void>(resolve => {
      wake = resolve
      if (failure === null) begin(resolve)
      else resolve()
    })
  let position = start
  let failedAt = start
  let endedAt: number | null = null
  try {
    for (let finished = false; !finished && failure === null; ) {
      // A buffer of its own each time: the unpacker may still look at the last one.
      const packed = Buffer.allocUnsafe(position < careful ? PACKED_BYTES : CAREFUL_BYTES)
      const wanted = Math.min(packed.length, end - position, position < careful ? careful - position : CAREFUL_BYTES)
      const read = wanted <= 0 ? 0 : readBytes(descriptor, packed, 0, wanted, position)
      failedAt = position
      position += read
      if (read === 0) {
        await step(() => unpacker.end())
        finished = true
      } else {
        await step(done => unpacker.write(packed.subarray(0, read), () => done()))
        // It left some of the piece: the packed data ends there.
        if (failure === null && unpacker.bytesWritten < position - start) {
          endedAt = start + unpacker.bytesWritten
          finished = true
        }
      }
      const batch = ready
      ready = []
      yield* batch
    }
    return { failure, failedAt, endedAt }
  } finally {
    unpacker.destroy()
  }
}
