/** What is left of a request that was answered before all of it came. */
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../system/clock.ts'
import { release } from './pieces.ts'

/** A client that reads its answer stops within what lies between it and this process. */
const FORGOTTEN_BYTES_MAX = 1 << 20
/** How long one that does not stop has for reading its answer. */
const LAST_WORDS_MS = 1000

/**
 * Reads what still comes and forgets it, so that the client reads the answer instead of a reset, and its connection can
 * be used again. Whoever sends on and on is not listened to any more, and cut off a moment later: every byte that is
 * read costs memory until the collector comes.
 */
export function forgetRest(request: IncomingMessage, clock: Clock): void {
  if (request.complete || request.destroyed) return
  let left = FORGOTTEN_BYTES_MAX
  const forget = (piece: Buffer) => {
    left -= piece.length
    release(piece)
    if (left >= 0) return
    request.off('data', forget)
    request.pause()
    const gone = new AbortController()
    request.once('close', () => gone.abort())
    void clock.sleep(LAST_WORDS_MS, gone.signal).then(() => request.socket.destroy())
  }
  // A client that is cut off, or goes away by itself, is nobody's error.
  request.on('error', () => {}).on('data', forget)
}
