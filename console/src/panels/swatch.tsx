/** What stands for a series or a state in legends and tables. */
import { PATTERNED_MAX } from '../colours.ts'
import { seriesColour, seriesPattern, stateStyle } from '../palette.ts'

interface SeriesSwatchProps {
  readonly name: string
  /** How many series there are beside it: of many none has a pattern. */
  readonly among: number
}

/** A piece of its line. */
export function SeriesSwatch({ name, among }: SeriesSwatchProps) {
  const pattern = among > PATTERNED_MAX ? 0 : seriesPattern(name)
  return <span class={`swatch swatch-line-${pattern}`} style={{ color: seriesColour(name) }} />
}

export function StateSwatch({ name }: { readonly name: string }) {
  return <span class="swatch swatch-block" style={stateStyle(name)} />
}
