import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { placeInJson } from '../../src/cli/json-place.ts'
import { parses } from '../connectors/parses.ts'

const at = (text: string, path: string) => {
  const { from, to } = placeInJson(text, path)
  return text.slice(from, to)
}

describe('the place in a JSON text', () => {
  test.each([
    ['{"a":1,"b":{"c":"x"}}', 'b.c', '"x"'],
    ['{"a":1,"b":{"c":"x"}}', 'b.d', '{"c":"x"}'],
    ['{"a":1}', 'missing', '{"a":1}'],
    [' { "a" : [ 1 , { "b\\"" : null } ] } ', 'a.1.b"', 'null'],
    ['{"a":1,"a":2}', 'a', '2'],
    ['[1,2]', '', '[1,2]'],
    ['{"a":1,}', '', '}'],
    ['{"a" 1}', '', '1'],
    ['{"a":01}', '', '1'],
    ['nope', '', 'n'],
    ['{"a":1} x', '', 'x'],
    ['{"a":"x\ny"}', '', '\n'],
    ['{"a":"\\x"}', '', '\\'],
    ['{"a":1', '', ''],
    ['', '', ''],
  ])('%j at %j is %j', (text, path, place) => {
    expect(at(text, path)).toBe(place)
  })

  test('is what a path through the parsed value gives; a text is broken exactly where JSON.parse says so', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), fc.nat(), fc.integer({ min: 0, max: 2 }), (text, seed, change) => {
        const cut = seed % (text.length + 1)
        const changed =
          change === 0 ? text : change === 1 ? text.slice(0, cut) : `${text.slice(0, cut)}}${text.slice(cut)}`
        const isJson = parses(changed)
        const place = placeInJson(changed, '')
        if (isJson) expect(JSON.parse(changed.slice(place.from, place.to))).toEqual(JSON.parse(changed))
        else {
          // All before the place could still become JSON, so another text breaks no earlier.
          expect(placeInJson(`${changed.slice(0, place.from)}\u0000`, '').from).toBe(place.from)
        }
      }),
    )
  })

  test('of a text that is nested without end is found', () => {
    expect(placeInJson('['.repeat(100_000), '').from).toBeGreaterThan(0)
  })
})
