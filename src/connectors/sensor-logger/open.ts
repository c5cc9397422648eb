/** The Sensor Logger source: each export is a partition. */
import { MillraceError } from '../../system/errors.ts'
import { statusOf, unreadable } from '../../system/files.ts'
import type { Chunk, Damage, Idle, PartitionEnd, Source, SourceContext } from '../contract.ts'
import { Damaged, type Piece, wholeLines } from '../support/lines.ts'
import { pathsOf } from '../support/paths.ts'
import type { SensorLoggerOptions } from './describe.ts'
import { readExport } from './exports.ts'
import type { Reading } from './readings.ts'

export async function openSource(options: Readonly<Record<string, unknown>>): Promise<Source> {
  return new SensorLoggerSource(options as SensorLoggerOptions)
}

const OUTPUT_CHARACTERS = 64 * 1024

class SensorLoggerSource implements Source {
  readonly #options: SensorLoggerOptions
  #partitions: { readonly number: number; readonly pieces: AsyncGenerator<Piece, void, undefined> }[] = []
  #turn = 0
  #signal: AbortSignal | null = null

  constructor(options: SensorLoggerOptions) {
    this.#options = options
  }

  async open(context: SourceContext): Promise<readonly { readonly name: string; readonly bytes: number | null }[]> {
    const { export: path } = this.#options
    if (path === undefined) {
      throw new MillraceError(
        'INPUT_MISSING',
        'sensorLogger(...) has nothing to read: pushes over HTTP are not received in this version.',
        { next: "Give it an export of the app: --input TOPIC=export.zip, or sensorLogger({ export: 'export.zip' })." },
      )
    }
    const paths = pathsOf(path)
    for (const each of paths) {
      if (statusOf(each) === null) throw unreadable(each, { code: 'ENOENT' })
    }
    this.#signal = context.signal
    const limit = context.maximumChunkBytes
    this.#partitions = paths.map((each, number) => ({
      number,
      pieces: wholeLines(asBytes(readExport(each, { options: this.#options, columns: context.columns, limit })), limit),
    }))
    return paths.map(name => ({ name, bytes: null }))
  }

  /** Partitions take turns, a chunk each, so that none lags much behind the others. */
  async read(): Promise<Chunk | Damage | Idle | PartitionEnd | null> {
    if (this.#partitions.length === 0 || this.#signal?.aborted) return null
    this.#turn %= this.#partitions.length
    const { number, pieces } = this.#partitions[this.#turn]!
    const { value } = await pieces.next()
    if (value === undefined) {
      this.#partitions.splice(this.#turn, 1)
      return { kind: 'end', partition: number }
    }
    this.#turn++
    return value.kind === 'records' ? { ...value, partition: number, arrival: null } : { ...value, partition: number }
  }

  async close(): Promise<void> {
    for (const { pieces } of this.#partitions.splice(0)) await pieces.return()
  }
}

async function* asBytes(
  items: AsyncGenerator<Reading | Damaged, void, undefined>,
): AsyncGenerator<Uint8Array | Damaged, void, undefined> {
  let pending = ''
  for await (const item of items) {
    if (item instanceof Damaged) {
      if (pending !== '') yield Buffer.from(pending)
      pending = ''
      yield item
    } else {
      pending += item.line
      if (pending.length >= OUTPUT_CHARACTERS) {
        yield Buffer.from(pending)
        pending = ''
      }
    }
  }
  if (pending !== '') yield Buffer.from(pending)
}
