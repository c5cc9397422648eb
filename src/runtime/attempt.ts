/**
 * One go at a run: from what the last epoch left to the end of the inputs, a signal, or an error.
 *
 * What an attempt leaves behind is on the disk alone. So an error of the log or the journal that may pass (a full disk) ends
 * the attempt, and the next one goes on from the last epoch, as after a crash. Sinks come back by themselves
 * (consumers/sink-group.ts).
 */
import { resolve } from 'node:path'
import type { Warehouse } from '../connectors/duckdb/warehouse.ts'
import type { Batch } from '../engine/batch.ts'
import type { Stateful } from '../engine/state/table.ts'
import { budgetUsedUp, type LogNotice } from '../log/log.ts'
import type { Plan } from '../plan/nodes.ts'
import { stepsOf } from '../plan/walk.ts'
import { abortedWith } from '../system/abort.ts'
import type { Clock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import type { Storage } from '../system/storage.ts'
import { type Continuing, closedByEnd, goOn, keptOf } from './checkpoint/changes.ts'
import { Epochs } from './checkpoint/epochs.ts'
import { type EpochHeader, fingerprintsOf, unverified } from './checkpoint/header.ts'
import { Store } from './checkpoint/store.ts'
import type { Feed } from './consumers/feed.ts'
import type { Feeds } from './consumers/feeds.ts'
import { SinkSet } from './consumers/sink-set.ts'
import type { Sources } from './ingest/input-names.ts'
import { Inputs, type InputsOptions } from './ingest/inputs.ts'
import { readInput } from './ingest/topic-input.ts'
import type { OutputProgress, RunOptions, RunProgress, Snapshot } from './options.ts'
import { Topics } from './process/topics.ts'
import { Streams } from './streams/streams.ts'

/** How long state waits for its epoch, and rows for theirs. */
const FOLLOWING = { stateWaits_ms: 100, rowsWait_ms: 0 }
const BOUNDED = { stateWaits_ms: 0, rowsWait_ms: 5000 }
const RETAIN_EVERY_MS = 10_000
const ROOM_EVERY_MS = 200
const SINK_TIMEOUT_MS = 300_000

export interface AttemptOptions extends InputsOptions, Continuing {
  readonly plan: Plan
  readonly sources: Sources
  readonly options: RunOptions
  readonly clock: Clock
  readonly storage: Storage
  readonly warehouse: { readonly open: () => Promise<Warehouse>; readonly close: () => Promise<void> }
  readonly feeds: Feeds
  readonly onTurn: () => Promise<void>
  readonly onNotice: (notice: LogNotice) => void
}

/** All that an attempt has open. */
interface Parts {
  readonly store: Store
  readonly topics: Topics
  readonly streams: Streams
  readonly sinks: SinkSet
  readonly epochs: Epochs
}

export class Attempt {
  readonly #o: AttemptOptions
  readonly #inputs: Inputs
  readonly #fingerprints: Readonly<Record<string, string>>
  #store: Store | null = null
  #sinks: SinkSet | null = null
  #parts: Parts | null = null
  #onRebuilt: () => void = () => {}
  #staged: EpochHeader | null = null
  /** What the last epoch says that is safe. */
  #safe: EpochHeader | null = null
  /** The epoch under way has each sink commit. */
  #commitsAll = false
  #ended = false
  /** Why no record may come any more; null: it may. */
  #closed: MillraceError | null = null
  #lastRetain_ms = Number.NEGATIVE_INFINITY

  constructor(options: AttemptOptions) {
    this.#o = options
    this.#inputs = new Inputs(options)
    this.#fingerprints = fingerprintsOf(options.plan)
  }

  /** Whether all is open. */
  get isOpen(): boolean {
    return this.#parts !== null
  }

  get topics(): RunProgress['topics'] {
    return this.#parts?.topics.progress ?? []
  }

  get steps(): RunProgress['steps'] {
    const tasks = this.#parts?.topics.tasks ?? []
    return tasks.flatMap(({ flow }) => [...flow.rows].map(([step, rows]) => ({ step, rows, ...flow.counts.get(step) })))
  }

  /** Topics that the pipeline writes, and the sinks. */
  get outputs(): readonly OutputProgress[] {
    if (this.#parts === null) return []
    const { streams, sinks } = this.#parts
    const produced = this.#o.plan.produces.map(({ topic }) => {
      const rows = streams.all.find(({ stored }) => stored?.name === topic.name)?.end ?? 0
      return { output: topic.name, rows, behind: null }
    })
    return [...produced, ...sinks.consumers.map(({ name, rows, behind }) => ({ output: name, rows, behind }))]
  }

  get epoch(): number {
    return this.#store?.journal.epoch ?? 0
  }

  /** Opens all at the last epoch. The first attempt of a run (`isFirst`) fails where a sink cannot be opened. */
  async open(isFirst: boolean): Promise<void> {
    const { plan, clock, storage, options, sources, onNotice, onWarning, onTurn } = this.#o
    const { dataDirectory, strict, untilEnd, taps } = options
    const warehouseFile = resolve(dataDirectory, plan.warehouseFile)
    const budgetBytes = options.diskBudget_bytes ?? null
    const follows = !untilEnd
    const store = new Store({ dataDirectory, storage, clock, strict, budgetBytes, follows, warehouseFile, onNotice })
    this.#store = store
    const { header } = store
    const identity = goOn(header, { ...this.#o, dataDirectory })
    this.#closed = closedByEnd(header, plan, dataDirectory)
    this.#ended = this.#closed !== null
    if (this.#closed !== null && !untilEnd) throw this.#closed
    for (const warning of unverified(header, plan)) onWarning(warning)
    // Before the outputs: an input that is not there must not leave its mark on them.
    await this.#inputs.open(header)
    const onRows = () => this.#parts?.epochs.rows()
    const streams = new Streams({
      plan,
      store,
      sources,
      identity,
      clock,
      untilEnd,
      watched: this.#o.feeds.steps,
      openSources: this.#o.openSources,
      logOf: topic => this.#inputs.logOf(topic),
      isOneLog: topic => this.#inputs.isOneLog(topic, untilEnd),
      onWarning,
      onRows,
      onTurn,
    })
    const topics = new Topics({
      plan,
      terminals: streams.terminals,
      taps,
      deadLetters: store.letters.processing,
      clock,
      keepsState: true,
      onChange: () => this.#parts?.epochs.changed(),
      backpressure: () => streams.backpressure(),
    })
    this.#inputs.connect(topics, store)
    this.#o.feeds.attachAll(streams)
    const { warehouse } = this.#o
    const sinkTimeout_ms = options.sinkTimeout_ms ?? SINK_TIMEOUT_MS
    const settings = { plan, streams, header, identity, dataDirectory, clock, untilEnd, sinkTimeout_ms, warehouse }
    await streams.fill()
    const sinks = await SinkSet.of({ ...settings, onWarning, onRows })
    this.#sinks = sinks
    this.#safe = header
    // Nothing was given up before it was known what each reader needs.
    for (const stream of streams.all) stream.pin()
    this.#inputs.pin(
      () => this.#safe,
      topic => streams.neededOf(topic),
    )
    if (isFirst) await sinks.open(options.signal)
    let stateful = this.#stateful(topics)
    this.#onRebuilt = () => {
      stateful = this.#stateful(topics)
    }
    store.journal.restore(stateful)
    for (const task of topics.tasks) {
      const position = header?.topics[task.topic.name]
      if (position !== undefined) task.resume(position)
    }
    this.#inputs.begin(store)
    const epochs = new Epochs({
      journal: store.journal,
      clock,
      members: [
        ...streams.all,
        { staged: () => store.letters.processing.staged(), sync: () => store.letters.processing.commit() },
      ],
      stateful: () => stateful,
      header: () => this.#header(),
      onSafe: () => this.#onSafe(),
      ...(untilEnd ? BOUNDED : FOLLOWING),
    })
    this.#parts = { store, topics, streams, sinks, epochs }
    sinks.start()
  }

  /** Takes what the logs hold behind the last epoch. */
  async recover(): Promise<void> {
    const { topics, epochs } = this.#parts!
    for (const { ingestion } of this.#inputs.all) await ingestion?.replay(this.#o.onTurn)
    for (const task of topics.tasks) task.wake()
    await epochs.commit()
  }

  /** Reads the inputs to their end, or until the signal; all is safe and delivered then. */
  async work(): Promise<'ended' | 'stopped'> {
    const { options, onTurn } = this.#o
    const { untilEnd, pool = null } = options
    const { topics, streams, sinks, epochs } = this.#parts!
    const stop = abortedWith(options.signal)
    const { signal } = stop
    const loop = new AbortController()
    const letGo = () => streams.letGo()
    signal.addEventListener('abort', letGo, { once: true })
    const failing = <T>(work: Promise<T>) => work.catch(error => Promise.reject(stop.abort() ?? error))
    const committing = failing(epochs.run(loop.signal))
    const reading = this.#inputs.all.map(async ({ task, sources, ingestion }) => {
      const room = () => this.#room(signal)
      await readInput(task, sources, { untilEnd, signal, onTurn, pool, ingestion, closed: this.#closed, room })
      if (untilEnd && !signal.aborted) await task.end()
    })
    try {
      await Promise.all([...reading.map(failing), Promise.race([committing, Promise.allSettled(reading)])])
      const ended = !signal.aborted
      if (ended && untilEnd) {
        await topics.endDerived(new Set(this.#inputs.all.map(({ task }) => task.topic.name)))
        this.#ended = true
      }
      loop.abort()
      await committing
      await epochs.commit()
      await sinks.end(ended && untilEnd ? 'all' : 'now')
      // The journal says what the sinks hold now.
      await epochs.commit()
      return ended ? 'ended' : 'stopped'
    } finally {
      stop.abort()
      loop.abort()
      // Nothing of this attempt may still write when the next one opens the same files.
      await Promise.allSettled([...reading, committing])
    }
  }

  /** Lets go of everything; what was not committed does not count. */
  async close(): Promise<void> {
    await this.#inputs.close()
    await this.#sinks?.close()
    await this.#store?.close()
    this.#store = null
  }

  /** What people see of a step, also of one that is no output of the plan. Throws OPTION_INVALID where there is none. */
  feed(identity: string): Feed {
    const known = this.#o.feeds.of(identity)
    if (known !== null) return known
    const step = stepsOf(this.#o.plan).find(one => one.identity === identity)
    if (step === undefined) throw new MillraceError('OPTION_INVALID', `There is no step '${identity}'.`)
    const { streams, topics, epochs } = this.#parts!
    const { output, isNew } = streams.lookInto(step)
    if (isNew) {
      epochs.add(output)
      topics.addTerminal({ stream: step, topic: null, output }, this.#onRebuilt)
    }
    return this.#o.feeds.attach(output)
  }

  /** The last rows of a step that are stored, oldest first. */
  history(step: string, rowsMax: number): Iterable<Batch> {
    return this.#parts?.streams.of(step)?.stored?.last(rowsMax) ?? []
  }

  checkpoint(): Promise<void> {
    return this.#parts!.epochs.commit()
  }

  /** Does something while all tables hold the rows of one epoch and no others; answers what epoch that is. */
  async atEpoch(action: () => Promise<void>): Promise<Snapshot> {
    const { epochs, sinks } = this.#parts!
    const before = async () => {
      this.#commitsAll = true
    }
    return await epochs.apart(before, async () => {
      await sinks.untilTablesAreWhole()
      await action()
      const { topics, lengths } = this.#staged!
      const positions = Object.entries(topics).map(([topic, { partitions }]) => {
        const length = lengths[topic]
        return [topic, length === undefined ? partitions.map(({ position }) => position) : [length]] as const
      })
      return { epoch: this.epoch, positions: Object.fromEntries(positions) }
    })
  }

  /** Records that can be read again are not taken while the budget of the disk is used up; null: there is room. */
  #room(signal: AbortSignal): Promise<void> | null {
    const { store } = this.#parts!
    const { clock, options, onHeld } = this.#o
    if (options.untilEnd || !store.isFull) return null
    const wait = async () => {
      const behind = this.outputs.filter(each => each.behind !== null).map(({ output }) => output)
      onHeld(budgetUsedUp(options.diskBudget_bytes!, behind))
      while (store.isFull && !signal.aborted) {
        await clock.sleep(ROOM_EVERY_MS, signal)
        store.retain()
      }
      onHeld(null)
    }
    return wait()
  }

  #stateful(topics: Topics): readonly Stateful[] {
    return [...topics.tasks.flatMap(task => task.stateful), ...this.#inputs.numbers]
  }

  #header(): EpochHeader {
    const { plan, meanings, identity } = this.#o
    const { topics, streams, sinks, store } = this.#parts!
    const positions = Object.fromEntries(topics.tasks.map(task => [task.topic.name, task.position]))
    streams.staged(positions)
    sinks.staged(this.#commitsAll)
    this.#commitsAll = false
    this.#staged = {
      pipeline: plan.name,
      namespace: plan.namespace,
      identity: store.header?.identity ?? identity,
      fingerprints: this.#fingerprints,
      ...keptOf(plan, meanings, store.header),
      topics: positions,
      lengths: Object.fromEntries(streams.all.flatMap(({ stored }) => (stored ? [[stored.name, stored.rows]] : []))),
      letters: { ...this.#inputs.letters, processing: store.letters.processing.next },
      incarnations: this.#inputs.incarnations,
      outputs: Object.fromEntries(sinks.consumers.map(({ name, known }) => [name, known])),
      ended: this.#ended,
    }
    return this.#staged
  }

  #onSafe(): void {
    const { streams, store } = this.#parts!
    streams.becameSafe()
    this.#safe = this.#staged
    const now_ms = this.#o.clock.monotonic_ms()
    if (now_ms - this.#lastRetain_ms < RETAIN_EVERY_MS) return
    this.#lastRetain_ms = now_ms
    this.#inputs.forgetKeys()
    store.retain()
  }
}
