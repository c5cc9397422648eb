/** Where in the user's file a step was written. */
import type { Location } from './schema.ts'

/**
 * The caller of `method`, which is the innermost function of ours on the stack. Line 1 of the stack's text is right under
 * type stripping, bundlers with source maps and test runners alike; the structured call sites are not.
 */
export function callerOf(method: (...parameters: never[]) => unknown): Location | null {
  const holder: { stack?: string } = {}
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 1
  Error.captureStackTrace(holder, method)
  const { stack } = holder
  Error.stackTraceLimit = limit
  const match = /(?:\(|at (?:async )?)((?:file:\/\/)?[^()\n]+?):(\d+):(\d+)\)?\s*$/.exec(stack?.split('\n')[1] ?? '')
  if (match === null) return null
  return { file: pathOf(match[1]!), line: Number(match[2]), column: Number(match[3]) }
}

function pathOf(file: string): string {
  return file.startsWith('file://') ? decodeURIComponent(new URL(file).pathname) : file
}

/** `pipeline.ts:12:6`, with the whole path. */
export function formatLocation(location: Location | null): string {
  return location === null ? 'an unknown place' : `${location.file}:${location.line}:${location.column}`
}
