/** How series and states look: a key looks the same in all panels of the page. The colours themselves are in colours.ts. */
import { Assignment } from './assignment.ts'
import { CANVAS, type Canvas, DASHES, edgeOf, FILLS, LINES, STRIPE, STRIPES, stripeOf } from './colours.ts'
import { keep, keptText, theme } from './theme.ts'

const STATES_MAX = 200
/** As wide as the room beside a chip's text, see `.chip` in series.css. */
const CHIP_END_PX = 10

export const canvasColours = (): Canvas => CANVAS[theme.value]

const series = new Assignment(LINES.dark.length)

export const seriesColour = (key: string): string => {
  const colours = LINES[theme.value]
  return colours[series.numberOf(key) % colours.length]!
}

/** Which of `DASHES` its line has: those that have a colour in common differ in it. */
export const seriesPattern = (key: string): number =>
  Math.floor(series.numberOf(key) / LINES.dark.length) % DASHES.length

const NAME = 'millrace.states'
let place = NAME
/** States are few and mean something: each has its look for good in this browser, in the order in which they came. */
let states: string[] = []

/** Goes on from what this browser keeps of a pipeline: its first states have plain colours, whatever others had. */
export function recallStates(pipeline: string): void {
  place = `${NAME}.${pipeline}`
  states = keptStates()
}

/** Gives colours to states that are new, those that come at once in the order of their names. */
export function meetStates(names: readonly string[]): void {
  const fresh = names.filter(name => !states.includes(name)).sort()
  if (fresh.length === 0 || states.length >= STATES_MAX) return
  states.push(...fresh)
  keep(place, JSON.stringify(states))
}

export interface StateLook {
  readonly fill: string
  readonly edge: string
  /** Angle of its stripes in degrees; null: none. */
  readonly stripes: number | null
  readonly stripe: string
}

export function stateLook(state: string): StateLook {
  const number = Math.max(0, states.indexOf(state))
  const fill = FILLS[number % FILLS.length]!
  const stripes = STRIPES[Math.floor(number / FILLS.length) % STRIPES.length]!
  return { fill, edge: edgeOf(fill, theme.value), stripes, stripe: stripeOf(fill) }
}

type StateStyle = { readonly background: string; readonly boxShadow: string }

/** The look of a state as an element has it. */
export function stateStyle(state: string): StateStyle {
  const { fill, edge, stripes, stripe } = stateLook(state)
  const { distance, width } = STRIPE
  const [until, next] = [`${distance - width}px`, `${distance}px`]
  return {
    background:
      stripes === null
        ? fill
        : `repeating-linear-gradient(${stripes}deg, ${fill} 0 ${until}, ${stripe} ${until} ${next})`,
    boxShadow: `inset 0 0 0 1px ${edge}`,
  }
}

/** As `stateStyle` at both ends; nothing strikes through the name between them. */
export function stateChipStyle(state: string): StateStyle {
  const { fill, stripes } = stateLook(state)
  const { background, boxShadow } = stateStyle(state)
  if (stripes === null) return { background, boxShadow }
  const plain = `linear-gradient(90deg, transparent 0 ${CHIP_END_PX}px, ${fill} 0 calc(100% - ${CHIP_END_PX}px), transparent 0)`
  return { background: `${plain}, ${background}`, boxShadow }
}

function keptStates(): string[] {
  try {
    const kept: unknown = JSON.parse(keptText(place) ?? '[]')
    return Array.isArray(kept) ? kept.filter(name => typeof name === 'string') : []
  } catch {
    return []
  }
}
