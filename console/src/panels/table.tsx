/** Rows; the latest of each key stays in its place, and a cell that changed lights up. */
import type { Cell, Dashboard, TablePanel } from '../../../src/dashboard/protocol.ts'
import { NOTHING, numberText, timeText } from '../format.ts'
import { hello, serverNow_ms } from '../live/model.ts'
import type { TableStore } from '../live/table-store.ts'
import { stateChipStyle } from '../palette.ts'
import { SeriesSwatch } from './swatch.tsx'
import { useVersion } from './use-version.ts'

type Column = TablePanel['columns'][number]

export function Table({ panel, store }: { readonly panel: TablePanel; readonly store: TableStore }) {
  const host = useVersion<HTMLElement>(() => store.version)
  const now = serverNow_ms()
  const { keys, states } = columnRoles(hello.value?.dashboards ?? [])
  const rows = store.rows()
  const among = panel.columns.map(({ name }, at) =>
    keys.has(name) ? new Set(rows.map(({ cells }) => cells[at])).size : 0,
  )
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <section class="table-host" ref={host} tabIndex={0} aria-label={panel.title}>
      <table>
        <thead>
          <tr>
            {panel.columns.map(({ name, type }) => (
              <th key={name} scope="col" class={`cell-${type}`}>
                {words(name)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr key={row.key}>
              {panel.columns.map((column, at) => (
                <td key={column.name} class={`cell-${column.type}`}>
                  {states.has(column.name) && row.cells[at] != null ? (
                    <span class="chip" style={stateChipStyle(String(row.cells[at]))}>
                      {String(row.cells[at])}
                    </span>
                  ) : (
                    <>
                      {keys.has(column.name) && <SeriesSwatch name={String(row.cells[at])} among={among[at]!} />}
                      {cellText(row.cells[at] ?? null, column, now)}
                    </>
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

/** Columns that are a state or a series in some panel have colours there; here they have the same. */
function columnRoles(dashboards: readonly Dashboard[]): { readonly keys: Set<string>; readonly states: Set<string> } {
  const keys = new Set<string>()
  const states = new Set<string>()
  for (const panel of dashboards.flatMap(({ panels }) => panels)) {
    if (panel.kind === 'state-timeline') states.add(panel.state)
    if (panel.kind === 'bars') states.add(panel.category)
    if ((panel.kind === 'time-series' || panel.kind === 'map') && panel.by !== null) keys.add(panel.by)
  }
  return { keys, states }
}

function cellText(cell: Cell, { type }: Column, now_ms: number): string {
  if (cell === null) return NOTHING
  if (typeof cell === 'number') return type === 'timestamp' ? timeText(cell, now_ms) : numberText(cell)
  return String(cell)
}

/** `avg_magnitude` and `deviceId` as words: `avg magnitude`, `device id`. */
const words = (name: string): string =>
  name
    .replaceAll(/[_.]+/g, ' ')
    .replaceAll(/([a-z\d])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`)
