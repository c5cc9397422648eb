/** A long file has a second idea in it; one that must be long says why. */
import { expect, test } from 'vitest'
import { sources, textOf } from './tree.ts'

const LINES_MAX = 350

/** Files that may be longer, up to how long, and why they are one. */
const LONGER: Readonly<Record<string, readonly [lines: number, reason: string]>> = {}

const linesOf = (path: string) => textOf(path).split('\n').length - 1

test(`no file of src/ is longer than ${LINES_MAX} lines without a reason`, () => {
  const long = sources.filter(path => linesOf(path) > (LONGER[path]?.[0] ?? LINES_MAX))
  expect(long.map(path => `${path}: ${linesOf(path)} lines`)).toEqual([])
})

test('each reason is still needed', () => {
  expect(Object.keys(LONGER).filter(path => !sources.includes(path) || linesOf(path) <= LINES_MAX)).toEqual([])
})
