/**
 * How smooth the page is, and how large: `node bench/page.ts [--series 200] [--updates 10] [--seconds 8]`.
 *
 * Chromium without a screen and without a graphics card shows a dashboard of three panels over so many series, each of
 * which gets so many rows a second, with a past of 15 minutes behind them. Prints one line of JSON: frames a second, the
 * time from frame to frame, and what the first view weighs, compressed by gzip.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { buildPage, pageFolder } from '../console/build.ts'
import type { Hello, PanelRows } from '../src/dashboard/protocol.ts'
import { launch, openPage } from '../test/console/browser.ts'
import { openPageServer } from '../test/console/page-server.ts'
import { helloOf, PANELS, STATES, statusOf } from '../test/console/played.ts'

const { values } = parseArgs({
  options: { series: { type: 'string' }, updates: { type: 'string' }, seconds: { type: 'string' } },
})
const seriesCount = Number(values.series ?? 200)
const updatesPerSecond = Number(values.updates ?? 10)
const duration_ms = Number(values.seconds ?? 8) * 1000
const PAST_MS = 900_000
/** The server keeps at most 2,000 rows a series. */
const PAST_EVERY_MS = 500

const shown = PANELS.filter(({ kind }) => kind !== 'bars')
const devices = Array.from({ length: seriesCount }, (_, number) => `phone-${number + 1}`)

function rowsAt(times_ms: readonly number[], reset: boolean): PanelRows[] {
  const length = times_ms.length * devices.length
  const each = <T>(cell: (time_ms: number, number: number) => T) =>
    times_ms.flatMap(time_ms => devices.map((_, number) => cell(time_ms, number)))
  const columns = {
    window_end: each(time_ms => time_ms),
    deviceId: each((_, number) => devices[number]!),
    avg_magnitude: each((time_ms, number) => 4 + 3 * Math.sin(time_ms / 20_000 + number) + Math.random()),
    confidence: each(() => Math.random()),
    activity_type: each((time_ms, number) => STATES[Math.floor(time_ms / 30_000 + number) % STATES.length]!),
  }
  return shown.map(panel => ({ kind: 'rows', panel: panel.id, reset, length, columns }))
}

function compressedBytes(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) return sum + compressedBytes(path)
    return name.endsWith('.sha256') ? sum : sum + gzipSync(readFileSync(path), { level: 9 }).length
  }, 0)
}

await buildPage()
const past = Array.from({ length: PAST_MS / PAST_EVERY_MS }, (_, step) => Date.now() - PAST_MS + step * PAST_EVERY_MS)
const hello: Hello = helloOf(Date.now(), { dashboards: [{ title: 'Activities', panels: shown }] })
const server = await openPageServer(() => [hello, ...rowsAt(past, true), statusOf(Date.now())])
const browser = await launch()
try {
  const { page } = await openPage(browser, server.address)
  await page.locator('[data-panel="activities/magnitude"] .legend').waitFor()
  const updates = setInterval(() => server.say(...rowsAt([Date.now()], false)), 1000 / updatesPerSecond)
  const pulse = setInterval(() => server.say(statusOf(Date.now())), 500)
  await page.waitForTimeout(3_000)
  const waits = await page.evaluate(
    // Runs in the page: this file's own types know nothing of a browser.
    duration_ms =>
      new Promise<number[]>(resolve => {
        const { requestAnimationFrame } = globalThis as unknown as {
          requestAnimationFrame(call: (now: number) => void): void
        }
        const waits: number[] = []
        const started = performance.now()
        let before = started
        const frame = (now: number) => {
          waits.push(now - before)
          before = now
          if (now - started < duration_ms) requestAnimationFrame(frame)
          else resolve(waits.slice(1))
        }
        requestAnimationFrame(frame)
      }),
    duration_ms,
  )
  clearInterval(updates)
  clearInterval(pulse)
  waits.sort((a, b) => a - b)
  const at = (share: number) => Number(waits[Math.floor((waits.length - 1) * share)]!.toFixed(1))
  const total_ms = waits.reduce((sum, wait) => sum + wait, 0)
  const framesPerSecond = Number(((waits.length / total_ms) * 1000).toFixed(1))
  const frame_ms = { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) }
  const result = {
    series: seriesCount,
    updatesPerSecond,
    framesPerSecond,
    frame_ms,
    gzip_bytes: compressedBytes(pageFolder),
  }
  console.log(JSON.stringify(result))
} finally {
  await browser.close()
  await server.close()
}
