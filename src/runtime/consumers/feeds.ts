/** What people look at, by step: subscriptions outlive the attempt that serves them. */

import { isRowByRow } from '../../plan/traits.ts'
import type { OutputStream } from '../streams/output-stream.ts'
import type { Streams } from '../streams/streams.ts'
import { Feed } from './feed.ts'

export class Feeds {
  readonly #feeds = new Map<string, Feed>()

  /** Steps that somebody has looked at. */
  get steps(): ReadonlySet<string> {
    return new Set(this.#feeds.keys())
  }

  of(step: string): Feed | null {
    return this.#feeds.get(step) ?? null
  }

  /** An attempt begins: its streams serve from now on. */
  attachAll({ all }: Streams): void {
    for (const stream of all) this.attach(stream)
  }

  attach(stream: OutputStream): Feed {
    const { identity } = stream.node
    const feed = this.#feeds.get(identity) ?? new Feed()
    this.#feeds.set(identity, feed)
    // Records that only pass by come all the time: those who look at them can wait for the next epoch.
    feed.attach(stream, !isRowByRow(stream.node))
    return feed
  }
}
