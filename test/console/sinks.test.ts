/** What the page says of a sink that does not take its rows: why, that nothing is lost, and that all else goes on. */
import type { BrowserContextOptions, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import type { Graph, SinkBehind, Status } from '../../src/dashboard/protocol.ts'
import { GRAPH, greetingOf, helloOf, Phones, statusOf } from './played.ts'
import { describePage } from './visits.ts'

const ERROR = {
  code: 'WAREHOUSE_FAILED',
  message: 'the warehouse could not write: no space left on device',
  next: 'Make room on the disk.',
}
const phones = new Phones(2)

/** How things stand with some sinks behind, by node. */
function statusWith(behind: Readonly<Record<string, SinkBehind | null>>, change: Partial<Status> = {}): Status {
  const status = statusOf(Date.now(), change)
  const nodes = { ...status.nodes }
  for (const [id, one] of Object.entries(behind)) {
    nodes[id] = { ...(nodes[id] ?? { records: 0, perSecond: 0 }), behind: one }
  }
  return { ...status, nodes }
}

describePage(
  'sinks that are behind',
  () => greetingOf(phones),
  visits => {
    async function open(options: BrowserContextOptions = {}): Promise<Page> {
      const page = await visits.open(options)
      await expect.poll(() => page.locator('[data-link]').textContent()).toBe('Live')
      return page
    }
    const banners = (page: Page) => page.locator('.banner')
    const sink = (page: Page) => page.getByRole('button', { name: 'ACTIVITY_RECORDS' })

    test('one that fails: a banner, a red node with the reason, and the page stays live', async () => {
      const page = await open()
      visits.server.say(statusWith({ 'table-raw': { rows: 1_234, error: ERROR } }))
      await banners(page).waitFor()
      expect(await banners(page).textContent()).toBe(
        'ACTIVITY_RECORDS does not take rows just now: The warehouse could not write: no space left on device. ' +
          'Make room on the disk. Nothing is lost: what it lacks is kept for it (1,234 rows), and everything else goes on. ' +
          'WAREHOUSE_FAILED',
      )
      expect(await page.locator('[data-link]').textContent()).toBe('Live')
      expect(await page.locator('.node-failing').count()).toBe(1)
      expect(await page.locator('.node-slow').count()).toBe(0)
      const why =
        'It takes no rows just now: The warehouse could not write: no space left on device. Make room on the disk. ' +
        'What it lacks is kept for it (1,234 rows).'
      expect(await sink(page).textContent()).toContain(`lacks 1,234 rows${why}`)
      expect(await sink(page).getAttribute('title')).toBe(`ACTIVITY_RECORDS\nRAW_DATA, appends\n${why}`)

      await sink(page).click()
      const facts = page.getByRole('region', { name: 'ACTIVITY_RECORDS' })
      expect(await facts.locator('p').last().textContent()).toBe(`${why} WAREHOUSE_FAILED`)
      expect(await facts.locator('dl').textContent()).toContain('Lacks1,234 rows')

      // It is tried again: the count is told, and read out once only.
      visits.server.say(statusWith({ 'table-raw': { rows: 2_000_000, error: ERROR } }))
      await expect.poll(() => banners(page).textContent()).toContain('2,000,000 rows')
      expect(await banners(page).locator('[role=status]').textContent()).not.toContain('rows)')
    })

    test('one that catches up: an amber node and no banner, until it has everything', async () => {
      const page = await open()
      visits.server.say(statusWith({ 'table-raw': { rows: 5, error: ERROR } }))
      await banners(page).waitFor()
      visits.server.say(statusWith({ 'table-raw': { rows: 1, error: null } }))
      await banners(page).waitFor({ state: 'detached' })
      expect(await page.locator('.node-slow').count()).toBe(1)
      expect(await sink(page).textContent()).toContain('1 row behind')
      expect(await sink(page).getAttribute('title')).toContain('It is 1 row behind')
      visits.server.say(statusWith({ 'table-raw': null }))
      await expect.poll(() => page.locator('.node-slow, .node-failing').count()).toBe(0)
      expect(await sink(page).textContent()).not.toContain('behind')
    })

    test('each of a few has its banner; of many the rest is counted', async () => {
      const ids = ['a', 'b', 'c', 'd', 'e']
      const graph: Graph = {
        nodes: [...GRAPH.nodes, ...ids.map(id => ({ id, kind: 'sink' as const, title: `TABLE_${id}`, detail: '' }))],
        edges: [...GRAPH.edges, ...ids.map(id => ({ from: 'derive-2', to: id }))],
      }
      visits.server.greeting = () => [helloOf(Date.now(), { graph }), statusOf(Date.now())]
      const page = await open({ viewport: { width: 360, height: 740 } })
      const failing = (count: number) =>
        statusWith(Object.fromEntries(ids.slice(0, count).map(id => [id, { rows: 7, error: ERROR }])))
      visits.server.say(failing(2))
      await expect.poll(() => banners(page).count()).toBe(2)
      expect(await banners(page).locator('strong').allTextContents()).toEqual([
        'TABLE_a does not take rows just now:',
        'TABLE_b does not take rows just now:',
      ])
      visits.server.say(failing(4))
      await expect.poll(() => banners(page).last().textContent()).toContain('1 more sink does not take rows just now.')
      visits.server.say(failing(5))
      await expect.poll(() => banners(page).last().textContent()).toContain('2 more sinks do not take rows just now.')
      expect(await banners(page).count()).toBe(4)
      expect(await page.evaluate('document.documentElement.scrollWidth - screen.width')).toBeLessThanOrEqual(0)
    })

    test('nothing is taken in, and a sink fails: both are said', async () => {
      const page = await open()
      const held = { code: 'LOG_FULL', message: 'the disk is full', next: 'Free some space.' }
      visits.server.say(statusWith({ 'table-raw': { rows: 7, error: ERROR } }, { held }))
      await page.locator('[data-banner="held"]').waitFor()
      expect(await page.locator('[data-banner="sink"]').count()).toBe(1)
      expect(await page.locator('[data-link]').textContent()).toBe('Held')
    })

    test('while the connection is lost nobody knows', async () => {
      const page = await open()
      visits.server.say(statusWith({ 'table-raw': { rows: 7, error: ERROR } }))
      await page.locator('[data-banner="sink"]').waitFor()
      visits.server.down = true
      visits.server.cut()
      await page.locator('[data-banner="lost"]').waitFor()
      expect(await page.locator('[data-banner="sink"]').count()).toBe(0)
    })
  },
)
