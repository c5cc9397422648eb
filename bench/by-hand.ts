/**
 * What one would write without a framework: split, JSON.parse, Map. A baseline, and no more careful than such programs are.
 *
 *   node bench/by-hand.ts activity|temperature INPUT OUTPUT
 */

import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'

interface Reading {
  readonly sessionId: string
  readonly deviceId: string
  readonly name: string
  readonly time: number
  readonly values: { readonly x: number; readonly y: number; readonly z: number }
}

interface Measurement {
  readonly sensor_id: number
  readonly timestamp: number
  readonly temperature: number
}

async function eachLine(path: string, take: (line: string) => void): Promise<void> {
  let rest = ''
  for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    for (const line of lines) take(line)
  }
  if (rest !== '') take(rest)
}

async function writeLines(path: string, rows: Iterable<object>): Promise<void> {
  const output = createWriteStream(path)
  let text = ''
  for (const row of rows) {
    text += `${JSON.stringify(row)}\n`
    if (text.length < 1 << 16) continue
    if (!output.write(text)) await once(output, 'drain')
    text = ''
  }
  output.end(text)
  await once(output, 'close')
}

const classOf = (magnitude: number) =>
  magnitude < 0.5 ? 'Stationary' : magnitude < 2 ? 'Walking' : magnitude < 5 ? 'Running' : 'Sprinting'

async function activity(input: string, output: string): Promise<void> {
  const windows = new Map<string, { sessionId: string; deviceId: string; start: number; sum: number; n: number }>()
  await eachLine(input, line => {
    const reading: Reading = JSON.parse(line)
    if (reading.name !== 'accelerometer') return
    const { x, y, z } = reading.values
    const magnitude = Math.sqrt(x * x + y * y + z * z)
    const time_ms = reading.time / 1e6
    const latest = Math.floor(time_ms / 2_000) * 2_000
    for (let start = latest; start > time_ms - 10_000; start -= 2_000) {
      const key = `${reading.sessionId}|${reading.deviceId}|${start}`
      const window = windows.get(key)
      if (window === undefined) {
        windows.set(key, { sessionId: reading.sessionId, deviceId: reading.deviceId, start, sum: magnitude, n: 1 })
      } else {
        window.sum += magnitude
        window.n++
      }
    }
  })
  await writeLines(
    output,
    Array.from(windows.values(), ({ sessionId, deviceId, start, sum, n }) => ({
      sessionId,
      deviceId,
      window_start: start,
      window_end: start + 10_000,
      avg_magnitude: sum / n,
      n,
      activity: classOf(sum / n),
    })),
  )
}

async function temperature(input: string, output: string): Promise<void> {
  const windows = new Map<
    string,
    { sensor_id: number; start: number; min: number; max: number; sum: number; n: number }
  >()
  await eachLine(input, line => {
    const { sensor_id, timestamp, temperature: value }: Measurement = JSON.parse(line)
    const start = Math.floor(timestamp / 900) * 900_000
    const key = `${sensor_id}|${start}`
    const window = windows.get(key)
    if (window === undefined) {
      windows.set(key, { sensor_id, start, min: value, max: value, sum: value, n: 1 })
    } else {
      if (value < window.min) window.min = value
      if (value > window.max) window.max = value
      window.sum += value
      window.n++
    }
  })
  await writeLines(
    output,
    Array.from(windows.values(), ({ sensor_id, start, min, max, sum, n }) => ({
      sensor_id,
      window_start: start,
      window_end: start + 900_000,
      min,
      max,
      avg: sum / n,
      n,
    })),
  )
}

if (import.meta.main) {
  const [workload, input, output] = process.argv.slice(2)
  await (workload === 'activity' ? activity : temperature)(input!, output!)
}
