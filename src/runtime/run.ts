/**
 * Runs a pipeline on one machine: opens what it needs, drives each topic, commits its outputs, and cleans up.
 *
 * A run that was cut off is simply run again: results are a function of the inputs, so the rows that a sink holds already
 * (its ledger says how many) are left out, and nothing is lost or doubled.
 */
import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import { loadSource, type Sink, type Source } from '../connectors/contract.ts'
import type { Warehouse } from '../connectors/duckdb/warehouse.ts'
import { fingerprint } from '../plan/fingerprint.ts'
import { formatLocation } from '../plan/location.ts'
import type { Plan, SourceReference, StreamNode, TopicNode } from '../plan/nodes.ts'
import { readOf, stepsOf } from '../plan/walk.ts'
import { type Clock, systemClock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import { filesMatching, readText, replaceText, statusOf } from '../system/files.ts'
import { DeadLetters } from './dead-letters.ts'
import type { RunOptions, RunProgress, RunSummary } from './options.ts'
import { Output, sinkOf, TopicSink } from './output.ts'
import { takeOwnership } from './owner.ts'
import { type OpenedSource, RECORD_BYTES_MAX } from './topic-task.ts'
import { type Terminal, Topics } from './topics.ts'

const COMMIT_EVERY_MS = 500
const COMMIT_EVERY_BOUNDED_MS = 5000
const PROGRESS_EVERY_MS = 200
const YIELD_EVERY_MS = 50

/** Throws INPUT_MISSING when nothing feeds the pipeline, and what sources and sinks throw; all is closed then. */
export async function runPipeline(plan: Plan, options: RunOptions, clock: Clock = systemClock): Promise<RunSummary> {
  const started = clock.monotonic_ms()
  const dataDirectory = resolve(options.dataDirectory)
  refuseTimeless(plan)
  const sources = sourcesOf(plan, options)
  const owner = takeOwnership(dataDirectory)
  try {
    const run = new Run(plan, { ...options, dataDirectory }, clock, started, sources)
    try {
      return await run.work()
    } finally {
      await run.close()
    }
  } finally {
    owner.release()
  }
}

/** A step that goes by event time needs a topic that has it. */
function refuseTimeless(plan: Plan): void {
  for (const step of stepsOf(plan)) {
    const { topic } = readOf(step)
    if ((step.kind !== 'window' && step.kind !== 'dedupe') || topic.eventTime !== null) continue
    const place = step.location === null ? '' : `${formatLocation(step.location)}: `
    const message = `${place}${step.identity} goes by event time, and topic '${topic.name}' has none`
    throw new MillraceError('PIPELINE_INVALID', message, {
      next: "Say which field it is: { eventTime: { field: 'time', disorder: '5 s' } }.",
    })
  }
}

/** The sources of each topic: those of the command line, else those that the pipeline declares. */
function sourcesOf(plan: Plan, options: RunOptions): Sources {
  const sources = new Map<TopicNode, readonly SourceReference[]>()
  for (const topic of plan.topics) {
    const declared = plan.ingests.filter(ingest => ingest.topic.name === topic.name).map(ingest => ingest.source)
    const bound = options.inputs.get(topic.name) ?? declared
    if (bound.length === 0) continue
    if (plan.produces.some(produce => produce.topic.name === topic.name)) {
      throw new MillraceError(
        'PIPELINE_INVALID',
        `Topic ${topic.name} would get records from a source and from a stream.`,
        {
          next: 'Use a topic for each.',
        },
      )
    }
    sources.set(topic, bound)
  }
  if (sources.size === 0) {
    const names = plan.topics.filter(topic => topic.schema !== null).map(topic => topic.name)
    throw new MillraceError(
      'INPUT_MISSING',
      `Nothing feeds the pipeline ${plan.name}: its topics are ${names.join(', ')}.`,
    )
  }
  return sources
}

type Sources = ReadonlyMap<TopicNode, readonly SourceReference[]>

class Run {
  readonly #plan: Plan
  readonly #sources: Sources
  /** Names the bytes that this run reads. */
  readonly #identity: string
  readonly #options: RunOptions
  readonly #clock: Clock
  readonly #started: number
  readonly #deadLetters: DeadLetters
  readonly #terminals: (Terminal & { readonly output: Output })[] = []
  readonly #opened: Source[] = []
  #topics: Topics | null = null
  #warehouse: Promise<Warehouse> | null = null
  #lastCommit: number
  #lastProgress = 0
  #lastYield = 0
  #committing: Promise<void> = Promise.resolve()

  constructor(plan: Plan, options: RunOptions, clock: Clock, started: number, sources: Sources) {
    this.#plan = plan
    this.#sources = sources
    this.#identity = inputIdentity(sources, options.untilEnd)
    this.#options = options
    this.#clock = clock
    this.#started = started
    this.#lastCommit = started
    this.#deadLetters = new DeadLetters(options.dataDirectory, options.strict, this.#saveRun())
  }

  async work(): Promise<RunSummary> {
    const stop = new AbortController()
    const signal = AbortSignal.any([this.#options.signal, stop.signal])
    const { duration_ms, untilEnd } = this.#options
    // Before the outputs: an input that is not there must not leave its mark on them.
    const sources = await this.#openSources(signal)
    await this.#openOutputs()
    const topics = new Topics(this.#plan, this.#terminals, this.#options.taps, this.#deadLetters, this.#clock)
    this.#topics = topics
    const timer = duration_ms === null ? null : this.#clock.sleep(duration_ms, signal).then(() => stop.abort())
    const pulse = this.#pulse(signal)
    let reason: RunSummary['reason'] = 'ended'
    try {
      const closesAtEnd = () => untilEnd && !signal.aborted
      const runs = [...sources].map(([topic, opened]) =>
        topics
          .task(topic.name)
          .run(opened, untilEnd, signal, closesAtEnd, () => this.#tick(), this.#options.pool ?? null),
      )
      await Promise.all(runs.map(one => one.catch(error => Promise.reject(stop.abort() ?? error))))
      if (signal.aborted) reason = 'stopped'
      else if (untilEnd) await topics.endDerived(new Set([...sources.keys()].map(topic => topic.name)))
    } finally {
      stop.abort()
      await Promise.all([timer, pulse])
    }
    await this.#commit()
    const progress = this.#progress()
    this.#options.onProgress?.(progress)
    return { ...progress, dataDirectory: this.#options.dataDirectory, reason }
  }

  async close(): Promise<void> {
    await this.#committing.catch(() => {})
    for (const source of this.#opened) await source.close()
    for (const { output } of this.#terminals) await output.close()
    await this.#deadLetters.close()
    if (this.#warehouse) await (await this.#warehouse).close()
  }

  async #openSources(signal: AbortSignal): Promise<Map<TopicNode, readonly OpenedSource[]>> {
    const { untilEnd } = this.#options
    const opened = new Map<TopicNode, OpenedSource[]>()
    for (const [topic, references] of this.#sources) {
      const sources: OpenedSource[] = []
      opened.set(topic, sources)
      for (const reference of references) {
        const source = await loadSource(reference)
        this.#opened.push(source)
        const oneByOne = topic.eventTime?.progress === 'key'
        const context = { untilEnd, oneByOne, columns: topic.columns, maximumChunkBytes: RECORD_BYTES_MAX, signal }
        sources.push({ source, partitions: await source.open(context) })
      }
    }
    return opened
  }

  async #openOutputs(): Promise<void> {
    const { dataDirectory, untilEnd } = this.#options
    // What the wall clock closed in a followed run is not kept: windows of another run are not the continuation of these.
    const ownRun = `${this.#identity}\n${this.#clock.now()}`
    const open = async (
      stream: StreamNode,
      name: string,
      sink: Sink,
      key: readonly string[],
      topic: TopicNode | null,
    ) => {
      const output = await Output.open(name, sink, {
        consumer: `${this.#plan.namespace}/${this.#plan.name}/${name}`,
        incarnation: digest(`${fingerprint(stream)}\n${untilEnd || isStateless(stream) ? this.#identity : ownRun}`),
        dataDirectory,
        columns: stream.columns,
        key,
      })
      this.#terminals.push({ output, stream, topic })
    }
    for (const node of this.#plan.produces) {
      await open(node.stream, node.topic.name, new TopicSink(node), [], node.topic)
    }
    for (const node of this.#plan.delivers) {
      const { name, sink, key } = await sinkOf(node, () => this.#openWarehouse())
      await open(node.stream, name, sink, key, null)
    }
  }

  #openWarehouse(): Promise<Warehouse> {
    this.#warehouse ??= import('../connectors/duckdb/warehouse.ts').then(({ openWarehouse }) =>
      openWarehouse({ path: resolve(this.#options.dataDirectory, this.#plan.warehouseFile) }),
    )
    return this.#warehouse
  }

  /** Called after each piece of input. */
  async #tick(): Promise<void> {
    const now = this.#clock.monotonic_ms()
    if (now - this.#lastProgress >= PROGRESS_EVERY_MS) {
      this.#lastProgress = now
      this.#options.onProgress?.(this.#progress())
    }
    // Reading files never waits: signals and timers get their turn here.
    if (now - this.#lastYield >= YIELD_EVERY_MS) {
      this.#lastYield = now
      await this.#clock.sleep(0)
    }
    if (now - this.#lastCommit < (this.#options.untilEnd ? COMMIT_EVERY_BOUNDED_MS : COMMIT_EVERY_MS)) return
    await this.#commit()
  }

  /** While a source says nothing at all there are no ticks: how things stand is told all the same. */
  async #pulse(signal: AbortSignal): Promise<void> {
    while (!this.#options.untilEnd && !signal.aborted) {
      await this.#clock.sleep(COMMIT_EVERY_MS, signal)
      this.#options.onProgress?.(this.#progress())
    }
  }

  async #commit(): Promise<void> {
    this.#lastCommit = this.#clock.monotonic_ms()
    this.#committing = this.#committing.then(async () => {
      await this.#deadLetters.flush()
      for (const { output } of this.#terminals) await output.commit()
    })
    await this.#committing
  }

  #progress(): RunProgress {
    return {
      elapsed_ms: this.#clock.monotonic_ms() - this.#started,
      topics: this.#topics?.progress ?? [],
      outputs: this.#terminals.map(({ output }) => ({ output: output.name, rows: output.rows })),
    }
  }

  /** Writes what `verify` and `query` need to know of this run; answers whether the directory held the beginning of it. */
  #saveRun(): boolean {
    const inputs = Object.fromEntries(
      [...this.#sources].map(([topic, references]) => [topic.name, references.flatMap(pathOf)]),
    )
    const { name, namespace, warehouseFile } = this.#plan
    const { untilEnd, dataDirectory } = this.#options
    const run = { pipeline: name, namespace, warehouseFile, inputs, untilEnd, identity: digest(this.#identity) }
    const path = join(dataDirectory, 'run.json')
    const text = `${JSON.stringify(run, null, 2)}\n`
    const isSame = readText(path) === text
    if (!isSame) replaceText(path, text)
    return isSame
  }
}

/** 32 hexadecimal digits that stand for a text. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

function pathOf(source: SourceReference): string[] {
  const path = source.options.path ?? source.options.export
  return typeof path === 'string' ? [resolve(path)] : []
}

/** Sizes of the file, or of the files that a pattern matches. */
function bytesAt(path: string): readonly (readonly [string, number])[] {
  const status = statusOf(path)
  const paths = status === null ? filesMatching(path) : [path]
  return paths.map(each => [each, statusOf(each)?.bytes ?? 0])
}

function isStateless(stream: StreamNode): boolean {
  if (stream.kind === 'read') return true
  return stream.kind !== 'window' && stream.kind !== 'dedupe' && stream.kind !== 'finals' && isStateless(stream.input)
}

/** Equal when a run reads the same bytes again; a file that is followed is the same while it grows. */
function inputIdentity(sources: Sources, untilEnd: boolean): string {
  const inputs = [...sources].map(([topic, references]) => [
    topic.name,
    references.map(reference => [
      reference.connector,
      reference.options,
      pathOf(reference).map(path => (untilEnd ? bytesAt(path) : null)),
    ]),
  ])
  return JSON.stringify(inputs)
}
