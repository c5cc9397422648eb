/** The Sensor Logger source: what the app pushes, or its exports, each a partition. */

import { Damaged, type Piece, piecesFrom, wholeLines } from '../../formats/lines.ts'
import { statusOf, unreadable } from '../../system/files.ts'
import type { Chunk, Damage, Idle, PartitionEnd, ReachedIn, Source, SourceContext } from '../contract.ts'
import { isPattern, pathsOf } from '../support/paths.ts'
import { pushSettingsOf } from '../support/push-settings.ts'
import type { SensorLoggerOptions } from './describe.ts'
import { readExport } from './exports.ts'
import type { Reading } from './readings.ts'

export async function openSource(options: Readonly<Record<string, unknown>>): Promise<Source> {
  const { export: path, path: pushedTo = '/sensor-logger', userId = null } = options as SensorLoggerOptions
  if (path !== undefined) return new ExportSource(path, options as SensorLoggerOptions)
  const { pushSource } = await import('./push.ts')
  return pushSource(pushedTo, userId, pushSettingsOf(options as SensorLoggerOptions))
}

const OUTPUT_CHARACTERS = 64 * 1024

class ExportSource implements Source {
  readonly #path: string
  readonly #options: SensorLoggerOptions
  #partitions: { readonly number: number; readonly pieces: AsyncGenerator<Piece, void, undefined> }[] = []
  #turn = 0
  #signal: AbortSignal | null = null

  constructor(path: string, options: SensorLoggerOptions) {
    this.#path = path
    this.#options = options
  }

  get hasOnePartition(): boolean {
    return !isPattern(this.#path)
  }

  async open(context: SourceContext): Promise<readonly { readonly name: string; readonly bytes: number | null }[]> {
    const paths = pathsOf(this.#path)
    for (const each of paths) {
      if (statusOf(each) === null) throw unreadable(each, { code: 'ENOENT' })
    }
    this.#signal = context.signal
    const limit = context.maximumChunkBytes
    this.#partitions = paths.map((each, number) => {
      const readings = readExport(each, { options: this.#options, columns: context.columns, limit })
      const pieces = piecesFrom(wholeLines(asBytes(readings), limit), context.from.get(each)?.position ?? 0)
      return { number, pieces }
    })
    return paths.map(name => ({ name, bytes: null }))
  }

  /** The partition that is furthest behind, or in turn, a chunk each. */
  async read(reachedIn: ReachedIn | null = null): Promise<Chunk | Damage | Idle | PartitionEnd | null> {
    if (this.#partitions.length === 0 || this.#signal?.aborted) return null
    this.#turn %= this.#partitions.length
    for (const [index, { number }] of this.#partitions.entries()) {
      if (reachedIn !== null && reachedIn(number) < reachedIn(this.#partitions[this.#turn]!.number)) this.#turn = index
    }
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
