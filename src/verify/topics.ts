/** The topics of a plan as the oracle reads them: what came from outside once more, what the pipeline made recomputed. */
import { resolve } from 'node:path'
import type { DeadLetter } from '../log/dead-letter.ts'
import { isStored, openForReading, readTopic } from '../log/topic-store.ts'
import type { Plan, SourceReference, TopicNode } from '../plan/nodes.ts'
import { MillraceError } from '../system/errors.ts'
import { statusOf } from '../system/files.ts'
import type { Database } from './database.ts'
import { type Extent, isCsv } from './lines.ts'
import type { OracleRelation } from './oracle/built.ts'
import type { Progress } from './progress.ts'
import { loadRecords } from './records.ts'
import { LOG_PARTITION, storedTopic } from './stored.ts'
import { transformedColumns } from './transforms.ts'

/** What the runtime writes to `run.json`. */
export interface RunRecord {
  readonly pipeline?: string
  readonly namespace?: string
  readonly warehouseFile?: string
  readonly inputs?: Readonly<Record<string, readonly string[]>>
  /** Topics whose records are in the log because they were pushed. */
  readonly stored?: readonly string[]
  readonly untilEnd?: boolean
}

export interface TopicsOptions {
  readonly plan: Plan
  readonly record: RunRecord
  readonly progress: Progress
  readonly dataDirectory: string
  /** For files that are needed meanwhile. */
  readonly folder: string
  readonly database: Database
  /** Every record goes through JSON and zod. */
  readonly isDoubtful: boolean
  readonly say: (step: string) => void
}

export class Topics {
  /** Whether some topic's records were read in a way that may differ from the run's where a record is odd. */
  isDoubtful = false
  readonly #options: TopicsOptions
  readonly #relations = new Map<string, OracleRelation | string>()
  readonly #refused: ReadonlyMap<string, Refused>

  constructor(options: TopicsOptions) {
    this.#options = options
    this.#refused = refusedRecords(options.dataDirectory)
  }

  /** Puts a topic that the pipeline makes in its place: its rows, or the reason why they are not known. */
  set(topic: string, relation: OracleRelation | string): void {
    this.#relations.set(topic, relation)
  }

  /** The records of a topic, or the reason why they cannot be read again. */
  async get(topic: TopicNode): Promise<OracleRelation | string> {
    let relation = this.#relations.get(topic.name)
    if (relation === undefined) {
      relation = await this.#read(topic)
      this.#relations.set(topic.name, relation)
    }
    return relation
  }

  async #read(topic: TopicNode): Promise<OracleRelation | string> {
    const { database, folder, isDoubtful, progress, say } = this.#options
    const sources = await this.#sourcesOf(topic)
    if (typeof sources === 'string') return sources
    const gone = sources.some(({ connector }) => connector === 'file') ? goneOf(progress.names(topic.name)) : null
    if (gone !== null) return `what ${gone} held when the topic ${topic.name} read it is there no more`
    say(`${topic.name}: reading the records`)
    const unread = transformedColumns(topic)
    const ended: number[] = []
    const extentOf = (name: string, number: number): Extent | null => {
      const extent = progress.partition(topic.name, name, number)
      if (extent?.ended === true) ended.push(extent.number)
      // What counts of a log is cut off by its offsets already.
      return extent === null || name !== LOG_PARTITION ? extent : { ...extent, end: null }
    }
    const refused = this.#refused.get(topic.name)
    const damaged = refused?.damaged === true && sources.some(isCsvSource)
    if (damaged && isDoubtful) {
      return `records of the topic ${topic.name} are damaged, and DuckDB goes on behind them otherwise than the run does`
    }
    try {
      const { relation, partitions, isFast, isScattered } = await loadRecords(database, {
        topic,
        sources,
        folder,
        extentOf,
        isDoubtful: isDoubtful || refused !== undefined,
        unread: new Set(unread.keys()),
        rejectedLines: refused?.lines ?? new Map(),
        refusedAt: this.#options.record.stored?.includes(topic.name) ? new Set() : (refused?.ahead ?? new Set()),
      })
      if (isFast || damaged) this.isDoubtful = true
      return {
        sql: relation,
        columns: topic.columns.map(column => ({
          ...column,
          exact: true,
          unknown: unread.get(column.name) ?? null,
        })),
        isScattered,
        unordered: null,
        partitions,
        ended: ended.length === 0 || ended.length === partitions ? null : `(${ended.join(', ')})`,
        waits: progress.waits(topic.name),
      }
    } catch (error) {
      const codes: readonly string[] = ['FILE_UNREADABLE', 'VERIFY_UNSUPPORTED', 'HEADER_MISMATCH']
      if (error instanceof MillraceError && codes.includes(error.code)) return error.message
      throw error
    }
  }

  async #sourcesOf(topic: TopicNode): Promise<readonly SourceReference[] | string> {
    const { plan, record, progress, dataDirectory } = this.#options
    const declared = plan.ingests.filter(ingest => ingest.topic.name === topic.name).map(({ source }) => source)
    const given = record.inputs?.[topic.name] ?? []
    const files = given.length > 0 ? await filesOf(given, declared) : declared
    const sources = files.filter(source => REPLAYED.has(source.connector) && !isPushed(source))
    if (record.stored?.includes(topic.name) === true) {
      const { start } = openForReading(dataDirectory, topic.name)
      if (start > 0) return `the first ${start} records of the topic ${topic.name} are no longer stored`
      const end = progress.partition(topic.name, LOG_PARTITION, 0)?.end ?? null
      return [...sources, storedTopic(dataDirectory, topic.name, end)]
    }
    if (files.length === 0) return `the topic ${topic.name} had no input in this run`
    const other = files.find(source => !sources.includes(source))
    return other === undefined ? sources : `what ${other.connector} brought to ${topic.name} cannot be read again`
  }
}

/** A file that another one has taken the place of (its partition has a successor), or that is gone; null: none is. */
function goneOf(names: readonly string[]): string | null {
  const files = names.filter(name => name !== LOG_PARTITION)
  const replaced = files.find(name =>
    files.some(other => other.startsWith(`${name}#`) && /^#\d+$/.test(other.slice(name.length))),
  )
  return replaced ?? files.find(name => !/#\d+$/.test(name) && statusOf(resolve(name)) === null) ?? null
}

/** Connectors whose records stay where they are and can be read again. */
const REPLAYED = new Set(['file', 'sensor-logger'])

const isPushed = ({ connector, options }: SourceReference) =>
  connector === 'sensor-logger' && options.export === undefined

const isCsvSource = (source: SourceReference) => isCsv(source, String(source.options.path))

/** A source that the pipeline declares has options that its path does not tell. */
async function filesOf(
  paths: readonly string[],
  declared: readonly SourceReference[],
): Promise<readonly SourceReference[]> {
  const { sourceInPlaceOf } = await import('../connectors/input.ts')
  return paths.map(path => declared.find(source => pathOf(source) === path) ?? sourceInPlaceOf(declared, path))
}

function pathOf({ options }: SourceReference): string | null {
  const path = options.path ?? options.export
  return typeof path === 'string' ? resolve(path) : null
}

interface Refused {
  /** Places of records that came too far ahead of their time: when a record arrived is not in its file. */
  readonly ahead: Set<string>
  /** By file the lines of rows that were rejected. */
  readonly lines: Map<string, Set<number>>
  /** Some stretch could not be read. */
  damaged: boolean
}

type LetterRead = Pick<DeadLetter, 'topic' | 'code' | 'partition' | 'position' | 'source' | 'line'>

/** What the dead letters say, by topic. All that a schema refuses is refused again. */
function refusedRecords(dataDirectory: string): ReadonlyMap<string, Refused> {
  const found = new Map<string, Refused>()
  if (!isStored(dataDirectory, 'dead_letters')) return found
  for (const line of readTopic(dataDirectory, 'dead_letters')) {
    const letter = JSON.parse(line) as LetterRead
    const refused = found.get(letter.topic) ?? { ahead: new Set(), lines: new Map(), damaged: false }
    found.set(letter.topic, refused)
    if (letter.code === 'RECORD_AHEAD') refused.ahead.add(`${letter.partition}:${letter.position}`)
    if (letter.code === 'SOURCE_DAMAGED') refused.damaged = true
    if (letter.code === 'RECORD_INVALID' && letter.line !== undefined) {
      const path = resolve(letter.source)
      refused.lines.set(path, (refused.lines.get(path) ?? new Set()).add(letter.line))
    }
  }
  return found
}
