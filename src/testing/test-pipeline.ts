/** A pipeline in memory, under a clock that the test holds: the real decoder and operators, no disk, no warehouse. */
import { rowsOf } from '../engine/batch.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { type Duration, microsecondsOf } from '../plan/duration.ts'
import type { DeliverNode, ProduceNode, TopicNode } from '../plan/nodes.ts'
import { microsecondsOfIso } from '../plan/timestamp.ts'
import { readInput } from '../runtime/ingest/topic-input.ts'
import type { TopicProgress } from '../runtime/options.ts'
import { type Terminal, Topics } from '../runtime/process/topics.ts'
import type { Refusal } from '../runtime/rejects/dead-letters.ts'
import { MillraceError } from '../system/errors.ts'
import { type Arrival, MemorySource } from './memory-source.ts'
import { VirtualClock } from './virtual-clock.ts'

const CHUNK_BYTES_MAX = 1 << 20

/** A message as the device sends it (a bigint is written as its digits), or its JSON text as it stands. */
export type TestRecord = object | string

const SILENCE = Symbol('silence')

interface Pause {
  readonly [SILENCE]: number
}

export interface TestOptions {
  /** By the topic's name the records in the order in which they arrive, perhaps with silences between them. */
  readonly inputs: Readonly<Record<string, readonly (TestRecord | Pause)[]>>
  /** Records come in pieces of at most this many bytes, or one by one where they are longer. Default and limit: 1 MiB. */
  readonly chunkBytes?: number
  /**
   * How many partitions each input has; a record goes to the one that its topic key chooses, or in turn without a key. A
   * function says it for each record: 0, 1, ... Default 1.
   */
  readonly partitions?: number | ((record: TestRecord, index: number) => number)
  /** When the first record arrives, as ISO 8601: records then have arrival times. Default: historic input, without. */
  readonly startsAt?: string
  /** Whether the input ends after the last record, so that every window closes. Default true. */
  readonly ends?: boolean
}

export interface TestRun {
  /** The rows of each output by its name: the topic's, the table's, the sink's path. Times are microseconds. */
  readonly rows: Readonly<Record<string, readonly Record<string, unknown>[]>>
  /** Records that were refused, each with the reason. */
  readonly deadLetters: readonly Pick<Refusal, 'topic' | 'code' | 'reason' | 'partition' | 'position'>[]
  /** Records that were late for every window. */
  readonly late: number
  /** Records that were late for some of the overlapping windows that hold them. */
  readonly partlyLate: number
  /** Rows that a dedupe dropped. */
  readonly repeats: number
}

/** A silence between two records: time passes and nothing arrives. Only with `startsAt`. Throws DURATION_INVALID. */
export function pause(duration: Duration): Pause {
  return { [SILENCE]: microsecondsOf(duration, 'pause') }
}

/**
 * Runs a pipeline over records in memory and answers with the rows of its outputs, in their order.
 *
 * Each topic of `inputs` is read to its end before the next one. Throws TOPIC_UNKNOWN for an input without a topic, and
 * OPTION_INVALID for options that do not fit.
 */
export async function testPipeline({ plan }: Pipeline, options: TestOptions): Promise<TestRun> {
  const start = options.startsAt === undefined ? null : microsecondsOfIso(options.startsAt)
  if (start === null && options.startsAt !== undefined) {
    throw new MillraceError('OPTION_INVALID', `testPipeline: startsAt ${JSON.stringify(options.startsAt)} is no time`, {
      next: "Write it with its zone: '2026-11-22T05:00:00Z'.",
    })
  }
  const clock = new VirtualClock(start ?? 0)
  const rows: Record<string, Record<string, unknown>[]> = {}
  const terminal = ({ stream, ...node }: ProduceNode | DeliverNode): Terminal => {
    const produced = node.kind === 'produce' ? node.topic : null
    const gathered: Record<string, unknown>[] = []
    rows[node.kind === 'produce' ? node.topic.name : node.name] = gathered
    const write = (batch: Parameters<Terminal['output']['write']>[0]) => {
      for (const row of rowsOf(batch)) gathered.push({ ...row })
    }
    return { stream, topic: produced, output: { write } }
  }
  const terminals = [...plan.produces, ...plan.delivers].map(terminal)
  const deadLetters: Refusal[] = []
  const letters = { add: (refusal: Refusal) => void deadLetters.push(refusal) }
  const topics = new Topics({ plan, terminals, taps: new Map(), deadLetters: letters, clock })
  const ends = options.ends ?? true
  const { signal } = new AbortController()
  for (const [name, records] of Object.entries(options.inputs)) {
    const topic = plan.topics.find(candidate => candidate.name === name && candidate.schema !== null)
    if (topic === undefined) {
      const known = plan.topics.filter(({ schema }) => schema !== null).map(candidate => candidate.name)
      throw new MillraceError('TOPIC_UNKNOWN', `testPipeline: no topic ${name} takes records of its own.`, {
        next: `Its topics are: ${known.join(', ')}.`,
      })
    }
    const { arrivals, partitions } = arrivalsOf(topic, records, options)
    const chunkBytes = Math.min(options.chunkBytes ?? CHUNK_BYTES_MAX, CHUNK_BYTES_MAX)
    const source = new MemorySource(arrivals, { partitions, chunkBytes, clock: start === null ? null : clock, ends })
    const task = topics.task(name)
    // A function may send the records of one key anywhere.
    if (typeof options.partitions === 'function') task.time?.scatterKeys()
    const numbers = (await source.open()).map(info => task.addPartition(info).number)
    await readInput(task, [{ source, name, partitions: numbers }], {
      untilEnd: ends,
      signal,
      onTurn: async () => {},
      pool: null,
      ingestion: null,
    })
    if (ends) await task.end()
  }
  if (ends) await topics.endDerived(new Set(Object.keys(options.inputs)))
  const sum = (of: (progress: TopicProgress) => number) => topics.progress.reduce((total, one) => total + of(one), 0)
  return {
    rows,
    deadLetters,
    late: sum(({ late }) => late),
    partlyLate: sum(({ partly_late }) => partly_late),
    repeats: sum(({ repeats }) => repeats),
  }
}

function arrivalsOf(
  topic: TopicNode,
  records: readonly (TestRecord | Pause)[],
  options: TestOptions,
): { arrivals: Arrival[]; partitions: number } {
  const choose = chooser(topic, options.partitions ?? 1)
  let partitions = typeof options.partitions === 'number' ? options.partitions : 1
  let index = 0
  const arrivals = records.map((record): Arrival => {
    if (typeof record === 'object' && SILENCE in record) {
      if (options.startsAt === undefined) {
        const next = "Say when the first record arrives: { startsAt: '2026-11-22T05:00:00Z' }."
        throw new MillraceError('OPTION_INVALID', 'testPipeline: a pause needs a clock that has started', { next })
      }
      return { silence_us: (record as Pause)[SILENCE] }
    }
    const line = typeof record === 'string' ? record : JSON.stringify(record, digits)
    const partition = choose(record, index++)
    if (!Number.isInteger(partition) || partition < 0) {
      throw new MillraceError('OPTION_INVALID', `testPipeline: there is no partition ${partition}`, {
        next: 'Partitions are numbered 0, 1, ...',
      })
    }
    partitions = Math.max(partitions, partition + 1)
    return { line, partition }
  })
  return { arrivals, partitions }
}

function chooser(
  topic: TopicNode,
  partitions: NonNullable<TestOptions['partitions']>,
): (record: TestRecord, index: number) => number {
  if (typeof partitions === 'function') return partitions
  if (topic.key.length === 0) return (_, index) => index % partitions
  const paths = topic.key.map(name => name.split('.'))
  return record => {
    const cells = paths.map(
      path => JSON.stringify(at(typeof record === 'string' ? parsed(record) : record, path)) ?? '',
    )
    let hash = 0
    for (const unit of cells.join('|')) hash = (Math.imul(hash, 31) + unit.codePointAt(0)!) >>> 0
    return hash % partitions
  }
}

/** A text that is no JSON becomes a dead letter, in whichever partition. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

function at(record: unknown, path: readonly string[]): unknown {
  let value = record
  for (const key of path) value = (value as Record<string, unknown> | null | undefined)?.[key]
  return typeof value === 'bigint' ? String(value) : value
}

/** Nanoseconds do not fit a double: a bigint's digits are written as they are. */
function digits(_: string, value: unknown): unknown {
  const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown }
  return typeof value === 'bigint' ? rawJSON(String(value)) : value
}
