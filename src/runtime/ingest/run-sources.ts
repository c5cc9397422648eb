/** The sources of a run: those that can be read again, opened for each attempt, and those that are pushed to, for all. */
import { type Listen, loadSource, type Source, type SourceContext } from '../../connectors/contract.ts'
import type { ResumePoint } from '../../formats/lines.ts'
import type { SourceReference, TopicNode } from '../../plan/nodes.ts'
import { requiredColumns } from '../../plan/required.ts'
import type { Clock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import type { RunHandle, RunOptions } from '../options.ts'
import { RECORD_BYTES_MAX } from '../process/topic-decoder.ts'
import type { Sources } from './input-names.ts'
import type { NamedSource } from './inputs.ts'
import { PushQueue } from './push-queue.ts'

/** A message that is pushed is taken as a whole; it may hold many records. */
const PUSHED_BYTES_MAX = 8 << 20
const LISTEN: Listen = { host: '127.0.0.1', port: 4401, tls: null, trustedProxies: [], keys: 'when-made' }

interface PushedTopic {
  readonly sources: readonly NamedSource[]
  /** What this process itself sends. */
  readonly queue: PushQueue
  readonly addresses: RunHandle['addresses']
}

export class RunSources {
  readonly #sources: Sources
  readonly #options: RunOptions
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #onWarning: (warning: MillraceError) => void
  readonly #notReady: () => string | null
  readonly #pushed = new Map<string, PushedTopic>()

  constructor(
    sources: Sources,
    options: RunOptions,
    clock: Clock,
    signal: AbortSignal,
    { onWarning, notReady }: Pick<SourceContext, 'onWarning'> & { notReady: () => string | null },
  ) {
    this.#onWarning = onWarning
    this.#notReady = notReady
    this.#sources = sources
    this.#options = options
    this.#clock = clock
    this.#signal = signal
  }

  /** Topics that something is pushed to. */
  get pushedTopics(): readonly string[] {
    return [...this.#pushed.keys()]
  }

  get addresses(): RunHandle['addresses'] {
    return [...this.#pushed.values()].flatMap(({ addresses }) => addresses)
  }

  pushed(topic: string): PushedTopic | null {
    return this.#pushed.get(topic) ?? null
  }

  /** Opens the sources that are pushed to. Throws INPUT_MISSING where the run is to have an end. */
  async openPushed(): Promise<void> {
    for (const [topic, references] of this.#sources) {
      const found: NamedSource[] = []
      const addresses: { topic: string; connector: string; address: string }[] = []
      for (const reference of references) {
        const source = await loadSource(reference)
        if (source.replays !== false) continue
        if (this.#options.untilEnd) {
          throw new MillraceError('INPUT_MISSING', `Topic ${topic.name} is pushed to, and that has no end.`, {
            next: `Run it without --until-end, or give it an input: --input ${topic.name}=FILE.`,
          })
        }
        found.push(await this.#open(topic, source, new Map(), false))
        const { address = null } = source
        if (address !== null) addresses.push({ topic: topic.name, connector: reference.connector, address })
      }
      if (found.length === 0) continue
      const queue = new PushQueue(this.#clock, this.#signal)
      const sources = [...found, { source: queue, partitions: await queue.open() }]
      this.#pushed.set(topic.name, { sources, queue, addresses })
    }
  }

  /** Opens the sources of a topic that can be read again, at these positions. */
  async openReplayed(
    topic: TopicNode,
    from: ReadonlyMap<string, ResumePoint>,
    untilEnd: boolean,
  ): Promise<readonly NamedSource[]> {
    const opened: NamedSource[] = []
    const references: readonly SourceReference[] = this.#sources.get(topic) ?? []
    for (const reference of references) {
      const source = await loadSource(reference)
      if (source.replays !== false) opened.push(await this.#open(topic, source, from, untilEnd))
    }
    return opened
  }

  /** For so long, tells whoever pushes that nothing can be kept. */
  async refuse(error: MillraceError, duration_ms: number): Promise<void> {
    const until_ms = this.#clock.monotonic_ms() + duration_ms
    const refuse = async (source: Source) => {
      while (this.#clock.monotonic_ms() < until_ms && !this.#signal.aborted) {
        const event = await source.read()
        if (event === null) return
        if (event.kind === 'pushed') for (const { settle } of event.messages) settle({ kind: 'failed', error })
      }
    }
    const sources = [...this.#pushed.values()].flatMap(({ sources: named }) => named.map(({ source }) => source))
    await Promise.all([this.#clock.sleep(duration_ms, this.#signal), ...sources.map(refuse)])
  }

  async close(): Promise<void> {
    for (const { sources } of this.#pushed.values()) for (const { source } of sources) await source.close()
  }

  async #open(
    topic: TopicNode,
    source: Source,
    from: ReadonlyMap<string, ResumePoint>,
    untilEnd: boolean,
  ): Promise<NamedSource> {
    const { listen = LISTEN, dataDirectory } = this.#options
    const partitions = await source.open({
      untilEnd,
      columns: topic.columns,
      required: topic.schema === null ? new Set() : requiredColumns(topic.schema),
      maximumChunkBytes: source.replays === false ? PUSHED_BYTES_MAX : RECORD_BYTES_MAX,
      signal: this.#signal,
      from,
      onWarning: this.#onWarning,
      topic: topic.name,
      dataDirectory,
      listen,
      notReady: this.#notReady,
    })
    return { source, partitions }
  }
}
