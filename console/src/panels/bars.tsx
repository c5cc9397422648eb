/** A bar for each category. */
import type { BarsPanel } from '../../../src/dashboard/protocol.ts'
import { durationText, numberText } from '../format.ts'
import { serverNow_ms } from '../live/model.ts'
import { aggregateOf, type PartsStore } from '../live/parts.ts'
import { stateStyle } from '../palette.ts'
import { useVersion } from './use-version.ts'

const BARS_MAX = 12

export function Bars({ panel, store }: { readonly panel: BarsPanel; readonly store: PartsStore }) {
  const host = useVersion<HTMLDivElement>(() => `${store.version} ${Math.floor(serverNow_ms() / 1_000)}`)
  const now = serverNow_ms()
  const aggregate = panel.value === null ? 'count' : 'sum'
  const all = [...store.categories.keys()].map(name => ({
    name,
    value: aggregateOf(store.partsOf(name, now), aggregate),
  }))
  const shown = all
    .filter(({ value }) => Number.isFinite(value))
    .sort((a, b) => b.value - a.value)
    .slice(0, BARS_MAX)
    // In the order of names: bars that change places cannot be read.
    .sort((a, b) => order.compare(a.name, b.name))
  const largest = Math.max(...shown.map(({ value }) => Math.abs(value)), Number.MIN_VALUE)
  const total = all.reduce((sum, { value }) => sum + (value || 0), 0)
  const words = panel.value === null ? 'rows' : `sum of ${panel.value}`
  return (
    <div class="bars-host" ref={host}>
      <dl class="bars">
        {shown.map(({ name, value }) => (
          <div class="bar" key={name}>
            <dt>{name}</dt>
            <dd>
              <span class="bar-track">
                <span
                  class="bar-fill"
                  style={{ ...stateStyle(name), width: `${(Math.abs(value) / largest) * 100}%` }}
                />
              </span>
              <span class="bar-value">
                {numberText(value)}
                {panel.unit !== null && ` ${panel.unit}`}
              </span>
              <span class="bar-share">{total > 0 ? `${Math.round((value / total) * 100)} %` : ''}</span>
            </dd>
          </div>
        ))}
      </dl>
      <p class="panel-note">
        {words}, last {durationText(panel.over_ms)}
        {all.length > BARS_MAX && `; the ${BARS_MAX} largest of ${all.length}`}
      </p>
    </div>
  )
}

const order = new Intl.Collator('en', { numeric: true })
