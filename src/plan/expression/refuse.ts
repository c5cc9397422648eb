/** What no lambda may do, translated or not: answers that change with the clock, the machine or its time zone. */
import type { Expression, MemberExpression, Node } from 'acorn'
import { type FunctionSyntax, propertyName, syntaxChildren, unwrapped } from './source.ts'

const CLOCK = 'a lambda must give the same answer whenever it is run'

/** Why the function is refused, with the form to write instead; null when it is not. */
export function refusalOf(root: FunctionSyntax, free: ReadonlySet<string>): string | null {
  const visit = (node: Node): string | null => {
    const reason = refusalOfNode(node as Expression, free)
    if (reason !== null) return reason
    for (const child of syntaxChildren(node)) {
      const below = visit(child)
      if (below !== null) return below
    }
    return null
  }
  return visit(root)
}

function refusalOfNode(node: Expression, free: ReadonlySet<string>): string | null {
  const isGlobal = (candidate: Node, name: string) =>
    candidate.type === 'Identifier' && (candidate as unknown as { name: string }).name === name && free.has(name)
  switch (node.type) {
    case 'NewExpression': {
      if (!isGlobal(node.callee, 'Date')) return null
      if (node.arguments.length === 0)
        return `\`new Date()\` reads the clock; ${CLOCK}: use a timestamp column of the row`
      if (node.arguments.length > 1) {
        return '`new Date(year, month, ...)` depends on the time zone of the process: write `new Date(Date.UTC(year, month, ...))`'
      }
      return null
    }
    case 'CallExpression': {
      if (isGlobal(node.callee, 'Date'))
        return `\`Date()\` reads the clock; ${CLOCK}: use a timestamp column of the row`
      return node.callee.type === 'MemberExpression' ? refusalOfMethod(node.callee) : null
    }
    case 'MemberExpression': {
      const object = unwrapped(node.object as Expression)
      const name = propertyName(node)
      if (isGlobal(object, 'Date') && name === 'now')
        return `\`Date.now()\` reads the clock; ${CLOCK}: use a timestamp column of the row`
      if (isGlobal(object, 'Math') && name === 'random') return `\`Math.random()\` is random; ${CLOCK}`
      if (isGlobal(object, 'performance')) return `\`performance.${name ?? ''}\` reads the clock; ${CLOCK}`
      if (isGlobal(object, 'crypto')) return `\`crypto.${name ?? ''}\` is random; ${CLOCK}`
      if (isGlobal(object, 'process'))
        return `\`process.${name ?? ''}\` depends on the machine: pass what it says as a parameter, \`(r, $) => ...\``
      return null
    }
    default:
      return null
  }
}

function refusalOfMethod(callee: MemberExpression): string | null {
  const name = propertyName(callee)
  if (name === null) return null
  const getter = /^([gs]et)(FullYear|Month|Date|Day|Hours|Minutes|Seconds|Milliseconds)$/.exec(name)
  if (getter) return `\`${name}\` depends on the time zone of the process: write \`${getter[1]}UTC${getter[2]}\``
  if (name === 'getTimezoneOffset')
    return '`getTimezoneOffset` depends on the time zone of the process: times are in UTC'
  if (name === 'localeCompare')
    return '`localeCompare` depends on the language of the machine: compare with `<`, `>` and `===`'
  if (/^toLocale/.test(name)) {
    const plain = name === 'toLocaleUpperCase' || name === 'toLocaleLowerCase' ? name.replace('Locale', '') : null
    return `\`${name}\` depends on the language of the machine: write \`${plain ?? '$.formatTime(time, pattern)` or `toFixed'}\``
  }
  if (name === 'toDateString' || name === 'toTimeString')
    return `\`${name}\` depends on the time zone of the process: write \`toISOString\``
  return null
}
