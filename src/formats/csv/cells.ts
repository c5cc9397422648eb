/** The cells of a CSV row, and each as JSON by the type of its column. */
import type { ColumnType } from '../../plan/schema.ts'

/** null for a cell that is empty, or says that nothing is there, and is not in quotes. */
export type CsvRow = readonly (string | null)[]

const QUOTE = '"'
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

export interface CellOptions {
  readonly delimiter: string
  /** Texts that mean null where they are a whole cell without quotes. */
  readonly nulls: ReadonlySet<string>
}

/** The cells of a row that the splitter found: every quoted cell in it is closed. */
export function cellsOf(text: string, { delimiter, nulls }: CellOptions): (string | null)[] {
  const plain = (cell: string) => (cell === '' || nulls.has(cell) ? null : cell)
  if (!text.includes(QUOTE)) return text.split(delimiter).map(plain)
  const cells: (string | null)[] = []
  for (let at = 0; ; ) {
    if (text[at] === QUOTE) {
      let cell = ''
      let from = at + 1
      for (;;) {
        const close = text.indexOf(QUOTE, from)
        cell += text.slice(from, close)
        from = close + 1
        if (text[from] !== QUOTE) break
        cell += QUOTE
        from++
      }
      cells.push(cell)
      if (from >= text.length) return cells
      at = from + 1
    } else {
      const stop = text.indexOf(delimiter, at)
      cells.push(plain(stop < 0 ? text.slice(at) : text.slice(at, stop)))
      if (stop < 0) return cells
      at = stop + 1
    }
  }
}

/**
 * A cell as JSON. What does not have the form of its column's type goes on as a text, so that the schema refuses it in
 * its own words. A cell of no column of the topic is a number where it looks like one. With a decimal comma a number has
 * a comma where JSON has a point, and one with a point is no number: nobody could say what the point means.
 */
export function cellAsJson(cell: string | null, type: ColumnType | null, decimal: '.' | ',' = '.'): string {
  if (cell === null) return 'null'
  switch (type) {
    case 'text':
      return JSON.stringify(cell)
    case 'boolean': {
      const lower = cell.trim().toLowerCase()
      return lower === 'true' || lower === 'false' ? lower : JSON.stringify(cell)
    }
    case 'json':
      try {
        JSON.parse(cell)
        return cell.replace(/[\r\n]/g, ' ')
      } catch {
        return JSON.stringify(cell)
      }
    default: {
      const trimmed = cell.trim()
      if (decimal === '.') return JSON_NUMBER.test(trimmed) ? trimmed : JSON.stringify(cell)
      const pointed = trimmed.replace(',', '.')
      return !trimmed.includes('.') && JSON_NUMBER.test(pointed) ? pointed : JSON.stringify(cell)
    }
  }
}
