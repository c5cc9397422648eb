/** All sinks of a run, in groups that share an external system. */
import type { Warehouse } from '../../connectors/duckdb/warehouse.ts'
import type { DeliverNode, Plan } from '../../plan/nodes.ts'
import { readOf } from '../../plan/walk.ts'
import type { Clock } from '../../system/clock.ts'
import { ERRORS, MillraceError } from '../../system/errors.ts'
import type { EpochHeader } from '../checkpoint/header.ts'
import { streamIncarnation } from '../ingest/input-names.ts'
import { mayPass } from '../retry.ts'
import type { OutputStream } from '../streams/output-stream.ts'
import type { Streams } from '../streams/streams.ts'
import { SinkConsumer, type SinkConsumerOptions } from './sink-consumer.ts'
import { SinkGroup } from './sink-group.ts'
import { sinkOf } from './sinks.ts'

/** The external system of all tables. */
const WAREHOUSE = 'warehouse'
const LOOK_EVERY_MS = 500
/** At the end of a run that was stopped, sinks that lack rows or do not answer are waited for this long. */
const STOPPING_MS = 10_000

export interface SinkSetOptions {
  readonly plan: Plan
  readonly streams: Streams
  readonly header: EpochHeader | null
  /** Of the inputs. */
  readonly identity: string
  readonly dataDirectory: string
  readonly clock: Clock
  readonly untilEnd: boolean
  /** Of a run with an end: see `SinkGroupOptions.givesUpAfter_ms`. */
  readonly sinkTimeout_ms: number
  readonly warehouse: { readonly open: () => Promise<Warehouse>; readonly close: () => Promise<void> }
  readonly onWarning: (warning: MillraceError) => void
  readonly onRows: () => void
}

export class SinkSet {
  readonly consumers: readonly SinkConsumer[]
  readonly #options: SinkSetOptions
  readonly #groups: readonly SinkGroup[]
  readonly #stop = new AbortController()
  readonly #looking = new AbortController()
  #working: Promise<unknown> = Promise.resolve()

  private constructor(options: SinkSetOptions, consumers: ReadonlyMap<SinkConsumer, DeliverNode>) {
    this.#options = options
    this.consumers = [...consumers.keys()]
    const systems = Map.groupBy(consumers, ([, { target }]) => (target.kind === 'table' ? WAREHOUSE : target))
    const { clock, untilEnd, sinkTimeout_ms, warehouse } = options
    this.#groups = [...systems].map(([system, members]) => {
      return new SinkGroup({
        consumers: members.map(([consumer]) => consumer),
        clock,
        signal: this.#stop.signal,
        disconnect: system === WAREHOUSE ? () => warehouse.close() : async () => {},
        givesUpAfter_ms: untilEnd ? sinkTimeout_ms : null,
      })
    })
    void this.#look()
  }

  /** Makes the sinks of a plan known to their streams; none is opened. Throws what reading the sources does. */
  static async of(options: SinkSetOptions): Promise<SinkSet> {
    const { plan, streams, header } = options
    const consumers = new Map<SinkConsumer, DeliverNode>()
    for (const node of plan.delivers) {
      const stream = streams.all.find(candidate => candidate.node === node.stream)!
      const known = header?.outputs[node.name]
      const base = known === undefined ? await firstRowOf(stream, header) : stream.end - known.rows
      // Of a sink that is new to the journal and holds rows all the same, rows in front of what is kept cannot be counted.
      const isCut = known === undefined && header !== null && (base > 0 || stream.isCut)
      consumers.set(makeConsumer(options, node, stream, { known, base, isCut }), node)
    }
    return new SinkSet(options, consumers)
  }

  /**
   * Opens all: the first start of a run fails with a sink that cannot be opened, but for one that lacks rows that are gone.
   * Throws RUN_STOPPING when the signal comes meanwhile: no sink is waited for then.
   */
  async open(signal: AbortSignal): Promise<void> {
    const stop = () => this.#stop.abort()
    signal.addEventListener('abort', stop, { once: true })
    try {
      for (const group of this.#groups) {
        if (signal.aborted) break
        await group.open()
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      signal.removeEventListener('abort', stop)
    }
    if (signal.aborted) throw new MillraceError('RUN_STOPPING', 'The run was stopped while it opened its sinks.')
  }

  /** Has the sinks work from now on; those that are not open are opened. */
  start(): void {
    this.#working = Promise.all(this.#groups.map(group => group.run()))
  }

  staged(all: boolean): void {
    for (const consumer of this.consumers) consumer.staged(all)
  }

  /**
   * All rows are made and safe: `all`: each sink gets every one of them; `now`: those that take rows do, for at most
   * STOPPING_MS. Throws what a sink failed with that was given up.
   */
  async end(how: 'all' | 'now'): Promise<void> {
    for (const group of this.#groups) group.end(how)
    const { clock } = this.#options
    if (how === 'all') await this.#working
    else {
      const waiting = new AbortController()
      await Promise.race([this.#working, clock.sleep(STOPPING_MS, waiting.signal)])
      waiting.abort()
    }
    const failed = this.#groups.filter(({ gaveUp }) => gaveUp !== null)
    if (failed.length > 0) throw incomplete(failed)
  }

  /** Ends at once; what was not committed does not count. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#working
    for (const group of this.#groups) await group.close()
    this.#looking.abort()
  }

  /** Resolves when the tables hold the rows that are safe, of which no more become safe meanwhile. Throws NOT_RUNNING. */
  async untilTablesAreWhole(): Promise<void> {
    const { plan, clock } = this.#options
    const tables = new Set(plan.delivers.filter(({ target }) => target.kind === 'table').map(({ name }) => name))
    for (const consumer of this.consumers) {
      if (!tables.has(consumer.name)) continue
      const { safe } = consumer.stream
      while (consumer.committed < safe) {
        if (consumer.behind !== null || this.#stop.signal.aborted) {
          throw new MillraceError('NOT_RUNNING', `${consumer.name} lacks rows just now.`)
        }
        consumer.wake()
        await clock.sleep(1, this.#stop.signal)
      }
    }
  }

  async #look(): Promise<void> {
    const { signal } = this.#looking
    while (!signal.aborted) {
      await this.#options.clock.sleep(LOOK_EVERY_MS, signal)
      for (const group of this.#groups) group.look(LOOK_EVERY_MS)
    }
  }
}

/** A new sink begins with the first row that there still is. */
async function firstRowOf(stream: OutputStream, header: EpochHeader | null): Promise<number> {
  if (header === null) return 0
  if (stream.replayed === null) return stream.start
  const at = header.topics[readOf(stream.node).topic.name]
  if (at === undefined) return 0
  const { rows } = await stream.replayed.count(at)
  // Nobody has counted the rows of this stream yet.
  if (stream.end === 0) {
    stream.resume(rows)
    stream.replayed.note({ rows, at })
  }
  stream.replayed.beginAt(stream.end - rows)
  return stream.end - rows
}

function makeConsumer(
  options: SinkSetOptions,
  node: DeliverNode,
  stream: OutputStream,
  { base, ...start }: Pick<SinkConsumerOptions, 'known' | 'isCut'> & { readonly base: number },
): SinkConsumer {
  const { plan, identity, dataDirectory, clock, untilEnd, sinkTimeout_ms, warehouse, onWarning, onRows } = options
  const name = node.name
  return new SinkConsumer(
    {
      node,
      name,
      stream,
      consumer: `${plan.namespace}/${plan.name}/${name}`,
      incarnation: streamIncarnation(node.stream, identity),
      dataDirectory,
      ...start,
      clock,
      commitEvery_ms: untilEnd ? 0 : LOOK_EVERY_MS,
      callMax_ms: untilEnd ? sinkTimeout_ms : Number.POSITIVE_INFINITY,
      makeSink: () => sinkOf(node, () => warehouse.open()),
      onWarning,
      onRows,
    },
    base,
  )
}

/** Who lacks how many rows, and why. */
function incomplete(groups: readonly SinkGroup[]): MillraceError {
  const told = groups.map(({ consumers, gaveUp }) => {
    const lacking = consumers.filter(({ lag }) => lag > 0)
    const rows = lacking.map(({ name, lag }) => `${name} lacks ${lag} of its rows`).join(', ')
    return `${rows === '' ? '' : `${rows}: `}${gaveUp!.message}`
  })
  const error = groups[0]!.gaveUp!
  // What a person must correct keeps its own code.
  const isUsers = ERRORS[error.code].fault === 'user' && !mayPass(error)
  return new MillraceError(isUsers ? error.code : 'SINK_INCOMPLETE', told.join(' '), {
    cause: error,
    next: `${error.next} Then run the same command again: it goes on.`,
  })
}
