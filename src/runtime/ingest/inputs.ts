/** What an attempt reads: for each topic its task, its sources, and what takes in what is pushed to it. */
import type { PartitionInfo, Source } from '../../connectors/contract.ts'
import type { Stateful } from '../../engine/state/table.ts'
import type { ResumePoint } from '../../formats/lines.ts'
import type { TopicLog } from '../../log/topic-log.ts'
import type { TopicNode } from '../../plan/nodes.ts'
import type { Clock } from '../../system/clock.ts'
import type { MillraceError } from '../../system/errors.ts'
import type { EpochHeader } from '../checkpoint/header.ts'
import type { Store } from '../checkpoint/store.ts'
import type { RunOptions } from '../options.ts'
import type { TopicTask } from '../process/topic-task.ts'
import type { Topics } from '../process/topics.ts'
import { MessageKeys, memoryOf } from './idempotency.ts'
import { Ingestion } from './ingestion.ts'
import type { Sources } from './input-names.ts'
import { LOG_PARTITION, logPosition, resumePointsOf, type TopicPosition } from './partitions.ts'
import type { OpenedSource } from './topic-input.ts'

export interface NamedSource {
  readonly source: Source
  readonly partitions: readonly PartitionInfo[]
}

export interface InputsOptions {
  readonly sources: Sources
  readonly options: RunOptions
  readonly clock: Clock
  /** Sources of a topic that can be read again, opened at these positions. */
  readonly openSources: (
    topic: TopicNode,
    from: ReadonlyMap<string, ResumePoint>,
    untilEnd: boolean,
  ) => Promise<readonly NamedSource[]>
  /** Sources of a topic that are pushed to; they outlive an attempt. */
  readonly pushed: (topic: TopicNode) => readonly NamedSource[]
  readonly onHeld: (error: MillraceError | null) => void
  readonly onWarning: (warning: MillraceError) => void
}

export interface Input {
  readonly task: TopicTask
  readonly sources: OpenedSource[]
  readonly ingestion: Ingestion | null
}

export class Inputs {
  readonly all: Input[] = []
  /** Of the messages that were pushed: state as that of any operator. */
  readonly numbers: Stateful[] = []
  readonly #keys: MessageKeys[] = []
  readonly #options: InputsOptions
  readonly #opened = new Map<TopicNode, readonly NamedSource[]>()

  constructor(options: InputsOptions) {
    this.#options = options
  }

  /** By topic the identity of the log that is pushed to. */
  get incarnations(): Record<string, string> {
    const logs = this.all.flatMap(({ task, ingestion }) =>
      ingestion === null ? [] : [[task.topic.name, ingestion.log.incarnation]],
    )
    return Object.fromEntries(logs)
  }

  /** Dead letters of ingestion whose messages are done, of all topics and of each. */
  get letters(): Pick<EpochHeader['letters'], 'ingestion' | 'counted'> {
    const done = this.all.flatMap(({ task, ingestion }) =>
      ingestion === null ? [] : [[task.topic.name, ingestion.lettersDone] as const],
    )
    const ingestion = Math.min(Number.MAX_SAFE_INTEGER, ...done.map(([, letters]) => letters))
    return { ingestion, counted: Object.fromEntries(done) }
  }

  /** Opens the sources that can be read again where the epoch stands. */
  async open(header: EpochHeader | null): Promise<void> {
    const { sources, openSources, options } = this.#options
    for (const topic of sources.keys()) {
      this.#opened.set(topic, await openSources(topic, resumePointsOf(header?.topics[topic.name]), options.untilEnd))
    }
  }

  /** Connects the tasks with the logs of what is pushed to them. */
  connect(topics: Topics, store: Store): void {
    for (const topic of this.#options.sources.keys()) {
      const task = topics.task(topic.name)
      const isPushed = this.#options.pushed(topic).length > 0
      this.all.push({ task, sources: [], ingestion: isPushed ? this.#ingestion(topic, task, store) : null })
    }
  }

  /** Adds all partitions to the tasks, which are back at the epoch. */
  begin(store: Store): void {
    for (const { task, sources, ingestion } of this.all) {
      const opened = this.#opened.get(task.topic) ?? []
      const logs = ingestion === null ? 0 : 1
      if (opened.length + logs > 1 || opened.some(({ source }) => source.hasOnePartition !== true))
        task.time?.scatterKeys()
      ingestion?.begin(store.header?.letters ?? { ingestion: 0 })
      for (const { source, partitions } of opened) {
        const numbers = partitions.map(info => task.addPartition(info).number)
        sources.push({ source, name: partitions[0]?.name ?? '', partitions: numbers })
      }
      for (const { source, partitions } of this.#options.pushed(task.topic)) {
        sources.push({ source, name: partitions[0]?.name ?? '', partitions: [] })
      }
    }
  }

  /**
   * Whether the records of a topic are one log that gives the same ones in the same order again: what is pushed to it, or
   * the one file of a run with an end. Files that are followed may be cut or taken away by others.
   */
  isOneLog({ name }: TopicNode, untilEnd: boolean): boolean {
    const topic = [...this.#options.sources.keys()].find(candidate => candidate.name === name)
    if (topic === undefined) return false
    const replayed = this.#opened.get(topic) ?? []
    if (this.#options.pushed(topic).length > 0) return replayed.length === 0
    const [only, ...others] = replayed
    return untilEnd && others.length === 0 && only?.source.hasOnePartition === true && only.partitions.length === 1
  }

  /** The log of what is pushed to a topic, null when nothing is. */
  logOf(topic: TopicNode): TopicLog | null {
    return this.all.find(({ task }) => task.topic.name === topic.name)?.ingestion?.log ?? null
  }

  /** Pins what the operators (at the last safe epoch) and `readers` of a topic still need of its log. */
  pin(safe: () => EpochHeader | null, readers: (topic: TopicNode) => readonly (TopicPosition | null)[]): void {
    for (const { task, ingestion } of this.all) {
      const { topic } = task
      const needed = () => [safe()?.topics[topic.name] ?? null, ...readers(topic)].map(logPosition)
      ingestion?.log.pin(() => Math.min(...needed()))
    }
  }

  /** Forgets the keys of messages that are too old. */
  forgetKeys(): void {
    for (const keys of this.#keys) keys.forget(this.#options.clock.now())
  }

  /** Closes the sources that were opened; those that are pushed to are not the attempt's. */
  async close(): Promise<void> {
    for (const sources of this.#opened.values()) for (const { source } of sources) await source.close().catch(() => {})
    this.#opened.clear()
  }

  #ingestion(topic: TopicNode, task: TopicTask, store: Store): Ingestion {
    const memory = memoryOf(this.#options.pushed(topic).map(({ source }) => source.keyMemory))
    const keys = new MessageKeys(topic.name, memory)
    this.#keys.push(keys)
    this.numbers.push(...keys.stateful)
    return new Ingestion({
      task,
      log: store.ingested(topic, logPosition(store.header?.topics[topic.name] ?? null)),
      partition: LOG_PARTITION,
      letters: store.letters.ingestion,
      keys,
      clock: this.#options.clock,
      onHeld: this.#options.onHeld,
      onWarning: this.#options.onWarning,
    })
  }
}
