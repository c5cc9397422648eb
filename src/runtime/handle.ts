/** A run at work as others in the process see it. */
import type { Warehouse } from '../connectors/duckdb/warehouse.ts'
import type { Plan } from '../plan/nodes.ts'
import { MillraceError } from '../system/errors.ts'
import type { Feed } from './consumers/feed.ts'
import type { PushQueue } from './ingest/push-queue.ts'
import type { RunHandle, RunProgress, Snapshot } from './options.ts'

export interface HandleOptions {
  readonly plan: Plan
  readonly dataDirectory: string
  readonly addresses: RunHandle['addresses']
  readonly progress: () => RunProgress
  readonly notReady: () => string | null
  /** The rows of the step with this identity, of the attempt that is at work. */
  readonly feed: (step: string) => Feed
  readonly history: RunHandle['history']
  readonly checkpoint: RunHandle['checkpoint']
  readonly warehouse: () => Promise<Warehouse>
  /** Does something while the warehouse holds the rows of one epoch. */
  readonly atEpoch: (action: () => Promise<void>) => Promise<Snapshot>
  readonly queue: (topic: string) => PushQueue | null
}

export function handleOf(options: HandleOptions): RunHandle {
  const { plan, dataDirectory, addresses, progress, notReady } = options
  return {
    plan,
    dataDirectory,
    addresses,
    progress,
    notReady,
    watch: (step, onRows) => options.feed(step).subscribe(onRows),
    history: (step, rowsMax) => options.history(step, rowsMax),
    checkpoint: options.checkpoint,
    query: async (sql, queryOptions) => (await options.warehouse()).query(sql, queryOptions),
    snapshot: path => options.atEpoch(async () => (await options.warehouse()).snapshot(path)),
    async append(topic, lines, id) {
      const queue = options.queue(topic)
      if (queue === null) {
        throw new MillraceError('TOPIC_UNKNOWN', `Nothing is pushed to topic ${topic}, so nothing can be sent to it.`, {
          next: 'It is read from files: millrace deadletters show N says how a corrected record gets there.',
        })
      }
      return await queue.push(lines, id === undefined ? null : ['resend', id])
    },
  }
}
