/** Makes pieces of ranges: reads, decodes and runs the first stateless steps. One a thread. */
import type { Column } from '../../plan/schema.ts'
import type { WireNode } from '../../plan/wire.ts'
import { type Chain, compileChain } from '../chain.ts'
import { Decoder, type LearnedShape } from '../decode/decoder.ts'
import type { UndeclaredCount } from '../decode/undeclared.ts'
import type { StatelessNode } from '../steps.ts'
import { Packer, type Piece, type PieceRows } from './piece.ts'
import { type PlainFile, type Range, RangeReader } from './ranges.ts'

const LINE_FEED = 10

/** What a thread must know, as data that can be sent to it. */
export interface PieceJob {
  readonly files: readonly PlainFile[]
  readonly ranges: readonly Range[]
  readonly columns: readonly Column[]
  readonly wire: WireNode
  /** Names of the columns that something reads. */
  readonly reads: ReadonlySet<string>
  /** Indexes of the columns that event time and progress are read from. */
  readonly timeColumns: ReadonlySet<number>
  /** Steps that every row takes first, and the columns needed after them; null: the rows stay as they are. */
  readonly prefix: { readonly steps: readonly StatelessNode[]; readonly needed: ReadonlySet<string> } | null
  /** Whether a late row may have to be shown: then each row tells where its line begins. */
  readonly withRowStarts: boolean
  readonly recordBytesMax: number
}

export class PieceMaker {
  readonly #job: PieceJob
  readonly #decoder: Decoder
  readonly #chain: Chain | null
  readonly #reader: RangeReader
  readonly #packer: Packer
  #overflowed = false

  /** `learned`: the shapes that another maker of the same job knows. */
  constructor(job: PieceJob, thread: number, learned: readonly LearnedShape[] = []) {
    const { columns, wire, reads, prefix, recordBytesMax, files } = job
    this.#job = job
    const slow = () => ({ ok: false, code: 'RECORD_INVALID', reason: '', path: '' }) as const
    const longest = job.ranges.reduce((most, { start, end }) => Math.max(most, end - start), 0)
    this.#decoder = new Decoder({ columns, wire, slow }, reads, longest + recordBytesMax, learned)
    this.#chain =
      prefix &&
      compileChain(prefix.steps, columns, prefix.needed, () => {
        this.#overflowed = true
      })
    this.#reader = new RangeReader(files, recordBytesMax)
    this.#packer = new Packer(thread)
  }

  /** Learns the shape of the first line, so that other threads need neither generate nor compile its code again. */
  learn(): readonly LearnedShape[] {
    const [first] = this.#job.ranges
    if (first === undefined) return []
    const decoder = this.#decoder
    const { from, to } = this.#reader.read(first, decoder.input)
    decoder.begin(from + decoder.input.subarray(from, to).indexOf(LINE_FEED) + 1, from)
    decoder.next()
    return decoder.learned
  }

  make(index: number): Piece {
    const decoder = this.#decoder
    const { from, to, position, endsInLongLine } = this.#reader.read(this.#job.ranges[index]!, decoder.input)
    const piece = { index, position, bytes: to - from }
    decoder.begin(to, from)
    const rows: PieceRows[] = []
    const undeclared: UndeclaredCount[] = []
    this.#overflowed = false
    for (let batch = decoder.next(); batch !== null; batch = decoder.next()) {
      if (batch.refused.length > 0) return { ...piece, isWhole: false, rows: [], undeclared: [] }
      undeclared.push(...batch.undeclared)
      const prepared = this.#chain ? this.#chain.run(batch) : batch
      // A row that is refused is told by the main thread.
      if (this.#overflowed) return { ...piece, isWhole: false, rows: [], undeclared: [] }
      const packed = this.#packer.pack(batch, prepared, this.#job.timeColumns, this.#job.withRowStarts)
      rows.push({ ...packed, end: position + batch.inputEnd, linesEnd: batch.linesEnd })
    }
    return { ...piece, isWhole: !endsInLongLine, rows, undeclared }
  }

  close(): void {
    this.#reader.close()
  }
}

/** The job as it can be sent to a thread, null when a part of it is code that only this thread has. */
export function sendable(job: PieceJob): PieceJob | null {
  if (!isData(job.wire)) return null
  const prefix = job.prefix && { ...job.prefix, steps: job.prefix.steps.map(withoutCode) }
  return prefix?.steps.some(step => step === null) ? null : ({ ...job, prefix } as PieceJob)
}

function isData(node: WireNode): boolean {
  if (node.kind === 'object') return node.fields.every(field => isData(field.node))
  return node.kind !== 'slow' && node.accepts === null
}

/** A step whose lambdas are held by their expressions alone; null when one of them could not be read. */
function withoutCode(step: StatelessNode): unknown {
  const { kind, columns } = step
  switch (step.kind) {
    case 'filter':
      return step.predicate.expression && { kind, columns, predicate: { ...step.predicate, function: null } }
    case 'derive':
      return step.derived.every(({ lambda }) => lambda.expression !== null)
        ? {
            kind,
            columns,
            derived: step.derived.map(({ name, lambda }) => ({ name, lambda: { ...lambda, function: null } })),
          }
        : null
    case 'require':
      return { kind, columns, required: step.required }
    case 'project':
      return { kind, columns, projected: step.projected }
  }
}
