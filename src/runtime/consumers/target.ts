/** A sink of the plan, where the rows come from that it may lack, and what it committed last. */
import type { Sink } from '../../connectors/contract.ts'
import type { Warehouse } from '../../connectors/duckdb/warehouse.ts'
import type { DeliverNode, TopicNode } from '../../plan/nodes.ts'
import { readOf } from '../../plan/walk.ts'
import { MillraceError } from '../../system/errors.ts'
import type { OutputPosition } from '../checkpoint/header.ts'
import { streamIncarnation } from '../ingest/input-names.ts'
import type { TopicOutput } from '../streams/topic-output.ts'
import { Delivery, type DeliveryOptions } from './delivery.ts'
import { keyOf, sinkOf } from './sinks.ts'

/** The outside system of all tables. */
export const WAREHOUSE = 'the warehouse'

export interface TargetOptions extends Omit<DeliveryOptions, 'onBehind'> {
  /** namespace/pipeline: what the ledger keeps the position of its streams under. */
  readonly pipeline: string
  /** Of the inputs. */
  readonly identity: string
  readonly dataDirectory: string
  readonly warehouse: () => Promise<Warehouse>
  readonly onBehind: (target: Target) => void
  /** What the last epoch knows of the sink; undefined: there is none, or the sink is new. */
  readonly known: OutputPosition | undefined
}

export class Target {
  readonly node: DeliverNode
  readonly name: string
  readonly delivery: Delivery
  /** The stored rows of its stream; null: they are made of the records of `topic` again. */
  readonly log: TopicOutput | null
  readonly topic: TopicNode
  committed: OutputPosition['committed']
  readonly #options: TargetOptions

  constructor(node: DeliverNode, log: TopicOutput | null, options: TargetOptions) {
    this.node = node
    this.name = node.name
    this.log = log
    this.topic = readOf(node.stream).topic
    this.committed = options.known?.committed ?? { rows: 0, at: null }
    this.#options = options
    this.delivery = new Delivery(this.name, node.stream, { ...options, onBehind: () => options.onBehind(this) })
  }

  /** Sinks of one outside system fail and come back together. */
  get system(): string {
    return this.node.target.kind === 'table' ? WAREHOUSE : this.name
  }

  /**
   * Opens the sink; `rows`: all that there are of its stream, null when nobody knows. Throws DATA_DIR_MISMATCH when it
   * holds more, and what the connector throws.
   */
  async open(rows: number | null): Promise<void> {
    const { pipeline, identity, dataDirectory, warehouse } = this.#options
    const { stream } = this.node
    const sink = await sinkOf(this.node, warehouse)
    const consumer = `${pipeline}/${this.name}`
    const incarnation = streamIncarnation(stream, identity)
    const held = await opened(sink, {
      consumer,
      incarnation,
      dataDirectory,
      columns: stream.columns,
      key: keyOf(this.node),
    })
    this.delivery.take(sink, held)
    if (rows === null) this.delivery.begin(held)
    if (rows !== null && held > rows) {
      throw new MillraceError(
        'DATA_DIR_MISMATCH',
        `${this.name} holds ${held} rows of ${consumer}, and the journal in ${dataDirectory} knows of ${rows}.`,
        { next: 'Put back copies of the sink and of the data directory that belong together.' },
      )
    }
  }
}

/** A sink that could not be opened is closed. */
async function opened(sink: Sink, context: Parameters<Sink['open']>[0]): Promise<number> {
  try {
    return await sink.open(context)
  } catch (error) {
    await sink.close().catch(() => {})
    throw error
  }
}
