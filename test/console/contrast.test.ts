/**
 * What the page shows can be read: WCAG 2.2 AA, computed from the colours of style/base.css and colours.ts. Text reaches
 * 4.5:1 on all that it stands on (also large text, which small screens make small), and what is drawn reaches 3:1.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { CANVAS, edgeOf, FILLS, LINES, mixed, ON_FILL, partsOf, stripeOf } from '../../console/src/colours.ts'

const THEMES = ['light', 'dark'] as const
type Theme = (typeof THEMES)[number]

/** Grounds that are mixed from two roles: the second one in the first. */
const MIXED: Readonly<Record<string, readonly [string, string, number]>> = {
  'pressed span': ['panel', 'accent', 0.18],
  'key icon': ['panel', 'accent', 0.14],
}

/** Each role that text has, with all that it stands on. */
const TEXT: Readonly<Record<string, readonly string[]>> = {
  text: ['ground', 'panel', 'raised', 'warn-ground', 'bad-ground', 'pressed span'],
  quiet: ['ground', 'panel', 'raised', 'warn-ground', 'bad-ground'],
  warn: ['ground', 'panel', 'warn-ground'],
  bad: ['ground', 'panel', 'bad-ground'],
  'on-accent': ['accent'],
}

/** Icons, dots, lines and edges that say something. Other lines (around panels, of grids) only part what is parted anyway. */
const MARKS: Readonly<Record<string, readonly string[]>> = {
  accent: ['ground', 'panel', 'raised', 'key icon', 'bad-ground', 'warn-ground'],
  water: ['ground', 'panel', 'raised'],
  wire: ['panel', 'ground'],
  good: ['panel'],
  warn: ['panel', 'warn-ground'],
  bad: ['panel', 'bad-ground', 'ground'],
  quiet: ['panel', 'raised', 'ground'],
}

const folder = fileURLToPath(new URL('../../console/src/style', import.meta.url))
const styles = readdirSync(folder)
  .map(name => readFileSync(join(folder, name), 'utf8'))
  .join('\n')
  .replaceAll(/\/\*[\s\S]*?\*\//g, '')
const tokens = new Map(
  [...styles.matchAll(/--([\w-]+): light-dark\((#[\da-f]{6}), (#[\da-f]{6})\);/g)].map(
    ([, name, light, dark]) => [name!, { light: light!, dark: dark! }] as const,
  ),
)
/** Rules, those within media queries too. */
const rules = [...styles.matchAll(/([^{}]+)\{([^{}]*)\}/g)].map(([, selector, body]) => ({
  selector: selector!.trim().replaceAll(/\s+/g, ' '),
  body: body!,
}))

function colourOf(role: string, theme: Theme): string {
  const mix = MIXED[role]
  if (mix !== undefined) return mixed(colourOf(mix[0], theme), colourOf(mix[1], theme), mix[2])
  const token = tokens.get(role)
  if (token === undefined) throw new Error(`style/base.css has no colour --${role}`)
  return token[theme]
}

function luminanceOf(colour: string): number {
  const [red, green, blue] = partsOf(colour).map(part => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}

function contrastOf(first: string, second: string): number {
  const [dark, light] = [luminanceOf(first), luminanceOf(second)].sort((a, b) => a - b)
  return (light! + 0.05) / (dark! + 0.05)
}

interface Pair {
  readonly what: string
  readonly first: string
  readonly second: string
}

/** Pairs that stand too close together, with how far they stand apart. */
const tooClose = (pairs: readonly Pair[], least: number) =>
  pairs
    .map(({ what, first, second }) => ({ what, first, second, contrast: contrastOf(first, second) }))
    .filter(({ contrast }) => contrast < least)
    .map(({ what, first, second, contrast }) => `${what}: ${first} on ${second} is ${contrast.toFixed(2)}:1`)

const pairsOf = (roles: Readonly<Record<string, readonly string[]>>, theme: Theme): Pair[] =>
  Object.entries(roles).flatMap(([role, grounds]) =>
    grounds.map(ground => ({
      what: `${role} on ${ground}`,
      first: colourOf(role, theme),
      second: colourOf(ground, theme),
    })),
  )

test('contrast is what WCAG says it is', () => {
  expect(contrastOf('#000000', '#ffffff')).toBe(21)
  expect(contrastOf('#777777', '#ffffff')).toBeCloseTo(4.48, 2)
  expect(mixed('#000000', '#ffffff', 0.5)).toBe('#808080')
  expect(tooClose([{ what: 'grey', first: '#777777', second: '#ffffff' }], 4.5)).toEqual([
    'grey: #777777 on #ffffff is 4.48:1',
  ])
})

describe.each(THEMES)('%s', theme => {
  test('text on all that it stands on', () => {
    expect(tooClose(pairsOf(TEXT, theme), 4.5)).toEqual([])
  })

  test('icons, dots and lines', () => {
    expect(tooClose(pairsOf(MARKS, theme), 3)).toEqual([])
  })

  test('lines of series, in charts, maps, tables and legends', () => {
    const pairs = LINES[theme].flatMap(first =>
      ['panel', 'raised', 'ground'].map(ground => ({
        what: `series on ${ground}`,
        first,
        second: colourOf(ground, theme),
      })),
    )
    expect(tooClose(pairs, 3)).toEqual([])
  })

  test('states: their names on fills and stripes, their edges on what is around', () => {
    const names = FILLS.flatMap(fill => [fill, stripeOf(fill)]).map(second => ({
      what: 'name',
      first: ON_FILL,
      second,
    }))
    expect(tooClose(names, 4.5)).toEqual([])
    const edges = FILLS.flatMap(fill =>
      ['panel', 'raised', 'ground'].map(ground => ({
        what: `edge on ${ground}`,
        first: edgeOf(fill, theme),
        second: colourOf(ground, theme),
      })),
    )
    expect(tooClose(edges, 3)).toEqual([])
  })

  test('stripes stand out from their fills', () => {
    const pairs = FILLS.map(fill => ({ what: 'stripe', first: stripeOf(fill), second: fill }))
    expect(tooClose(pairs, 1.6)).toEqual([])
  })

  test('what is drawn on a canvas has the colours of the styles', () => {
    const { text, strong, panel, accent } = CANVAS[theme]
    expect({ text, strong, panel, accent }).toEqual({
      text: colourOf('quiet', theme),
      strong: colourOf('text', theme),
      panel: colourOf('panel', theme),
      accent: colourOf('accent', theme),
    })
  })
})

describe('nothing is left out', () => {
  const isDrawn = (selector: string) => /(icon|dot|mark-\w+|edge\S*)$/.test(selector)
  const rolesIn = (body: string, property: string) =>
    [...body.matchAll(new RegExp(`(?:^|[;\\s])${property}: [^;]*?var\\(--([\\w-]+)\\)`, 'g'))].map(([, role]) => role!)

  test('each colour of text and of drawn things in the styles', () => {
    const text = rules.filter(({ selector }) => !isDrawn(selector)).flatMap(({ body }) => rolesIn(body, 'color'))
    expect(new Set(text)).toEqual(new Set(Object.keys(TEXT)))
    const drawn = rules
      .filter(({ selector }) => isDrawn(selector))
      .flatMap(({ body }) => ['color', 'stroke', 'background'].flatMap(property => rolesIn(body, property)))
    expect([...new Set(drawn)].filter(role => MARKS[role] === undefined)).toEqual([])
  })

  test('each ground', () => {
    const grounds = new Set(Object.values(TEXT).flat())
    const used = rules
      .filter(({ selector, body }) => !isDrawn(selector) && selector !== '.bone' && !body.includes('color-mix'))
      .flatMap(({ body }) => rolesIn(body, 'background'))
    expect([...new Set(used)].filter(role => !grounds.has(role))).toEqual([])
    const mixes = rules.flatMap(({ body }) => [...body.matchAll(/background: (color-mix\([^;]*\));/g)])
    expect(mixes.map(([, mix]) => mix).sort()).toEqual([
      'color-mix(in srgb, var(--accent) 14%, transparent)',
      'color-mix(in srgb, var(--accent) 18%, var(--panel))',
    ])
  })

  test('no colour without a role, and no text that is made faint', () => {
    const own = rules.flatMap(({ body }) => [...body.matchAll(/(?:^|[;\s])color: (#[\da-f]+)/g)].map(([, one]) => one))
    expect(own).toEqual([ON_FILL])
    const faint = rules.filter(({ body }) => /(?:^|[;\s])opacity:/.test(body)).map(({ selector }) => selector)
    expect(faint).toEqual(['50%', '.series-off .swatch'])
  })
})
