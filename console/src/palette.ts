/**
 * Colours of series and states: told apart also by eyes that do not see red and green as others do (after Okabe and Ito),
 * at least 3:1 against the panel in each theme. A key keeps its colour in all panels of the page.
 */
import { keep, keptText, type Theme, theme } from './theme.ts'

const LINES: Readonly<Record<Theme, readonly string[]>> = {
  dark: ['#56b4e9', '#e69f00', '#2bc79a', '#e28bc0', '#f0e442', '#ff7a45', '#b794ff', '#b8c4ce'],
  light: ['#0072b2', '#a86400', '#007a5a', '#a8487f', '#7d6f00', '#c24e00', '#6a3fc0', '#56616c'],
}
/** Fills that dark text stands on, in both themes. */
const FILLS = ['#7cc4f2', '#f2b33d', '#b9c7cf', '#45c79b', '#e8a0cc', '#efe56a', '#ff8f66']
const STATES_MAX = 200
export const ON_FILL = '#10181d'

interface Canvas {
  readonly text: string
  readonly strong: string
  readonly grid: string
  readonly panel: string
  readonly accent: string
}
const CANVAS: Readonly<Record<Theme, Canvas>> = {
  dark: { text: '#93a4ae', strong: '#e6edf0', grid: '#22303a', panel: '#121b21', accent: '#4fd1c5' },
  light: { text: '#56656e', strong: '#14202a', grid: '#e3eaed', panel: '#ffffff', accent: '#0a7f79' },
}
export const canvasColours = (): Canvas => CANVAS[theme.value]

/** Numbers given to series: where the key's hash says when that is free, else the next one; in the second round all again. */
class Assignment {
  readonly #numbers = new Map<string, number>()
  readonly #size: number

  constructor(size: number) {
    this.#size = size
  }

  numberOf(key: string): number {
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    const round = Math.floor(this.#numbers.size / this.#size) * this.#size
    const taken = new Set(this.#numbers.values())
    let place = hashOf(key) % this.#size
    while (taken.has(round + place)) place = (place + 1) % this.#size
    this.#numbers.set(key, round + place)
    return round + place
  }
}

function hashOf(text: string): number {
  let hash = 2_166_136_261
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16_777_619)
  return (hash ^ (hash >>> 15)) >>> 0
}

const series = new Assignment(LINES.dark.length)

export const seriesColour = (key: string): string => {
  const colours = LINES[theme.value]
  return colours[series.numberOf(key) % colours.length]!
}

const NAME = 'millrace.states'
/** States are few and mean something: each has its colour for good in this browser, in the order in which they came. */
const states: string[] = keptStates()

/** Gives colours to states that are new, those that come at once in the order of their names. */
export function meetStates(names: readonly string[]): void {
  const fresh = names.filter(name => !states.includes(name)).sort()
  if (fresh.length === 0 || states.length >= STATES_MAX) return
  states.push(...fresh)
  keep(NAME, JSON.stringify(states))
}

export const stateColour = (state: string): string => FILLS[Math.max(0, states.indexOf(state)) % FILLS.length]!

function keptStates(): string[] {
  try {
    const kept: unknown = JSON.parse(keptText(NAME) ?? '[]')
    return Array.isArray(kept) ? kept.filter(name => typeof name === 'string') : []
  } catch {
    return []
  }
}
