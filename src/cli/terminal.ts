/** How output looks: colours where a person reads it, aligned tables, numbers with separators. */
import { DOUBLE_DIGITS } from '../plan/exact.ts'
import { digitsOf } from '../plan/json-text.ts'

/** The two streams of a command; nothing else writes to them. */
export interface Terminal {
  /** Writes a line for the reader of the answer. Resolves when the stream takes more. */
  print(line: string): Promise<void>
  /** Writes a line of remarks, which is no part of the answer. */
  remark(line: string): void
  /** Rewrites the live lines at the bottom of stderr; an empty list removes them. Nothing when stderr is no terminal. */
  live(lines: readonly string[]): void
  /** Leaves the live lines as they are; what follows is written below them. */
  settle(): void
  /** stderr is a terminal, so that progress can be shown. */
  readonly interactive: boolean
  /** For the answer. */
  readonly style: Style
  /** For remarks and live lines. */
  readonly remarkStyle: Style
}

export interface Style {
  bold(text: string): string
  dim(text: string): string
  red(text: string): string
  green(text: string): string
  yellow(text: string): string
  cyan(text: string): string
}

type Environment = Readonly<Record<string, string | undefined>>

/** Colours for a stream, unless it is no terminal or NO_COLOR is set (FORCE_COLOR overrules both). */
export function styleFor(stream: { readonly isTTY?: boolean }, environment: Environment = process.env): Style {
  const forced = environment.FORCE_COLOR !== undefined && environment.FORCE_COLOR !== '0'
  const on = forced || (stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb')
  const paint = (open: number, close: number) => (text: string) =>
    on ? `\u001b[${open}m${text}\u001b[${close}m` : text
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
  }
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdout, stderr } = process
  const interactive = stderr.isTTY === true && process.env.TERM !== 'dumb'
  let liveCount = 0
  const erase = () => {
    if (liveCount > 0) stderr.write(`\u001b[${liveCount}A\u001b[0J`)
    liveCount = 0
  }
  let latest: readonly string[] = []
  const draw = () => {
    if (latest.length === 0) return
    const width = stderr.columns || 80
    // What has left the screen at its top cannot be drawn again.
    const shown = latest.slice(0, Math.max(1, (stderr.rows || 24) - 1))
    stderr.write(shown.map(line => `${clip(line, width - 1)}\n`).join(''))
    liveCount = shown.length
  }
  return {
    interactive,
    style: styleFor(stdout),
    remarkStyle: styleFor(stderr),
    async print(line) {
      const live = liveCount > 0
      if (live) erase()
      const ready = stdout.write(`${line}\n`)
      if (live) draw()
      if (!ready) await new Promise<void>(resolve => stdout.once('drain', resolve))
    },
    remark(line) {
      erase()
      stderr.write(`${line}\n`)
      draw()
    },
    live(lines) {
      if (!interactive) return
      erase()
      latest = lines
      draw()
    },
    settle() {
      latest = []
      liveCount = 0
    },
  }
}

const ESCAPE = '\u001b'
const ESCAPES = new RegExp(`${ESCAPE}\\[[0-9;]*m`, 'g')
/** All but tab, line feed and carriage return, which become blanks in a table. */
const CONTROLS = /(?![\t\n\r])\p{Cc}/gu
const ESCAPES_KEPT = new RegExp(`(${ESCAPES.source})`)

/** Length as a terminal shows it: colours take no room. */
function visibleLength(text: string): number {
  return text.replace(ESCAPES, '').length
}

/** Cuts a line to `width` visible characters; colours stay, and end with it. */
function clip(text: string, width: number): string {
  if (visibleLength(text) <= width) return text
  let room = width - 1
  let kept = ''
  for (const part of text.split(ESCAPES_KEPT)) {
    if (part.startsWith(ESCAPE)) kept += part
    else {
      kept += part.slice(0, room)
      room -= Math.min(room, part.length)
    }
  }
  return `${kept}…`
}

export interface TableColumn {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** Aligned lines: the titles, then the rows; two spaces between columns, cells wider than `maximumCell` cut. */
export function tableLines(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  style: Style,
  maximumCell = 60,
): string[] {
  const cut = (cell: string) => clip(cell.replaceAll(/[\n\r\t]/g, ' '), maximumCell)
  const cells = rows.map(row => row.map(cut))
  const widths = columns.map((column, index) =>
    cells.reduce((width, row) => Math.max(width, visibleLength(row[index] ?? '')), column.title.length),
  )
  const line = (row: readonly string[]) =>
    columns
      .map((column, index) => {
        const cell = row[index] ?? ''
        const padding = ' '.repeat(widths[index]! - visibleLength(cell))
        return column.align === 'right' ? padding + cell : cell + padding
      })
      .join('  ')
      .trimEnd()
  return [style.bold(line(columns.map(column => column.title))), ...cells.map(line)]
}

/** A table of any rows: columns of numbers to the right, null empty. */
export function rowTable(
  columns: readonly string[],
  rows: readonly Readonly<Record<string, unknown>>[],
  style: Style,
): string[] {
  const described = columns.map(title => ({
    title,
    align:
      rows.some(row => row[title] != null) && rows.every(row => row[title] == null || isNumeric(row[title]))
        ? 'right'
        : 'left',
  })) satisfies TableColumn[]
  return tableLines(
    described,
    rows.map(row => columns.map(column => cellText(row[column]))),
    style,
  )
}

function isNumeric(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint' || digitsOf(value) !== null
}

/** Control characters as dots: what a stranger sent must not move the cursor or change colours. */
export function harmless(text: string): string {
  return text.replace(CONTROLS, '·')
}

/** One cell as a person reads it: a double with the digits that it surely has, any other number with all of its own. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number') {
    return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(DOUBLE_DIGITS)))
  }
  const digits = digitsOf(value)
  if (digits !== null) return digits
  return harmless(typeof value === 'object' ? jsonText(value) : String(value))
}

/** JSON on one line; a 64-bit integer keeps its digits, NaN and the infinities become null as in JSON itself. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item !== 'bigint') return item
    const number = Number(item)
    return Number.isSafeInteger(number) ? number : String(item)
  })
}

/** `1234567` -> `1,234,567`. */
export function grouped(number: number): string {
  return Math.round(number)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `1234567` -> `1.23 M`. */
export function short(number: number): string {
  if (number < 10_000) return grouped(number)
  const [divisor, unit] = number < 1e6 ? [1e3, 'k'] : number < 1e9 ? [1e6, 'M'] : [1e9, 'G']
  return `${(number / divisor).toPrecision(3)} ${unit}`
}

/** `740123456` -> `740 MB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const [divisor, unit] = bytes < 1e6 ? [1e3, 'kB'] : bytes < 1e9 ? [1e6, 'MB'] : [1e9, 'GB']
  return `${(bytes / divisor).toPrecision(3)} ${unit}`
}

/** `95000` -> `1:35`; below ten seconds with a decimal: `2.4 s`. */
export function elapsedText(duration_ms: number): string {
  if (duration_ms < 10_000) return `${(duration_ms / 1000).toFixed(1)} s`
  const seconds = Math.round(duration_ms / 1000)
  const clock = `${Math.floor(seconds / 60) % 60}:${String(seconds % 60).padStart(2, '0')}`
  return seconds < 3600 ? clock : `${Math.floor(seconds / 3600)}:${clock.padStart(5, '0')}`
}

/** Microseconds since the epoch as ISO 8601 in UTC, with as many decimals as it needs (none or 3 or 6). */
export function timeText(time_us: number): string {
  const date = new Date(Math.floor(time_us / 1000))
  if (Number.isNaN(date.getTime())) return String(time_us)
  const rest = ((time_us % 1000) + 1000) % 1000
  const text = date.toISOString()
  if (rest === 0) return text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : text
  return `${text.slice(0, -1)}${String(rest).padStart(3, '0')}Z`
}
