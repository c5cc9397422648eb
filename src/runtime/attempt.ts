/**
 * One go at a run: from what the last epoch left to the end of the inputs, a signal, or an error.
 *
 * What an attempt leaves behind is on the disk alone. So an error of the log that may pass (a full disk) ends the attempt,
 * and the next one goes on from the last epoch, as after a crash. A sink that fails comes back by itself (revival.ts).
 */
import { resolve } from 'node:path'
import type { Warehouse } from '../connectors/duckdb/warehouse.ts'
import type { Stateful } from '../engine/state/table.ts'
import type { LogNotice } from '../log/log.ts'
import type { Plan } from '../plan/nodes.ts'
import { stepsOf } from '../plan/walk.ts'
import { abortedWith } from '../system/abort.ts'
import type { Clock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import type { Storage } from '../system/storage.ts'
import { type Continuing, goOn, keptOf } from './checkpoint/changes.ts'
import { type EpochMember, Epochs } from './checkpoint/epochs.ts'
import { type EpochHeader, fingerprintsOf, unverified } from './checkpoint/header.ts'
import { Store } from './checkpoint/store.ts'
import { Revival } from './consumers/revival.ts'
import { Shortfall } from './consumers/shortfall.ts'
import { type Target, WAREHOUSE } from './consumers/target.ts'
import { WatchedStep } from './consumers/watchers.ts'
import type { Sources } from './ingest/input-names.ts'
import { Inputs, type InputsOptions } from './ingest/inputs.ts'
import type { TopicPosition } from './ingest/partitions.ts'
import { readInput } from './ingest/topic-input.ts'
import type { RunOptions, RunProgress, Snapshot } from './options.ts'
import { Topics } from './process/topics.ts'
import { type Outputs, openOutputs } from './streams/outputs.ts'

/** How long state waits for its epoch, rows for theirs, and what a sink was given for its commit. */
const FOLLOWING = { stateWaits_ms: 100, rowsWait_ms: 0, commitEvery_ms: 500 }
const BOUNDED = { stateWaits_ms: 0, rowsWait_ms: 5000, commitEvery_ms: 0 }
const RETAIN_EVERY_MS = 10_000

export interface AttemptOptions extends InputsOptions, Continuing {
  readonly plan: Plan
  readonly sources: Sources
  readonly options: RunOptions
  readonly clock: Clock
  readonly storage: Storage
  readonly warehouse: { readonly open: () => Promise<Warehouse>; readonly close: () => Promise<void> }
  /** Whether a sink that fails with this error, or is slow (null), may fall behind while the rest goes on. */
  readonly mayFallBehind: (error: unknown) => boolean
  /** Those who watch, by step; an attempt adds the steps that it has. */
  readonly watched: Map<string, WatchedStep>
  readonly onTurn: () => Promise<void>
  readonly onNotice: (notice: LogNotice) => void
}

export class Attempt {
  readonly #o: AttemptOptions
  readonly #targets: Target[] = []
  readonly #inputs: Inputs
  readonly #fingerprints: Readonly<Record<string, string>>
  #store: Store | null = null
  #journal: Store['journal'] | null = null
  #outputs: Outputs | null = null
  #topics: Topics | null = null
  #epochs: Epochs | null = null
  #revival: Revival | null = null
  readonly #shortfall: Shortfall
  #members: EpochMember[] = []
  #onRebuilt: () => void = () => {}
  #staged: EpochHeader | null = null
  /** What the last epoch says that is safe. */
  #safe: EpochHeader | null = null
  #ended = false
  #lastRetain_ms = Number.NEGATIVE_INFINITY

  constructor(options: AttemptOptions) {
    this.#o = options
    this.#inputs = new Inputs(options)
    this.#shortfall = new Shortfall({ ...options, logOf: topic => this.#inputs.logOf(topic) })
    this.#fingerprints = fingerprintsOf(options.plan)
  }

  get topics(): RunProgress['topics'] {
    return this.#topics?.progress ?? []
  }

  get steps(): RunProgress['steps'] {
    const tasks = this.#topics?.tasks ?? []
    return tasks.flatMap(({ flow }) => [...flow.rows].map(([step, rows]) => ({ step, rows, ...flow.counts.get(step) })))
  }

  /** The sinks, once all of them were looked for. */
  get targets(): readonly Target[] {
    return this.#outputs === null ? [] : this.#targets
  }

  get outputs(): Outputs | null {
    return this.#outputs
  }

  get epoch(): number {
    return this.#journal?.epoch ?? 0
  }

  /** Opens all, goes back to the last epoch, and makes up for what a crash left undone. */
  async open(): Promise<void> {
    const { plan, clock, storage, options, sources, onNotice } = this.#o
    const { dataDirectory, strict, untilEnd } = options
    const paces = untilEnd ? BOUNDED : FOLLOWING
    const warehouseFile = resolve(dataDirectory, plan.warehouseFile)
    const budgetBytes = options.diskBudget_bytes ?? null
    const store = new Store({ dataDirectory, storage, clock, strict, budgetBytes, warehouseFile, onNotice })
    this.#store = store
    this.#journal = store.journal
    const identity = goOn(store.header, { ...this.#o, dataDirectory })
    for (const warning of unverified(store.header, plan)) this.#o.onWarning(warning)
    // Before the outputs: an input that is not there must not leave its mark on them.
    await this.#inputs.open(store.header)
    const onRows = () => this.#epochs?.rows()
    const { warehouse, watched, mayFallBehind } = this.#o
    const outputs = await openOutputs(
      {
        plan,
        store,
        sources,
        identity,
        dataDirectory,
        clock,
        commitEvery_ms: paces.commitEvery_ms,
        warehouse: warehouse.open,
        watched,
        onRows,
        mayFallBehind,
        onBehind: target => this.#revival?.begin(target),
      },
      this.#targets,
    )
    this.#outputs = outputs
    const topics = new Topics({
      plan,
      terminals: outputs.terminals,
      taps: options.taps,
      deadLetters: store.letters.processing,
      clock,
      keepsState: true,
      onChange: () => this.#epochs?.changed(),
    })
    this.#topics = topics
    this.#inputs.connect(topics, store)
    let stateful = this.#stateful(topics)
    this.#onRebuilt = () => {
      stateful = this.#stateful(topics)
    }
    store.journal.restore(stateful)
    for (const task of topics.tasks) {
      const position = store.header?.topics[task.topic.name]
      if (position !== undefined) task.resume(position)
    }
    this.#inputs.begin(store)
    this.#members = [
      ...outputs.topics,
      ...this.#targets.map(({ delivery }) => delivery),
      ...outputs.watched.values(),
      { staged: () => store.letters.processing.staged(), sync: () => store.letters.processing.commit() },
    ]
    this.#epochs = new Epochs({
      journal: store.journal,
      clock,
      members: this.#members,
      stateful: () => stateful,
      header: () => this.#header(),
      onSafe: () => this.#onSafe(),
      ...paces,
    })
    this.#safe = store.header
    for (const target of this.#targets) await this.#shortfall.fill(target, this.#safe)
    for (const { ingestion } of this.#inputs.all) await ingestion?.replay(this.#o.onTurn)
    for (const task of topics.tasks) task.wake()
    await this.#epochs.commit()
  }

  /** Reads the inputs to their end, or until the signal; all is safe and delivered then. */
  async work(): Promise<'ended' | 'stopped'> {
    const { options, onTurn } = this.#o
    const { untilEnd, pool = null } = options
    const stop = abortedWith(options.signal)
    const { signal } = stop
    const epochs = this.#epochs!
    const loop = new AbortController()
    const failing = <T>(work: Promise<T>) => work.catch(error => Promise.reject(stop.abort() ?? error))
    const committing = failing(epochs.run(loop.signal))
    const pulse = this.#pulse(loop.signal)
    const revival = this.#reviving(signal)
    const reading = this.#inputs.all.map(async ({ task, sources, ingestion }) => {
      await readInput(task, sources, { untilEnd, signal, onTurn, pool, ingestion })
      if (untilEnd && !signal.aborted) await task.end()
    })
    try {
      await Promise.all([...reading.map(failing), Promise.race([committing, Promise.allSettled(reading)])])
      const ended = !signal.aborted
      if (ended && untilEnd) {
        await this.#topics!.endDerived(new Set(this.#inputs.all.map(({ task }) => task.topic.name)))
        this.#ended = true
      }
      loop.abort()
      stop.abort()
      await Promise.all([committing, pulse, revival.ended()])
      await this.#finish()
      return ended ? 'ended' : 'stopped'
    } finally {
      stop.abort()
      loop.abort()
      // Nothing of this attempt may still write when the next one opens the same files.
      await Promise.allSettled([...reading, committing, pulse, revival.ended()])
    }
  }

  /** Lets go of everything; what was not committed does not count. */
  async close(): Promise<void> {
    await this.#inputs.close()
    for (const { delivery } of this.#targets) await delivery.close().catch(() => {})
    await this.#store?.close()
    this.#store = null
  }

  /** The watchers of a step, one that is no output of the plan among them. Throws OPTION_INVALID where there is none. */
  watched(identity: string): WatchedStep {
    const known = this.#outputs!.watched.get(identity)
    if (known !== undefined) return known
    const step = stepsOf(this.#o.plan).find(one => one.identity === identity)
    if (step === undefined) throw new MillraceError('OPTION_INVALID', `There is no stage '${identity}'.`)
    const watched = new WatchedStep()
    this.#outputs!.watched.set(identity, watched)
    this.#members.push(watched)
    this.#topics!.addTerminal({ stream: step, topic: null, output: watched }, this.#onRebuilt)
    return watched
  }

  /** Does something while all sinks hold the rows of one epoch and no others; answers what epoch that is. */
  async atEpoch(action: () => Promise<void>): Promise<Snapshot> {
    const settle = () => this.#settle()
    return await this.#epochs!.apart(settle, async () => {
      await settle()
      const behind = this.#targets.find(({ delivery }) => !delivery.isLive)
      if (behind !== undefined) throw new MillraceError('NOT_RUNNING', `${behind.name} lacks rows just now.`)
      await action()
      const { topics, lengths } = this.#staged!
      const positions = Object.entries(topics).map(([topic, { partitions }]) => {
        const length = lengths[topic]
        return [topic, length === undefined ? partitions.map(({ position }) => position) : [length]] as const
      })
      return { epoch: this.epoch, positions: Object.fromEntries(positions) }
    })
  }

  /** The last rows get their epoch, and each sink commits. */
  async #finish(): Promise<void> {
    await this.#settle()
    await this.#epochs!.commit()
    await this.#settle()
    if (this.#targets.some(({ delivery }) => delivery.isDue)) await this.#finish()
  }

  /** Resolves when no sink commits; each takes part in the next epoch then. */
  async #settle(): Promise<void> {
    for (const { delivery } of this.#targets) {
      await delivery.settle()
      delivery.hurry()
    }
  }

  /** What a sink was given does not wait for the next rows to be committed. */
  async #pulse(signal: AbortSignal): Promise<void> {
    const { clock, options } = this.#o
    while (!options.untilEnd && !signal.aborted) {
      await clock.sleep(FOLLOWING.commitEvery_ms, signal)
      if (this.#targets.some(({ delivery }) => delivery.isDue)) this.#epochs!.rows()
    }
  }

  /** What brings sinks back that have fallen behind; those that could not be opened have already. */
  #reviving(signal: AbortSignal): Revival {
    const { clock, warehouse, mayFallBehind } = this.#o
    const revival = new Revival({
      clock,
      signal,
      targets: () => this.#targets,
      safeRows: ({ name }) => this.#safe!.outputs[name]!.rows,
      catchUp: target => this.#shortfall.catchUp(target, this.#safe!, signal),
      letGo: async system => {
        // What cannot be closed well is as after a crash.
        if (system === WAREHOUSE) await warehouse.close().catch(() => {})
      },
      mayPass: mayFallBehind,
    })
    this.#revival = revival
    for (const target of this.#targets) if (!target.delivery.isLive) revival.begin(target)
    return revival
  }

  #stateful(topics: Topics): readonly Stateful[] {
    return [...topics.tasks.flatMap(task => task.stateful), ...this.#inputs.numbers]
  }

  #header(): EpochHeader {
    const { plan, meanings, identity } = this.#o
    const { topics } = this.#outputs!
    const { letters, header } = this.#store!
    this.#staged = {
      pipeline: plan.name,
      namespace: plan.namespace,
      identity: header?.identity ?? identity,
      fingerprints: this.#fingerprints,
      ...keptOf(plan, meanings),
      topics: Object.fromEntries(this.#topics!.tasks.map(task => [task.topic.name, task.position])),
      lengths: Object.fromEntries(topics.map(output => [output.name, output.rows])),
      letters: { ingestion: this.#inputs.lettersDone, processing: letters.processing.next },
      incarnations: this.#inputs.incarnations,
      outputs: Object.fromEntries(
        this.#targets.map(({ delivery, committed }) => [delivery.name, { rows: delivery.rows, committed }]),
      ),
      ended: this.#ended,
    }
    return this.#staged
  }

  #onSafe(): void {
    const staged = this.#staged!
    const { watched } = this.#outputs!
    this.#safe = staged
    for (const target of this.#targets) {
      const at = staged.topics[target.topic.name] as TopicPosition
      target.delivery.whenSafe({
        give: (from, to, take) => this.#shortfall.give(target, { from, to, at }, take),
        onCommitted: rows => {
          target.committed = { rows, at }
        },
      })
    }
    for (const step of watched.values()) step.whenSafe()
    const now_ms = this.#o.clock.monotonic_ms()
    if (now_ms - this.#lastRetain_ms < RETAIN_EVERY_MS) return
    this.#lastRetain_ms = now_ms
    this.#retain(staged)
  }

  /** Gives up what is old, but nothing that a sink or the operators still need. */
  #retain(staged: EpochHeader): void {
    for (const { log, delivery } of this.#targets) log?.log.holdFrom(delivery.committed)
    this.#inputs.hold(staged, this.#targets)
    this.#store!.retain()
  }
}
