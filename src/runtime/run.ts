/**
 * Runs a pipeline on one machine: takes its data directory, opens its sources, and makes attempts until one comes to the
 * end (attempt.ts). A run that was cut off is simply started again and goes on from its last epoch.
 */
import { join, resolve } from 'node:path'
import { type Listen, loadSource, type Source } from '../connectors/contract.ts'
import type { Warehouse } from '../connectors/duckdb/warehouse.ts'
import type { LogNotice } from '../log/log.ts'
import type { Plan, SourceReference, TopicNode } from '../plan/nodes.ts'
import { type Clock, systemClock } from '../system/clock.ts'
import { ERRORS, MillraceError } from '../system/errors.ts'
import { readText, remove, replaceText } from '../system/files.ts'
import { diskStorage, type Storage } from '../system/storage.ts'
import { Attempt } from './attempt.ts'
import { handleOf } from './handle.ts'
import { inputIdentity, pathsOf, refuseTimeless, type Sources, sourcesOf } from './input-names.ts'
import type { NamedSource } from './inputs.ts'
import type { RunOptions, RunProgress, RunSummary } from './options.ts'
import { takeOwnership } from './owner.ts'
import { PushQueue } from './push-queue.ts'
import { RECORD_BYTES_MAX } from './topic-task.ts'

const PROGRESS_EVERY_MS = 200
const YIELD_EVERY_MS = 50
/** A message that is pushed is taken as a whole; it may hold many records. */
const PUSHED_BYTES_MAX = 8 << 20
const RETRY_AFTER_MS = { first: 500, longest: 30_000 }
const LISTEN: Listen = { host: '127.0.0.1', port: 4401, tls: null, trustedProxies: [], keys: 'when-made' }

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
  const sources = sourcesOf(plan, options.inputs)
  const owner = takeOwnership(dataDirectory)
  try {
    const run = new Run(plan, { ...options, dataDirectory }, sources, { clock, storage, started_ms })
    try {
      return await run.work()
    } finally {
      await run.close()
    }
  } finally {
    owner.release()
  }
}

interface RunContext {
  readonly clock: Clock
  readonly storage: Storage
  readonly started_ms: number
}

interface PushedTopic {
  readonly sources: NamedSource[]
  readonly queue: PushQueue
}

class Run {
  readonly #plan: Plan
  readonly #options: RunOptions
  readonly #sources: Sources
  readonly #context: RunContext
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #pushed = new Map<string, PushedTopic>()
  #attempt: Attempt | null = null
  #warehouse: Promise<Warehouse> | null = null
  #held: MillraceError | null = null
  #isReady = false
  #lastProgress_ms = 0
  #lastYield_ms = 0

  constructor(plan: Plan, options: RunOptions, sources: Sources, context: RunContext) {
    this.#plan = plan
    this.#options = options
    this.#sources = sources
    this.#context = context
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal])
  }

  async work(): Promise<RunSummary> {
    const { duration_ms, onProgress, dataDirectory } = this.#options
    const { clock } = this.#context
    const timer = duration_ms === null ? null : clock.sleep(duration_ms, this.#signal).then(() => this.#stop.abort())
    const pulse = this.#pulse()
    try {
      let reason: RunSummary['reason'] | null = null
      for (let wait_ms = RETRY_AFTER_MS.first; reason === null; ) {
        try {
          reason = await this.#try()
        } catch (error) {
          if (!this.#mayPass(error)) throw error
          this.#held = error as MillraceError
          await this.#hold(wait_ms)
          wait_ms = Math.min(wait_ms * 2, RETRY_AFTER_MS.longest)
        }
      }
      const progress = this.progress()
      onProgress?.(progress)
      return { ...progress, dataDirectory, reason }
    } finally {
      this.#stop.abort()
      await Promise.all([timer, pulse])
    }
  }

  progress(): RunProgress {
    const held = this.#held
    const targets = this.#attempt?.outputs?.targets ?? []
    const produced = new Set(this.#plan.produces.map(({ topic }) => topic.name))
    const topics = this.#attempt?.outputs?.topics.filter(({ name }) => produced.has(name)) ?? []
    return {
      elapsed_ms: this.#context.clock.monotonic_ms() - this.#context.started_ms,
      epoch: this.#attempt?.epoch ?? 0,
      held: held && { code: held.code, message: held.message, next: held.next },
      topics: this.#attempt?.topics ?? [],
      outputs: [...topics, ...targets.map(({ delivery }) => delivery)].map(({ name, rows }) => ({
        output: name,
        rows,
      })),
    }
  }

  async close(): Promise<void> {
    for (const { sources } of this.#pushed.values()) for (const { source } of sources) await source.close()
    remove(join(this.#options.dataDirectory, 'addresses.json'))
  }

  /** One attempt, to its end; nothing of it is open then. */
  async #try(): Promise<RunSummary['reason']> {
    try {
      const reason = await this.#attemptOnce()
      await this.#closeAttempt()
      return reason
    } catch (error) {
      // What cannot be closed well is as after a crash: the error that ended the attempt is the one to tell.
      await this.#closeAttempt().catch(() => {})
      throw error
    }
  }

  async #attemptOnce(): Promise<RunSummary['reason']> {
    const { clock, storage } = this.#context
    if (!this.#isReady) await this.#openPushed()
    const attempt = new Attempt({
      plan: this.#plan,
      sources: this.#sources,
      identity: inputIdentity(this.#sources, this.#options.untilEnd),
      options: { ...this.#options, signal: this.#signal },
      clock,
      storage,
      warehouse: () => this.#openWarehouse(),
      openSources: (topic, from, untilEnd) => this.#openSources(topic, from, untilEnd),
      pushed: topic => this.#pushed.get(topic.name)?.sources ?? [],
      onTurn: () => this.#turn(),
      onHeld: error => {
        this.#held = error
      },
      onNotice: notice => this.#notice(notice),
    })
    this.#attempt = attempt
    await attempt.open()
    this.#held = null
    if (!this.#isReady) await this.#ready()
    return await attempt.work()
  }

  async #ready(): Promise<void> {
    const { onReady, dataDirectory } = this.#options
    this.#isReady = true
    this.#saveRun()
    const handle = handleOf({
      plan: this.#plan,
      dataDirectory,
      addresses: this.#addresses(),
      progress: () => this.progress(),
      watched: step => this.#attempt?.outputs?.watched.get(step) ?? null,
      warehouse: () => this.#openWarehouse(),
      atEpoch: action => this.#attempt!.atEpoch(action),
      queue: topic => this.#pushed.get(topic)?.queue ?? null,
    })
    if (handle.addresses.length > 0) {
      replaceText(join(dataDirectory, 'addresses.json'), `${JSON.stringify(handle.addresses, null, 2)}\n`)
    }
    await onReady?.(handle)
  }

  /** Whether waiting may help: then the run holds, says why, and tries again. What ends by itself fails at once. */
  #mayPass(error: unknown): boolean {
    if (!(error instanceof MillraceError) || this.#options.untilEnd || this.#signal.aborted) return false
    return this.#isReady && ERRORS[error.code].retried
  }

  /** Nothing can be kept just now: whoever pushes is told so. */
  async #hold(wait_ms: number): Promise<void> {
    const { clock } = this.#context
    const error = this.#held!
    const until_ms = clock.monotonic_ms() + wait_ms
    const refusing = [...this.#pushed.values()]
      .flatMap(({ sources }) => sources)
      .map(async ({ source }) => {
        while (clock.monotonic_ms() < until_ms && !this.#signal.aborted) {
          const event = await source.read()
          if (event === null) return
          if (event.kind === 'pushed') for (const { settle } of event.messages) settle({ kind: 'failed', error })
        }
      })
    await Promise.all([clock.sleep(wait_ms, this.#signal), ...refusing])
  }

  async #closeAttempt(): Promise<void> {
    const warehouse = this.#warehouse
    this.#warehouse = null
    try {
      await this.#attempt?.close()
    } finally {
      await warehouse?.then(opened => opened.close())
    }
  }

  /** The sources that are pushed to: they are there before the first attempt, and after a failed one. */
  async #openPushed(): Promise<void> {
    for (const [topic, references] of this.#sources) {
      const found: NamedSource[] = []
      for (const reference of references) {
        const source = await loadSource(reference)
        if (source.replays !== false) continue
        if (this.#options.untilEnd) {
          throw new MillraceError('INPUT_MISSING', `Topic ${topic.name} is pushed to, and that has no end.`, {
            next: `Run it without --until-end, or give it an input: --input ${topic.name}=FILE.`,
          })
        }
        found.push(await this.#open(topic, source, new Map(), false))
      }
      if (found.length === 0) continue
      const queue = new PushQueue(this.#context.clock, this.#signal)
      found.push({ source: queue, partitions: await queue.open() })
      this.#pushed.set(topic.name, { sources: found, queue })
    }
  }

  async #openSources(
    topic: TopicNode,
    from: ReadonlyMap<string, number>,
    untilEnd: boolean,
  ): Promise<readonly NamedSource[]> {
    const opened: NamedSource[] = []
    for (const reference of this.#sources.get(topic) ?? []) {
      const source = await loadSource(reference)
      if (source.replays !== false) opened.push(await this.#open(topic, source, from, untilEnd))
    }
    return opened
  }

  async #open(
    topic: TopicNode,
    source: Source,
    from: ReadonlyMap<string, number>,
    untilEnd: boolean,
  ): Promise<NamedSource> {
    const { listen = LISTEN, dataDirectory } = this.#options
    const partitions = await source.open({
      untilEnd,
      oneByOne: topic.eventTime?.progress === 'key',
      columns: topic.columns,
      maximumChunkBytes: source.replays === false ? PUSHED_BYTES_MAX : RECORD_BYTES_MAX,
      signal: this.#signal,
      from,
      topic: topic.name,
      dataDirectory,
      listen,
    })
    return { source, partitions }
  }

  #addresses() {
    return [...this.#pushed].flatMap(([topic, { sources }]) =>
      sources.flatMap(({ source }) =>
        source.address == null
          ? []
          : [{ topic, connector: connectorOf(this.#sources, topic), address: source.address }],
      ),
    )
  }

  #openWarehouse(): Promise<Warehouse> {
    this.#warehouse ??= import('../connectors/duckdb/warehouse.ts').then(({ openWarehouse }) =>
      openWarehouse({ path: resolve(this.#options.dataDirectory, this.#plan.warehouseFile) }),
    )
    return this.#warehouse
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
      this.#options.onProgress?.(this.progress())
    }
  }

  #notice(notice: LogNotice): void {
    if (notice.kind === 'dropped') return
    const { bytes, budgetBytes } = notice
    this.#held ??= new MillraceError('LOG_FULL', `The log holds ${bytes} bytes of its ${budgetBytes}.`)
  }

  /** Writes what `verify` and `query` need to know of this run. */
  #saveRun(): void {
    const inputs = Object.fromEntries(
      [...this.#sources].map(([topic, references]) => [topic.name, pathsOf(references)]),
    )
    const stored = [...this.#pushed.keys()]
    const { name, namespace, warehouseFile } = this.#plan
    const { untilEnd, dataDirectory } = this.#options
    const path = join(dataDirectory, 'run.json')
    const text = `${JSON.stringify({ pipeline: name, namespace, warehouseFile, inputs, stored, untilEnd }, null, 2)}\n`
    if (readText(path) !== text) replaceText(path, text)
  }
}

function connectorOf(sources: Sources, topic: string): string {
  const references: readonly SourceReference[] = [...sources].find(([{ name }]) => name === topic)?.[1] ?? []
  return references[0]?.connector ?? ''
}
