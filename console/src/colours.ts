/**
 * The colours that are drawn, and how far two of them stand apart. Those of text and surfaces are in style/base.css; a
 * canvas cannot read them there, so they stand here again, and a test holds the two together and all of it readable.
 */
import type { Theme } from './theme.ts'

/** Of series, at least 3:1 against the panel, told apart also by eyes that do not see red and green as others do (after Okabe and Ito). */
export const LINES: Readonly<Record<Theme, readonly string[]>> = {
  dark: ['#56b4e9', '#e69f00', '#2bc79a', '#e28bc0', '#f0e442', '#ff7a45', '#b794ff', '#b8c4ce'],
  light: ['#0072b2', '#a86400', '#007a5a', '#a8487f', '#7d6f00', '#c24e00', '#6a3fc0', '#56616c'],
}

/** When the colours are used up lines are drawn in dashes, then in dots: strokes and gaps in CSS pixels. */
export const DASHES: readonly (readonly number[])[] = [[], [7, 5], [2, 4]]
/** A whole number of each of the patterns. */
export const DASHES_PERIOD = 48
/** So many series differ; where there are more, lines are thin and all solid. */
export const PATTERNED_MAX = LINES.dark.length * DASHES.length

/** Fills of states, which dark text stands on in both themes. */
export const FILLS: readonly string[] = ['#7cc4f2', '#f2b33d', '#b9c7cf', '#45c79b', '#e8a0cc', '#efe56a', '#ff8f66']
export const ON_FILL = '#10181d'
/** When the fills are used up they are striped, at these angles as gradients count them; null: not. */
export const STRIPES: readonly (number | null)[] = [null, 45, -45, 90]
export const STRIPE = { distance: 6, width: 2 }

export const stripeOf = (fill: string): string => mixed(fill, ON_FILL, 0.29)

/** What bounds a fill: bright fills do not stand out from a bright panel. */
export const edgeOf = (fill: string, theme: Theme): string => (theme === 'dark' ? fill : mixed(fill, ON_FILL, 0.45))

export interface Canvas {
  readonly text: string
  readonly strong: string
  readonly grid: string
  readonly panel: string
  readonly accent: string
}

export const CANVAS: Readonly<Record<Theme, Canvas>> = {
  dark: { text: '#93a4ae', strong: '#e6edf0', grid: '#22303a', panel: '#121b21', accent: '#4fd1c5' },
  light: { text: '#56656e', strong: '#14202a', grid: '#e3eaed', panel: '#ffffff', accent: '#0a7f79' },
}

/** `share` of the second colour in the first, as `color-mix(in srgb, ...)` does it. */
export function mixed(first: string, second: string, share: number): string {
  const [from, to] = [partsOf(first), partsOf(second)]
  const part = (at: number) => Math.round(from[at]! * (1 - share) + to[at]! * share)
  return `#${[0, 1, 2].map(at => part(at).toString(16).padStart(2, '0')).join('')}`
}

/** Red, green and blue of `#rrggbb`, 0 to 255. */
export const partsOf = (colour: string): number[] => [1, 3, 5].map(at => Number.parseInt(colour.slice(at, at + 2), 16))
