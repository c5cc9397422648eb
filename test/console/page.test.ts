/** The page in a real browser, under the strictest policy, against a server that says what the test wants. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { pageFolder } from '../../console/build.ts'
import { differences, paintedPixels } from './pixels.ts'
import { greetingOf, helloOf, MORE_PANELS, PANELS, Phones, quietGreeting, rowsOf, statusOf } from './played.ts'
import { describePage } from './visits.ts'

const PHONE: BrowserContextOptions = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }
const phones = new Phones(6)

describePage(
  'the page',
  () => greetingOf(phones),
  visits => {
    const open = visits.open
    const panel = (page: Page, name: string) => page.locator(`[data-panel="${name}"]`)
    // Not against `innerWidth`: a phone's browser makes that as wide as the page.
    const sideways = (page: Page) => page.evaluate('document.documentElement.scrollWidth - screen.width')
    const painted = (page: Page, selector: string) => paintedPixels(page.locator(selector))

    test('shows what it is told, and what comes then', async () => {
      const page = await open()
      await expect.poll(() => page.locator('[data-link]').textContent()).toBe('Live')
      // The title follows the state a moment later.
      await expect.poll(() => page.title()).toBe('activity-tracker · Millrace')
      const rows = panel(page, 'activities/phones-now').locator('tbody tr')
      await expect.poll(() => rows.count()).toBe(6)
      await expect
        .poll(() => painted(page, '[data-panel="activities/magnitude"] .u-over canvas'))
        .toBeGreaterThan(1_000)
      await expect.poll(() => painted(page, '[data-panel="activities/activity"] canvas')).toBeGreaterThan(10_000)
      expect(await panel(page, 'activities/windows').locator('dt').allTextContents()).toEqual([
        'Running',
        'Sprinting',
        'Stationary',
        'Walking',
      ])

      const end_ms = Date.UTC(2026, 0, 2, 12, 34, 56)
      visits.server.say(
        ...rowsOf([{ device: 'phone-02', end_ms, state: 'Walking', magnitude: 1.25, confidence: 0.5 }], false),
      )
      visits.server.say(
        ...rowsOf([{ device: 'phone-99', end_ms: Date.now(), state: 'Running', magnitude: 1, confidence: 0.5 }], false),
      )
      await expect.poll(() => rows.count()).toBe(7)
      const cells = await rows.nth(1).locator('td').allTextContents()
      // In the reader's zone, which is an hour ahead of UTC in January.
      expect([cells[0], cells[1], cells[3], cells[4]]).toEqual(['phone-02', 'Walking', '1.25', '2 Jan 13:34:56'])
      await expect
        .poll(() => panel(page, 'activities/magnitude').locator('.legend').textContent())
        .toContain('phone-99')
      expect(await page.locator('footer').textContent()).toContain('Europe/Berlin')
    })

    test('every kind of panel has its picture', async () => {
      const page = await open()
      await page.getByRole('tab', { name: 'More' }).click()
      await expect.poll(() => panel(page, 'more/readings').locator('.stat-value').textContent()).toMatch(/^18\d,000$/)
      await expect.poll(() => panel(page, 'more/latest').locator('tbody tr').count()).toBe(50)
      await expect.poll(() => painted(page, '[data-panel="more/places"] canvas')).toBeGreaterThan(1_000)
      for (const { id } of MORE_PANELS) expect(await panel(page, id).locator('.skeleton, .empty').count()).toBe(0)
    })

    test('a stat follows what the server counts, and a part that comes again replaces itself', async () => {
      const stat = MORE_PANELS.find(({ id }) => id === 'more/rows')!
      const rows = (count: number, reset: boolean) => ({
        kind: 'rows' as const,
        panel: stat.id,
        reset,
        length: 1,
        columns: { time: [time], count: [count], sum: [count], min: [1], max: [1], last: [1] },
      })
      const time = Date.now() - 1_000
      visits.server.greeting = () => [
        helloOf(Date.now(), { dashboards: [{ title: 'One', panels: [stat] }] }),
        rows(3, true),
        statusOf(Date.now()),
      ]
      const page = await open()
      const shown = () => panel(page, stat.id).locator('.stat-value').textContent()
      await expect.poll(shown).toBe('3')
      visits.server.say(rows(5, false))
      await expect.poll(shown).toBe('5')
    })

    test('what was moved on the screen is what would be drawn anew', async () => {
      const page = await open()
      const canvas = panel(page, 'activities/magnitude').locator('.u-over canvas')
      await panel(page, 'activities/magnitude').locator('.legend .series').first().waitFor()
      await page.getByRole('button', { name: '1 minute', exact: true }).click()
      // Some of the rows come late, and the page's clock goes on.
      for (let step = 0; step < 20; step++) {
        const now = Date.now()
        const late = step % 5 === 0 ? 7_000 : 0
        const windows = phones.devices.map((device, at) => ({
          device,
          end_ms: now - late,
          state: 'Walking' as const,
          magnitude: (step * 7 + at * 3) % 6,
          confidence: 1,
        }))
        visits.server.say(...rowsOf(windows, false))
        await page.waitForTimeout(100)
      }
      // From here on the page's clock stands still, its frames do not.
      await page.evaluate('{ const now = Date.now(); Date.now = () => now }')
      await page.waitForTimeout(600)
      const different = () => differences(canvas)
      expect(await different()).toEqual([])
      // To point at a series and away again draws everything twice.
      await panel(page, 'activities/magnitude').locator('.legend .series').first().hover()
      await expect.poll(different).not.toEqual([])
      await page.mouse.move(1, 1)
      await expect.poll(different).toEqual([])
    })

    test('fits a phone: one column, nothing to scroll sideways', async () => {
      const page = await open(PHONE)
      await expect.poll(() => panel(page, 'activities/phones-now').locator('tbody tr').count()).toBe(6)
      for (const tab of ['Activities', 'More', 'Pipeline']) {
        await page.getByRole('tab', { name: tab }).click()
        await page.waitForTimeout(300)
        expect([tab, await sideways(page)]).toEqual([tab, 0])
      }
      await page.getByRole('tab', { name: 'Activities' }).click()
      const lefts = new Set<number | undefined>()
      for (const { id } of PANELS) lefts.add((await panel(page, id).boundingBox())?.x)
      expect(lefts.size).toBe(1)
      visits.server.greeting = () => quietGreeting({ keysNeeded: true })
      await page.reload()
      await page.locator('.first-steps').waitFor()
      expect(await sideways(page)).toBe(0)
    })

    test('is dark or light as the system is, until the reader chooses', async () => {
      const page = await open({ colorScheme: 'dark' })
      const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
      await page.getByRole('button', { name: 'Light theme' }).waitFor()
      const dark = await ground()
      await page.emulateMedia({ colorScheme: 'light' })
      const light = await ground()
      expect(light).not.toBe(dark)
      await page.getByRole('button', { name: 'Dark theme' }).click()
      expect(await ground()).toBe(dark)
      await page.reload()
      await page.getByRole('button', { name: 'Light theme' }).waitFor()
      expect(await ground()).toBe(dark)
    })

    test('says that the connection is lost, keeps what it has, and goes on by itself', async () => {
      const page = await open()
      const rows = panel(page, 'activities/phones-now').locator('tbody tr')
      await expect.poll(() => rows.count()).toBe(6)
      visits.server.down = true
      visits.server.cut()
      const banner = page.locator('[data-banner="lost"]')
      await banner.waitFor()
      expect(await banner.textContent()).toContain('npm start')
      expect(await page.locator('main').getAttribute('class')).toBe('stale')
      expect(await rows.count()).toBe(6)

      visits.server.greeting = () => greetingOf(new Phones(3))
      visits.server.down = false
      await banner.getByRole('button').click()
      await banner.waitFor({ state: 'detached' })
      await expect.poll(() => rows.count()).toBe(3)
      expect(await page.locator('main').getAttribute('class')).toBe('')
    })

    test('comes back without being asked to', async () => {
      const page = await open()
      await expect.poll(() => page.locator('[data-link]').textContent()).toBe('Live')
      visits.server.cut()
      await page.locator('[data-link="lost"]').waitFor()
      await page.locator('[data-link="live"]').waitFor()
      expect(visits.server.connections).toBe(1)
    })

    test('says why nothing is taken in', async () => {
      const page = await open()
      await expect.poll(() => page.locator('[data-link]').textContent()).toBe('Live')
      const held = { code: 'LOG_FULL', message: 'the disk is full: nothing is taken in', next: 'Free some space.' }
      visits.server.say(statusOf(Date.now(), { held }))
      const banner = page.locator('[data-banner="held"]')
      await banner.waitFor()
      expect(await banner.textContent()).toBe('The disk is full: nothing is taken in. Free some space. LOG_FULL')
      visits.server.say(statusOf(Date.now()))
      await banner.waitFor({ state: 'detached' })
    })

    test('asks for a key, and takes it', async () => {
      visits.server.key = 'mk_1_Right'
      const page = await open()
      const field = page.getByLabel('Key', { exact: true })
      await field.waitFor()
      expect(visits.server.connections).toBe(0)
      await field.fill('mk_1_Wrong')
      await field.press('Enter')
      await page.getByRole('alert').waitFor()
      await page.getByLabel('Key', { exact: true }).fill('mk_1_Right')
      await page.getByRole('button', { name: 'Open' }).click()
      await expect.poll(() => page.locator('[data-link]').textContent()).toBe('Live')
      expect(visits.server.protocols).toEqual(['millrace.v1', 'millrace.key.mk_1_Right'])
    })

    test('takes the key from the address and hides it there', async () => {
      visits.server.key = 'mk_2_Right'
      const page = await open({}, '/#key=mk_2_Right')
      await expect.poll(() => page.locator('[data-link]').textContent()).toBe('Live')
      expect(page.url()).toBe(`${visits.server.address}/`)
      expect(await page.evaluate('JSON.stringify(localStorage)')).not.toContain('mk_2_Right')
      await page.reload()
      await expect.poll(() => page.locator('[data-link]').textContent()).toBe('Live')
      visits.server.key = 'mk_3_Other'
      visits.server.cut(4401)
      await page.getByLabel('Key', { exact: true }).waitFor()
    })

    test('says what to do while nothing has come', async () => {
      visits.server.greeting = () => quietGreeting({ keysNeeded: true })
      const page = await open()
      const steps = page.locator('.first-steps')
      await steps.waitFor()
      const texts = await steps.locator('.copy code').allTextContents()
      expect(texts).toEqual([
        'http://127.0.0.1:4401/sensor-logger',
        'millrace simulate phones --to http://127.0.0.1:4401/sensor-logger',
        'millrace keys make NAME --data-dir /srv/millrace/activity-tracker',
      ])
      expect(await panel(page, 'activities/magnitude').locator('.empty').textContent()).toContain('Nothing yet')
      const now = Date.now()
      visits.server.say(...rowsOf(phones.between(now - 10_000, now, now), true), statusOf(now))
      await steps.waitFor({ state: 'detached' })
    })

    test('shows bones before the first words', async () => {
      visits.server.greeting = () => []
      const page = await open()
      await page.locator('.bone').first().waitFor()
      expect(await page.locator('[data-link]').textContent()).toBe('Connecting')
    })

    test('draws the plan with its numbers', async () => {
      const page = await open()
      await page.getByRole('tab', { name: 'Pipeline' }).click()
      expect(await page.locator('.node').count()).toBe(9)
      const topic = page.locator('.node', { hasText: 'raw_sensor_data' })
      expect(await topic.textContent()).toMatch(/1,800\/s.*41 late.*7 refused/)
      await topic.click()
      const facts = page.getByRole('region', { name: 'raw_sensor_data' })
      expect(await facts.locator('dt').allTextContents()).toEqual([
        'Records',
        'Rate',
        'Watermark',
        'Behind',
        'Late',
        'Refused',
      ])
    })

    test('is worked by keys alone', async () => {
      const page = await open()
      await expect.poll(() => page.locator('[data-link]').textContent()).toBe('Live')
      await page.getByRole('tab', { name: 'Activities' }).focus()
      await page.keyboard.press('ArrowRight')
      expect(await page.getByRole('tab', { name: 'More' }).getAttribute('aria-selected')).toBe('true')
      await page.keyboard.press('ArrowLeft')
      const chart = panel(page, 'activities/activity').getByRole('slider')
      await chart.focus()
      await page.keyboard.press('ArrowLeft')
      expect(await chart.getAttribute('aria-valuetext')).toMatch(
        /^\d\d:\d\d:\d\d: phone-01 (Running|Sprinting|Stationary|Walking), /,
      )
      await page.keyboard.press('Escape')
      expect(await chart.getAttribute('aria-valuetext')).toBe('now')
      const only = panel(page, 'activities/magnitude').getByRole('button', { name: 'phone-03' })
      await only.focus()
      await page.keyboard.press('Enter')
      await expect.poll(() => only.getAttribute('aria-pressed')).toBe('true')
    })

    test('the first view weighs at most 150 KB, compressed', async () => {
      await open()
      const weigh = (path: string): number =>
        statSync(path).isDirectory()
          ? readdirSync(path).reduce((sum, name) => sum + weigh(join(path, name)), 0)
          : gzipSync(readFileSync(path)).length
      expect(weigh(pageFolder)).toBeLessThan(150_000)
    })
  },
)
