/** Where in a JSON text a field stands, or where it stops being JSON. */

/** Characters `from` to `to` (excluded). */
export interface TextPlace {
  readonly from: number
  readonly to: number
}

class Broken {
  readonly at: number
  constructor(at: number) {
    this.at = at
  }
}

/**
 * The value at a path such as `values.x` or `items.0.name`, or of the nearest object around it; where the text is no JSON,
 * the character that breaks it.
 */
export function placeInJson(text: string, path: string): TextPlace {
  const places = new Map<string, TextPlace>()
  try {
    const end = skipBlanks(text, valueFrom(text, skipBlanks(text, 0), '', places, 0))
    if (end < text.length) throw new Broken(end)
  } catch (error) {
    if (!(error instanceof Broken)) throw error
    const from = Math.min(error.at, text.length)
    return { from, to: from + 1 }
  }
  const parts = path.split('.')
  while (parts.length > 0) {
    const place = places.get(parts.join('.'))
    if (place !== undefined) return place
    parts.pop()
  }
  return places.get('')!
}

const DEPTH_MAX = 1000
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them as they are.
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
/** The longest beginning of a text that could still become one. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them as they are.
const STRING_BEGINNING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y

function skipBlanks(text: string, at: number): number {
  while (at < text.length && ' \t\n\r'.includes(text[at]!)) at++
  return at
}

/** Notes the places of a value and of all in it; returns where it ends. */
function valueFrom(text: string, at: number, path: string, places: Map<string, TextPlace>, depth: number): number {
  if (depth > DEPTH_MAX) throw new Broken(at)
  const open = text[at]
  const end =
    open === '{' || open === '['
      ? membersFrom(text, at, path, places, depth)
      : open === '"'
        ? stringFrom(text, at)
        : matchFrom(SCALAR, text, at)
  places.set(path, { from: at, to: end })
  return end
}

function membersFrom(text: string, at: number, path: string, places: Map<string, TextPlace>, depth: number): number {
  const isObject = text[at] === '{'
  const close = isObject ? '}' : ']'
  let next = skipBlanks(text, at + 1)
  if (text[next] === close) return next + 1
  for (let index = 0; ; index++) {
    let name = String(index)
    if (isObject) {
      const end = stringFrom(text, next)
      name = JSON.parse(text.slice(next, end)) as string
      next = skipBlanks(text, end)
      if (text[next] !== ':') throw new Broken(next)
      next = skipBlanks(text, next + 1)
    }
    next = skipBlanks(text, valueFrom(text, next, path === '' ? name : `${path}.${name}`, places, depth + 1))
    if (text[next] === close) return next + 1
    if (text[next] !== ',') throw new Broken(next)
    next = skipBlanks(text, next + 1)
  }
}

function stringFrom(text: string, at: number): number {
  STRING.lastIndex = at
  if (STRING.test(text)) return STRING.lastIndex
  if (text[at] !== '"') throw new Broken(at)
  STRING_BEGINNING.lastIndex = at
  STRING_BEGINNING.test(text)
  throw new Broken(STRING_BEGINNING.lastIndex)
}

function matchFrom(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  if (pattern.test(text)) return pattern.lastIndex
  throw new Broken(at)
}
