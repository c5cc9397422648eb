/**
 * Writes the three recordings of this folder, as the Sensor Logger app exports them. Seeded: the same bytes each time.
 *
 *   node examples/activity-tracker/recordings/generate.ts
 *
 * They have the app's habits: times of 19 digits, values of 16 or 17, axes in the order z, y, x, readings from before the
 * button was pressed (negative `seconds_elapsed`), sensors with other values than three axes, and in JSON every value
 * as text.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import { seededRandom } from '../../../src/system/random.ts'

type Values = Readonly<Record<string, number>>

interface Reading {
  readonly sensor: string
  /** Nanoseconds since 1970. */
  readonly time: bigint
  readonly elapsed_s: string
  readonly values: Values
}

interface Recording {
  readonly name: string
  readonly start: bigint
  /** Seconds of each activity, in turn; the number is the typical acceleration in m/s². */
  readonly activities: readonly (readonly [seconds: number, level: number])[]
  readonly rate_hz: number
}

const NANOSECONDS = 1_000_000_000n

function readingsOf({ start, activities, rate_hz }: Recording, seed: number): Reading[] {
  const random = seededRandom(seed)
  const readings: Reading[] = []
  const seconds = activities.reduce((sum, [length]) => sum + length, 0)
  const levelAt = (second: number) => {
    let end = 0
    for (const [length, level] of activities) {
      end += length
      if (second < end) return level
    }
    return activities.at(-1)![1]
  }
  const add = (sensor: string, second: number, values: Values) => {
    const nanoseconds = BigInt(Math.round(second * 1e6)) * 1000n + BigInt(random.integer(1000))
    const elapsed_s = (Number(nanoseconds) / 1e9).toFixed(9).replace(/0+$/, '')
    readings.push({ sensor, time: start + nanoseconds, elapsed_s, values })
  }
  const axes = (of: () => number): Values => ({ z: of(), y: of(), x: of() })
  // The first readings come from before the button was pressed.
  for (let sample = -3; sample < seconds * rate_hz; sample++) {
    const second = sample / rate_hz + random.next() * 0.002
    const level = levelAt(second)
    const step = 1 + 0.4 * Math.sin(2 * Math.PI * (level > 2 ? 2.8 : 1.8) * second)
    add(
      'Accelerometer',
      second,
      axes(() => random.normal() * level * step * 0.6),
    )
    if (sample % 5 === 0) add('Gravity', second, { z: 9.1 + random.next(), y: random.next(), x: random.next() })
    if (sample % 5 === 2)
      add(
        'Gyroscope',
        second,
        axes(() => random.normal() * level),
      )
    if (sample % rate_hz === 0) {
      add('Barometer', second, { relativeAltitude: random.normal(), pressure: 1013.25 + random.normal() })
      add('Location', second, {
        bearingAccuracy: -1,
        speedAccuracy: 0.3,
        verticalAccuracy: 4.5,
        horizontalAccuracy: 12.1,
        speed: level,
        bearing: -1,
        altitude: 34 + random.next(),
        longitude: 13.4 + second / 1e5,
        latitude: 52.5 + second / 1e5,
      })
    }
  }
  return readings
}

function csvFiles(recording: Recording, readings: readonly Reading[]): Map<string, string> {
  const files = new Map<string, string>()
  for (const { sensor, time, elapsed_s, values } of readings) {
    const header = `time,seconds_elapsed,${Object.keys(values).join(',')}\n`
    const line = `${time},${elapsed_s},${Object.values(values).join(',')}\n`
    files.set(`${sensor}.csv`, (files.get(`${sensor}.csv`) ?? header) + line)
  }
  const epoch_ms = recording.start / 1_000_000n
  const time = new Date(Number(epoch_ms)).toISOString().slice(0, 19).replace('T', '_').replaceAll(':', '-')
  files.set(
    'Metadata.csv',
    'version,device name,recording epoch time,recording time,recording timezone,platform,platform version,appVersion,standardisation\n' +
      `3,${recording.name},${epoch_ms},${time},Europe/Berlin,ios,17.0.3,1.25.1,true\n`,
  )
  return files
}

function json(readings: readonly Reading[]): string {
  const entries = readings.map(({ sensor, time, elapsed_s, values }) => {
    const texts = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]))
    return JSON.stringify({ sensor, time: String(time), seconds_elapsed: elapsed_s, ...texts })
  })
  return `[${entries.join(',\n')}]\n`
}

const START = 1_698_501_145n * NANOSECONDS + 514_000_123n

/** The app writes a space after the phone's name, and the time of the recording. */
const folder = import.meta.dirname

const walk: Recording = {
  name: 'Anna iPhone',
  start: START,
  activities: [
    [20, 0.15],
    [24, 1.1],
    [16, 3.2],
  ],
  rate_hz: 50,
}
const zipped: Record<string, Uint8Array> = {}
for (const [name, text] of csvFiles(walk, readingsOf(walk, 1))) zipped[name] = Buffer.from(text)
// A zip holds local time without a zone: this one is written so that it is the same everywhere.
writeFileSync(join(folder, 'walk.zip'), zipSync(zipped, { level: 9, mtime: '2023-10-28T13:52:26' }))

const rest: Recording = {
  name: 'Ben Pixel',
  start: START + 3600n * NANOSECONDS,
  activities: [
    [24, 0.2],
    [12, 1.2],
  ],
  rate_hz: 20,
}
mkdirSync(join(folder, 'rest'), { recursive: true })
for (const [name, text] of csvFiles(rest, readingsOf(rest, 2))) writeFileSync(join(folder, 'rest', name), text)

const sprint: Recording = {
  name: 'Cleo iPhone',
  start: START + 7200n * NANOSECONDS,
  activities: [
    [8, 1.1],
    [10, 3.4],
    [8, 8],
  ],
  rate_hz: 20,
}
writeFileSync(join(folder, 'sprint.json'), json(readingsOf(sprint, 3)))
