/** One output of a pipeline: counts its rows, leaves out those that the sink holds from an earlier run, commits. */
import { join } from 'node:path'
import type { Sink, SinkContext, SinkModule } from '../connectors/contract.ts'
import type { Warehouse } from '../connectors/duckdb/warehouse.ts'
import type { Batch } from '../engine/batch.ts'
import { pick } from '../engine/operators/pick.ts'
import { type TopicWriter, topicWriter } from '../log/topic-store.ts'
import type { DeliverNode, ProduceNode } from '../plan/nodes.ts'
import { MillraceError } from '../system/errors.ts'
import { readText, replaceText } from '../system/files.ts'

export class Output {
  readonly name: string
  readonly #sink: Sink
  readonly #held: number
  #rows = 0
  #committed = 0

  private constructor(name: string, sink: Sink, held: number) {
    this.name = name
    this.#sink = sink
    this.#held = held
    this.#committed = held
  }

  static async open(name: string, sink: Sink, context: SinkContext): Promise<Output> {
    return new Output(name, sink, await sink.open(context))
  }

  /** Rows of this stream so far, those of earlier runs included. */
  get rows(): number {
    return Math.max(this.#rows, this.#held)
  }

  async write(batch: Batch): Promise<void> {
    const before = this.#rows
    this.#rows += batch.length
    if (this.#rows <= this.#held) return
    if (before >= this.#held) return this.#sink.write(batch)
    const skipped = this.#held - before
    const rest = Int32Array.from({ length: batch.length - skipped }, (_, row) => row + skipped)
    return this.#sink.write(pick(batch, rest))
  }

  async commit(): Promise<void> {
    if (this.#rows <= this.#committed) return
    await this.#sink.commit(this.#rows)
    this.#committed = this.#rows
  }

  async close(): Promise<void> {
    await this.#sink.close()
  }
}

/** The name under which people know where a stream is delivered. */
export function targetName({ target }: DeliverNode): string {
  if (target.kind === 'table') return target.table
  const { connector, options } = target.sink
  return typeof options.path === 'string' && options.path !== '' ? options.path : connector
}

/** The sink of a stream that is delivered, with the name under which people know it. */
export async function sinkOf(
  node: DeliverNode,
  warehouse: () => Promise<Warehouse>,
): Promise<{ name: string; sink: Sink; key: readonly string[] }> {
  const { target } = node
  const name = targetName(node)
  if (target.kind === 'table') {
    const sink = (await warehouse()).table({ table: target.table, mode: target.mode })
    return { name, sink, key: target.mode === 'upsert' ? target.key : [] }
  }
  const { connector, options } = target.sink
  const module = (await target.sink.open()) as Partial<SinkModule>
  if (typeof module.openSink !== 'function') {
    throw new MillraceError('PIPELINE_INVALID', `The connector ${connector} cannot be delivered to.`)
  }
  return { name, sink: await module.openSink(options), key: [] }
}

/** Throws DATA_DIR_MISMATCH when the stored topic holds the records of another stream. */
function refuseOtherStream({ dataDirectory, incarnation }: SinkContext, topic: string): void {
  const path = join(dataDirectory, 'topics', topic, 'incarnation')
  const held = readText(path)?.trim() ?? null
  if (held === null) replaceText(path, `${incarnation}\n`)
  else if (held !== incarnation) {
    throw new MillraceError(
      'DATA_DIR_MISMATCH',
      `Topic ${topic} in ${dataDirectory} holds records that are not of this run: its steps or inputs were others, or it followed its inputs.`,
    )
  }
}

/** A stored topic as a sink: what a stream that is sent to a topic goes through. */
export class TopicSink implements Sink {
  readonly guarantee =
    'Exactly once: a topic that was cut off is cut to its last whole record, and rows that it holds are not sent again.'
  readonly #node: ProduceNode
  #writer: TopicWriter | null = null

  constructor(node: ProduceNode) {
    this.#node = node
  }

  async open(context: SinkContext): Promise<number> {
    const { name } = this.#node.topic
    refuseOtherStream(context, name)
    this.#writer = topicWriter(context.dataDirectory, name, context.columns)
    return this.#writer.offset
  }

  async write(batch: Batch): Promise<void> {
    this.#writer!.append(batch)
  }

  async commit(): Promise<void> {
    this.#writer!.flush()
  }

  async close(): Promise<void> {
    this.#writer?.close()
    this.#writer = null
  }
}
