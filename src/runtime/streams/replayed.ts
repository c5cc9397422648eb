/**
 * The rows of a stream that makes them of one record each: read again from the records of its topic, through the same
 * stateless steps. A row's place is found by points: after so many rows, the topic stood at such a position. Each epoch
 * is one.
 */
import type { Chunk, Source } from '../../connectors/contract.ts'
import { type Batch, copyBatch, sliceBatch } from '../../engine/batch.ts'
import { Flow } from '../../engine/flow.ts'
import type { ResumePoint } from '../../formats/lines.ts'
import type { TopicLog } from '../../log/topic-log.ts'
import { type ChunkGap, readChunks } from '../../log/topic-reader.ts'
import type { StreamNode } from '../../plan/nodes.ts'
import { readOf } from '../../plan/walk.ts'
import type { Clock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import { LOG_PARTITION, logPosition, type TopicPosition } from '../ingest/partitions.ts'
import { TopicTask } from '../process/topic-task.ts'
import type { History, HistoryRows } from './history.ts'

/** The topic stood there when so many rows had been made; null: at its beginning. */
export interface Point {
  readonly rows: number
  readonly at: TopicPosition | null
}

const ORIGIN: Point = { rows: 0, at: null }
/** A reader that is far behind has a point about every so many rows. */
const POINT_EVERY_ROWS = 50_000
/** More points than this, and every second one goes. */
const POINTS_MAX = 1000

export interface ReplayedOptions {
  readonly stream: StreamNode
  readonly clock: Clock
  /** Opens the sources of the topic that can be read again, at the positions. */
  readonly openSources: (
    from: ReadonlyMap<string, ResumePoint>,
  ) => Promise<readonly { readonly source: Source; readonly partitions: readonly { readonly name: string }[] }[]>
  /** The log of what is pushed to the topic, null when nothing is. */
  readonly log: () => TopicLog | null
  /** Awaited between two pieces: others get their turn. */
  readonly onTurn: () => Promise<void>
}

export class ReplayedRows implements History {
  readonly #options: ReplayedOptions
  #points: Point[] = [ORIGIN]
  #pinned: () => number = () => 0

  constructor(options: ReplayedOptions) {
    this.#options = options
  }

  get start(): number {
    const kept = this.#options.log()?.start ?? 0
    if (kept === 0) return 0
    return this.#points.find(({ at }) => logPosition(at) >= kept)?.rows ?? Number.POSITIVE_INFINITY
  }

  get isCut(): boolean {
    return (this.#options.log()?.start ?? 0) > 0
  }

  /** Where the topic must be read from for the rows that are pinned. */
  get needs(): TopicPosition | null {
    this.#forget()
    return this.#points[0]!.at
  }

  /** Begins with what an epoch knew. */
  resume(points: readonly Point[]): void {
    if (points.length > 0) this.#points = []
    for (const point of points) this.note(point)
  }

  /** The first record that is kept makes the row with this number. */
  beginAt(rows: number): void {
    const first = { rows, at: this.#firstKept() }
    if (first.at === null) this.#points.unshift(first)
    else this.note(first)
  }

  note(point: Point): void {
    const points = this.#points
    let index = points.length
    while (index > 0 && points[index - 1]!.rows > point.rows) index--
    // As many rows, and further on: the records between made none.
    const isKnown = points[index - 1]?.rows === point.rows
    points.splice(isKnown ? index - 1 : index, isKnown ? 1 : 0, point)
    if (points.length > POINTS_MAX / 2) this.#forget()
    if (this.#points.length > POINTS_MAX)
      this.#points = this.#points.filter((_, at, all) => at % 2 === 0 || at === all.length - 1)
  }

  /** The last point at which there were no more rows than this. */
  pointAt(rows: number): Point {
    return this.#points.findLast(point => point.rows <= rows) ?? ORIGIN
  }

  pin(position: () => number): void {
    this.#pinned = position
  }

  /** How many rows the records from the first that is kept up to a position make; `isWhole`: none between is gone. */
  async count(to: TopicPosition): Promise<{ readonly rows: number; readonly isWhole: boolean }> {
    let rows = 0
    let isWhole = true
    for await (const made of this.#replay(this.#firstKept(), to)) {
      if ('batch' in made) rows += made.batch.length
      else isWhole = false
    }
    return { rows, isWhole }
  }

  /** Makes the number of the first row known that the records which are kept make: they may be older than every point. */
  async findStart(): Promise<void> {
    const known = this.#points.at(-1)!
    if (known.at === null) return
    const { rows, isWhole } = await this.count(known.at)
    if (isWhole) this.beginAt(known.rows - rows)
  }

  async *read(from: number, to: number): AsyncGenerator<HistoryRows, void, undefined> {
    const start = this.pointAt(from)
    const end = this.#points.find(({ rows, at }) => rows >= to && at !== null)?.at
    if (end === undefined || end === null) return
    let made = start.rows
    const { topic } = readOf(this.#options.stream)
    let noted = made
    for await (const event of this.#replay(start.at === null ? this.#firstKept() : start.at, end)) {
      if ('gap' in event) {
        if (made < from) throw unknownRow(this.#options.stream, event.gap)
        const { from: fromOffset, to: toOffset, reason } = event.gap
        yield { kind: 'lost', topic: topic.name, fromOffset, toOffset, reason }
        // How many rows are gone is only known at the end: what is counted from here on has another number than before.
        this.#points = this.#points.filter(({ rows }) => rows <= made || rows >= to)
        continue
      }
      const { batch, at } = event
      const first = Math.max(0, from - made)
      const last = Math.min(batch.length, to - made)
      if (last > first) yield { kind: 'rows', from: made + first, batch: sliceBatch(batch, first, last) }
      made += batch.length
      if (made >= to) return
      if (at !== null && made >= from && made - noted >= POINT_EVERY_ROWS) {
        noted = made
        this.note({ rows: made, at })
      }
    }
    if (made < to) yield { kind: 'skip', to }
  }

  /** Points in front of the last one that is needed. */
  #forget(): void {
    const position = this.#pinned()
    const index = this.#points.findLastIndex(({ rows }) => rows <= position)
    if (index > 0) this.#points = this.#points.slice(index)
  }

  #firstKept(): TopicPosition | null {
    const start = this.#options.log()?.start ?? 0
    if (start === 0) return null
    const partition = { name: LOG_PARTITION, position: start, lines: 0, ended: false }
    return { partitions: [partition], records: 0, bytes: 0, late: 0, deadLetters: 0 }
  }

  /** The rows that the records from one position up to another make; `at`: where the topic stands behind them. */
  async *#replay(
    from: TopicPosition | null,
    to: TopicPosition,
  ): AsyncGenerator<
    { readonly batch: Batch; readonly at: TopicPosition | null } | { readonly gap: ChunkGap },
    void,
    undefined
  > {
    const { stream, clock, log, openSources, onTurn } = this.#options
    const { topic } = readOf(stream)
    const made: Batch[] = []
    const write = (batch: Batch) => void made.push(copyBatch(batch))
    const makeFlow = () =>
      new Flow(topic, { outputs: [{ stream, write }], taps: new Map(), onLate: () => {}, onOverflow: () => {} })
    // What the schema refused was refused before, but for records of a log: those it took.
    let refused = 0
    const task = new TopicTask({ topic, makeFlow, deadLetters: { add: () => void refused++ }, clock })
    if (from !== null) task.resume(from)
    const ends = new Map(to.partitions.map(({ name, position }) => [name, position]))
    function* taken() {
      const batches = made.splice(0)
      for (const [index, batch] of batches.entries()) {
        yield { batch, at: index === batches.length - 1 ? task.position : null }
      }
    }
    const stored = log()
    if (stored !== null) {
      const { number, position } = task.addPartition({ name: LOG_PARTITION, bytes: null })
      const end = ends.get(LOG_PARTITION) ?? 0
      for (const chunk of readChunks(stored, position, end)) {
        if ('kind' in chunk) {
          if (chunk.from < end) yield { gap: chunk }
          continue
        }
        await task.takeStored(chunk.bytes, number, chunk.firstOffset, chunk.arrival)
        if (refused > 0) {
          const { firstOffset, records } = chunk
          const reason = `the schema refuses ${refused} of the records now`
          yield { gap: { kind: 'gap', from: firstOffset, to: firstOffset + records, reason } }
          refused = 0
        }
        yield* taken()
        await onTurn()
      }
    }
    for (const { source, partitions } of await openSources(startsOf(from))) {
      try {
        const names = partitions.map(({ name }) => name)
        for await (const chunk of chunksUpTo(task, source, names, ends)) {
          await task.take(chunk)
          yield* taken()
          await onTurn()
        }
      } finally {
        await source.close()
      }
    }
  }
}

/** A partition that has ended since may still be read again. */
function startsOf(from: TopicPosition | null): ReadonlyMap<string, ResumePoint> {
  const points = from?.partitions.map(({ name, position, lines, anchor = null }) => {
    return [name, { position, lines, anchor }] as const
  })
  return new Map(points)
}

/** What a source holds of each partition up to its end, numbered as the task does. */
async function* chunksUpTo(
  task: TopicTask,
  source: Source,
  names: readonly string[],
  ends: ReadonlyMap<string, number>,
): AsyncGenerator<Chunk, void, undefined> {
  const numbers = names.map(name => task.addPartition({ name, bytes: null }).number)
  const open = new Set(names.filter(name => (ends.get(name) ?? 0) > (task.positionOf(name) ?? 0)))
  while (open.size > 0) {
    const event = await source.read()
    if (event === null) return
    if (event.kind === 'records') {
      const name = names[event.partition]!
      const end = ends.get(name) ?? 0
      if (event.position < end) yield { ...cut(event, end), partition: numbers[event.partition]! }
      if (event.position + event.bytes.length >= end) open.delete(name)
    } else if (event.kind === 'end' || event.kind === 'damaged') {
      const name = names[event.partition]!
      if (event.kind === 'end' || event.position >= (ends.get(name) ?? 0)) open.delete(name)
    } else if (event.kind === 'idle') return
  }
}

function cut(chunk: Chunk, end: number): Chunk {
  return chunk.position + chunk.bytes.length <= end
    ? chunk
    : { ...chunk, bytes: chunk.bytes.subarray(0, end - chunk.position) }
}

function unknownRow(stream: StreamNode, { from, to, reason }: ChunkGap): MillraceError {
  const { topic } = readOf(stream)
  return new MillraceError(
    'LOG_DAMAGED',
    `Topic ${topic.name} has lost the records from offset ${from} up to ${to} (${reason}), and a sink of ${stream.identity} holds some of their rows: which of its rows comes next is not known.`,
    {
      next: 'Put back a copy of the data directory, or give the sink a new name in the pipeline: it then gets all rows that can still be made.',
    },
  )
}
