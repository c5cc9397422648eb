/** A long file has a second idea in it; one that must be long says why. */
import { expect, test } from 'vitest'
import { sources, textOf } from './tree.ts'

const LINES_MAX = 400

/** Files that may be longer, up to how long, and why they are one. */
const LONGER: Readonly<Record<string, readonly [lines: number, reason: string]>> = {
  'src/engine/decode/emit.ts': [
    620,
    'one generated function: each form of value is a part of the same walk over a line',
  ],
  'src/engine/chain/generate.ts': [430, 'one generated loop: slots and names are shared by all steps'],
  'src/engine/operators/window.ts': [540, 'one operator: arrival, emission and closing share the state of a group'],
  'src/log/topic-log.ts': [
    530,
    'one state: what is gathered, written and durable is moved on by append, commit and failure together',
  ],
  'src/plan/expression/translate.ts': [430, 'one dispatch over syntax, whose cases call each other'],
}

const linesOf = (path: string) => textOf(path).split('\n').length - 1

test(`no file of src/ is longer than ${LINES_MAX} lines without a reason`, () => {
  const long = sources.filter(path => linesOf(path) > (LONGER[path]?.[0] ?? LINES_MAX))
  expect(long.map(path => `${path}: ${linesOf(path)} lines`)).toEqual([])
})

test('each reason is still needed', () => {
  expect(Object.keys(LONGER).filter(path => !sources.includes(path) || linesOf(path) <= LINES_MAX)).toEqual([])
})
