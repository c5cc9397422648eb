/**
 * An expression as one line of JavaScript over column names: the same text for the same meaning, whatever the lambda's
 * variables were called and however it was laid out. Fingerprints are made of it and `millrace plan` prints it.
 */
import { toJavaScript } from './javascript.ts'
import type { Expression } from './tree.ts'

const known = new WeakMap<Expression, string>()

export function normalise(expression: Expression): string {
  let text = known.get(expression)
  if (text === undefined) {
    text = withoutOuterBrackets(toJavaScript(expression, { column: node => columnText(node.name) }))
    known.set(expression, text)
  }
  return text
}

/** Names that could be taken for something else stand in backquotes. */
function columnText(name: string): string {
  return /^[A-Za-z_][\w.]*$/.test(name) && !reserved.test(name) ? name : `\`${name.replaceAll(/[`\\]/g, '\\$&')}\``
}

const reserved = /^(null|true|false|NaN|Infinity|undefined|new|Math\..*|Number|parseFloat|parseInt|RegExp)$/

function withoutOuterBrackets(text: string): string {
  if (!text.startsWith('(') || !text.endsWith(')')) return text
  let depth = 0
  let quote: string | null = null
  for (let index = 0; index < text.length; index++) {
    const character = text[index]!
    if (quote !== null) {
      if (character === '\\') index++
      else if (character === quote) quote = null
    } else if (character === '"' || character === '`' || character === "'") quote = character
    else if (character === '(') depth++
    else if (character === ')' && --depth === 0 && index < text.length - 1) return text
  }
  return text.slice(1, -1)
}
