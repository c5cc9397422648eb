/** Which kinds of steps there are is asked in the plan, by who builds steps, and by who runs or recomputes them alone. */
import { expect, test } from 'vitest'
import { sources, textOf } from './tree.ts'

const KNOWS = /^src\/(plan|pipeline|engine|verify\/oracle)\//
const ASKS = /\bkind\b\)? [!=]== '(filter|require|derive|project|explode|dedupe|window|finals)'/

test('no other layer asks for a kind of step by name: plan/traits.ts answers', () => {
  const asking = sources.flatMap(file => {
    if (KNOWS.test(file)) return []
    return textOf(file)
      .split('\n')
      .flatMap((line, index) => (ASKS.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : []))
  })
  expect(asking).toEqual([])
})
