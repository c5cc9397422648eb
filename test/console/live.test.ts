/**
 * The whole of it in a real browser: `npm start`, its phones over HTTP, its page. With MILLRACE_PICTURES=1 it takes the
 * pictures of docs/pictures.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { millrace, ROOT, start } from '../cli/support.ts'
import { launch, missing, type Opened, openPage } from './browser.ts'
import { type Demonstration, endDemonstrations, freePorts, startDemonstration } from './demonstration.ts'

const PEOPLE = 4
const PATIENCE = { timeout: 60_000, interval: 200 }
const SESSION = join(ROOT, 'examples/activity-tracker/recorded-session.json')
const PICTURES = join(ROOT, 'docs/pictures')

describe.skipIf(missing !== null)(`npm start in a browser${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-live-'))
  const data = join(folder, 'data')
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  }, 60_000)
  afterAll(async () => {
    await endDemonstrations()
    await browser?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const rowsOf = (page: Page) => page.locator('[data-panel="activities/phones-now"] tbody tr')
  const endsOf = async (page: Page) => (await rowsOf(page).locator('td:last-child').allTextContents()).join(' ')
  const rateOf = async (page: Page, node: string) => {
    const text = (await page.locator('.node', { hasText: node }).first().textContent()) ?? ''
    return Number(/([\d.,]+)(?: k)?\/s/.exec(text)?.[1]?.replaceAll(',', '') ?? 0)
  }
  /** A number of the warehouse, asked as a user asks, beside the run or without one. */
  async function ask(sql: string): Promise<number> {
    const { stdout, stderr, code } = await millrace(['query', sql, '--data-dir', data, '--json'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return (JSON.parse(stdout) as { n: number }).n
  }
  const windows = (where = 'true') =>
    ask(`SELECT count(*)::INT AS n FROM PROCESSED_DATA.USER_ACTIVITY_PROCESSED WHERE ${where}`)

  test('activities appear, move, outlive a kill, and a recorded session joins them', { timeout: 300_000 }, async () => {
    const ports = await freePorts()
    const words = ['--people', String(PEOPLE)]
    let run: Demonstration = await startDemonstration(ports, data, ...words)
    let opened: Opened | null = null
    try {
      opened = await openPage(browser, run.page, { colorScheme: 'dark' })
      const { page } = opened
      await expect.poll(() => rowsOf(page).count(), PATIENCE).toBe(PEOPLE)
      expect(await rowsOf(page).first().textContent()).toMatch(/(Stationary|Walking|Running|Sprinting)/)
      const first = await endsOf(page)
      await expect.poll(() => endsOf(page), PATIENCE).not.toBe(first)
      for (const node of ['raw_sensor_', 'processed_']) {
        await expect.poll(() => rateOf(page, node), PATIENCE).toBeGreaterThan(0)
      }

      const before = await windows()
      const readings = await ask('SELECT count(*)::INT AS n FROM RAW_DATA.ACTIVITY_RECORDS')
      const sessions = `sessionId IN (${(await sessionsOf()).map(id => `'${id}'`).join(', ')})`
      await run.kill()
      await page.locator('[data-link="lost"]').waitFor({ timeout: PATIENCE.timeout })
      expect(await rowsOf(page).count()).toBe(PEOPLE)
      // A killed run leaves all that it had told.
      expect(await windows(sessions)).toBeGreaterThanOrEqual(before)
      run = await startDemonstration(ports, data, ...words)
      await page.locator('[data-link="live"]').waitFor({ timeout: PATIENCE.timeout })
      await expect.poll(() => rowsOf(page).count(), PATIENCE).toBe(PEOPLE)
      expect(await windows(sessions)).toBeGreaterThanOrEqual(before)
      expect(await ask('SELECT count(*)::INT AS n FROM RAW_DATA.ACTIVITY_RECORDS')).toBeGreaterThanOrEqual(readings)

      const body = readFileSync(SESSION)
      const { deviceId } = JSON.parse(body.toString()) as { deviceId: string }
      for (let times = 0; times < 2; times++) {
        const answer = await fetch(run.push, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
        expect(answer.status).toBe(200)
        await answer.text()
      }
      await expect.poll(() => rowsOf(page).filter({ hasText: deviceId }).count(), PATIENCE).toBe(1)
      await expect.poll(() => windows(`deviceId = '${deviceId}'`), PATIENCE).toBeGreaterThan(20)
      const { payload } = JSON.parse(body.toString()) as { payload: readonly unknown[] }
      const kept = `SELECT count(*)::INT AS n FROM RAW_DATA.ACTIVITY_RECORDS WHERE deviceId = '${deviceId}'`
      // Each table commits by itself, soon after the other.
      await expect.poll(() => ask(kept), PATIENCE).toBe(payload.length)

      const { code, said } = await run.stop()
      expect(code, said).toBe(0)
      expect(said).toContain('goes on from before')
      expect(said).toMatch(/^stopped after /m)
      expect({ strangers: opened.strangers, complaints: opened.complaints }).toEqual({ strangers: [], complaints: [] })
      const { stdout, code: verified } = await millrace([
        ...['verify', 'examples/activity-tracker/pipeline.ts', '--data-dir', data],
      ])
      expect({ verified, stdout }).toMatchObject({ verified: 0 })
    } finally {
      await opened?.close()
      await run.kill()
    }
  })

  async function sessionsOf(): Promise<readonly string[]> {
    const sql = 'SELECT DISTINCT sessionId FROM PROCESSED_DATA.USER_ACTIVITY_PROCESSED'
    const { stdout } = await millrace(['query', sql, '--data-dir', data, '--json'])
    return stdout
      .trim()
      .split('\n')
      .map(line => (JSON.parse(line) as { sessionId: string }).sessionId)
  }

  // No test that is skipped: it finds nothing out.
  if (process.env.MILLRACE_PICTURES)
    test('takes the pictures', { timeout: 120_000 }, async () => {
      const run = await startDemonstration(await freePorts(), join(folder, 'pictures'), '--no-phones')
      const faults = 'late,out-of-order,retry,reorder,malformed=0.00001'
      const phones = start([
        ...['simulate', 'phones', '--to', run.push, '--people', '6', '--seed', '4'],
        ...['--start', 'now-6m', '--faults', faults],
      ])
      try {
        for (const { name, options } of [
          { name: 'activity-tracker', options: { viewport: { width: 1440, height: 900 } } },
          {
            name: 'activity-tracker-phone',
            options: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
          },
        ]) {
          const { page, close } = await openPage(browser, run.page, { colorScheme: 'dark', ...options })
          await expect.poll(() => rowsOf(page).count(), PATIENCE).toBe(6)
          // What lies behind is in, and some of what comes now: rates are those of now.
          await page.waitForTimeout(15_000)
          await page.screenshot({ path: join(PICTURES, `${name}.png`) })
          await close()
        }
      } finally {
        phones.child.kill('SIGTERM')
        await phones.result
        await run.kill()
      }
    })
})
