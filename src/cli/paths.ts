/** Paths as one would type them in the folder one stands in. */
import { relative } from 'node:path'

/** The shorter of the path from here and the absolute one; `.` for this folder. */
export function shortest(path: string): string {
  const fromHere = relative(process.cwd(), path)
  if (fromHere === '') return '.'
  return fromHere.length < path.length && !fromHere.startsWith('../..') ? fromHere : path
}
