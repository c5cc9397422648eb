/**
 * Runs a pipeline on one machine: opens what it needs, drives each topic, commits its outputs, and cleans up.
 *
 * A run that was cut off is simply run again: results are a function of the inputs, so the rows that a sink holds already
 * (its ledger says how many) are left out, and nothing is lost or doubled.
 */
import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import { loadSource, type Sink } from '../connectors/contract.ts'
import type { Warehouse } from '../connectors/duckdb/warehouse.ts'
import type { Batch } from '../engine/batch.ts'
import { Flow, type FlowOutput, topicOf } from '../engine/flow.ts'
import { fingerprint } from '../plan/fingerprint.ts'
import type { Plan, SourceReference, StreamNode, TopicNode } from '../plan/nodes.ts'
import { type Clock, systemClock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import { replaceText, statusOf } from '../system/files.ts'
import { DeadLetters } from './dead-letters.ts'
import type { RunOptions, RunProgress, RunSummary } from './options.ts'
import { Output, sinkOf, TopicSink } from './output.ts'
import { takeOwnership } from './owner.ts'
import { TopicTask } from './topic-task.ts'

const COMMIT_EVERY_MS = 500
const COMMIT_EVERY_BOUNDED_MS = 5000
const PROGRESS_EVERY_MS = 200
const YIELD_EVERY_MS = 50

interface Terminal {
  readonly output: Output
  readonly stream: StreamNode
  /** The topic that the rows are records of. */
  readonly topic: TopicNode | null
}

/** Throws INPUT_MISSING when nothing feeds the pipeline, and what sources and sinks throw; all is closed then. */
export async function runPipeline(plan: Plan, options: RunOptions, clock: Clock = systemClock): Promise<RunSummary> {
  const started = clock.monotonic_ms()
  const dataDirectory = resolve(options.dataDirectory)
  const sources = sourcesOf(plan, options)
  const owner = takeOwnership(dataDirectory)
  const run = new Run(plan, { ...options, dataDirectory }, clock, started)
  try {
    return await run.work(sources)
  } finally {
    await run.close()
    owner.release()
  }
}

/** The sources of each topic: those of the command line, else those that the pipeline declares. */
function sourcesOf(plan: Plan, options: RunOptions): Map<TopicNode, readonly SourceReference[]> {
  const sources = new Map<TopicNode, readonly SourceReference[]>()
  for (const topic of plan.topics) {
    const declared = plan.ingests.filter(ingest => ingest.topic.name === topic.name).map(ingest => ingest.source)
    const bound = options.inputs.get(topic.name) ?? declared
    if (bound.length > 0) sources.set(topic, bound)
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

class Run {
  readonly #plan: Plan
  readonly #options: RunOptions
  readonly #clock: Clock
  readonly #started: number
  readonly #deadLetters: DeadLetters
  readonly #terminals: Terminal[] = []
  readonly #tasks = new Map<string, TopicTask>()
  #warehouse: Promise<Warehouse> | null = null
  #lastCommit: number
  #lastProgress = 0
  #lastYield = 0
  #committing: Promise<void> = Promise.resolve()

  constructor(plan: Plan, options: RunOptions, clock: Clock, started: number) {
    this.#plan = plan
    this.#options = options
    this.#clock = clock
    this.#started = started
    this.#lastCommit = started
    this.#deadLetters = new DeadLetters(options.dataDirectory, options.strict)
  }

  async work(sources: ReadonlyMap<TopicNode, readonly SourceReference[]>): Promise<RunSummary> {
    this.#saveRun(sources)
    await this.#openOutputs(sources)
    for (const topic of this.#plan.topics) this.#makeTask(topic)
    const stop = new AbortController()
    const signal = AbortSignal.any([this.#options.signal, stop.signal])
    const { duration_ms, untilEnd } = this.#options
    const timer = duration_ms === null ? null : this.#clock.sleep(duration_ms, signal).then(() => stop.abort())
    const pulse = this.#pulse(signal)
    let reason: RunSummary['reason'] = 'ended'
    try {
      const runs = [...sources].map(async ([topic, references]) => {
        const opened = await Promise.all(references.map(loadSource))
        try {
          const closesAtEnd = () => untilEnd && !signal.aborted
          await this.#tasks
            .get(topic.name)!
            .run(opened, untilEnd, signal, closesAtEnd, () => this.#tick(), this.#options.pool ?? null)
        } finally {
          for (const source of opened) await source.close()
        }
      })
      await Promise.all(runs.map(one => one.catch(error => Promise.reject(stop.abort() ?? error))))
      if (signal.aborted) reason = 'stopped'
      else if (untilEnd) await this.#endDerived(sources)
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
    for (const { output } of this.#terminals) await output.close()
    this.#deadLetters.close()
    if (this.#warehouse) await (await this.#warehouse).close()
  }

  async #openOutputs(sources: ReadonlyMap<TopicNode, readonly SourceReference[]>): Promise<void> {
    const { dataDirectory } = this.#options
    const inputs = inputIdentity(sources, this.#options.untilEnd)
    const open = async (
      stream: StreamNode,
      name: string,
      sink: Sink,
      key: readonly string[],
      topic: TopicNode | null,
    ) => {
      const output = await Output.open(name, sink, {
        consumer: `${this.#plan.namespace}/${this.#plan.name}/${name}`,
        incarnation: createHash('sha256')
          .update(`${fingerprint(stream)}\n${inputs}`)
          .digest('hex')
          .slice(0, 32),
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

  #makeTask(topic: TopicNode): void {
    const outputs = this.#terminals
      .filter(({ stream }) => topicOf(stream).name === topic.name)
      .map(({ stream, output, topic: produced }): FlowOutput => ({ stream, write: this.#writer(output, produced) }))
    const taps = this.#options.taps
    const task = new TopicTask(
      topic,
      onLate => new Flow(topic, { outputs, taps, onLate }),
      this.#deadLetters,
      this.#clock,
    )
    this.#tasks.set(topic.name, task)
  }

  /** Rows go to the sink and, when they are records of a topic, to what reads that topic. */
  #writer(output: Output, topic: TopicNode | null): (batch: Batch) => Promise<void> {
    const isRead = topic !== null && this.#terminals.some(({ stream }) => topicOf(stream).name === topic.name)
    if (!isRead) return batch => output.write(batch)
    return async batch => {
      await output.write(batch)
      await this.#tasks.get(topic.name)!.pushDerived(batch)
    }
  }

  /** Topics that other streams of the pipeline feed end after those, in the order in which they feed each other. */
  async #endDerived(sources: ReadonlyMap<TopicNode, unknown>): Promise<void> {
    const fed = new Set([...sources.keys()].map(topic => topic.name))
    const waiting = this.#plan.produces.map(produce => produce.topic.name).filter(name => !fed.has(name))
    const open = new Set(waiting)
    while (open.size > 0) {
      const ready = [...open].find(name =>
        this.#plan.produces.every(({ topic, stream }) => topic.name !== name || !open.has(topicOf(stream).name)),
      )
      if (ready === undefined) return
      open.delete(ready)
      await this.#tasks.get(ready)!.endDerived()
    }
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

  /** While inputs are silent there are no ticks, but rows may wait for their commit. */
  async #pulse(signal: AbortSignal): Promise<void> {
    while (!this.#options.untilEnd && !signal.aborted) {
      await this.#clock.sleep(COMMIT_EVERY_MS, signal)
      this.#options.onProgress?.(this.#progress())
    }
  }

  async #commit(): Promise<void> {
    this.#lastCommit = this.#clock.monotonic_ms()
    this.#committing = this.#committing.then(async () => {
      this.#deadLetters.flush()
      for (const { output } of this.#terminals) await output.commit()
    })
    await this.#committing
  }

  #progress(): RunProgress {
    return {
      elapsed_ms: this.#clock.monotonic_ms() - this.#started,
      topics: [...this.#tasks.values()].map(task => task.progress),
      outputs: this.#terminals.map(({ output }) => ({ output: output.name, rows: output.rows })),
    }
  }

  /** What `verify` and `query` need to know of this run. */
  #saveRun(sources: ReadonlyMap<TopicNode, readonly SourceReference[]>): void {
    const inputs = Object.fromEntries(
      [...sources].map(([topic, references]) => [topic.name, references.flatMap(pathOf)]),
    )
    const { name, namespace, warehouseFile } = this.#plan
    const run = { pipeline: name, namespace, warehouseFile, inputs, untilEnd: this.#options.untilEnd }
    replaceText(join(this.#options.dataDirectory, 'run.json'), `${JSON.stringify(run, null, 2)}\n`)
  }
}

function pathOf(source: SourceReference): string[] {
  const path = source.options.path ?? source.options.export
  return typeof path === 'string' ? [resolve(path)] : []
}

/** Equal when a run reads the same bytes again; a file that is followed is the same while it grows. */
function inputIdentity(sources: ReadonlyMap<TopicNode, readonly SourceReference[]>, untilEnd: boolean): string {
  const inputs = [...sources].map(([topic, references]) => [
    topic.name,
    references.map(reference => [
      reference.connector,
      reference.options,
      pathOf(reference).map(path => (untilEnd ? (statusOf(path)?.bytes ?? null) : null)),
    ]),
  ])
  return JSON.stringify(inputs)
}
