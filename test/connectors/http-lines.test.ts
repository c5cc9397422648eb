import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonFault } from '../../src/formats/json-fault.ts'
import { linesOf } from '../../src/ingress/lines.ts'
import { parses } from './parses.ts'

const framed = (text: string, isLines = false) => {
  const { bytes, records, isBroken } = linesOf(Buffer.from(text), isLines, 1 << 20)
  const lines = Buffer.from(bytes).toString().split('\n')
  expect(lines.pop()).toBe('')
  expect(lines).toHaveLength(records)
  for (const line of lines) expect(line).not.toMatch(/^[ \t\r]*$/)
  return { lines, isBroken }
}

/** JSON with white space of any kind between its tokens. */
const spaced = (value: unknown, blanks: readonly string[]): string => {
  let next = 0
  const blank = () => (blanks.length === 0 ? '' : blanks[next++ % blanks.length]!)
  const write = (item: unknown): string => {
    if (Array.isArray(item)) return `[${blank()}${item.map(write).join(`${blank()},${blank()}`)}${blank()}]`
    if (typeof item === 'object' && item !== null) {
      const members = Object.entries(item).map(
        ([name, each]) => `${JSON.stringify(name)}${blank()}:${blank()}${write(each)}`,
      )
      return `{${blank()}${members.join(`${blank()},${blank()}`)}${blank()}}`
    }
    return JSON.stringify(item)
  }
  return blank() + write(value) + blank()
}

const blanks = fc.array(fc.stringMatching(/^[ \t\r\n]{0,3}$/), { maxLength: 7 })
const value = fc.jsonValue({ maxDepth: 4, noUnicodeString: false })
const records = fc.array(fc.oneof(value, fc.record({ name: fc.string(), 'a"\\\n': value, list: fc.array(value) })))

/** One character changed, left out, put in, or all cut off behind it. */
const fault = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom('change', 'leave out', 'put in', 'cut'),
  character: fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', '\n', ' ', 'x', '0', '\u000b'),
})
const faulty = (text: string, { at, kind, character }: typeof fault extends fc.Arbitrary<infer T> ? T : never) => {
  const place = at % (text.length + 1)
  const before = text.slice(0, place)
  const rest = text.slice(place + 1)
  const changed = {
    change: before + character + rest,
    'leave out': before + rest,
    'put in': before + character + text.slice(place),
    cut: before,
  }
  // Half a character cannot be sent as UTF-8.
  return changed[kind as keyof typeof changed].toWellFormed()
}

describe('bodies as lines', () => {
  test('an array, however it is written, becomes its elements', () => {
    fc.assert(
      fc.property(records, blanks, (elements, white) => {
        const text = spaced(elements, white)
        const { lines, isBroken } = framed(text)
        expect(isBroken).toBe(false)
        expect(lines.map(line => JSON.parse(line))).toEqual(JSON.parse(text))
      }),
    )
  })

  test('one value, however it is written, becomes one line', () => {
    fc.assert(
      fc.property(value, blanks, (one, white) => {
        const text = spaced(Array.isArray(one) ? { one } : one, white)
        const { lines, isBroken } = framed(text)
        expect(isBroken).toBe(false)
        expect(lines.map(line => JSON.parse(line))).toEqual([JSON.parse(text)])
      }),
    )
  })

  test('NDJSON, said or found out, becomes its lines', () => {
    const line = value.filter(each => !Array.isArray(each)).map(each => JSON.stringify(each))
    const end = fc.constantFrom('\n', '\r\n', '\n\n', '\n \t\r\n')
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, end), { minLength: 1 }),
        fc.boolean(),
        fc.boolean(),
        (pairs, isSaid, isCut) => {
          const text = pairs.flat().join('')
          const { lines, isBroken } = framed(isCut ? text.trimEnd() : text, isSaid)
          expect(isBroken).toBe(false)
          expect(lines.map(each => JSON.parse(each))).toEqual(pairs.map(([each]) => JSON.parse(each)))
        },
      ),
    )
  })

  test('values over several lines, one after the other, become a line each', () => {
    const text = '{\n "a": 1\n}\n{\n "b": "x,\\n{"\n}\n\n7\n'
    expect(framed(text).lines.map(line => JSON.parse(line))).toEqual([{ a: 1 }, { b: 'x,\n{' }, 7])
  })

  test('a comma behind the last element of an array is none, as in a file', () => {
    expect(framed('[{"a":1}, {"b":2} ,\n]').lines).toEqual(['{"a":1}', '{"b":2}'])
    expect(framed('[,]').isBroken).toBe(true)
    expect(framed('[1,,]').isBroken).toBe(true)
  })

  test('what is no JSON, but for that comma, never becomes records that all are', () => {
    fc.assert(
      fc.property(records, blanks, fault, (elements, white, how) => {
        const text = faulty(spaced(elements, white).trim(), how)
        fc.pre(text.trim().startsWith('['))
        const { lines } = framed(text)
        const json = text.replace(/([^\s[,])\s*,\s*\]\s*$/, '$1]')
        if (parses(json)) expect(lines.map(line => JSON.parse(line))).toEqual(JSON.parse(json))
        else expect(lines.every(parses)).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['[{"a":1},{"b":2}', 'the array does not end'],
    ['[{"a":1} {"b":2}]', 'no comma'],
    ['[{"a":1},,]', 'a comma too many'],
    ['[{"a":1}]]', 'something behind it'],
    ['[{"a":"x\ny"}]', 'a line feed in a string'],
    ['[{"a":"x\\\ny"}]', 'an escaped line feed'],
    ['{"a":1', 'the object does not end'],
    ['{"a":1}{"b":2}', 'no line between'],
    ['{"a":"x\ny"}', 'a line feed in a string'],
  ])('%j is one line that no decoder takes: %s', text => {
    const { lines, isBroken } = framed(text)
    expect(isBroken).toBe(true)
    expect(lines).toHaveLength(1)
    expect(parses(lines[0]!)).toBe(false)
  })

  test('a broken line costs the others nothing', () => {
    expect(framed('{"a":1}\n{"b":\n{"c":3}').lines).toEqual(['{"a":1}', '{"b":', '{"c":3}'])
    expect(framed('{"b":\n{"c":3}', true).lines).toEqual(['{"b":', '{"c":3}'])
  })

  test('digits stay as they came, a byte order mark goes, nothing is nothing', () => {
    expect(framed('\uFEFF[{"time":1698501145514000123}, {"time": 1.50e+2}]').lines).toEqual([
      '{"time":1698501145514000123}',
      '{"time": 1.50e+2}',
    ])
    for (const text of ['', ' \r\n\t', '[]', '[ \n ]']) expect(framed(text).lines).toEqual([])
  })
})

describe('where JSON stops', () => {
  test('there is a fault exactly where JSON.parse sees one', () => {
    fc.assert(
      fc.property(value, blanks, fault, (one, white, how) => {
        const text = faulty(spaced(one, white), how)
        expect(jsonFault(text) === null).toBe(parses(text))
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['{"a":1,\n "b":tru}', 2, 6, 'a value is missing or is none of JSON'],
    ['{"a":1,\n "b":2', 2, 7, "the body ends too early: a comma or '}' is missing"],
    ['[1,]', 1, 4, 'a value is missing or is none of JSON'],
    ['{a:1}', 1, 2, 'a name in double quotes is missing, or it is not ended'],
    ['{"a" 1}', 1, 6, "':' is missing behind a name"],
    ['{"a":"x\ny"}', 1, 6, 'the text is not ended, or a character in it must be escaped'],
    ['{"a":01}', 1, 7, "a comma or '}' is missing"],
    ['{"a":1}}', 1, 8, 'something follows the end of the value'],
    ['', 1, 1, 'the body ends too early: a value is missing or is none of JSON'],
  ])('%j: line %i, column %i', (text, line, column, message) => {
    expect(jsonFault(text)).toEqual({ line, column, message })
  })
})

test('the place of a fault is found behind a million escapes', () => {
  for (const written of ['\\n', '\\u00e4', '\\"', 'a\\\\']) {
    const text = `{"text":"${written.repeat(1_000_000)}`
    expect(jsonFault(`${text}"}`)).toBeNull()
    expect(jsonFault(`${text}\\x"}`)).toMatchObject({ line: 1, column: 9 })
  }
})
