import { appendFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { zipSync } from 'fflate'
import { file } from '../../src/connectors/file/index.ts'
import { sensorLogger } from '../../src/connectors/sensor-logger/index.ts'
import { withScratch } from '../../src/formats/duckdb.ts'
import type { Column } from '../../src/plan/schema.ts'
import { type SourceCase, sourceConformance } from '../conformance/source.ts'

const column = (name: string, type: Column['type']): Column => ({ name, type, nullable: true })
const COLUMNS = [column('id', 'number'), column('name', 'text'), column('ok', 'boolean'), column('values.x', 'number')]

/** Enough records that packed formats do not fit one block; one is the longest by far. */
const RECORDS = Array.from({ length: 3000 }, (_, id) => ({
  id,
  name: id === 1500 ? 'long, "quoted"\ttext '.repeat(40) : id % 10 === 0 ? null : `näme ${(id * 7919) % 1013}`,
  ok: id % 3 === 0,
  values: { x: ((id * 104729) % 9973) / 64 },
}))
const LINES = RECORDS.map(record => JSON.stringify(record)).join('\n')
const NEVER_FOLLOWED = 'as it stands'

const halve = (name: string) => (folder: string) => {
  const path = join(folder, name)
  truncateSync(path, Math.floor(readFileSync(path).length / 2))
}

function single(
  name: string,
  content: Uint8Array | string,
  follow: SourceCase['follow'] = NEVER_FOLLOWED,
  damage: SourceCase['damage'] = halve(name),
  expected: readonly unknown[] = RECORDS,
): void {
  sourceConformance({
    name: `file, ${name}`,
    columns: COLUMNS,
    expected: [expected],
    damage,
    follow,
    prepare(folder) {
      writeFileSync(join(folder, name), content)
      return file({ path: join(folder, name) })
    },
  })
}

const one = { id: 1, name: 'one', ok: true, values: { x: 1 } }
const two = { id: 2, name: 'two', ok: true, values: { x: 2 } }

single(
  'plain.ndjson',
  `${LINES}\n`,
  {
    steps: [
      folder => appendFileSync(join(folder, 'plain.ndjson'), `${JSON.stringify(one)}\n{"id":2,"na`),
      folder => appendFileSync(join(folder, 'plain.ndjson'), `${JSON.stringify(two).slice(11)}\n`),
    ],
    expected: [[one], [two]],
  },
  null,
)
single('unended.ndjson', LINES, null, null)
single('packed.ndjson.gz', gzipSync(LINES))
single('parts.ndjson.gz', Buffer.concat([gzipSync(`${LINES.slice(0, 5000)}`), gzipSync(LINES.slice(5000))]))
single('packed.ndjson.zst', zstdCompressSync(LINES))
single(
  'parts.ndjson.zst',
  Buffer.concat([0, 5000, 5000 * 2].map((from, part, all) => zstdCompressSync(LINES.slice(from, all[part + 1])))),
)
single('array.json', `\uFEFF ${JSON.stringify(RECORDS, null, 2)}\n`)
single('array.json.gz', gzipSync(JSON.stringify(RECORDS)))
single('values.json', RECORDS.map(record => JSON.stringify(record, null, 1)).join('\n'))
single('lines.json', LINES, null, null)

const csvCell = (cell: unknown) =>
  cell === null ? '' : /[",]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : cell
const CSV = [
  'id,name,ok,values.x',
  ...RECORDS.map(({ id, name, ok, values }) => [id, name, ok, values.x].map(csvCell).join(',')),
].join('\r\n')
single('table.csv', CSV, NEVER_FOLLOWED, folder => appendFileSync(join(folder, 'table.csv'), '\r\n1,"open'))
single('table.csv.zst', zstdCompressSync(CSV))

sourceConformance({
  name: 'file, Parquet',
  columns: COLUMNS,
  expected: [RECORDS],
  damage: halve('table.parquet'),
  follow: NEVER_FOLLOWED,
  async prepare(folder) {
    const lines = join(folder, 'lines.ndjson')
    writeFileSync(lines, LINES)
    await withScratch(connection =>
      connection.run(`COPY (SELECT id::INTEGER AS id, name, ok, values.x AS "values.x" FROM read_ndjson('${lines}'))
        TO '${join(folder, 'table.parquet')}' (FORMAT parquet)`),
    )
    return file({ path: join(folder, 'table.parquet') })
  },
})

sourceConformance({
  name: 'file, a pattern with several formats',
  columns: COLUMNS,
  expected: [RECORDS.slice(0, 1000), RECORDS.slice(1000, 2000), RECORDS.slice(2000)],
  damage: halve('b.ndjson.gz'),
  follow: null,
  prepare(folder) {
    const part = (from: number, to: number) => LINES.split('\n').slice(from, to).join('\n')
    writeFileSync(join(folder, 'a.ndjson'), part(0, 1000))
    writeFileSync(join(folder, 'b.ndjson.gz'), gzipSync(part(1000, 2000)))
    writeFileSync(join(folder, 'c.json'), `[${part(2000, 3000).replaceAll('\n', ',')}]`)
    return file({ path: join(folder, '*.*') })
  },
})

const START = 1_698_501_145_514_000_123n
const READINGS = Array.from({ length: 1500 }, (_, index) => ({
  time: START + BigInt(index) * 10_000_000n,
  sensor: ['Accelerometer', 'WristMotion', 'Annotation'][index % 3]!,
}))
const SENSORS = {
  Accelerometer: ['z', 'y', 'x'],
  WristMotion: ['rotationRateX'],
  Annotation: ['text'],
} as const
const cellOf = (sensor: string, field: string, index: number) =>
  sensor === 'Annotation'
    ? index === 500
      ? 'note, '.repeat(100)
      : `note ${index}`
    : String((index % 97) / 32 + field.length)
const EXPORTED = READINGS.map(({ time, sensor }, index) => ({
  sessionId: '2023-10-28_13-52-25',
  deviceId: 'device-1',
  name: { Accelerometer: 'accelerometer', WristMotion: 'wrist motion', Annotation: 'annotation' }[sensor],
  time: Number(time),
  values: Object.fromEntries(
    SENSORS[sensor as keyof typeof SENSORS].map(field => {
      const cell = cellOf(sensor, field, index)
      return [field, sensor === 'Annotation' ? cell : Number(cell)]
    }),
  ),
}))
const SENSOR_COLUMNS = [column('name', 'text'), column('time', 'timestamp'), column('values.x', 'number')]
const METADATA = 'version,device name,device id,recording time,platform\n3,My phone,device-1,2023-10-28_13-52-25,ios\n'

function exportFiles(): Record<string, Buffer> {
  const files: Record<string, Buffer> = { 'Metadata.csv': Buffer.from(METADATA) }
  for (const [sensor, fields] of Object.entries(SENSORS)) {
    const rows = READINGS.flatMap(({ time, sensor: of }, index) =>
      of === sensor ? [[time, '0.1', ...fields.map(field => csvCell(cellOf(sensor, field, index)))].join(',')] : [],
    )
    files[`${sensor}.csv`] = Buffer.from([['time', 'seconds_elapsed', ...fields].join(','), ...rows].join('\n'))
  }
  return files
}

sourceConformance({
  name: 'Sensor Logger, zip',
  columns: SENSOR_COLUMNS,
  expected: [EXPORTED],
  damage: halve('export.zip'),
  follow: NEVER_FOLLOWED,
  prepare(folder) {
    writeFileSync(join(folder, 'export.zip'), zipSync(exportFiles()))
    return sensorLogger({ export: join(folder, 'export.zip') })
  },
})

sourceConformance({
  name: 'Sensor Logger, folder',
  columns: SENSOR_COLUMNS,
  expected: [EXPORTED],
  damage: folder => appendFileSync(join(folder, 'export', 'Accelerometer.csv'), '\n1,2,3'),
  follow: NEVER_FOLLOWED,
  prepare(folder) {
    mkdirSync(join(folder, 'export'), { recursive: true })
    for (const [name, bytes] of Object.entries(exportFiles())) writeFileSync(join(folder, 'export', name), bytes)
    return sensorLogger({ export: join(folder, 'export') })
  },
})

for (const order of ['by time', 'by sensor'] as const) {
  sourceConformance({
    name: `Sensor Logger, JSON ${order}`,
    columns: SENSOR_COLUMNS,
    expected: [EXPORTED],
    damage: halve('export.json'),
    follow: NEVER_FOLLOWED,
    prepare(folder) {
      const elements = READINGS.map(({ time, sensor }, index) => ({
        sensor,
        time: String(time),
        seconds_elapsed: '0.1',
        ...Object.fromEntries(
          SENSORS[sensor as keyof typeof SENSORS].map(field => [field, cellOf(sensor, field, index)]),
        ),
      }))
      if (order === 'by sensor') elements.sort((a, b) => (a.sensor < b.sensor ? -1 : a.sensor > b.sensor ? 1 : 0))
      const metadata = { sensor: 'Metadata', 'device id': 'device-1', 'recording time': '2023-10-28_13-52-25' }
      writeFileSync(join(folder, 'export.json'), JSON.stringify([metadata, ...elements]))
      return sensorLogger({ export: join(folder, 'export.json') })
    },
  })
}
