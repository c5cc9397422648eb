/** The topics of a pipeline at work, each with its task, and the rows that streams of one send to another. */
import type { Batch } from '../../engine/batch.ts'
import { Flow, type FlowOptions, type FlowOutput, topicOf } from '../../engine/flow.ts'
import type { Plan, ProduceNode, StreamNode, TopicNode } from '../../plan/nodes.ts'
import type { Clock } from '../../system/clock.ts'
import type { RunOptions, TopicProgress } from '../options.ts'
import type { DeadLetters } from '../rejects/dead-letters.ts'
import { TopicTask } from './topic-task.ts'

/** Where a stream ends. */
export interface Terminal {
  readonly stream: StreamNode
  /** The topic that the rows are records of. */
  readonly topic: TopicNode | null
  readonly output: { write(batch: Batch): void }
}

export interface TopicsOptions {
  readonly plan: Plan
  readonly terminals: readonly Terminal[]
  readonly taps: RunOptions['taps']
  readonly deadLetters: Pick<DeadLetters, 'add'>
  readonly clock: Clock
  /** Whether the state is to be kept in epochs. Default false. */
  readonly keepsState?: boolean
  /** Called when something has changed that an epoch keeps. */
  readonly onChange?: () => void
  /** See `TopicTaskOptions`. */
  readonly backpressure?: () => Promise<void> | null
}

export class Topics {
  readonly #plan: Plan
  readonly #terminals: Terminal[]
  readonly #tasks = new Map<string, TopicTask>()

  constructor(options: TopicsOptions) {
    const { plan, terminals, taps, deadLetters, clock, keepsState = false, onChange, backpressure } = options
    this.#plan = plan
    this.#terminals = [...terminals]
    for (const topic of plan.topics) {
      const makeFlow = (onLate: FlowOptions['onLate'], onOverflow: FlowOptions['onOverflow']) => {
        return new Flow(topic, { outputs: this.#outputsOf(topic), taps, onLate, onOverflow, keepsState })
      }
      const onIdle = () => this.#idleDerived(topic.name)
      const hooks = { ...(onChange && { onChange }), ...(backpressure && { backpressure }) }
      this.#tasks.set(topic.name, new TopicTask({ topic, makeFlow, deadLetters, clock, onIdle, ...hooks }))
    }
  }

  get tasks(): readonly TopicTask[] {
    return [...this.#tasks.values()]
  }

  get progress(): TopicProgress[] {
    return [...this.#tasks.values()].map(task => task.progress)
  }

  /** Has the rows of one more stream go to an output, as soon as no record is under way; `then` is called after it. */
  addTerminal(terminal: Terminal, then: () => void): void {
    const name = topicOf(terminal.stream).name
    // What feeds a topic decides when nothing is under way in it.
    let first = name
    for (let fed: ProduceNode | undefined; ; first = topicOf(fed.stream).name) {
      fed = this.#plan.produces.find(({ topic }) => topic.name === first)
      if (fed === undefined) break
    }
    this.task(first).betweenEvents(() => {
      this.#terminals.push(terminal)
      this.task(name).rebuild()
      then()
    })
  }

  task(topic: string): TopicTask {
    return this.#tasks.get(topic)!
  }

  /** Topics that other streams of the pipeline feed end after those, in the order in which they feed each other. */
  async endDerived(fed: ReadonlySet<string>): Promise<void> {
    const open = new Set(this.#plan.produces.map(produce => produce.topic.name).filter(name => !fed.has(name)))
    while (open.size > 0) {
      const ready = [...open].find(name =>
        this.#plan.produces.every(({ topic, stream }) => topic.name !== name || !open.has(topicOf(stream).name)),
      )
      if (ready === undefined) return
      open.delete(ready)
      await this.task(ready).end()
    }
  }

  #outputsOf(topic: TopicNode): FlowOutput[] {
    return this.#terminals
      .filter(({ stream }) => topicOf(stream).name === topic.name)
      .map(terminal => ({ stream: terminal.stream, write: this.#writer(terminal) }))
  }

  /** Where a topic is silent, so are those that its streams feed. */
  async #idleDerived(name: string): Promise<void> {
    const fed = this.#plan.produces.filter(({ stream }) => topicOf(stream).name === name)
    for (const derived of new Set(fed.map(({ topic }) => topic.name))) await this.task(derived).idle()
  }

  /** Rows go to the output and, where they are records of a topic, to what reads that topic: within one push. */
  #writer({ output, topic }: Terminal): (batch: Batch) => void {
    const isRead = topic !== null && this.#terminals.some(({ stream }) => topicOf(stream).name === topic.name)
    if (!isRead) return batch => output.write(batch)
    return batch => {
      output.write(batch)
      this.task(topic.name).pushDerived(batch)
    }
  }
}
