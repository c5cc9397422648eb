import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type SensorLoggerOptions, sensorLogger } from '../../src/connectors/sensor-logger/index.ts'
import { pushedName } from '../../src/connectors/sensor-logger/readings.ts'
import type { Column } from '../../src/plan/schema.ts'
import { contextOf, readAll } from '../conformance/source.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-sensor-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const read = (path: string, options: SensorLoggerOptions = {}, columns: readonly Column[] = []) =>
  readAll(sensorLogger({ ...options, export: join(folder, path) }), contextOf(columns))
const zip = (name: string, files: Record<string, string>) => {
  const bytes = zipSync(Object.fromEntries(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)])))
  writeFileSync(join(folder, name), bytes)
  return Buffer.from(bytes)
}
const lines = (bytes: readonly Buffer[]) => String(bytes[0]).trimEnd().split('\n')

const ACCELEROMETER = `time,seconds_elapsed,z,y,x
1698501145514000123,-0.02,0.5,-0.25,1e-3
1698501145534000123,0.00,0.5,,1
`
const LOCATION = `time,seconds_elapsed,latitude,accuracy
1698501145524000999,0.01,48.1,3
`

test('times keep all their digits, sensors come in the order of time, null values are left out', async () => {
  zip('Morning walk.zip', { 'Accelerometer.csv': ACCELEROMETER, 'Location.csv': LOCATION })
  expect(lines((await read('Morning walk.zip')).bytes)).toEqual([
    '{"sessionId":"Morning walk","deviceId":"unknown","name":"accelerometer","time":1698501145514000123,"values":{"z":0.5,"y":-0.25,"x":1e-3}}',
    '{"sessionId":"Morning walk","deviceId":"unknown","name":"location","time":1698501145524000999,"accuracy":3,"values":{"latitude":48.1}}',
    '{"sessionId":"Morning walk","deviceId":"unknown","name":"accelerometer","time":1698501145534000123,"values":{"z":0.5,"x":1}}',
  ])
})

test('a column of the topic says what a cell is; a missing one of them is null', async () => {
  zip('x.zip', { 'Accelerometer.csv': ACCELEROMETER.replace(',1e-3', ',nothing') })
  const columns: Column[] = ['x', 'y'].map(name => ({ name: `values.${name}`, type: 'number', nullable: true }))
  const values = (await read('x.zip', {}, columns)).records[0]!.map(record => (record as { values: unknown }).values)
  expect(values).toEqual([
    { z: 0.5, y: -0.25, x: 'nothing' },
    { z: 0.5, y: null, x: 1 },
  ])
})

test('the session and the device come from the options, else from Metadata.csv, else from the name', async () => {
  const metadata = 'version,device name,recording time\n3,"My, phone",2023-10-28_13-52-25\n'
  zip('x.zip', { 'Location.csv': LOCATION, 'Metadata.csv': metadata })
  const envelope = async (options: SensorLoggerOptions) => {
    const { sessionId, deviceId, userId } = (await read('x.zip', options)).records[0]![0] as Record<string, unknown>
    return { sessionId, deviceId, userId }
  }
  expect(await envelope({})).toEqual({ sessionId: '2023-10-28_13-52-25', deviceId: 'My, phone', userId: undefined })
  expect(await envelope({ sessionId: 's', deviceId: 'd', userId: 'u' })).toEqual({
    sessionId: 's',
    deviceId: 'd',
    userId: 'u',
  })
})

test('names are those that the app pushes', () => {
  expect(['Accelerometer', 'WristMotion', 'AccelerometerUncalibrated', 'Wrist Motion'].map(pushedName)).toEqual([
    'accelerometer',
    'wrist motion',
    'accelerometeruncalibrated',
    'wrist motion',
  ])
})

test('numbers in a JSON export keep their digits; what is no reading is damage', async () => {
  writeFileSync(
    join(folder, 'e.json'),
    `[{"sensor":"Location","time":1698501145514000123,"latitude":"48.1","note":""},5,{"time":"1"},{"sensor":"Light","time":"1698501145514000124","lux":"7"}]`,
  )
  const reading = await read('e.json')
  expect(lines(reading.bytes)).toEqual([
    '{"sessionId":"e","deviceId":"unknown","name":"location","time":1698501145514000123,"values":{"latitude":48.1}}',
    '{"sessionId":"e","deviceId":"unknown","name":"light","time":1698501145514000124,"values":{"lux":7}}',
  ])
  expect(reading.damages.map(damage => damage.reason)).toEqual(['no object of a sensor', 'no name of a sensor'])
})

test('entries that lead out of the zip, folders and other files do no harm', async () => {
  zip('x.zip', {
    '../../evil/Gyroscope.csv': 'time,x\n5,1\n',
    'sub/folder/Light.csv': 'time,lux\n6,2\n',
    '__MACOSX/._Light.csv': 'garbage',
    'Camera/1.jpg': 'garbage',
  })
  const reading = await read('x.zip')
  expect(reading.damages).toEqual([])
  expect(reading.records[0]!.map(record => (record as { name: string }).name)).toEqual(['gyroscope', 'light'])
  expect(readdirSync(folder)).toEqual(['x.zip'])
})

test('a zip that is cut off anywhere gives a prefix of each sensor’s readings, and says so', async () => {
  const rows = Array.from(
    { length: 300 },
    (_, n) => `${1_698_501_145_514n * 1_000_000n + BigInt(n)},${(n * 7919) % 1013}`,
  )
  const whole = zip('x.zip', {
    'Light.csv': `time,lux\n${rows.join('\n')}\n`,
    'Steps.csv': `time,steps\n${rows.join('\n')}\n`,
  })
  const all = lines((await read('x.zip')).bytes)
  for (let cut = 1; cut < whole.length; cut += 97) {
    writeFileSync(join(folder, 'cut.zip'), whole.subarray(0, cut))
    const reading = await read('cut.zip', { sessionId: 'x' })
    expect(reading.damages.length).toBeGreaterThan(0)
    for (const name of ['light', 'steps']) {
      const of = (from: readonly string[]) => from.filter(line => line.includes(`"name":"${name}"`))
      const kept = of(lines(reading.bytes))
      expect(kept).toEqual(of(all).slice(0, kept.length))
    }
  }
})

test('a byte that was changed inside an entry is told, whatever it does to the rows', async () => {
  const rows = Array.from({ length: 500 }, (_, n) => `${n},${(n * 7919) % 1013}`)
  const whole = zip('x.zip', { 'Light.csv': `time,lux\n${rows.join('\n')}\n` })
  for (let at = 60; at < whole.length - 120; at += 101) {
    const changed = Buffer.from(whole)
    changed[at]! ^= 0x10
    writeFileSync(join(folder, 'changed.zip'), changed)
    expect((await read('changed.zip')).damages.length).toBeGreaterThan(0)
  }
})

test('several exports are partitions of one source, and an empty one says so', async () => {
  zip('a.zip', { 'Light.csv': 'time,lux\n1,1\n' })
  zip('b.zip', { 'Light.csv': 'time,lux\n2,2\n' })
  expect((await read('*.zip')).records.map(records => records.length)).toEqual([1, 1])
  mkdirSync(join(folder, 'empty'))
  expect(await read('empty')).toMatchObject({
    records: [[]],
    damages: [{ reason: 'the export has no readings', code: 'FILE_UNREADABLE' }],
  })
  await expect(read('c.zip')).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
})

test('recordings in folders of one zip keep their own session and device', async () => {
  const metadata = (device: string, recorded: string) => `device name,recording time\n${device},${recorded}\n`
  zip('two.zip', {
    'rec1/Metadata.csv': metadata('Phone A', '2023-10-28_13-52-24'),
    'rec1/Light.csv': 'time,lux\n1,1\n3,3\n',
    'rec2/Metadata.csv': metadata('Phone B', '2023-10-29_08-00-00'),
    'rec2/Light.csv': 'time,lux\n2,2\n',
    'rec3/Metadata.csv': 'device name\nPhone C\n',
    'rec3/inner/Light.csv': 'time,lux\n4,4\n',
    'Light.csv': 'time,lux\n5,5\n',
  })
  const { records, damages } = await read('two.zip')
  const rows = records[0] as { sessionId: string; deviceId: string; time: number }[]
  expect(rows.map(({ sessionId, deviceId, time }) => [time, sessionId, deviceId])).toEqual([
    [1, '2023-10-28_13-52-24', 'Phone A'],
    [2, '2023-10-29_08-00-00', 'Phone B'],
    [3, '2023-10-28_13-52-24', 'Phone A'],
    [4, 'two/rec3', 'Phone C'],
    [5, 'two', 'unknown'],
  ])
  expect(damages).toEqual([])
})

test('more sensors than can be open at once are read recording by recording', async () => {
  const files: Record<string, string> = {}
  for (let recording = 0; recording < 30; recording++) {
    files[`r${recording}/Metadata.csv`] = `device name,recording epoch time\nphone ${recording},${1000 - recording}\n`
    for (let sensor = 0; sensor < 10; sensor++) {
      files[`r${recording}/S${sensor}.csv`] = `time,x\n${1000 - recording},${sensor}\n`
    }
  }
  zip('many.zip', files)
  const { records, damages } = await read('many.zip')
  expect(damages).toEqual([])
  const times = records[0]!.map(record => (record as { time: number }).time)
  expect(times.length).toBe(300)
  expect(times).toEqual([...times].sort((a, b) => a - b))
})

test.each([
  ['without CSV files', { 'recording.sqlite': 'x' }, /no CSV file of a sensor; it holds: recording.sqlite/],
  ['of zips', { 'a.zip': 'x', 'b.zip': 'y' }, /other zip files, which are not read; unpack them first: a.zip, b.zip/],
  ['of headers alone', { 'Light.csv': 'time,lux\n' }, /no readings/],
])('a zip %s says so', async (_, files, reason) => {
  zip('x.zip', files as Record<string, string>)
  const { records, damages } = await read('x.zip')
  expect(records).toEqual([[]])
  expect(damages).toMatchObject([{ code: 'FILE_UNREADABLE', reason: expect.stringMatching(reason) }])
})
