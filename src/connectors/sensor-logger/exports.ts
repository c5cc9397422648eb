/** The three forms of an export: a zip of CSV files, a folder of them, and one JSON array. */
import { basename, dirname, join } from 'node:path'
import { bytesOf } from '../../formats/bytes.ts'
import { csvRows } from '../../formats/csv/rows.ts'
import { elementsAsLines } from '../../formats/json-array.ts'
import { DAMAGED_BYTES_KEPT, Damaged, wholeLines } from '../../formats/lines.ts'
import { entryBytes, listZip } from '../../formats/zip.ts'
import type { Column } from '../../plan/schema.ts'
import { listFolder, statusOf, unreadable } from '../../system/files.ts'
import type { SensorLoggerOptions } from './describe.ts'
import { inOrder } from './merge.ts'
import { type Envelope, envelopeOf, type Reading, readingWriter } from './readings.ts'
import { isMetadata, isMetadataName, recordingsIn, type SensorFile, sensorOf } from './recordings.ts'

/** More sensors than any phone has; each keeps a file and an unpacker open. */
const SENSORS_MAX = 200
/** Damaged rows of one sensor that are told one by one; of more only their number is told. */
const DAMAGED_ROWS_TOLD = 100
/** A step back in time by more than this between two readings means that sensors follow each other, in nanoseconds. */
const DISORDER_NS = 1e9

type Items = AsyncGenerator<Reading | Damaged, void, undefined>

export interface ExportContext {
  readonly options: SensorLoggerOptions
  readonly columns: readonly Column[]
  /** The longest record, in bytes. */
  readonly limit: number
}

/**
 * All readings of one export in the order of their times, and what could not be read where it was met. An export without
 * any reading says so.
 */
export async function* readExport(path: string, context: ExportContext): Items {
  let isEmpty = true
  for await (const item of readAny(path, context)) {
    isEmpty = false
    yield item
  }
  if (isEmpty) yield unusable('the export has no readings')
}

async function* readAny(path: string, context: ExportContext): Items {
  const status = statusOf(path)
  if (status === null) throw unreadable(path, { code: 'ENOENT' })
  if (status.kind === 'folder') {
    const files = listFolder(path).filter(name => name.toLowerCase().endsWith('.csv'))
    yield* readSensors(
      path,
      files.map(name => ({ name, folder: '', open: () => bytesOf(join(path, name), 'none') })),
      context,
    )
  } else if (/\.zip$/i.test(path)) yield* readZip(path, context)
  else yield* readJson(path, context)
}

async function* readZip(path: string, context: ExportContext): Items {
  const { entries, damage } = listZip(path)
  if (damage !== null) yield new Damaged(damage)
  const own = entries.filter(({ name }) => !name.startsWith('__MACOSX/'))
  const files = own.filter(({ name }) => /\.csv$/i.test(name))
  const zips = own.filter(({ name }) => /\.zip$/i.test(name)).map(({ name }) => name)
  if (zips.length > 0) {
    yield unusable(`the zip holds other zip files, which are not read; unpack them first: ${namesOf(zips)}`)
  }
  if (files.length === 0 && zips.length === 0 && damage === null) {
    yield unusable(`the zip has no CSV file of a sensor; it holds: ${namesOf(own.map(({ name }) => name))}`)
  }
  yield* readSensors(
    path,
    files.map(entry => {
      return { name: basename(entry.name), folder: dirname(entry.name), open: () => entryBytes(path, entry) }
    }),
    context,
  )
}

const unusable = (reason: string) => new Damaged(reason, null, null, 'FILE_UNREADABLE')

function namesOf(names: readonly string[]): string {
  if (names.length === 0) return 'nothing'
  return names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '')
}

/** The recordings of an export, one after the other only where all at once would be too many files. */
async function* readSensors(path: string, files: readonly SensorFile[], context: ExportContext): Items {
  const recordings: Recording[] = []
  const found = recordingsIn(files)
  for (const { folder, files: own } of found) {
    const metadata = new Map<string, string>()
    for (const file of own.filter(isMetadata)) {
      for await (const item of metadataOf(file, context.limit)) {
        if (item instanceof Damaged) yield item
        else metadata.set(item[0], item[1])
      }
    }
    let sensors = own.filter(file => !isMetadata(file))
    if (sensors.length > SENSORS_MAX) {
      yield new Damaged(`the export has ${sensors.length} sensors; only the first ${SENSORS_MAX} are read`)
      sensors = sensors.slice(0, SENSORS_MAX)
    }
    const name = found.length === 1 || folder === '' ? exportName(path) : `${exportName(path)}/${folder}`
    const envelope = envelopeOf(context.options, metadata, name)
    recordings.push({ envelope, sensors, start: Number(metadata.get('recording epoch time') ?? 0) })
  }
  const read = ({ envelope, sensors }: Recording) =>
    sensors.map(file => readSensor(sensorOf(file), file.open(), envelope, context))
  if (recordings.reduce((sum, { sensors }) => sum + sensors.length, 0) <= SENSORS_MAX) {
    yield* inOrder(recordings.flatMap(read))
    return
  }
  for (const recording of recordings.sort((a, b) => a.start - b.start)) yield* inOrder(read(recording))
}

interface Recording {
  readonly envelope: Envelope
  readonly sensors: readonly SensorFile[]
  readonly start: number
}

async function* metadataOf(
  file: SensorFile,
  limit: number,
): AsyncGenerator<readonly [string, string] | Damaged, void, undefined> {
  let names: readonly (string | null)[] | null = null
  try {
    for await (const row of csvRows(file.open(), ',', limit)) {
      if (row instanceof Damaged) yield row
      else if (names === null) names = row
      else {
        for (const [index, name] of names.entries()) {
          const value = row[index]
          if (name && value) yield [name.trim().toLowerCase(), value]
        }
        return
      }
    }
  } catch (error) {
    if (!(error instanceof Damaged)) throw error
    yield error
  }
}

async function* readSensor(
  sensor: string,
  bytes: AsyncGenerator<Uint8Array, void, undefined>,
  envelope: Envelope,
  context: ExportContext,
): Items {
  let write: ((cells: readonly (string | null)[]) => Reading) | null = null
  let width = 0
  let damaged = 0
  try {
    for await (const row of csvRows(bytes, ',', context.limit)) {
      if (row instanceof Damaged || (write !== null && row.length !== width)) {
        if (++damaged > DAMAGED_ROWS_TOLD) continue
        if (row instanceof Damaged) yield new Damaged(`${sensor}.csv: ${row.message}`, row.bytes)
        else {
          const cells = Buffer.from(row.map(cell => cell ?? '').join(',')).subarray(0, DAMAGED_BYTES_KEPT)
          yield new Damaged(`${sensor}.csv: the row has ${row.length} cells, the header ${width}`, cells)
        }
      } else if (write === null) {
        width = row.length
        const fields = row.map((name, index) => name?.trim() || `column_${index + 1}`)
        write = readingWriter(envelope, sensor, fields, context.columns)
      } else yield write(row)
    }
  } catch (error) {
    if (!(error instanceof Damaged)) throw error
    yield error
  }
  if (damaged > DAMAGED_ROWS_TOLD) {
    yield new Damaged(`${sensor}.csv: ${damaged - DAMAGED_ROWS_TOLD} more rows are damaged`)
  }
}

/**
 * The JSON export is read as it stands when its readings are in the order of their times; when sensors follow each other,
 * it is read once for each sensor at the same time, so that memory stays small.
 */
async function* readJson(path: string, context: ExportContext): Items {
  const metadata = new Map<string, string>()
  const sensors = new Set<string>()
  let last = Number.NEGATIVE_INFINITY
  let ordered = true
  for await (const element of elementsOf(path, context.limit)) {
    if (element instanceof Damaged) continue
    if (isMetadataName(element.sensor)) {
      for (const [name, value] of element.cells) metadata.set(name.toLowerCase(), value ?? '')
      continue
    }
    sensors.add(element.sensor)
    const time = Number(element.cells.get('time') ?? Number.NaN)
    if (time < last - DISORDER_NS) ordered = false
    if (time > last) last = time
  }
  const envelope = envelopeOf(context.options, metadata, exportName(path))
  if (ordered || sensors.size > SENSORS_MAX) yield* jsonReadings(path, context, envelope, () => true, true)
  else {
    // What belongs to no sensor (damage) is told by the first of them only.
    yield* inOrder(
      [...sensors].map((sensor, index) => jsonReadings(path, context, envelope, name => name === sensor, index === 0)),
    )
  }
}

async function* jsonReadings(
  path: string,
  context: ExportContext,
  envelope: Envelope,
  wanted: (sensor: string) => boolean,
  tellDamage: boolean,
): Items {
  const writers = new Map<string, (cells: readonly (string | null)[]) => Reading>()
  for await (const element of elementsOf(path, context.limit)) {
    if (element instanceof Damaged) {
      if (tellDamage) yield element
      continue
    }
    const { sensor, cells } = element
    if (isMetadataName(sensor) || !wanted(sensor)) continue
    // Elements of one sensor nearly always have the same fields: one writer for each set of them.
    const fields = [...cells.keys()]
    const key = `${sensor}\n${fields.join('\n')}`
    let write = writers.get(key)
    if (write === undefined) {
      write = readingWriter(envelope, sensor, fields, context.columns)
      if (writers.size < 1000) writers.set(key, write)
    }
    yield write([...cells.values()])
  }
}

interface Element {
  readonly sensor: string
  readonly cells: ReadonlyMap<string, string | null>
}

async function* elementsOf(path: string, limit: number): AsyncGenerator<Element | Damaged, void, undefined> {
  for await (const piece of wholeLines(elementsAsLines(bytesOf(path, 'none')), limit)) {
    if (piece.kind === 'damaged') {
      yield new Damaged(piece.reason, piece.bytes === null ? null : Buffer.from(piece.bytes))
      continue
    }
    for (const line of Buffer.from(piece.bytes).toString('utf8').split('\n')) {
      if (line.trim() !== '') yield elementOf(line)
    }
  }
}

function elementOf(line: string): Element | Damaged {
  const refuse = (reason: string) => new Damaged(reason, Buffer.from(line).subarray(0, DAMAGED_BYTES_KEPT))
  let value: unknown
  try {
    // Every value is a text in this export; a number that is one after all keeps its own digits.
    value = JSON.parse(line, digitsOf as (key: string, value: unknown) => unknown)
  } catch (error) {
    return refuse(`not JSON: ${(error as Error).message}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse('no object of a sensor')
  const cells = new Map<string, string | null>()
  for (const [name, cell] of Object.entries(value)) {
    cells.set(name, cell === null || cell === '' ? null : typeof cell === 'string' ? cell : JSON.stringify(cell))
  }
  const sensor = cells.get('sensor')
  if (!sensor) return refuse('no name of a sensor')
  cells.delete('sensor')
  return { sensor, cells }
}

function digitsOf(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  return typeof value === 'number' && context.source !== undefined ? context.source : value
}

function exportName(path: string): string {
  return basename(path.replace(/[/\\]+$/, '')).replace(/\.(zip|json)$/i, '')
}
