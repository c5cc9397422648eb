/**
 * The records of one topic on their way: decoded, judged by time, through the operators, with the position that they have
 * come to. What reads them is topic-input.ts.
 *
 * All that an epoch keeps (positions, counts, the state of time and operators, the rows of streams and of topics behind
 * them) changes together within one push, which awaits nothing: so an epoch may be staged whenever nothing runs. Between
 * two pushes the task waits for whoever takes its rows (`backpressure`).
 */
import type { Chunk, Damage, PartitionInfo } from '../../connectors/contract.ts'
import type { Batch } from '../../engine/batch.ts'
import type { DecodedBatch, Decoder, RefusedLine } from '../../engine/decode/decoder.ts'
import type { Flow, FlowOptions } from '../../engine/flow.ts'
import { moveState } from '../../engine/state/move.ts'
import type { Stateful } from '../../engine/state/table.ts'
import { TopicTime } from '../../engine/time.ts'
import { Unpacker } from '../../engine/workers/piece.ts'
import type { TopicNode, WindowNode } from '../../plan/nodes.ts'
import { readSchema, type SchemaReading } from '../../plan/zod.ts'
import type { Clock } from '../../system/clock.ts'
import type { Turns } from '../../system/turns.ts'
import type { PieceEvent } from '../ingest/parallel-input.ts'
import { Partitions, type TopicPosition } from '../ingest/partitions.ts'
import { linePieces, type Prepared, type PrepareOptions, prepareRecords } from '../ingest/prepare.ts'
import type { TopicProgress } from '../options.ts'
import type { DeadLetters } from '../rejects/dead-letters.ts'
import { isRecord, type Lines, Refusals, reasonOf } from '../rejects/refusals.ts'
import { withoutAhead } from './ahead.ts'
import { linesOfRows } from './lines-of-rows.ts'
import { NoTimes } from './no-times.ts'
import { TopicCounts } from './topic-counts.ts'
import { decoderOf, RECORD_BYTES_MAX } from './topic-decoder.ts'
import { Undeclared } from './undeclared.ts'

/** With very many keys a look at all of them takes a while: at most one part in so many of the time. */
const IDLE_SHARE = 20

export interface TopicTaskOptions {
  readonly topic: TopicNode
  readonly makeFlow: (onLate: FlowOptions['onLate'], onOverflow: FlowOptions['onOverflow']) => Flow
  readonly deadLetters: Pick<DeadLetters, 'add'>
  readonly clock: Clock
  /** Called when nothing comes any more. */
  readonly onIdle?: () => Promise<void>
  /** Called when something has changed that an epoch keeps. */
  readonly onChange?: () => void
  /** Asked between two pushes: what to wait for before more rows are made; null: nothing. */
  readonly backpressure?: () => Promise<void> | null
}

export class TopicTask {
  readonly topic: TopicNode
  readonly #options: TopicTaskOptions
  readonly time: TopicTime | null
  readonly #partitions = new Partitions()
  readonly #refusals: Refusals
  #decoder: Decoder | null
  readonly schema: SchemaReading | null
  readonly #unpacker = new Unpacker()
  flow: Flow
  readonly #between: (() => void)[] = []
  readonly #noTimes = new NoTimes()
  #nextIdle_ms = 0
  #bytesTotal: number | null = 0
  readonly #undeclared = new Undeclared()
  readonly #counts = new TopicCounts()
  /** The rows under way, for what operators say of them. */
  #current: Lines | null = null

  constructor(options: TopicTaskOptions) {
    this.#options = options
    const { topic } = options
    this.topic = topic
    this.#refusals = new Refusals(topic.name, this.#partitions.list, options.deadLetters)
    this.flow = options.makeFlow((row, step) => this.#onLate(row, step), this.#refusals.onOverflow)
    this.time =
      topic.eventTime &&
      new TopicTime(topic.eventTime, topic.columns, topic.key, { hasJointGroups: this.flow.needsLowestKey })
    this.schema = topic.schema && readSchema(topic.schema)
    this.#decoder = decoderOf(this.topic, this.schema, this.flow.reads)
  }

  get progress(): TopicProgress {
    return {
      topic: this.topic.name,
      bytesTotal: this.#bytesTotal,
      deadLetters: this.#refusals.count,
      undeclared_fields: this.#undeclared.progress,
      ...this.#counts.totals(this.flow),
      rejected: this.#refusals.rejected,
      watermark: this.time?.furthest ?? null,
    }
  }

  /** What has state: an epoch keeps it. */
  get stateful(): readonly Stateful[] {
    const { stateful } = this.flow
    return this.time === null ? stateful : [this.time.stateful(`${this.topic.name}/time`), ...stateful]
  }

  get position(): TopicPosition {
    return {
      partitions: this.#partitions.saved,
      deadLetters: this.#refusals.count,
      rejected: this.#refusals.rejected,
      ...this.#counts.totals(this.flow),
    }
  }

  /** Goes on where an epoch stood, before any partition is added. */
  resume(position: TopicPosition): void {
    this.#refusals.resume(position)
    this.#counts.resume(position)
    this.#partitions.resume(position.partitions)
  }

  /** Puts the operators together anew, with their state: to be called between two events only. */
  rebuild(): void {
    const flow = this.#options.makeFlow((row, step) => this.#onLate(row, step), this.#refusals.onOverflow)
    moveState(this.flow.stateful, flow.stateful)
    for (const [step, counts] of this.flow.counts) Object.assign(flow.counts.get(step) ?? {}, counts)
    for (const [step, rows] of this.flow.rows) if (flow.rows.has(step)) flow.rows.set(step, rows)
    this.flow = flow
    this.#decoder = decoderOf(this.topic, this.schema, this.flow.reads)
  }

  /** Does something before the next event is taken. */
  betweenEvents(action: () => void): void {
    this.#between.push(action)
  }

  pause(): void {
    for (const action of this.#between.splice(0)) action()
  }

  /** The number of the partition with this name, and where it goes on. */
  addPartition(info: PartitionInfo): { readonly number: number; readonly position: number } {
    const { bytes } = info
    this.#bytesTotal = bytes === null || this.#bytesTotal === null ? null : this.#bytesTotal + bytes
    const place = this.#partitions.add(info)
    this.time?.addPartition(place.number)
    return place
  }

  /** Where the next record of the partition with this name begins, null when there is none. */
  positionOf(name: string): number | null {
    return this.#partitions.positionOf(name)
  }

  endPartition(partition: number): void {
    this.#partitions.list[partition]!.ended = true
    this.time?.endPartition(partition)
    this.#options.onChange?.()
    this.#advance()
  }

  /** After a pause of the process itself nobody was silent: idleness counts from now on. */
  wake(): void {
    this.time?.wake(this.#options.clock.now())
  }

  /** Takes a chunk of a source that can be read again: what its schema refuses becomes dead letters here. */
  async take(chunk: Chunk): Promise<void> {
    const decoder = this.#decoder!
    const lineOfChunk = chunk.anchor?.lines ?? this.#partitions.list[chunk.partition]!.lines
    this.#counts.bytes += chunk.bytes.length
    decoder.load(chunk.bytes)
    for (let batch = decoder.next(); batch !== null; batch = decoder.next()) {
      const lines: Lines = {
        partition: chunk.partition,
        position: chunk.position,
        byOffset: false,
        arrival: chunk.arrival,
        rowStarts: batch.rowStarts,
        lineAt: start => decoder.lineAt(start),
      }
      for (const refused of batch.refused) {
        this.#refusals.record(lines, refused.start, {
          ...reasonOf(refused),
          line: lineOfChunk + refused.line + 1,
          length: refused.length,
        })
      }
      const accepted = withoutAhead(batch, this.topic, chunk.arrival, (row, why) => this.#refusals.row(lines, row, why))
      this.#counts.records += batch.length + batch.refused.length
      this.#undeclared.add(batch.undeclared)
      this.#partitions.move(chunk, batch.inputEnd, lineOfChunk + batch.linesEnd)
      this.#push(accepted, chunk.partition, chunk.arrival ?? 0, { ...lines, rowStarts: accepted.rowStarts })
      await this.#backpressure()
    }
  }

  /** Takes records out of the topic's log, where only accepted ones are. */
  async takeStored(bytes: Uint8Array, partition: number, firstOffset: number, arrival: number): Promise<void> {
    const decoder = this.#decoder!
    const place = this.#partitions.list[partition]!
    if (firstOffset > place.position) place.position = firstOffset
    this.#counts.bytes += bytes.length
    for (const { start, length } of linePieces(bytes, RECORD_BYTES_MAX)) {
      decoder.load(bytes.subarray(start, start + length))
      let lines = 0
      for (let batch = decoder.next(); batch !== null; batch = decoder.next()) {
        // Each stored line is an offset, also one that an earlier version stored although it was blank.
        const offsets = batch.linesEnd - lines
        this.#takeKept(batch, partition, arrival, at => decoder.lineAt(at), { refused: batch.refused, offsets })
        lines += offsets
        await this.#backpressure()
      }
    }
  }

  /** Decodes records (whole lines) that are to be kept before they go on; null: more than `refusedMax` are refused. */
  prepare(bytes: Uint8Array, arrival: number, refusedMax: number, turns: Turns): Promise<Prepared | null> {
    const judge: PrepareOptions['judge'] = (batch, refuse) => withoutAhead(batch, this.topic, arrival, refuse)
    return prepareRecords(this.#decoder!, bytes, { recordBytesMax: RECORD_BYTES_MAX, refusedMax, judge, turns })
  }

  /** Takes records that were prepared and are kept now; `lineAt` finds the line that begins at a place of their bytes. */
  async takePrepared(
    { batches }: Prepared,
    partition: number,
    arrival: number,
    bytes: number,
    lineAt: Lines['lineAt'],
  ): Promise<void> {
    this.#counts.bytes += bytes
    for (const batch of batches) {
      this.#takeKept(batch, partition, arrival, lineAt, { refused: [], offsets: batch.length })
      await this.#backpressure()
    }
  }

  /** Takes rows that another thread has decoded. */
  async takePiece({ piece, partition }: PieceEvent, lineAt: Lines['lineAt']): Promise<void> {
    this.#counts.bytes += piece.bytes
    const { columns } = this.schema!
    this.#undeclared.add(piece.undeclared)
    const place = this.#partitions.list[partition]!
    const linesBefore = place.lines
    for (const rows of piece.rows) {
      const source = this.#unpacker.unpack(rows.source, columns)
      const prepared = this.#unpacker.unpack(rows.prepared, this.flow.prefix?.columns ?? columns)
      this.#counts.records += source.length
      place.position = rows.end
      place.lines = linesBefore + rows.linesEnd
      this.#options.onChange?.()
      const { rowStarts } = rows
      this.#current = { rowStarts, partition, position: piece.position, byOffset: false, arrival: null, lineAt }
      const times = this.time ? this.time.observe(source, partition, 0) : this.#noTimes.of(source)
      this.flow.pushPrepared(prepared, times)
      this.#current = null
      this.#advance()
      await this.#backpressure()
    }
  }

  /** Takes rows that another stream of the pipeline sends to this topic. */
  pushDerived(batch: Batch): void {
    this.#counts.records += batch.length
    this.time?.addPartition(0)
    const own = batch.origin === null ? batch : { ...batch, origin: null }
    this.#current = this.flow.quarantines
      ? linesOfRows(this.topic, own, this.#counts.records - batch.length, this.#options.clock.now())
      : null
    const times = this.time ? this.time.observe(own, 0, this.#options.clock.now()) : this.#noTimes.of(own)
    this.flow.push(own, times)
    this.#current = null
    this.#advance()
  }

  damage(damage: Damage): void {
    if (isRecord(damage.code ?? '')) this.#counts.records++
    this.#refusals.damage(damage)
    this.#options.onChange?.()
  }

  /** Counts records that were rejected before they came here: their dead letters are kept. */
  countRejected(records: number): void {
    this.#counts.records += records
    this.#refusals.count += records
    this.#refusals.rejected += records
  }

  /** Counts records of messages that are kept already. */
  countDuplicates(records: number): void {
    this.#counts.duplicates += records
    this.#options.onChange?.()
  }

  async end(): Promise<void> {
    this.flow.end()
    this.#options.onChange?.()
    await this.#backpressure()
  }

  /** Nothing came, and nothing is known to be on its way: event time may go on with the wall clock. */
  async idle(): Promise<void> {
    const { clock } = this.#options
    const began_ms = clock.monotonic_ms()
    if (began_ms < this.#nextIdle_ms) return
    const awaited = (key: number, emit: number) => this.flow.awaits(key, emit)
    for (const watermark of this.time?.idle(clock.now(), awaited) ?? []) this.flow.advance(watermark)
    this.#nextIdle_ms = began_ms + (clock.monotonic_ms() - began_ms) * IDLE_SHARE
    await this.#options.onIdle?.()
  }

  async #backpressure(): Promise<void> {
    const wait = this.#options.backpressure?.() ?? null
    if (wait !== null) await wait
  }

  #takeKept(
    batch: DecodedBatch,
    partition: number,
    arrival: number,
    lineAt: Lines['lineAt'],
    { refused, offsets }: { readonly refused: readonly RefusedLine[]; readonly offsets: number },
  ): void {
    const place = this.#partitions.list[partition]!
    const { rowStarts } = batch
    const lines: Lines = { partition, position: place.position, byOffset: true, arrival, rowStarts, lineAt }
    // The schema has changed since they were kept.
    for (const line of refused) this.#refusals.record(lines, line.start, reasonOf(line))
    this.#counts.records += batch.length + refused.length
    this.#undeclared.add(batch.undeclared)
    place.position += offsets
    this.#push(batch, partition, arrival, lines)
  }

  #push(batch: Batch, partition: number, arrived: number, lines: Lines): void {
    this.#options.onChange?.()
    if (batch.length > 0) {
      this.#current = lines
      const times = this.time ? this.time.observe(batch, partition, arrived) : this.#noTimes.of(batch)
      this.flow.push(batch, times)
      this.#current = null
    }
    this.#advance()
  }

  #onLate(row: number, step: WindowNode): void {
    if (step.late !== 'quarantine' || this.#current === null) return
    this.#refusals.late(this.#current, row, `It is late for every window of ${step.identity}`)
  }

  #advance(): void {
    for (const watermark of this.time?.watermarks(this.flow) ?? []) this.flow.advance(watermark)
  }
}
