/** Where a text stops being JSON, in the words of a developer who reads it in an answer. Only for what is refused. */

export interface JsonFault {
  /** Both count from 1; columns in characters. */
  readonly line: number
  readonly column: number
  readonly message: string
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
/** Between the quotes of a text: all but quotes, backslashes and control characters; and what a backslash begins. */
const CHARACTERS = /[ !#-[\]-\uFFFF]*/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const WORD = /true|false|null/y
const BLANK = /[ \t\r\n]*/y

/** The first fault of a text that should be one JSON value; null when it is one. */
export function jsonFault(text: string): JsonFault | null {
  const fault = new Reader(text).read()
  if (fault === null) return null
  const before = text.slice(0, fault.at)
  const lineStart = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: fault.at - lineStart + 1, message: fault.message }
}

interface Found {
  readonly at: number
  readonly message: string
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  read(): Found | null {
    /** What closes each bracket that is open. */
    const open: string[] = []
    for (;;) {
      this.#skip(BLANK)
      const next = this.#text[this.#at]
      if (next === '{' || next === '[') {
        this.#at++
        open.push(next === '{' ? '}' : ']')
        this.#skip(BLANK)
        if (this.#text[this.#at] !== open.at(-1)) {
          const fault = next === '{' ? this.#name() : null
          if (fault !== null) return fault
          continue
        }
      } else {
        const fault = this.#scalar(next)
        if (fault !== null) return fault
      }
      // Behind a value, or at the bracket that closes an empty object or array.
      for (;;) {
        this.#skip(BLANK)
        const closing = open.at(-1)
        const after = this.#text[this.#at]
        if (closing === undefined) {
          return after === undefined ? null : this.#fault('something follows the end of the value')
        }
        if (after === closing) {
          this.#at++
          open.pop()
          continue
        }
        if (after !== ',') return this.#fault(`a comma or '${closing}' is missing`)
        this.#at++
        const fault = closing === '}' ? this.#name() : null
        if (fault !== null) return fault
        break
      }
    }
  }

  #name(): Found | null {
    this.#skip(BLANK)
    if (!this.#skipString()) return this.#fault('a name in double quotes is missing, or it is not ended')
    this.#skip(BLANK)
    if (this.#text[this.#at] !== ':') return this.#fault("':' is missing behind a name")
    this.#at++
    return null
  }

  #scalar(first: string | undefined): Found | null {
    if (first === '"')
      return this.#skipString() ? null : this.#fault('the text is not ended, or a character in it must be escaped')
    if (this.#skip(WORD) || this.#skip(NUMBER)) return null
    return this.#fault('a value is missing or is none of JSON')
  }

  /** One step after the other: a pattern for all of it would need a stack as deep as the text has escapes. */
  #skipString(): boolean {
    const start = this.#at
    if (this.#text[start] !== '"') return false
    this.#at++
    do this.#skip(CHARACTERS)
    while (this.#skip(ESCAPE))
    if (this.#text[this.#at] === '"') {
      this.#at++
      return true
    }
    this.#at = start
    return false
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    if (!pattern.test(this.#text)) return false
    this.#at = pattern.lastIndex
    return true
  }

  #fault(message: string): Found {
    const isEnd = this.#at >= this.#text.length
    return { at: this.#at, message: isEnd ? `the body ends too early: ${message}` : message }
  }
}
