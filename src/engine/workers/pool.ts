/**
 * Threads that share the ranges of an input with the main one.
 *
 * Each thread takes the next range that nobody has (a counter in shared memory), makes a piece of it and hands it over.
 * The main thread applies pieces in the order of their ranges, and makes pieces itself while it would wait: results are
 * those of one thread. Nobody runs far ahead of what has been applied, so memory stays bounded.
 */
import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { MillraceError } from '../../system/errors.ts'
import type { LearnedShape } from '../decode/decoder.ts'
import type { Piece } from './piece.ts'
import { type PieceJob, PieceMaker, sendable } from './piece-maker.ts'

/** Pieces that may wait for their turn, for each thread. */
const AHEAD_OF_EACH = 6

/** The source in a checkout, what was made of it in a published package. */
const THREAD = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url)
/** A thread does not inherit the compile cache, without which its modules take three times as long to load. */
const START = `const { cache, thread } = require('node:worker_threads').workerData
if (cache !== null) require('node:module').enableCompileCache(cache)
import(thread)`

/** Words of the shared memory: the next range to take, ranges applied, pieces handed over. */
export const SHARED = { next: 0, applied: 1, handedOver: 2, words: 3 } as const

export interface ThreadStart {
  readonly thread: number
  readonly job: PieceJob
  readonly shared: SharedArrayBuffer
  readonly ahead: number
  readonly port: MessagePort
  readonly learned: readonly LearnedShape[]
}

export type ThreadMessage = { readonly piece: Piece } | { readonly error: unknown }

export class WorkerPool {
  readonly #workers: Worker[]

  /** Starts threads that load what they need at once; `count` does not include the main one. */
  constructor(count: number) {
    const versioned = getCompileCacheDir()
    const cache = versioned === undefined ? null : dirname(versioned)
    this.#workers = Array.from({ length: count }, () => {
      const worker = new Worker(START, { eval: true, execArgv: [], workerData: { cache, thread: THREAD.href } })
      worker.unref()
      return worker
    })
  }

  get threads(): number {
    return this.#workers.length + 1
  }

  /** Makes all pieces of a job; null when the job holds code that cannot be sent to other threads. */
  work(job: PieceJob): SharedWork | null {
    const data = sendable(job)
    if (data === null) return null
    const shared = new SharedArrayBuffer(SHARED.words * 4)
    const maker = new PieceMaker(job, 0)
    const learned = maker.learn()
    const ahead = this.threads * AHEAD_OF_EACH
    const ports = this.#workers.map((worker, index) => {
      const { port1, port2 } = new MessageChannel()
      const start: ThreadStart = { thread: index + 1, job: data, shared, ahead, port: port2, learned }
      worker.postMessage(start, [port2])
      return port1
    })
    return new SharedWork(maker, job.ranges.length, ports, new Int32Array(shared), ahead)
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.terminate()))
  }
}

export class SharedWork {
  readonly #maker: PieceMaker
  readonly #ports: readonly MessagePort[]
  readonly #state: Int32Array
  readonly #ahead: number
  readonly #total: number
  readonly #ready = new Map<number, Piece>()
  #applied = 0

  constructor(maker: PieceMaker, total: number, ports: readonly MessagePort[], state: Int32Array, ahead: number) {
    this.#maker = maker
    this.#ports = ports
    this.#state = state
    this.#ahead = ahead
    this.#total = total
  }

  /** The pieces in order, null after the last. The one before counts as applied. */
  next(): Piece | null {
    if (this.#applied === this.#total) return null
    const wanted = this.#applied
    for (;;) {
      const handedOver = Atomics.load(this.#state, SHARED.handedOver)
      this.#receive()
      const piece = this.#ready.get(wanted)
      if (piece) {
        this.#ready.delete(wanted)
        this.#applied++
        Atomics.store(this.#state, SHARED.applied, this.#applied)
        Atomics.notify(this.#state, SHARED.applied)
        return piece
      }
      const claimed = claim(this.#state, this.#total, this.#ahead)
      if (claimed >= 0) this.#ready.set(claimed, this.#maker.make(claimed))
      else Atomics.wait(this.#state, SHARED.handedOver, handedOver, 1000)
    }
  }

  close(): void {
    this.#maker.close()
    Atomics.store(this.#state, SHARED.next, this.#total)
    Atomics.store(this.#state, SHARED.applied, this.#total)
    Atomics.notify(this.#state, SHARED.applied)
    for (const port of this.#ports) port.close()
  }

  #receive(): void {
    for (const port of this.#ports) {
      for (;;) {
        const received = receiveMessageOnPort(port) as { message: ThreadMessage } | undefined
        if (received === undefined) break
        const { message } = received
        if ('error' in message)
          throw new MillraceError('INTERNAL', `A worker failed: ${message.error}`, { cause: message.error })
        this.#ready.set(message.piece.index, message.piece)
      }
    }
  }
}

/** Takes the next range that nobody has; -1 when there is none, or when it is too far ahead of what has been applied. */
export function claim(state: Int32Array, total: number, ahead: number): number {
  for (;;) {
    const next = Atomics.load(state, SHARED.next)
    if (next >= total || next >= Atomics.load(state, SHARED.applied) + ahead) return -1
    if (Atomics.compareExchange(state, SHARED.next, next, next + 1) === next) return next
  }
}
