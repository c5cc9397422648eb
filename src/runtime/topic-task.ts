/**
 * One topic at work: bytes of its sources are decoded, checked, put in time and sent through the operators behind it.
 *
 * Lateness and results are functions of what the sources hold, in the order of each partition; how it is cut into chunks
 * does not show.
 */
import type { Chunk, Source, SplittableSource } from '../connectors/contract.ts'
import type { Batch } from '../engine/batch.ts'
import { type DecodedBatch, Decoder } from '../engine/decode/decoder.ts'
import type { Flow } from '../engine/flow.ts'
import { pick } from '../engine/operators/pick.ts'
import { type Times, TopicTime } from '../engine/time.ts'
import { Unpacker } from '../engine/workers/piece.ts'
import type { PieceJob } from '../engine/workers/piece-maker.ts'
import type { WorkerPool } from '../engine/workers/pool.ts'
import { type PlainFile, rangesOf } from '../engine/workers/ranges.ts'
import type { TopicNode, WindowNode } from '../plan/nodes.ts'
import { slowDecoder } from '../plan/slow.ts'
import { readSchema, type SchemaReading } from '../plan/zod.ts'
import type { Clock } from '../system/clock.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { TopicProgress } from './options.ts'
import { ParallelInput, type PieceEvent } from './parallel-input.ts'
import { type Lines, linesOf, type Partition, Refusals } from './refusals.ts'

/** The longest record that is taken; a longer one becomes a dead letter. */
export const RECORD_BYTES_MAX = 1 << 20

/** What a thread reads at once. */
const RANGE_BYTES = 1 << 19
/** Smaller inputs are done before other threads could help. */
const PARALLEL_BYTES_MIN = 8 << 20

/** A source that is open, with its partitions. */
export interface OpenedSource {
  readonly source: Source
  readonly partitions: Awaited<ReturnType<Source['open']>>
}

export class TopicTask {
  readonly #topic: TopicNode
  readonly #clock: Clock
  readonly #onIdle: () => Promise<void>
  readonly #time: TopicTime | null
  readonly #timeColumn: number
  readonly #partitions: Partition[] = []
  readonly #refusals: Refusals
  readonly #decoder: Decoder | null
  readonly #decoderSchema: SchemaReading | null
  readonly #unpacker = new Unpacker()
  #parallelInput: ParallelInput | null = null
  readonly #flow: Flow
  #noTime: Times | null = null
  #records = 0
  #bytes = 0
  #bytesTotal: number | null = 0
  #late = 0
  /** The rows under way, for what operators say of them. */
  #current: Lines | null = null

  constructor(
    topic: TopicNode,
    makeFlow: (onLate: (row: number, step: WindowNode) => void) => Flow,
    deadLetters: Pick<DeadLetters, 'add'>,
    clock: Clock,
    onIdle: () => Promise<void> = async () => {},
  ) {
    this.#topic = topic
    this.#refusals = new Refusals(topic.name, this.#partitions, deadLetters)
    this.#clock = clock
    this.#onIdle = onIdle
    this.#flow = makeFlow((row, step) => this.#onLate(row, step))
    this.#time = topic.eventTime && new TopicTime(topic.eventTime, topic.columns, topic.key)
    this.#timeColumn = topic.columns.findIndex(column => column.name === topic.eventTime?.column)
    this.#decoderSchema = topic.schema && readSchema(topic.schema)
    this.#decoder =
      this.#decoderSchema &&
      new Decoder(
        { ...this.#decoderSchema, slow: slowDecoder(topic.schema!) },
        this.#flow.reads,
        RECORD_BYTES_MAX + RANGE_BYTES,
      )
  }

  get progress(): TopicProgress {
    return {
      topic: this.#topic.name,
      records: this.#records,
      bytes: this.#bytes,
      bytesTotal: this.#bytesTotal,
      deadLetters: this.#refusals.count,
      late: this.#late,
      watermark: this.#time?.furthest ?? null,
    }
  }

  /**
   * Reads the sources to their end (or until the signal), then closes what is open when `closesAtEnd` says so. `onTurn` is
   * called after each piece of input. With a pool other threads help where the input lets them.
   */
  async run(
    sources: readonly OpenedSource[],
    untilEnd: boolean,
    signal: AbortSignal,
    closesAtEnd: () => boolean,
    onTurn: () => Promise<void>,
    pool: WorkerPool | null,
  ): Promise<void> {
    const offsets: number[] = []
    for (const { partitions } of sources) {
      offsets.push(this.#partitions.length)
      for (const { name, bytes } of partitions) {
        this.#time?.addPartition(this.#partitions.length)
        this.#partitions.push({ name, lines: 0 })
        this.#bytesTotal = bytes === null || this.#bytesTotal === null ? null : this.#bytesTotal + bytes
      }
    }
    const opened = sources.map(({ source }) => source)
    const parallel = this.#parallel(opened, untilEnd, pool)
    try {
      if (parallel) {
        for (let event = parallel.read(); event !== null && !signal.aborted; event = parallel.read()) {
          await this.#event(event, 0)
          await onTurn()
        }
      } else await this.#takeTurns(opened, offsets, onTurn)
    } finally {
      parallel?.close()
    }
    if (closesAtEnd()) await this.#flow.end()
  }

  /** Sources of one topic take turns, so that the decoder and the operators have one caller. */
  async #takeTurns(sources: readonly Source[], offsets: readonly number[], onTurn: () => Promise<void>): Promise<void> {
    const live = sources.map((source, index) => ({ source, offset: offsets[index]! }))
    for (let turn = 0; live.length > 0; ) {
      turn %= live.length
      const { source, offset } = live[turn]!
      const event = await source.read()
      if (event === null) live.splice(turn, 1)
      else {
        turn++
        await this.#event(event, offset)
        await onTurn()
      }
    }
  }

  async #event(event: NonNullable<Awaited<ReturnType<Source['read']>>> | PieceEvent, offset: number): Promise<void> {
    switch (event.kind) {
      case 'records':
        return this.#take({ ...event, partition: event.partition + offset })
      case 'piece':
        return this.#takePiece(event)
      case 'damaged':
        return this.#refusals.damage({ ...event, partition: event.partition + offset })
      case 'idle':
        return this.idle()
      case 'end':
        this.#time?.endPartition(event.partition + offset)
        return this.#advance()
    }
  }

  /** The input shared among threads, null where one thread must do. */
  #parallel(sources: readonly Source[], untilEnd: boolean, pool: WorkerPool | null): ParallelInput | null {
    const [source, ...others] = sources as readonly Partial<SplittableSource>[]
    if (pool === null || !untilEnd || this.#decoderSchema === null || others.length > 0) return null
    const files: readonly PlainFile[] | null = source?.plainFiles?.() ?? null
    if (files === null || files.reduce((sum, file) => sum + file.bytes, 0) < PARALLEL_BYTES_MIN) return null
    const { columns, wire } = this.#decoderSchema
    const { eventTime, key } = this.#topic
    const timed = eventTime === null ? [] : [eventTime.column, ...(eventTime.progress === 'key' ? key : [])]
    const job: PieceJob = {
      files,
      ranges: rangesOf(files, RANGE_BYTES, eventTime?.progress === 'key'),
      columns,
      wire,
      reads: this.#flow.reads,
      timeColumns: new Set(timed.map(name => columns.findIndex(column => column.name === name))),
      prefix: this.#flow.prefix,
      withRowStarts: this.#flow.quarantines,
      recordBytesMax: RECORD_BYTES_MAX,
    }
    const work = pool.work(job)
    this.#parallelInput = work && new ParallelInput(job, work)
    return this.#parallelInput
  }

  /** Takes rows that another stream of the pipeline sends to this topic. */
  async pushDerived(batch: Batch): Promise<void> {
    this.#records += batch.length
    this.#time?.addPartition(0)
    const own = batch.origin === null ? batch : { ...batch, origin: null }
    const times = this.#time ? this.#time.observe(own, 0, this.#clock.now()) : this.#timeless(own)
    await this.#flow.push(own, times)
    await this.#advance()
  }

  async endDerived(): Promise<void> {
    await this.#flow.end()
  }

  async #take(chunk: Chunk): Promise<void> {
    const decoder = this.#decoder!
    const partition = this.#partitions[chunk.partition]!
    this.#bytes += chunk.bytes.length
    decoder.load(chunk.bytes)
    for (let batch = decoder.next(); batch !== null; batch = decoder.next()) {
      const lines = linesOf(chunk, batch.rowStarts, start => decoder.lineAt(start))
      for (const { start, length, line, reason, path } of batch.refused) {
        this.#refusals.record(lines, start, {
          reason: path === '' ? reason : `${path}: ${reason}`,
          code: 'RECORD_INVALID',
          line: partition.lines + line + 1,
          length,
        })
      }
      this.#records += batch.length + batch.refused.length
      const accepted = this.#withoutAhead(batch, lines)
      if (accepted.length > 0) {
        this.#current = { ...lines, rowStarts: accepted.rowStarts }
        const times = this.#time
          ? this.#time.observe(accepted, chunk.partition, chunk.arrival ?? 0)
          : this.#timeless(accepted)
        const pushed = this.#flow.push(accepted, times)
        if (pushed) await pushed
        this.#current = null
      }
      await this.#advance()
      if (decoder.isDone) partition.lines += batch.linesEnd
    }
  }

  async #takePiece({ piece, partition }: PieceEvent): Promise<void> {
    this.#bytes += piece.bytes
    const { columns } = this.#decoderSchema!
    for (const rows of piece.rows) {
      const source = this.#unpacker.unpack(rows.source, columns)
      const prepared = this.#unpacker.unpack(rows.prepared, this.#flow.prefix?.columns ?? columns)
      this.#records += source.length
      this.#current = {
        rowStarts: rows.rowStarts,
        partition,
        position: piece.position,
        arrival: null,
        lineAt: start => this.#parallelInput!.lineAt(partition, piece.position + start),
      }
      const times = this.#time ? this.#time.observe(source, partition, 0) : this.#timeless(source)
      const pushed = this.#flow.pushPrepared(prepared, times)
      if (pushed) await pushed
      this.#current = null
      await this.#advance()
    }
    this.#partitions[partition]!.lines += piece.lines
  }

  /** The batch without the records whose time is too far ahead of their arrival: they go to the dead letters. */
  #withoutAhead(batch: DecodedBatch, lines: Lines): DecodedBatch {
    const maxAhead = this.#topic.eventTime?.maxAhead_us ?? null
    if (maxAhead === null || lines.arrival === null) return batch
    const { values } = batch.data[this.#timeColumn] as { values: Float64Array }
    const limit = lines.arrival + maxAhead
    const kept: number[] = []
    for (let row = 0; row < batch.length; row++) {
      if (values[row]! <= limit) kept.push(row)
      else {
        const ahead_s = Math.round((values[row]! - lines.arrival) / 1e6)
        this.#refusals.record(lines, batch.rowStarts[row]!, {
          reason: `Its event time is ${ahead_s} s ahead of its arrival`,
          code: 'RECORD_AHEAD',
        })
      }
    }
    if (kept.length === batch.length) return batch
    const rows = Int32Array.from(kept)
    return { ...batch, ...pick(batch, rows), origin: null, rowStarts: rows.map(row => batch.rowStarts[row]!) }
  }

  #onLate(row: number, step: WindowNode): void {
    this.#late++
    if (step.late !== 'quarantine' || this.#current === null) return
    this.#refusals.record(this.#current, this.#current.rowStarts![row]!, {
      reason: `It is late for every window of ${step.identity}`,
      code: 'RECORD_LATE',
    })
  }

  async #advance(): Promise<void> {
    if (this.#time === null) return
    if (this.#topic.eventTime!.progress === 'key' && !this.#flow.needsLowestKey) return
    await this.#flow.advance(this.#time.watermark())
  }

  /** Nothing came, and nothing is known to be on its way: event time may go on with the wall clock. */
  async idle(): Promise<void> {
    for (const watermark of this.#time?.idle(this.#clock.now()) ?? []) await this.#flow.advance(watermark)
    await this.#onIdle()
  }

  /** Times for a topic without event time: no operator behind it asks for them. */
  #timeless(batch: Batch): Times {
    if (this.#noTime === null || this.#noTime.time.length < batch.length) {
      this.#noTime = {
        rows: batch.length,
        time: new Float64Array(batch.length),
        frontier: new Float64Array(batch.length).fill(Number.NEGATIVE_INFINITY),
        keys: null,
        emission: null,
        partition: 0,
        firstOffset: 0,
        others: Number.NEGATIVE_INFINITY,
        othersClosed: Number.NEGATIVE_INFINITY,
      }
    }
    return { ...this.#noTime, rows: batch.length }
  }
}
