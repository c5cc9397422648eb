/** What `npm start` says: one screen of where things are, then how it goes. */
import type { Places } from '../../src/cli/beside-run.ts'
import { shortest } from '../../src/cli/paths.ts'
import { isBehind, keptText } from '../../src/cli/progress.ts'
import { elapsedText, grouped, type Style, short } from '../../src/cli/terminal.ts'
import { isLoopback } from '../../src/dashboard/address.ts'
import type { RunProgress, RunSummary } from '../../src/runtime/options.ts'
import { networkAddresses } from './place.ts'

const TOPIC = 'raw_sensor_data'
const RESULTS = 'processed_activity'
/** Rates are those of the last few seconds. */
const RATE_OVER_MS = 3000

export interface Screen {
  readonly places: Places
  /** What phones put behind the address; null: nothing. */
  readonly key: string | null
  /** Simulated phones; 0: none. */
  readonly people: number
  /** Ports that were taken, in words. */
  readonly taken: readonly string[]
  /** Something was stored here before. */
  readonly goesOn: boolean
}

export function screenLines({ places, key, people, taken, goesOn }: Screen, style: Style): string[] {
  const directory = shortest(places.dataDirectory)
  const { bold, cyan, dim, yellow } = style
  const address = places.addresses[0]?.address ?? ''
  const isOpen = address !== '' && !isLoopback(new URL(address).hostname.replace(/^\[|\]$/g, ''))
  const behind = key === null ? '' : `/${key}`
  const pushes = (isOpen ? networkAddresses(address) : [address]).map(to => cyan(`${to}${behind}`))
  const lines = [bold('The activity tracker is running.'), '']
  const row = (name: string, first: string, ...more: readonly string[]) =>
    lines.push(`  ${bold(name.padEnd(7))} ${first}`, ...more.map(line => `          ${line}`))

  row('page', pagesOf(places.page).map(cyan).join('  '))
  const phones =
    people === 0 ? 'no phone pushes yet' : `${people} simulated ${people === 1 ? 'phone pushes' : 'phones push'} here`
  if (isOpen) {
    row('phones', pushes.join('  '), dim(`${phones}; in the app Sensor Logger: Settings, Data Streaming, HTTP Push,`))
    lines.push(dim('          this as the push URL. It holds a key: whoever knows it can send.'))
  } else {
    row('phones', pushes.join('  '), dim(`${phones}, from this machine alone${key === null ? '' : ', with this key'}`))
    lines.push(`          ${dim('a real phone:')} npm start -- --listen 0.0.0.0:4401`)
  }
  row(
    'data',
    `${directory}  ${dim(goesOn ? 'goes on from before; --fresh begins anew' : 'new; the next start goes on from it')}`,
  )
  row('keys', `bin/millrace.js keys make NAME --data-dir ${directory}`)
  row('ask', `bin/millrace.js query "${QUERY}" --data-dir ${directory}`)
  lines.push('', ...taken.map(words => yellow(`  ${words}`)), dim('  Ctrl-C stops it.'), '')
  return lines
}

/** The newest windows. */
const QUERY = 'FROM PROCESSED_DATA.USER_ACTIVITY_PROCESSED ORDER BY window_end DESC LIMIT 6'

function pagesOf(page: string | null): readonly string[] {
  if (page === null) return ['none']
  const [address, fragment] = page.split('#')
  return networkAddresses(address!).map(found => `${found}#${fragment}`)
}

/** One line of rates, from each report of the run. */
export class Rates {
  readonly #style: Style
  readonly #earlier: { elapsed_ms: number; readings: number }[] = []

  constructor(style: Style) {
    this.#style = style
  }

  line({ elapsed_ms, topics, outputs, held }: RunProgress): string {
    const raw = topics.find(({ topic }) => topic === TOPIC)
    const readings = raw?.records ?? 0
    this.#earlier.push({ elapsed_ms, readings })
    while (this.#earlier.length > 2 && elapsed_ms - this.#earlier[1]!.elapsed_ms > RATE_OVER_MS) this.#earlier.shift()
    const base = this.#earlier[0]!
    const passed_s = (elapsed_ms - base.elapsed_ms) / 1000
    const { bold, red, yellow } = this.#style
    const parts = [
      bold(`${short(passed_s > 0 ? (readings - base.readings) / passed_s : 0)} readings/s`),
      `${grouped(readings)} readings`,
      `${grouped(activitiesOf(outputs))} activities`,
    ]
    if (raw?.late) parts.push(`${grouped(raw.late)} late`)
    if (raw?.deadLetters) parts.push(yellow(`${grouped(raw.deadLetters)} refused`))
    if (held !== null) parts.push(red(`${held.code}: ${held.message} ${held.next}`))
    return `  ${parts.join(' · ')}`
  }
}

function activitiesOf(outputs: RunProgress['outputs']): number {
  return outputs.find(({ output }) => output === RESULTS)?.rows ?? 0
}

export function lastLines({ elapsed_ms, topics, outputs, dataDirectory }: RunSummary): string[] {
  const readings = topics.find(({ topic }) => topic === TOPIC)?.records ?? 0
  const directory = shortest(dataDirectory)
  const lacking = outputs.filter(isBehind).map(output => `kept   ${keptText(output)}`)
  return [
    `stopped after ${elapsedText(elapsed_ms)}; stored in all: ${grouped(readings)} readings, ${grouped(activitiesOf(outputs))} activities`,
    ...lacking,
    `prove  bin/millrace.js verify examples/activity-tracker/pipeline.ts --data-dir ${directory}`,
  ]
}
