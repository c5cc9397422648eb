/** Gives sinks the rows that they lack: after a crash, and when one has fallen behind. */
import type { TopicLog } from '../../log/topic-log.ts'
import type { TopicNode } from '../../plan/nodes.ts'
import type { Clock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import type { EpochHeader } from '../checkpoint/header.ts'
import { type InputsOptions, LOG_PARTITION } from '../ingest/inputs.ts'
import type { TopicPosition } from '../ingest/partitions.ts'
import { rowsOfLog, rowsOfStretch } from '../streams/catch-up.ts'
import type { RowTaker } from './delivery.ts'
import type { Target } from './target.ts'

/** What a sink that is far behind is given at once. */
const CATCH_UP_ROWS = 100_000

export interface ShortfallOptions extends Pick<InputsOptions, 'openSources' | 'onWarning'> {
  readonly clock: Clock
  readonly mayFallBehind: (error: unknown) => boolean
  /** The log of what is pushed to a topic. */
  readonly logOf: (topic: TopicNode) => TopicLog | null
}

/** Rows `from` to `to` (excluded) of a stream, the last of them made by what the topic held at a position. */
interface Stretch {
  readonly from: number
  readonly to: number
  readonly at: TopicPosition
}

export class Shortfall {
  readonly #options: ShortfallOptions

  constructor(options: ShortfallOptions) {
    this.#options = options
  }

  /** Before the stream goes on: the sink is given what a crash kept from it. */
  async fill(target: Target, epoch: EpochHeader | null): Promise<void> {
    const { delivery, topic, log } = target
    const at = epoch?.topics[topic.name]
    const to = log?.rows ?? epoch?.outputs[target.name]?.rows ?? Number.POSITIVE_INFINITY
    if (!delivery.isLive || at === undefined) return
    try {
      await delivery.catchUp(take => this.give(target, { from: delivery.committed, to, at }, take))
    } catch (error) {
      if (to === Number.POSITIVE_INFINITY || !this.#options.mayFallBehind(error)) throw error
      return delivery.leave(error as MillraceError)
    }
    delivery.begin(delivery.committed)
    target.committed = { rows: delivery.committed, at }
  }

  /** Gives a sink that is behind some of what it lacks of an epoch that is safe. */
  async catchUp(target: Target, epoch: EpochHeader, signal: AbortSignal): Promise<void> {
    const { delivery, log, name, topic } = target
    const at = epoch.topics[topic.name] as TopicPosition
    const { rows } = epoch.outputs[name]!
    const from = delivery.committed
    // Rows that are made again are only known to be the same ones up to the position of an epoch.
    const to = log === null ? rows : Math.min(rows, from + CATCH_UP_ROWS)
    await delivery.catchUp(take =>
      this.give(target, { from, to, at }, batch => {
        if (signal.aborted) throw new MillraceError('RUN_STOPPING', 'The pipeline is being stopped.')
        return take(batch)
      }),
    )
    target.committed = { rows: delivery.committed, at }
  }

  async give(target: Target, { from, to, at }: Stretch, take: RowTaker): Promise<void> {
    if (from >= to) return
    const { log: stored, topic, delivery } = target
    if (stored !== null) return await rowsOfLog(stored.log, delivery, from, to, take)
    const start = target.committed.rows <= from ? target.committed : { rows: 0, at: null }
    const log = this.#options.logOf(topic)
    await rowsOfStretch(
      {
        name: delivery.name,
        stream: delivery.stream,
        from: start.at,
        to: at,
        held: from - start.rows,
        clock: this.#options.clock,
        open: positions => this.#options.openSources(topic, positions, true),
        log: log && { log, name: LOG_PARTITION },
        onWarning: this.#options.onWarning,
      },
      take,
    )
  }
}
