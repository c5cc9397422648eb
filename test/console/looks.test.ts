/** Series and states that are more than there are colours: each looks different, and is drawn as its legend says. */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { Assignment } from '../../console/src/assignment.ts'
import { DASHES, LINES, PATTERNED_MAX } from '../../console/src/colours.ts'
import type { Panel, PanelRows, ServerMessage, StateTimelinePanel } from '../../src/dashboard/protocol.ts'
import { differences, paintedPixels } from './pixels.ts'
import { helloOf, statusOf } from './played.ts'
import { describePage } from './visits.ts'

const SPAN_MS = 60_000
const LINES_PANEL: Panel = {
  ...{ id: 'one/lines', title: 'Lines', unit: null, kind: 'time-series' },
  ...{ time: 'time', value: 'value', by: 'by', span_ms: SPAN_MS },
}
const LANES_PANEL: StateTimelinePanel = {
  ...{ id: 'one/lanes', title: 'Lanes', unit: null, kind: 'state-timeline' },
  ...{ time: 'time', state: 'state', by: 'by', span_ms: SPAN_MS },
}
const nameOf = (number: number) => `series-${String(number + 1).padStart(2, '0')}`

interface Point {
  readonly by: string
  readonly time: number
  readonly value: number
}

const pointsOf = (points: readonly Point[], reset = false): PanelRows => ({
  ...{ kind: 'rows', panel: LINES_PANEL.id, reset, length: points.length },
  columns: {
    time: points.map(({ time }) => time),
    value: points.map(({ value }) => value),
    by: points.map(({ by }) => by),
  },
})

/** Each series at its own height, so that no line hides another. */
const flat = (count: number, now: number): Point[] =>
  Array.from({ length: count }, (_, number) =>
    Array.from({ length: 50 }, (_, step) => ({ by: nameOf(number), time: now - step * 1_000, value: number + 1 })),
  ).flat()

const greetingWith = (panel: Panel, rows: (now: number) => PanelRows) => (): readonly ServerMessage[] => {
  const now = Date.now()
  return [helloOf(now, { dashboards: [{ title: 'One', panels: [panel] }] }), rows(now), statusOf(now)]
}

test('as many names as there are looks all look different, in whatever order they come', () => {
  const series = new Assignment(LINES.dark.length)
  const looks = Array.from({ length: PATTERNED_MAX }, (_, at) => series.numberOf(`device ${(at * 7) % PATTERNED_MAX}`))
  expect(new Set(looks).size).toBe(PATTERNED_MAX)
  expect(Math.max(...looks)).toBe(LINES.dark.length * DASHES.length - 1)
  expect(PATTERNED_MAX).toBeGreaterThanOrEqual(24)
})

describePage(
  'on the page',
  () => [],
  visits => {
    async function open(greeting: () => readonly ServerMessage[]): Promise<Page> {
      visits.server.greeting = greeting
      const page = await visits.open()
      await page.locator('.legend .swatch').first().waitFor()
      return page
    }
    const looksOf = (page: Page) =>
      page.locator('.legend .swatch').evaluateAll(elements =>
        elements.map(element => {
          const { color, backgroundColor, backgroundImage } = getComputedStyle(element)
          return `${color} ${backgroundColor} ${backgroundImage}`
        }),
      )
    const lines = (page: Page) => page.locator('[data-panel="one/lines"] .u-over canvas')
    /** Of each line that lies flat: how far its strokes are from one another on average, in pixels. */
    const strokesOf = (page: Page) =>
      lines(page).evaluate(element => {
        const canvas = element as unknown as HTMLCanvas
        const { width, height } = canvas
        const { data } = canvas.getContext('2d').getImageData(0, 0, width, height)
        const rows = Array.from({ length: height }, (_, row) => {
          const painted = Array.from({ length: width }, (_, column) => data[(row * width + column) * 4 + 3]! > 100)
          const strokes = painted.filter((isPainted, column) => isPainted && !painted[column - 1]).length
          const count = painted.filter(Boolean).length
          return { count, distance: (painted.lastIndexOf(true) - painted.indexOf(true)) / strokes }
        })
        // A line is two rows of pixels.
        const countAt = (row: number) => rows[row]?.count ?? 0
        return rows
          .filter(({ count }, row) => count > 40 && count >= countAt(row - 1) && count > countAt(row + 1))
          .map(({ distance }) => distance)
      })

    test('24 series in the legend and in the chart', async () => {
      const page = await open(greetingWith(LINES_PANEL, now => pointsOf(flat(24, now), true)))
      await page.getByRole('button', { name: '12 more' }).click()
      // Away from the legend: what is pointed at there stands out.
      await page.mouse.move(1, 1)
      const looks = await looksOf(page)
      expect(looks).toHaveLength(24)
      expect(new Set(looks).size).toBe(24)
      await expect.poll(async () => (await strokesOf(page)).length).toBe(24)
      const strokes = await strokesOf(page)
      expect(strokes.filter(distance => distance > 200)).toHaveLength(8)
      expect(strokes.filter(distance => distance > 11.5 && distance < 12.5)).toHaveLength(8)
      expect(strokes.filter(distance => distance > 5.5 && distance < 6.5)).toHaveLength(8)
    })

    test('of more series none has a pattern', async () => {
      const page = await open(greetingWith(LINES_PANEL, now => pointsOf(flat(25, now), true)))
      await expect.poll(async () => (await strokesOf(page)).length).toBe(25)
      expect((await strokesOf(page)).every(distance => distance > 200)).toBe(true)
      expect(await page.locator('.legend .swatch:not(.swatch-line-0)').count()).toBe(0)
    })

    test('a point that is alone is seen, whatever the pattern of its line', async () => {
      const page = await open(
        greetingWith(LINES_PANEL, now =>
          pointsOf(
            Array.from({ length: 24 }, (_, number) => ({ by: nameOf(number), time: now - 5_000, value: number + 1 })),
            true,
          ),
        ),
      )
      await page.getByRole('button', { name: '12 more' }).click()
      const seen: boolean[] = []
      for (let number = 0; number < 24; number++) {
        const only = page.getByRole('button', { name: nameOf(number) })
        await only.click()
        await page.mouse.move(1, 1)
        await expect.poll(() => only.getAttribute('aria-pressed')).toBe('true')
        await page.waitForTimeout(120)
        seen.push((await paintedPixels(lines(page))) >= 2)
        await only.click()
      }
      expect(seen).toEqual(seen.map(() => true))
    })

    test('dashes stand where they stood: what was moved is what would be drawn anew', async () => {
      const start = Date.now()
      const value = (number: number, time: number) => number + Math.sin(time / 3_000 + number) / 3
      const page = await open(
        greetingWith(LINES_PANEL, now =>
          pointsOf(
            flat(24, now).map((point, at) => ({ ...point, value: value(Math.floor(at / 50), point.time) })),
            true,
          ),
        ),
      )
      await page.getByRole('button', { name: '1 minute', exact: true }).click()
      for (let step = 0; step < 20; step++) {
        const late = step % 5 === 0 ? 7_000 : 0
        const time = Math.max(start, Date.now()) - late
        visits.server.say(
          pointsOf(
            Array.from({ length: 24 }, (_, number) => ({ by: nameOf(number), time, value: value(number, time) })),
          ),
        )
        await page.waitForTimeout(100)
      }
      await page.evaluate('{ const now = Date.now(); Date.now = () => now }')
      await page.waitForTimeout(600)
      expect(await differences(lines(page))).toEqual([])
      await page.locator('.legend .series').first().hover()
      await expect.poll(() => differences(lines(page))).not.toEqual([])
      await page.mouse.move(1, 1)
      await expect.poll(() => differences(lines(page))).toEqual([])
    })

    test('24 states in the legend', async () => {
      const page = await open(
        greetingWith(LANES_PANEL, now => ({
          ...{ kind: 'rows', panel: LANES_PANEL.id, reset: true, length: 24 },
          columns: {
            time: Array.from({ length: 24 }, (_, at) => now - 30_000 + at * 1_000),
            state: Array.from({ length: 24 }, (_, at) => `state-${at}`),
            by: Array.from({ length: 24 }, (_, at) => `lane-${at % 4}`),
          },
        })),
      )
      const looks = await looksOf(page)
      expect(looks).toHaveLength(24)
      expect(new Set(looks).size).toBe(24)
      const lane = page.locator('[data-panel="one/lanes"] canvas')
      await expect.poll(() => paintedPixels(lane)).toBeGreaterThan(5_000)
    })

    test('what a browser knows of the states of one pipeline leaves plain colours to another', async () => {
      const lanes = (states: readonly string[]) => (now: number) => ({
        ...{ kind: 'rows' as const, panel: LANES_PANEL.id, reset: true, length: states.length },
        columns: {
          time: states.map((_, at) => now - 30_000 + at * 1_000),
          state: states,
          by: states.map(() => 'lane'),
        },
      })
      const named = (pipeline: string, states: readonly string[]) => () =>
        greetingWith(LANES_PANEL, lanes(states))().map(message =>
          message.kind === 'hello' ? { ...message, pipeline } : message,
        )
      const many = Array.from({ length: 20 }, (_, at) => `state-${at}`)
      const page = await open(named('first', many))
      const first = await looksOf(page)
      visits.server.greeting = named('second', ['on', 'off'])
      await page.reload()
      await expect.poll(async () => (await looksOf(page)).length).toBe(2)
      expect((await looksOf(page)).filter(look => look.includes('gradient'))).toEqual([])
      visits.server.greeting = named('first', [...many].reverse())
      await page.reload()
      await expect.poll(() => looksOf(page)).toEqual(first)
    })
  },
)

interface HTMLCanvas {
  readonly width: number
  readonly height: number
  getContext(kind: '2d'): {
    getImageData(left: number, top: number, width: number, height: number): { readonly data: Uint8ClampedArray }
  }
}

declare function getComputedStyle(element: unknown): {
  readonly color: string
  readonly backgroundColor: string
  readonly backgroundImage: string
}
