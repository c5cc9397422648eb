/** The body of a request, unpacked, with a bound on every size. */
import type { IncomingMessage } from 'node:http'
import type { Transform } from 'node:stream'
import { Pieces, release } from './pieces.ts'
import { busy, Problem } from './problem.ts'
import type { Receiving } from './receiving.ts'

/** Bodies that are unpacked at the same time: each may cost its limit twice over, and more would not be faster. */
const UNPACKED_AT_ONCE = 2

/** A frame may ask for a window of up to 2 GB before it has said anything; this is the most that common levels need. */
const ZSTD_WINDOW_LOG_MAX = 23

/** Reads bodies; shared by the routes of a listener. */
export class BodyReader {
  readonly #receiving: Receiving
  #unpacking = 0
  readonly #turns: (() => void)[] = []

  constructor(receiving: Receiving) {
    this.#receiving = receiving
  }

  /**
   * All bytes of the body as they were before they were packed.
   *
   * Throws Problem: 413 for more than `limit` bytes, packed or unpacked, 415 for a packing that is not known, 400 for a
   * damaged one, 503 when other requests hold the memory for bodies, 408 when it came in slowly and others needed that
   * memory. null: the client went away.
   */
  async read(request: IncomingMessage, client: string, limit: number): Promise<Buffer | null> {
    const encoding = encodingOf(request)
    const declared = Number(request.headers['content-length'] ?? 0)
    if (declared > limit) throw tooLarge(limit)
    const packed = await this.#receive(request, client, limit)
    if (packed === null || encoding === 'identity' || packed.length === 0) return packed
    await this.#turn()
    try {
      return await unpacked(packed, encoding, limit)
    } finally {
      this.#unpacking--
      this.#turns.shift()?.()
    }
  }

  #receive(request: IncomingMessage, client: string, limit: number): Promise<Buffer | null> {
    return new Promise((resolve, reject) => {
      const pieces = new Pieces()
      const finish = (settle: () => void) => {
        request.off('data', take).off('end', end).off('close', gone).off('error', gone)
        this.#receiving.end(body)
        settle()
        pieces.release()
      }
      const refuse = (problem: Problem) => finish(() => reject(problem))
      const take = (piece: Buffer) => {
        const isTooLarge = pieces.byteLength + piece.length > limit
        if (!isTooLarge && this.#receiving.take(body, piece.length)) return pieces.add(piece)
        release(piece)
        refuse(isTooLarge ? tooLarge(limit) : busy('Too many large requests are being received just now.', 1))
      }
      const body = this.#receiving.begin(client, () => refuse(tooSlow()))
      const end = () => finish(() => resolve(pieces.take()))
      const gone = () => finish(() => resolve(null))
      request.on('data', take).on('end', end).on('close', gone).on('error', gone)
    })
  }

  async #turn(): Promise<void> {
    while (this.#unpacking >= UNPACKED_AT_ONCE) await new Promise<void>(resolve => this.#turns.push(resolve))
    this.#unpacking++
  }
}

type Encoding = 'identity' | 'gzip' | 'br' | 'zstd'

const ENCODINGS: Readonly<Record<string, Encoding>> = {
  '': 'identity',
  identity: 'identity',
  gzip: 'gzip',
  'x-gzip': 'gzip',
  br: 'br',
  zstd: 'zstd',
}

function encodingOf(request: IncomingMessage): Encoding {
  const named = (request.headers['content-encoding'] ?? '').trim().toLowerCase()
  const encoding = Object.hasOwn(ENCODINGS, named) ? ENCODINGS[named] : undefined
  if (encoding !== undefined) return encoding
  throw new Problem(415, 'REQUEST_INVALID', 'The body is packed in a way that is not known here.', {
    next: 'Send it plain, or with Content-Encoding gzip, br or zstd (one of them, once).',
    headers: { 'accept-encoding': 'gzip, br, zstd' },
  })
}

function tooSlow(): Problem {
  return new Problem(408, 'TOO_BUSY', 'The request came in slowly, and others needed its place.', {
    headers: { connection: 'close' },
  })
}

function tooLarge(limit: number): Problem {
  return new Problem(
    413,
    'REQUEST_TOO_LARGE',
    `The body is larger than ${limit} bytes (unpacked), the most taken here.`,
  )
}

const CHUNK_BYTES = 64 * 1024

async function unpacked(packed: Buffer, encoding: Exclude<Encoding, 'identity'>, limit: number): Promise<Buffer> {
  const zlib = await import('node:zlib')
  const makers: Readonly<Record<Exclude<Encoding, 'identity'>, () => Transform & { readonly bytesWritten: number }>> = {
    gzip: () => zlib.createGunzip({ chunkSize: CHUNK_BYTES }),
    br: () => zlib.createBrotliDecompress({ chunkSize: CHUNK_BYTES }),
    zstd: () => {
      const params = { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX }
      return zlib.createZstdDecompress({ chunkSize: CHUNK_BYTES, params })
    },
  }
  const unpacker = makers[encoding]()
  const pieces = new Pieces()
  try {
    // The unpacker works piece by piece and stops at the first one past the limit: a body made to burst costs no more.
    for await (const piece of unpacker.end(packed) as AsyncIterable<Buffer>) {
      pieces.add(piece)
      if (pieces.byteLength > limit) throw tooLarge(limit)
    }
    if (unpacker.bytesWritten < packed.length) {
      throw new Problem(400, 'REQUEST_INVALID', `Something follows the end of the ${encoding} data.`, {
        next: 'Pack the whole body in one piece.',
      })
    }
    return pieces.take()
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem(
      400,
      'REQUEST_INVALID',
      `The body cannot be unpacked as ${encoding}: ${(error as Error).message}.`,
      {
        next: 'Check that Content-Encoding names how the body is packed, and that all of it is sent.',
      },
    )
  } finally {
    unpacker.destroy()
    pieces.release()
  }
}
