/** The streams of a plan that leave the operators, opened where the last epoch left them. */
import type { TopicLog } from '../../log/topic-log.ts'
import type { Plan, StreamNode, TopicNode } from '../../plan/nodes.ts'
import { isRowByRow } from '../../plan/traits.ts'
import { panelStreamsOf, readOf, stepsOf } from '../../plan/walk.ts'
import type { Clock } from '../../system/clock.ts'
import type { MillraceError } from '../../system/errors.ts'
import type { EpochHeader } from '../checkpoint/header.ts'
import type { Store } from '../checkpoint/store.ts'
import { digest, type Sources, streamIncarnation } from '../ingest/input-names.ts'
import type { InputsOptions } from '../ingest/inputs.ts'
import type { TopicPosition } from '../ingest/partitions.ts'
import type { Terminal } from '../process/topics.ts'
import { lackingWarning } from '../warnings.ts'
import { OutputStream } from './output-stream.ts'
import { ReplayedRows } from './replayed.ts'
import { StoredLog } from './stored-log.ts'
import type { RowForm } from './stored-rows.ts'

/** Rows that all sinks of a stream hold are kept for so long, and no longer than the budget of the disk lets them. */
const HOLD_AFTER_COMMIT = { time_us: 3600 * 1_000_000, bytes: null }
/** Of a run that follows its inputs: so much of a stream may be in memory. Readers that are further behind read it again. */
const TAIL_BYTES_MAX = 16 << 20
/** Of a run with an end: when its streams have so much in memory, it waits for its slowest sink. */
const AHEAD_BYTES_MAX = 64 << 20

export interface StreamsOptions extends Pick<InputsOptions, 'openSources'> {
  readonly plan: Plan
  readonly store: Store
  readonly sources: Sources
  /** Of the inputs. */
  readonly identity: string
  readonly clock: Clock
  readonly untilEnd: boolean
  /** Steps that somebody looks at, beside those of the plan's panels. */
  readonly watched: ReadonlySet<string>
  readonly logOf: (topic: TopicNode) => TopicLog | null
  /** Whether the records of a topic are one log that gives the same records in the same order again. */
  readonly isOneLog: (topic: TopicNode) => boolean
  readonly onWarning: (warning: MillraceError) => void
  readonly onRows: () => void
  readonly onTurn: () => Promise<void>
}

export class Streams {
  readonly all: OutputStream[] = []
  readonly terminals: Terminal[] = []
  readonly #options: StreamsOptions
  #waiting: PromiseWithResolvers<void> | null = null

  constructor(options: StreamsOptions) {
    this.#options = options
    const { plan, store } = options
    for (const { stream, topic } of plan.produces) {
      const stored = this.#openLog(stream, topic, 'rows')
      this.terminals.push({ stream, topic, output: this.#add(stream, stored, null) })
    }
    for (const { stream } of plan.delivers) {
      if (this.all.some(({ node }) => node === stream)) continue
      const source = readOf(stream).topic
      // What keeps state, or comes out of another stream, cannot be made again from records: it has a log of its own. So has
      // what comes out of several partitions, whose order is not the same again, or of files that others may change.
      const isReplayed = isRowByRow(stream) && options.isOneLog(source)
      const output = isReplayed
        ? this.#add(stream, null, this.#replayed(stream))
        : this.#add(stream, this.#openLog(stream, deliveryLog(stream), 'columns'), null)
      this.terminals.push({ stream, topic: null, output })
    }
    const looked = stepsOf(plan).filter(({ identity }) => options.watched.has(identity))
    for (const stream of [...panelStreamsOf(plan), ...looked]) this.lookInto(stream)
    for (const output of this.all) if (output.stored !== null) output.resume(output.stored.rows)
    if (store.header !== null) this.#resume(store.header)
  }

  /** Bytes of rows in memory, roughly. */
  get #tailBytes(): number {
    return this.all.reduce((sum, { tailBytes }) => sum + tailBytes, 0)
  }

  /** The stream of a step with this identity. */
  of(identity: string): OutputStream | null {
    return this.all.find(({ node }) => node.identity === identity) ?? null
  }

  /** A stream that people look at; `isNew`: it is to get its rows yet. */
  lookInto(stream: StreamNode): { readonly output: OutputStream; readonly isNew: boolean } {
    const known = this.of(stream.identity)
    if (known !== null) return { output: known, isNew: false }
    const output = this.#add(stream, null, null)
    this.terminals.push({ stream, topic: null, output })
    return { output, isNew: true }
  }

  /**
   * Rows of a directory of the version before that a sink lacks, and those of a sink that is new: they were to be made
   * again from records, and the log that takes their place is empty.
   */
  async fill(): Promise<void> {
    const { store, plan } = this.#options
    const { header } = store
    if (header === null) return
    for (const output of this.all) {
      const { node, stored } = output
      const isNew = stored !== null && header.lengths[stored.name] === undefined && stored.rows === 0
      const { topic } = readOf(node)
      const at = header.topics[topic.name]
      const isDelivered = plan.delivers.some(({ stream }) => stream === node)
      if (!isNew || !isDelivered || at === undefined || !isRowByRow(node) || !this.#hasSource(topic)) continue
      const replayed = this.#replayed(node)
      const known = plan.delivers.flatMap(({ stream, name }) => (stream === node ? (header.outputs[name] ?? []) : []))
      const isKnown = known.length > 0
      const rows = known[0]?.rows ?? (await replayed.count(at)).rows
      replayed.resume([...known.map(({ committed }) => committed), { rows, at }])
      const from = isKnown ? Math.min(...known.map(({ committed }) => committed.rows)) : 0
      for await (const made of replayed.read(from, rows)) {
        if (made.kind === 'rows') stored.append(made.batch)
        else if (made.kind === 'lost') {
          const { topic: name, fromOffset, toOffset, reason } = made
          this.#options.onWarning(lackingWarning(stored.name, name, fromOffset, toOffset, reason))
        }
      }
      stored.staged()
      await stored.sync()
      output.resume(stored.rows)
    }
  }

  #hasSource(topic: TopicNode): boolean {
    return [...this.#options.sources.keys()].some(({ name }) => name === topic.name)
  }

  /** What a run with an end waits for before it makes more rows; null: nothing. */
  backpressure(): Promise<void> | null {
    if (!this.#options.untilEnd || this.#tailBytes <= AHEAD_BYTES_MAX) return null
    this.#waiting ??= Promise.withResolvers()
    return this.#waiting.promise
  }

  /** Readers took rows: whoever waits for them may go on. */
  taken(): void {
    if (this.#waiting === null || this.#tailBytes > AHEAD_BYTES_MAX / 2) return
    this.#waiting.resolve()
    this.#waiting = null
  }

  /** Nobody waits any more: the run ends. */
  letGo(): void {
    this.#waiting?.resolve()
    this.#waiting = null
  }

  /** An epoch is staged in which topics stand there. */
  staged(topics: EpochHeader['topics']): void {
    for (const { node, replayed, end } of this.all) {
      replayed?.note({ rows: end, at: topics[readOf(node).topic.name]! })
    }
  }

  becameSafe(): void {
    for (const output of this.all) output.becameSafe()
  }

  /** Where a topic must still be read from; null: from its beginning. Empty: nowhere. */
  neededOf(topic: TopicNode): readonly (TopicPosition | null)[] {
    return this.all.flatMap(({ node, replayed }) => {
      return replayed !== null && readOf(node).topic.name === topic.name ? [replayed.needs] : []
    })
  }

  #add(node: StreamNode, stored: StoredLog | null, replayed: ReplayedRows | null): OutputStream {
    const { onRows, untilEnd } = this.#options
    const tailBytesMax = untilEnd ? null : TAIL_BYTES_MAX
    const output = new OutputStream({ node, stored, replayed, onRows, tailBytesMax, onTaken: () => this.taken() })
    this.all.push(output)
    return output
  }

  #openLog(stream: StreamNode, topic: Pick<TopicNode, 'name' | 'retention'>, form: RowForm): StoredLog {
    const { store, identity } = this.#options
    const log = store.derived(topic, streamIncarnation(stream, identity), form)
    return new StoredLog(topic.name, stream.columns, log, form)
  }

  #replayed(stream: StreamNode): ReplayedRows {
    const { clock, openSources, logOf, onTurn } = this.#options
    const { topic } = readOf(stream)
    return new ReplayedRows({
      stream,
      clock,
      openSources: from => openSources(topic, from, true),
      log: () => logOf(topic),
      onTurn,
    })
  }

  /** What the journal knows of streams whose rows are made again. */
  #resume({ outputs, topics }: EpochHeader): void {
    for (const output of this.all) {
      if (output.replayed === null) continue
      const known = this.#options.plan.delivers
        .filter(({ stream }) => stream === output.node)
        .flatMap(node => outputs[node.name] ?? [])
      const rows = known[0]?.rows ?? 0
      output.resume(rows)
      // Each sink counts from its own first row; the stream counts from that of the first sink.
      const points = known.map(({ rows: own, committed }) => ({ rows: committed.rows + rows - own, at: committed.at }))
      if (known.length > 0) output.replayed.resume([...points, { rows, at: topics[readOf(output.node).topic.name]! }])
    }
  }
}

/** What keeps rows on their way to the sinks of a stream. */
function deliveryLog(stream: StreamNode): Pick<TopicNode, 'name' | 'retention'> {
  const name = stream.identity.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 160)
  return { name: `${name}-${digest(stream.identity).slice(0, 8)}`, retention: HOLD_AFTER_COMMIT }
}
