/**
 * What an operator owes the flow it stands in.
 *
 * The flow calls `push` with rows, in the order of each partition, and `advance` after the rows that moved event time;
 * `end` once, when the input has ended and everything closes. An operator hands its own rows to the next stage's `push`
 * before the call returns, so that all that a batch causes has happened when `push` returns. No operator keeps a batch that
 * it was lent.
 */
import type { Batch } from '../batch.ts'
import type { Times, Watermark } from '../times.ts'

export interface Stage {
  push(batch: Batch, times: Times): void
  advance(watermark: Watermark): void
  /** Whether it would do anything if the time of this key alone came to `emit`. Left out: it may. */
  awaits?(key: number, emit: number): boolean
  end(): void
}

/** See `Stage.awaits`. */
export function awaits(stage: Stage, key: number, emit: number): boolean {
  return stage.awaits?.(key, emit) ?? true
}

/** The next stages of a step: most have one, a step whose result is used twice has more. */
export class Fork implements Stage {
  readonly #stages: readonly Stage[]

  constructor(stages: readonly Stage[]) {
    this.#stages = stages
  }

  push(batch: Batch, times: Times): void {
    for (const stage of this.#stages) stage.push(batch, times)
  }

  advance(watermark: Watermark): void {
    for (const stage of this.#stages) stage.advance(watermark)
  }

  awaits(key: number, emit: number): boolean {
    return this.#stages.some(stage => awaits(stage, key, emit))
  }

  end(): void {
    for (const stage of this.#stages) stage.end()
  }
}
