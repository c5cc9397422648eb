/** An error as the user reads it: code, message, place, what to do next; the stack only for whoever must mend Millrace. */
import { fileURLToPath } from 'node:url'
import { ERRORS, MillraceError } from '../system/errors.ts'
import { styleFor } from './terminal.ts'

/** The lines for stderr. */
export function errorLines(error: unknown): string[] {
  const style = styleFor(process.stderr)
  const debug = Boolean(process.env.MILLRACE_DEBUG)
  const known = error instanceof MillraceError
  const code = known ? error.code : 'INTERNAL'
  const message = error instanceof Error ? error.message : String(error)
  const lines = [`${style.red(style.bold(code))}: ${message || String(error)}`]
  const place = placeOf(error)
  if (place !== null && !message.includes(place.replace(/:\d+$/, ''))) lines.push(`  at ${place}`)
  if (debug || !known || ERRORS[code].fault === 'internal')
    lines.push(...stackLines(error).map(line => style.dim(line)))
  lines.push(`  next: ${known ? error.next : ERRORS.INTERNAL.next}`)
  return lines
}

/** `file:line:column` of the user's own code that led to the error; null when none is on the stack. */
export function placeOf(error: unknown): string | null {
  for (let item = error, depth = 0; item instanceof Error && depth < 5; item = item.cause, depth++) {
    const frame = (item.stack ?? '').split('\n').find(isUserFrame)
    const match = frame === undefined ? null : /\(?((?:file:\/\/)?\/[^()]*?):(\d+):(\d+)\)?$/.exec(frame)
    if (match) return `${pathOf(match[1]!)}:${match[2]}:${match[3]}`
  }
  return null
}

const OWN = new URL('../../', import.meta.url)

/** Not Node's, not ours, not a package's; but the pipelines that we ship as examples count as the user's. */
function isUserFrame(line: string): boolean {
  if (!/^\s+at .*:\d+:\d+\)?$/.test(line) || line.includes('node:') || line.includes('/node_modules/')) return false
  return !['src/', 'dist/', 'bin/', 'scripts/'].some(folder => line.includes(new URL(folder, OWN).pathname))
}

function pathOf(text: string): string {
  return text.startsWith('file://') ? fileURLToPath(text.replace(/\?.*$/, '')) : text
}

function stackLines(error: unknown): string[] {
  const lines: string[] = []
  for (let item = error, depth = 0; item instanceof Error && depth < 5; item = item.cause, depth++) {
    const stack = (item.stack ?? '').split('\n')
    lines.push(...(depth === 0 ? stack.slice(1) : ['  caused by', ...stack.map(line => `  ${line}`)]))
  }
  return lines
}
