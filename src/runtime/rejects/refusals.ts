/** The records of one topic that are not taken: counted, and handed to the dead letters with their place. */
import type { Damage } from '../../connectors/contract.ts'
import type { RefusedLine } from '../../engine/decode/decoder.ts'
import type { Overflow } from '../../engine/overflow.ts'
import { rowWriter } from '../../engine/rows-json.ts'
import { decimalText } from '../../plan/exact.ts'
import type { Partition, TopicPosition } from '../ingest/partitions.ts'
import type { DeadLetters } from './dead-letters.ts'

/** Where rows come from, for what operators say of them. */
export interface Lines {
  /** What people know the rows' place by; default: the name of the partition. */
  readonly source?: string
  readonly partition: number
  /** Position of the byte from which row starts count; of rows out of the log, the offset of the first one. */
  readonly position: number
  /** Rows count by offsets, not by bytes. */
  readonly byOffset: boolean
  readonly arrival: number | null
  /** For each row where its line begins; null where no operator shows its late rows. */
  readonly rowStarts: Int32Array | null
  /** The bytes of the line that begins at a row start. */
  readonly lineAt: (start: number) => Uint8Array
}

export interface RefusalReason {
  readonly reason: string
  readonly code: string
  readonly line?: number
  readonly length?: number
}

/** Whether what could not be read is one record, as a row with too many cells is: then it counts among the records. */
export function isRecord(code: string): boolean {
  return code === 'RECORD_INVALID' || code === 'TEXT_NOT_UNICODE'
}

export class Refusals {
  readonly #topic: string
  readonly #partitions: readonly Partition[]
  readonly #deadLetters: Pick<DeadLetters, 'add'>
  /** Dead letters: rejected records, damage, and late records that a window keeps. */
  count = 0
  /** Records that the topic does not take. */
  rejected = 0

  constructor(topic: string, partitions: readonly Partition[], deadLetters: Pick<DeadLetters, 'add'>) {
    this.#topic = topic
    this.#partitions = partitions
    this.#deadLetters = deadLetters
  }

  /** Goes on counting where an epoch stood. */
  resume({ deadLetters, rejected = deadLetters }: Pick<TopicPosition, 'deadLetters' | 'rejected'>): void {
    this.count = deadLetters
    this.rejected = rejected
  }

  /** Refuses the record whose line begins at `start`. */
  record(lines: Lines, start: number, why: RefusalReason): void {
    this.rejected++
    this.#add(lines, lines.position + start, lines.lineAt(start), why)
  }

  /** Refuses a row that was decoded: the one with this number among the lines' row starts. */
  row(lines: Lines, row: number, why: RefusalReason): void {
    this.rejected++
    this.#addRow(lines, row, why)
  }

  /** Keeps a row that is late: the topic has it. */
  late(lines: Lines, row: number, reason: string): void {
    this.#addRow(lines, row, { reason, code: 'RECORD_LATE' })
  }

  #addRow(lines: Lines, row: number, why: RefusalReason): void {
    const start = lines.rowStarts![row]!
    const position = lines.position + (lines.byOffset ? row : start)
    this.#add(lines, position, lines.lineAt(start), why)
  }

  /** Refuses a row whose result a step cannot hold; the letter has the row as JSON. */
  readonly onOverflow = ({ column, value, row }: Overflow, step: string): void => {
    const { decimal } = column
    const digits = decimal === undefined ? String(value) : decimalText(value, decimal.scale)
    const room = decimal === undefined ? '64 bits' : `decimal(${decimal.precision}, ${decimal.scale})`
    const bytes = Buffer.from(rowWriter(row.columns).write(row)).subarray(0, -1)
    this.count++
    this.#deadLetters.add({
      topic: this.#topic,
      source: step,
      partition: 0,
      position: 0,
      line: null,
      reason: `${column.name}: ${digits} is beyond ${room}`,
      code: 'INTEGER_OVERFLOW',
      bytes,
      bytesTotal: bytes.length,
      arrived: null,
    })
  }

  /** Refuses a stretch that could not be read. */
  damage(damage: Damage): void {
    const partition = this.#partitions[damage.partition]!
    const { anchor, lines: linesTaken = 0, code = 'SOURCE_DAMAGED' } = damage
    if (isRecord(code)) this.rejected++
    if (anchor !== undefined) {
      partition.anchor = anchor
      partition.lines = anchor.lines
    }
    const line = damage.lines === undefined ? null : partition.lines + 1
    partition.lines += linesTaken
    // Only whole lines are a stretch of the partition's positions; other damage stands between them.
    const takesRoom = damage.lines !== undefined && anchor === undefined
    partition.position = damage.position + (takesRoom ? (damage.bytesTotal ?? 0) : 0)
    this.count++
    this.#deadLetters.add({
      topic: this.#topic,
      source: partition.name,
      partition: damage.partition,
      position: damage.position,
      line,
      reason: damage.reason,
      code,
      bytes: damage.bytes,
      bytesTotal: damage.bytesTotal ?? damage.bytes?.length ?? 0,
      arrived: null,
    })
  }

  #add({ source, partition, arrival }: Lines, position: number, bytes: Uint8Array, why: RefusalReason): void {
    this.count++
    this.#deadLetters.add({
      topic: this.#topic,
      source: source ?? this.#partitions[partition]!.name,
      partition,
      position,
      line: why.line ?? null,
      reason: why.reason,
      code: why.code,
      bytes,
      bytesTotal: why.length ?? bytes.length,
      arrived: arrival,
    })
  }
}

/** Why a line is not taken, as the schema says it. */
export function reasonOf({ code, reason, path }: RefusedLine): { readonly reason: string; readonly code: string } {
  return { reason: path === '' ? reason : `${path}: ${reason}`, code }
}
