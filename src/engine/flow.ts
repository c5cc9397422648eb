/**
 * The operators behind one topic, put together from the plan: a tree from the topic's rows to all outputs.
 *
 * A step that several outputs share runs once. Neighbouring stateless steps are fused into one loop; a step that is
 * tapped, or whose result is used twice, ends such a loop.
 */
import { hasOwnTime } from '../plan/event-time.ts'
import type { ReadNode, StreamNode, TopicNode, WindowNode } from '../plan/nodes.ts'
import type { Column } from '../plan/schema.ts'
import type { Batch } from './batch.ts'
import { compileChain } from './chain.ts'
import { DedupeOperator } from './operators/dedupe.ts'
import { ExplodeOperator } from './operators/explode.ts'
import { FinalsOperator } from './operators/finals.ts'
import { awaits, Fork, type Stage } from './operators/stage.ts'
import { WindowOperator } from './operators/window.ts'
import type { Overflow } from './overflow.ts'
import type { Stateful } from './state/table.ts'
import { noCounts, type StepCounts } from './step-counts.ts'
import type { StatelessNode } from './steps.ts'
import type { Times, Watermark } from './times.ts'

/** Where a stream leaves the engine. */
export interface FlowOutput {
  readonly stream: StreamNode
  /** Gets rows, lent for the call. */
  readonly write: (batch: Batch) => void
}

export interface FlowOptions {
  readonly outputs: readonly FlowOutput[]
  /** Sees the rows that leave a step, by step identity. */
  readonly taps: ReadonlyMap<string, (batch: Batch) => void>
  /** Called for each row that counts in no window of a step; `row` is its index in the batch from the topic. */
  readonly onLate: (row: number, step: WindowNode) => void
  /** Called for each row that a step refuses because a result does not fit its column. */
  readonly onOverflow: (overflow: Overflow, step: string) => void
  /** Whether the state is to survive: what changes is noted. Default false. */
  readonly keepsState?: boolean
}

interface Built {
  readonly stage: Stage
  /** Columns of the step's input that are read. */
  readonly reads: ReadonlySet<string>
  /** Whether a stage in it keeps time of its own. */
  readonly keepsTime: boolean
  /** Whether it needs the lowest frontier of all keys, which costs a look at each key. */
  readonly needsLowestKey: boolean
}

type StepBuilder = (node: never, next: Built) => Built

const isStateless = (node: StreamNode): node is StatelessNode =>
  node.kind === 'filter' || node.kind === 'require' || node.kind === 'derive' || node.kind === 'project'

export class Flow {
  /** By step the rows that have left it; of stateless steps in a row only the last one is known. */
  readonly rows = new Map<string, number>()
  /** By step with state what became of the rows that came to it. */
  readonly counts = new Map<string, StepCounts>()
  /** Columns of the topic that some output needs. */
  readonly reads: ReadonlySet<string>
  readonly needsLowestKey: boolean
  /** Whether a window keeps the records that are late for it. */
  readonly quarantines: boolean
  /** The stateless steps that every row takes first, when there is one way for all: other threads can take them. */
  prefix: {
    readonly steps: readonly StatelessNode[]
    readonly columns: readonly Column[]
    readonly needed: ReadonlySet<string>
  } | null = null
  #prepared: Stage | null = null
  readonly #options: FlowOptions
  readonly #stateful: Stateful[] = []
  readonly #consumers = new Map<StreamNode, StreamNode[]>()
  readonly #root: Stage
  #roots = 0

  constructor(topic: TopicNode, options: FlowOptions) {
    this.#options = options
    const roots = new Set<ReadNode>()
    const seen = new Set<StreamNode>()
    let quarantines = false
    for (const output of options.outputs) {
      let node = output.stream
      while (node.kind !== 'read' && !seen.has(node)) {
        seen.add(node)
        if (node.kind === 'window' && node.late === 'quarantine') quarantines = true
        const consumers = this.#consumers.get(node.input)
        if (consumers) consumers.push(node)
        else this.#consumers.set(node.input, [node])
        node = node.input
      }
      if (node.kind === 'read') roots.add(node)
    }
    this.#roots = roots.size
    const built = [...roots].map(root => this.#after(root))
    const reads = new Set(built.flatMap(next => [...next.reads]))
    if (topic.eventTime) reads.add(topic.eventTime.column)
    if (topic.eventTime?.progress === 'key') for (const name of topic.key) reads.add(name)
    this.reads = reads
    this.quarantines = quarantines
    this.needsLowestKey = built.some(next => next.needsLowestKey)
    this.#root = built.length === 1 ? built[0]!.stage : new Fork(built.map(next => next.stage))
  }

  /**
   * The operators that have state, each under its step's identity: restored before any row comes, and asked for what
   * changed between calls of `push`, `advance` and `end`, where `keepsState` was given (else they throw INTERNAL).
   */
  get stateful(): readonly Stateful[] {
    return this.#stateful
  }

  /** Sends rows through that have taken the steps of the prefix elsewhere. */
  pushPrepared(batch: Batch, times: Times): void {
    const stage = this.#prepared ?? this.#root
    stage.push(batch, times)
  }

  /** Sends rows through: all that they cause has happened when it returns. */
  push(batch: Batch, times: Times): void {
    this.#root.push(batch, times)
  }

  advance(watermark: Watermark): void {
    this.#root.advance(watermark)
  }

  /** Whether anything would happen if the time of this key alone came to `emit`. */
  awaits(key: number, emit: number): boolean {
    return awaits(this.#root, key, emit)
  }

  end(): void {
    this.#root.end()
  }

  /** What happens to the rows that leave a step. */
  #after(node: StreamNode): Built {
    const next = (this.#consumers.get(node) ?? []).map(consumer => this.#step(consumer))
    for (const output of this.#options.outputs) if (output.stream === node) next.push(this.#output(node, output))
    const tap = this.#options.taps.get(node.identity)
    if (tap) next.unshift(this.#tap(node, tap))
    const stage = next.length === 1 ? next[0]!.stage : new Fork(next.map(one => one.stage))
    return {
      stage: node.kind === 'read' ? stage : this.#counted(node, stage),
      reads: new Set(next.flatMap(one => [...one.reads])),
      keepsTime: next.some(one => one.keepsTime),
      needsLowestKey: next.some(one => one.needsLowestKey),
    }
  }

  /** Rows that leave a step are counted once a batch. */
  #counted({ identity }: StreamNode, stage: Stage): Stage {
    this.rows.set(identity, 0)
    return {
      push: (batch, times) => {
        this.rows.set(identity, this.rows.get(identity)! + batch.length)
        stage.push(batch, times)
      },
      advance: watermark => stage.advance(watermark),
      awaits: (key, emit) => awaits(stage, key, emit),
      end: () => stage.end(),
    }
  }

  #step(node: StreamNode): Built {
    if (isStateless(node)) return this.#chain(node)
    const builders: Record<Exclude<StreamNode['kind'], StatelessNode['kind']>, StepBuilder> = {
      read: () => {
        throw new TypeError('a topic is never behind a step')
      },
      window: (window: WindowNode, next) => this.#window(window, next),
      dedupe: (dedupe: Extract<StreamNode, { kind: 'dedupe' }>, next) => ({
        ...next,
        stage: this.#keeping(
          new DedupeOperator(dedupe, dedupe.input.columns, next.stage, {
            progress: hasOwnTime(dedupe.input, dedupe.key) ? 'key' : 'partition',
            counts: this.#countsOf(dedupe),
            keepsState: this.#options.keepsState ?? false,
          }),
        ),
        reads: new Set([...next.reads, ...dedupe.key]),
        keepsTime: true,
        needsLowestKey: true,
      }),
      explode: (explode: Extract<StreamNode, { kind: 'explode' }>, next) => {
        const inputs = new Set(explode.input.columns.map(column => column.name))
        return {
          ...next,
          stage: new ExplodeOperator(explode, explode.input.columns, next.stage),
          reads: new Set([explode.array, ...[...next.reads].filter(name => inputs.has(name))]),
        }
      },
      finals: (finals: Extract<StreamNode, { kind: 'finals' }>, next) => ({
        ...next,
        stage: new FinalsOperator(finals, finals.input.columns, next.stage),
        reads: new Set([...next.reads, 'is_final']),
      }),
    }
    return builders[node.kind](node as never, this.#after(node))
  }

  /** The run of stateless steps that begins here. */
  #chain(first: StatelessNode): Built {
    const steps: StatelessNode[] = [first]
    for (;;) {
      const last = steps.at(-1)!
      const [consumer, ...others] = this.#consumers.get(last) ?? []
      const isUsedElsewhere =
        others.length > 0 ||
        this.#options.taps.has(last.identity) ||
        this.#options.outputs.some(output => output.stream === last)
      if (isUsedElsewhere || !consumer || !isStateless(consumer)) break
      steps.push(consumer)
    }
    const next = this.#after(steps.at(-1)!)
    const { identity } = steps.at(-1)!
    const onOverflow = (overflow: Overflow) => this.#options.onOverflow(overflow, identity)
    const chain = compileChain(steps, first.input.columns, next.reads, onOverflow)
    const { stage } = next
    if (first.input.kind === 'read' && this.#isOnlyWay(first.input)) {
      this.prefix = { steps, columns: chain.columns, needed: next.reads }
      this.#prepared = stage
    }
    return {
      ...next,
      stage: {
        push: (batch, times) => stage.push(chain.run(batch), times),
        advance: watermark => stage.advance(watermark),
        awaits: (key, emit) => awaits(stage, key, emit),
        end: () => stage.end(),
      },
      reads: chain.reads,
    }
  }

  #isOnlyWay(read: ReadNode): boolean {
    const isUsed = this.#options.taps.has(read.identity) || this.#options.outputs.some(({ stream }) => stream === read)
    return !isUsed && this.#consumers.get(read)?.length === 1 && this.#roots === 1
  }

  #window(node: WindowNode, next: Built): Built {
    const byKey = topicOf(node).eventTime?.progress === 'key'
    const isOwnTime = hasOwnTime(node.input, node.keys)
    const aggregated = node.aggregates.flatMap(aggregate => (aggregate.column === null ? [] : [aggregate.column]))
    return {
      stage: this.#keeping(
        new WindowOperator(node, node.input.columns, next.stage, {
          progress: isOwnTime ? 'key' : 'partition',
          downstreamKeepsTime: next.keepsTime,
          onLate: row => this.#options.onLate(row, node),
          counts: this.#countsOf(node),
          onOverflow: overflow => this.#options.onOverflow(overflow, node.identity),
          keepsState: this.#options.keepsState ?? false,
        }),
      ),
      reads: new Set([...node.keys, ...aggregated]),
      keepsTime: true,
      needsLowestKey: next.needsLowestKey || (byKey && !isOwnTime),
    }
  }

  #countsOf({ identity }: StreamNode): StepCounts {
    const counts = noCounts()
    this.counts.set(identity, counts)
    return counts
  }

  #keeping<S extends Stage & { readonly stateful: Stateful }>(stage: S): S {
    this.#stateful.push(stage.stateful)
    return stage
  }

  #output(node: StreamNode, output: FlowOutput): Built {
    return this.#leaf(node, batch => {
      if (batch.length > 0) output.write(batch)
    })
  }

  #tap(node: StreamNode, tap: (batch: Batch) => void): Built {
    return this.#leaf(node, batch => {
      if (batch.length > 0) tap(batch)
    })
  }

  #leaf(node: StreamNode, push: (batch: Batch) => void): Built {
    return {
      stage: { push, advance: () => {}, awaits: () => false, end: () => {} },
      reads: new Set(node.columns.map(column => column.name)),
      keepsTime: false,
      needsLowestKey: false,
    }
  }
}

export function topicOf(stream: StreamNode): TopicNode {
  let node = stream
  while (node.kind !== 'read') node = node.input
  return node.topic
}
