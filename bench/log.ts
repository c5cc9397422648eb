/**
 * How fast the log appends durably and reads back: `node bench/log.ts [--seconds 2] [--folder DIR]`.
 *
 * An append is 100 readings of about 170 bytes, acknowledged when synced; `in flight` of them wait at a time. The disk
 * decides: beside each figure stands what one bare write and fdatasync of as many bytes gives on the same folder.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { recordsOf } from '../src/log/block.ts'
import { TopicLog } from '../src/log/topic-log.ts'
import { systemClock } from '../src/system/clock.ts'
import { diskStorage } from '../src/system/storage.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string' }, folder: { type: 'string' } } })
const duration_ms = Number(values.seconds ?? 2) * 1000
const root = mkdtempSync(join(values.folder ?? tmpdir(), 'millrace-bench-log-'))
const READINGS = 100

const body = Buffer.from(
  Array.from({ length: READINGS }, (_, index) => {
    const time = 1_698_501_145_514_000_000n + BigInt(index) * 10_000_000n
    const values = `{"x":${Math.sin(index).toFixed(7)},"y":${Math.cos(index).toFixed(7)},"z":9.8066501}`
    return `{"sessionId":"7c9e6679-7425-40de-944b","deviceId":"phone-17","name":"accelerometer","time":"${time}","values":${values}}\n`
  }).join(''),
)

function open(folder: string): TopicLog {
  const path = join(root, folder)
  const quarantine = join(root, 'quarantine')
  const incarnation = 'ab'.repeat(16)
  return new TopicLog({
    storage: diskStorage,
    clock: systemClock,
    folder: path,
    quarantine,
    topic: 'bench',
    incarnation,
  })
}

async function appends(
  inFlight: number,
): Promise<{ count: number; elapsed_ms: number; p50_ms: number; p99_ms: number }> {
  const log = open(`in-flight-${inFlight}`)
  const waits: number[] = []
  const started = performance.now()
  const sender = async () => {
    for (let now = started; now - started < duration_ms; ) {
      await log.append({ bytes: body })
      const done = performance.now()
      waits.push(done - now)
      now = done
    }
  }
  await Promise.all(Array.from({ length: inFlight }, sender))
  const elapsed_ms = performance.now() - started
  await log.close()
  waits.sort((a, b) => a - b)
  const at = (share: number) => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))]!
  return { count: waits.length, elapsed_ms, p50_ms: at(0.5), p99_ms: at(0.99) }
}

async function bare(bytes: number): Promise<number> {
  const file = diskStorage.open(join(root, `bare-${bytes}`))
  const piece = Buffer.alloc(bytes, 0x61)
  const started = performance.now()
  let count = 0
  for (; performance.now() - started < duration_ms / 2; count++) {
    file.write(piece, count * bytes)
    await file.sync()
  }
  file.close()
  return count / ((performance.now() - started) / 1000)
}

function row(cells: readonly (string | number)[]): void {
  console.log(
    `| ${cells.map(cell => (typeof cell === 'number' ? cell.toFixed(cell < 100 ? 2 : 0) : cell)).join(' | ')} |`,
  )
}

try {
  row(['in flight', 'appends/s', 'readings/s', 'MB/s', 'p50 ms', 'p99 ms', 'bare syncs/s'])
  row(Array.from({ length: 7 }, () => '---'))
  for (const inFlight of [1, 8, 64]) {
    const { count, elapsed_ms, p50_ms, p99_ms } = await appends(inFlight)
    const rate = count / (elapsed_ms / 1000)
    const syncs = await bare(body.length * inFlight)
    row([String(inFlight), rate, rate * READINGS, (rate * body.length) / 1e6, p50_ms, p99_ms, syncs])
  }
  const log = open('in-flight-64')
  for (const [what, each] of [
    ['blocks, checked', () => {}],
    ['each record', (bytes: Buffer) => bytes.length],
  ] as const) {
    const started = performance.now()
    let bytes = 0
    for (const event of log.read(0)) {
      if (event.kind === 'gap') throw new Error('a gap')
      bytes += event.block.bytes.length
      if (what === 'each record') for (const record of recordsOf(event.block)) each(record.bytes)
    }
    const seconds = (performance.now() - started) / 1000
    console.log(`read, ${what}: ${Math.round(bytes / 1e6 / seconds)} MB/s of ${Math.round(bytes / 1e6)} MB`)
  }
  const started = performance.now()
  await open('in-flight-64').close()
  console.log(
    `opened and checked in ${(performance.now() - started).toFixed(0)} ms (${Math.round(log.bytes / 1e6)} MB stored)`,
  )
} finally {
  rmSync(root, { recursive: true, force: true })
}
