/** What is left of a request that was answered before all of it came. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../system/clock.ts'
import { release } from './pieces.ts'

/** A client that reads its answer stops within what lies between it and this process. */
const FORGOTTEN_BYTES_MAX = 1 << 20

/**
 * Reads what still comes and forgets it, so that the client reads the answer instead of a reset, and its connection can
 * be used again. Whoever sends on and on is not listened to any more: every byte that is read costs memory until the
 * collector comes. A request that has not come to its end after `lastWords_ms` is cut off, whatever it does.
 */
export function forgetRest(request: IncomingMessage, clock: Clock, lastWords_ms: number): void {
  if (request.complete || request.destroyed) return
  let left = FORGOTTEN_BYTES_MAX
  const forget = (piece: Buffer) => {
    left -= piece.length
    release(piece)
    if (left >= 0) return
    request.off('data', forget)
    request.pause()
  }
  // A client that is cut off, or goes away by itself, is nobody's error.
  request.on('error', () => {}).on('data', forget)
  const over = new AbortController()
  request.once('close', () => over.abort()).once('end', () => over.abort())
  void clock.sleep(lastWords_ms, over.signal).then(() => {
    if (!request.complete) request.socket.destroy()
  })
}

/** Closes a connection behind its last answer: a client that does not close its own side is cut off. */
export function cutOff(socket: Socket, lastWords: string, clock: Clock, lastWords_ms: number): void {
  const over = new AbortController()
  socket.once('close', () => over.abort())
  socket.end(lastWords)
  void clock.sleep(lastWords_ms, over.signal).then(() => socket.destroy())
}
