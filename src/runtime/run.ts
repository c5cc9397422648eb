/**
 * Runs a pipeline on one machine: takes its data directory, opens its sources, and makes attempts until one comes to the
 * end (attempt.ts). A run that was cut off is simply started again and goes on from its last epoch.
 */
import { join, resolve } from 'node:path'
import type { Warehouse } from '../connectors/duckdb/warehouse.ts'
import type { LogNotice } from '../log/log.ts'
import type { Plan } from '../plan/nodes.ts'
import { abortedWith } from '../system/abort.ts'
import { type Clock, systemClock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import { readText, remove, replaceText } from '../system/files.ts'
import { diskStorage, type Storage } from '../system/storage.ts'
import { Attempt } from './attempt.ts'
import { type Meaning, type Meanings, meaningsOf } from './checkpoint/changes.ts'
import { Feeds } from './consumers/feeds.ts'
import { makeSinks } from './consumers/sinks.ts'
import { handleOf } from './handle.ts'
import { inputIdentity, pathsOf, refuseTimeless, type Sources, sourcesOf } from './ingest/input-names.ts'
import { RunSources } from './ingest/run-sources.ts'
import type { RunOptions, RunProgress, RunSummary } from './options.ts'
import { refuseSharedFiles } from './output-files.ts'
import { BEAT } from './owner/claim.ts'
import { takeOwnership } from './owner/owner.ts'
import { reasonNotReady } from './readiness.ts'
import { Reserve } from './reserve.ts'
import { FIRST_WAIT_MS, longerWait_ms, mayPass } from './retry.ts'
import { toldAs, Warnings, warehouseWarning, warningOf } from './warnings.ts'

const RUN_FILE = 'run.json'
const PROGRESS_EVERY_MS = 200
const YIELD_EVERY_MS = 50
/** A run that goes on for weeks shares the machine: few rows at a time, so little is enough. */
const FOLLOWING_WAREHOUSE = { memoryLimit: '128MB', checkpointAt: '4MB' }

/** Throws INPUT_MISSING when nothing feeds the pipeline, and what sources and sinks throw; all is closed then. */
export async function runPipeline(
  plan: Plan,
  options: RunOptions,
  clock: Clock = systemClock,
  storage: Storage = diskStorage,
): Promise<RunSummary> {
  const started_ms = clock.monotonic_ms()
  const dataDirectory = resolve(options.dataDirectory)
  refuseTimeless(plan)
  refuseSharedFiles(plan, dataDirectory)
  // What is refused for its options alone leaves no directory behind.
  await makeSinks(plan)
  const sources = sourcesOf(plan, options.inputs)
  const reserve = new Reserve(dataDirectory)
  const own = () => takeOwnership(dataDirectory, systemClock, BEAT, options.onWait)
  const owner = await own().catch(error => {
    if (reserve.release(error)) return own()
    throw error
  })
  try {
    const run = new Run(plan, { ...options, dataDirectory }, sources, { clock, storage, reserve, started_ms })
    const work = run.work().finally(() => run.close())
    return await Promise.race([work, owner.lost])
  } finally {
    owner.release()
  }
}

interface RunContext {
  readonly clock: Clock
  readonly storage: Storage
  readonly reserve: Reserve
  readonly started_ms: number
}

class Run {
  readonly #plan: Plan
  readonly #options: RunOptions
  readonly #inputs: Sources
  readonly #sources: RunSources
  readonly #context: RunContext
  readonly #stop: AbortController
  readonly #signal: AbortSignal
  readonly #feeds = new Feeds()
  #attempt: Attempt | null = null
  #warehouse: Promise<Warehouse> | null = null
  #held: MillraceError | null = null
  readonly #warnings = new Warnings()
  #meanings: Meanings = new Map()
  #isListening = false
  #isReady = false
  #isServed = false
  /** Of earlier runs of the data directory; null: that is not known yet. */
  #recordsBefore: number | null = null
  /** Stops the run when it has been at work for as long as it may. */
  #timer: Promise<void> | null = null
  #lastProgress_ms = 0
  #lastYield_ms = 0

  constructor(plan: Plan, options: RunOptions, sources: Sources, context: RunContext) {
    this.#plan = plan
    this.#options = options
    this.#inputs = sources
    this.#context = context
    this.#stop = abortedWith(options.signal)
    this.#signal = this.#stop.signal
    this.#sources = new RunSources(sources, options, context.clock, this.#signal, {
      onWarning: warning => this.#warnings.add(warning),
      notReady: () => this.#notReady(),
    })
  }

  async work(): Promise<RunSummary> {
    const { onProgress, dataDirectory } = this.#options
    const pulse = this.#pulse()
    try {
      let reason: RunSummary['reason'] | null = null
      for (let wait_ms = FIRST_WAIT_MS; reason === null; ) {
        try {
          reason = await this.#try(wait_ms)
        } catch (error) {
          if (!this.#isReady && this.#context.reserve.release(error)) continue
          if (this.#isStopped(error)) {
            reason = 'stopped'
            break
          }
          if (!this.#mayPass(error)) throw error
          this.#held = error as MillraceError
          wait_ms = longerWait_ms(wait_ms)
          if (this.#attempt?.isOpen !== true) await this.#sources.refuse(this.#held, wait_ms)
        }
      }
      const progress = this.progress()
      onProgress?.(progress)
      return { ...progress, dataDirectory, reason }
    } finally {
      this.#stop.abort()
      await Promise.all([this.#timer, pulse])
    }
  }

  progress(): RunProgress {
    const held = this.#held
    return {
      elapsed_ms: this.#context.clock.monotonic_ms() - this.#context.started_ms,
      epoch: this.#attempt?.epoch ?? 0,
      held: held && toldAs(held),
      warnings: this.#warnings.all,
      topics: this.#attempt?.topics ?? [],
      newRecords: recordsIn(this.#attempt) - (this.#recordsBefore ?? 0),
      steps: this.#attempt?.steps ?? [],
      outputs: this.#attempt?.outputs ?? [],
    }
  }

  async close(): Promise<void> {
    await this.#sources.close()
    remove(join(this.#options.dataDirectory, 'addresses.json'))
  }

  /** One attempt, to its end; nothing of it is open then. */
  async #try(wait_ms: number): Promise<RunSummary['reason']> {
    try {
      const reason = await this.#attemptOnce(wait_ms)
      await this.#closeAttempt()
      return reason
    } catch (error) {
      // What cannot be closed well is as after a crash: the error that ended the attempt is the one to tell.
      await this.#closeAttempt().catch(() => {})
      throw error
    }
  }

  /** `wait_ms`: so long it waits before it makes rows again, when the attempt before has failed. */
  async #attemptOnce(wait_ms: number): Promise<RunSummary['reason']> {
    const { clock, storage } = this.#context
    if (!this.#isListening) await this.#sources.openPushed()
    this.#isListening = true
    const { untilEnd } = this.#options
    this.#meanings = meaningsOf(this.#plan, this.#inputs, untilEnd)
    const attempt = new Attempt({
      plan: this.#plan,
      sources: this.#inputs,
      identity: inputIdentity(this.#inputs, untilEnd),
      meanings: this.#meanings,
      textOf: (subject, digest) => this.#textBefore(subject, digest),
      feeds: this.#feeds,
      options: { ...this.#options, signal: this.#signal },
      clock,
      storage,
      warehouse: { open: () => this.#openWarehouse(), close: () => this.#closeWarehouse() },
      openSources: (topic, from, untilEnd) => this.#sources.openReplayed(topic, from, untilEnd),
      pushed: topic => this.#sources.pushed(topic.name)?.sources ?? [],
      onTurn: () => this.#turn(),
      onHeld: error => {
        this.#held = error
      },
      onNotice: notice => this.#notice(notice),
      onWarning: warning => this.#warnings.add(warning),
    })
    this.#attempt = attempt
    await attempt.open(!this.#isReady)
    this.#recordsBefore ??= recordsIn(attempt)
    // Sinks take what they lack meanwhile, which may be what makes room.
    if (this.#held !== null) await this.#sources.refuse(this.#held, wait_ms)
    await attempt.recover()
    this.#held = null
    if (!this.#isReady) await this.#ready()
    return await attempt.work()
  }

  async #ready(): Promise<void> {
    const { onReady, dataDirectory, duration_ms } = this.#options
    this.#isReady = true
    this.#saveRun()
    const handle = handleOf({
      plan: this.#plan,
      dataDirectory,
      addresses: this.#sources.addresses,
      progress: () => this.progress(),
      notReady: () => this.#notReady(),
      feed: step => this.#attempt!.feed(step),
      history: (step, rowsMax) => this.#attempt!.history(step, rowsMax),
      checkpoint: () => this.#attempt!.checkpoint(),
      warehouse: () => this.#warehouseAtWork(),
      atEpoch: action => this.#attempt!.atEpoch(action),
      queue: topic => this.#sources.pushed(topic)?.queue ?? null,
    })
    if (handle.addresses.length > 0) {
      replaceText(join(dataDirectory, 'addresses.json'), `${JSON.stringify(handle.addresses, null, 2)}\n`)
    }
    await onReady?.(handle)
    this.#isServed = true
    if (duration_ms !== null) {
      this.#timer = this.#context.clock.sleep(duration_ms, this.#signal).then(() => this.#stop.abort())
    }
    this.#context.reserve.fill()
  }

  /** Others find the run by its socket only once `onReady` has opened it. */
  #notReady(): string | null {
    if (this.#signal.aborted) return 'The run is being stopped.'
    return this.#isServed ? reasonNotReady(this.#plan, this.progress()) : 'The run is being opened.'
  }

  /** It was stopped before all was open. */
  #isStopped(error: unknown): boolean {
    return this.#signal.aborted && error instanceof MillraceError && error.code === 'RUN_STOPPING'
  }

  /** Whether waiting may help: then the run holds, says why, and tries again. A run with an end fails at once. */
  #mayPass(error: unknown): boolean {
    if (!(error instanceof MillraceError) || this.#options.untilEnd || this.#signal.aborted) return false
    return this.#isReady && mayPass(error)
  }

  async #closeAttempt(): Promise<void> {
    try {
      await this.#attempt?.close()
    } finally {
      await this.#closeWarehouse()
    }
  }

  async #closeWarehouse(): Promise<void> {
    const warehouse = this.#warehouse
    this.#warehouse = null
    // One that could not be opened has told whoever asked for it.
    await warehouse?.then(
      opened => opened.close(),
      () => {},
    )
  }

  #openWarehouse(): Promise<Warehouse> {
    this.#warehouse ??= import('../connectors/duckdb/warehouse.ts').then(async ({ openWarehouse }) => {
      const path = resolve(this.#options.dataDirectory, this.#plan.warehouseFile)
      const warehouse = await openWarehouse({ path, ...(this.#options.untilEnd ? {} : FOLLOWING_WAREHOUSE) })
      if (warehouse.logSetAside !== null) this.#warnings.add(warehouseWarning(warehouse.path, warehouse.logSetAside))
      return warehouse
    })
    const opening = this.#warehouse
    // One that could not be opened is not there: whoever asks next tries again.
    opening.catch(() => {
      if (this.#warehouse === opening) this.#warehouse = null
    })
    return opening
  }

  /** It is closed between two attempts, after the last one, while its sinks wait for their next try, and where that fails. */
  async #warehouseAtWork(): Promise<Warehouse> {
    const warehouse = await this.#warehouse?.catch(() => null)
    if (warehouse) return warehouse
    throw new MillraceError('NOT_RUNNING', 'The pipeline does not have its warehouse open just now.')
  }

  /** Called after each piece of input. */
  async #turn(): Promise<void> {
    const { clock } = this.#context
    const now_ms = clock.monotonic_ms()
    if (now_ms - this.#lastProgress_ms >= PROGRESS_EVERY_MS) {
      this.#lastProgress_ms = now_ms
      this.#options.onProgress?.(this.progress())
    }
    // Reading files never waits: signals, timers and epochs get their turn here.
    if (now_ms - this.#lastYield_ms < YIELD_EVERY_MS) return
    this.#lastYield_ms = now_ms
    await clock.sleep(0)
  }

  /** While a source says nothing at all there are no turns: how things stand is told all the same. */
  async #pulse(): Promise<void> {
    while (!this.#options.untilEnd && !this.#signal.aborted) {
      await this.#context.clock.sleep(PROGRESS_EVERY_MS, this.#signal)
      if (this.#isServed) this.#context.reserve.fill()
      this.#options.onProgress?.(this.progress())
    }
  }

  #notice(notice: LogNotice): void {
    const warning = warningOf(notice)
    if (warning !== null) this.#warnings.add(warning)
  }

  /** What a subject of the pipeline meant to the run that was ready here last. */
  #textBefore(subject: string, digest: string): readonly string[] | null {
    const text = readText(join(this.#options.dataDirectory, RUN_FILE))
    const record = text === null ? null : (JSON.parse(text) as { meanings?: Record<string, Meaning> })
    const meaning = record?.meanings?.[subject]
    return meaning?.digest === digest ? meaning.lines : null
  }

  /** Writes what `verify`, `query` and a later start need to know of this run. */
  #saveRun(): void {
    const inputs = Object.fromEntries([...this.#inputs].map(([topic, references]) => [topic.name, pathsOf(references)]))
    const stored = this.#sources.pushedTopics
    const { name, namespace, warehouseFile } = this.#plan
    const { untilEnd, dataDirectory } = this.#options
    const path = join(dataDirectory, RUN_FILE)
    const meanings = Object.fromEntries(this.#meanings)
    const record = { pipeline: name, namespace, warehouseFile, inputs, stored, untilEnd, meanings }
    const text = `${JSON.stringify(record, null, 2)}\n`
    if (readText(path) !== text) replaceText(path, text)
  }
}

function recordsIn(attempt: Attempt | null): number {
  return attempt?.topics.reduce((sum, { records }) => sum + records, 0) ?? 0
}
