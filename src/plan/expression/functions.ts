/**
 * The functions that an expression can call: what they take and give, and how JavaScript writes them. Their SQL is in
 * `duckdb-functions.ts`, a record over the same names.
 */
import { constantNumber, constantText, type Expression, type ExpressionType } from './tree.ts'

/** Why a function's SQL may answer differently. */
export type Inexactness = 'last bits' | 'characters above U+FFFF' | 'special casing' | 'hexadecimal texts'

export interface FunctionSignature {
  /** `number` takes timestamps too. */
  readonly parameters: readonly ExpressionType[]
  /** How many of the parameters, counted from the end, may be left out; default 0. */
  readonly optional?: number
  /** The last parameter may be given any number of times. */
  readonly variadic?: true
  readonly result: ExpressionType
  /** JavaScript answers `undefined` for some arguments, which the expression takes as null. */
  readonly partial?: true
  readonly inexact?: Inexactness
  readonly javascript: (args: readonly string[]) => string
  /** What is asked of constant arguments: the reason when it is not so, else null. */
  readonly check?: (args: readonly Expression[]) => string | null
}

const method =
  (name: string) =>
  ([self, ...rest]: readonly string[]) =>
    `${self}.${name}(${rest.join(', ')})`

const math = (name: string, inexact?: Inexactness): FunctionSignature => ({
  parameters: ['number'],
  result: 'number',
  ...(inexact && { inexact }),
  javascript: args => `Math.${name}(${args.join(', ')})`,
})

const predicate = (name: string): FunctionSignature => ({
  parameters: ['number'],
  result: 'boolean',
  javascript: args => `Number.${name}(${args.join(', ')})`,
})

const text = (
  name: string,
  parameters: readonly ExpressionType[],
  result: ExpressionType,
  more: Partial<FunctionSignature> = {},
): FunctionSignature => ({ parameters: ['text', ...parameters], result, javascript: method(name), ...more })

const dateField = (name: string): FunctionSignature => ({
  parameters: ['date'],
  result: 'number',
  javascript: method(name),
})

const astral = { inexact: 'characters above U+FFFF' } as const

const constantReplacement = (args: readonly Expression[]) =>
  constantText(args[1]) === null || constantText(args[2]) === null || constantText(args[2])!.includes('$')
    ? 'its two arguments must be constant texts without `$`'
    : null

const constantRange = (index: number, most: number) => (args: readonly Expression[]) => {
  const value = constantNumber(args[index])
  if (args[index] === undefined) return null
  return value !== null && Number.isInteger(value) && value >= 0 && value <= most
    ? null
    : `its argument must be a constant whole number from 0 to ${most}`
}

/** Written as JavaScript would: the pattern and its flags are constant texts. */
const regularExpression = ([value, pattern, flags]: readonly string[]) =>
  `new RegExp(${pattern}, ${flags}).test(${value})`

const FUNCTION_TABLE = {
  'Math.abs': math('abs'),
  'Math.acos': math('acos', 'last bits'),
  'Math.asin': math('asin', 'last bits'),
  'Math.atan': math('atan', 'last bits'),
  'Math.atan2': { ...math('atan2', 'last bits'), parameters: ['number', 'number'] },
  'Math.cbrt': math('cbrt', 'last bits'),
  'Math.ceil': math('ceil'),
  'Math.cos': math('cos', 'last bits'),
  'Math.cosh': math('cosh', 'last bits'),
  'Math.exp': math('exp', 'last bits'),
  'Math.floor': math('floor'),
  'Math.hypot': { ...math('hypot', 'last bits'), variadic: true },
  'Math.log': math('log', 'last bits'),
  'Math.log10': math('log10', 'last bits'),
  'Math.log2': math('log2', 'last bits'),
  'Math.max': { ...math('max'), variadic: true },
  'Math.min': { ...math('min'), variadic: true },
  'Math.round': math('round'),
  'Math.sign': math('sign'),
  'Math.sin': math('sin', 'last bits'),
  'Math.sinh': math('sinh', 'last bits'),
  'Math.sqrt': math('sqrt'),
  'Math.tan': math('tan', 'last bits'),
  'Math.tanh': math('tanh', 'last bits'),
  'Math.trunc': math('trunc'),
  'Number.isFinite': predicate('isFinite'),
  'Number.isInteger': predicate('isInteger'),
  'Number.isNaN': predicate('isNaN'),
  'int64.asNumber': {
    parameters: ['int64'],
    result: 'number',
    javascript: args => `Number(${args[0]})`,
  },
  Number: {
    parameters: ['text'],
    result: 'number',
    inexact: 'hexadecimal texts',
    javascript: args => `Number(${args[0]})`,
  },
  parseFloat: { parameters: ['text'], result: 'number', javascript: args => `parseFloat(${args[0]})` },
  parseInt: {
    parameters: ['text', 'number'],
    optional: 1,
    result: 'number',
    javascript: args => `parseInt(${args.join(', ')})`,
  },
  'number.toFixed': {
    parameters: ['number', 'number'],
    optional: 1,
    result: 'text',
    javascript: method('toFixed'),
    check: constantRange(1, 20),
  },
  'text.length': { parameters: ['text'], result: 'number', javascript: ([self]) => `${self}.length` },
  'text.at': text('at', ['number'], 'text', {
    partial: true,
    ...astral,
    javascript: args => `(${method('at')(args)} ?? null)`,
  }),
  'text.charAt': text('charAt', ['number'], 'text', astral),
  'text.endsWith': text('endsWith', ['text'], 'boolean'),
  'text.includes': text('includes', ['text'], 'boolean'),
  'text.indexOf': text('indexOf', ['text'], 'number'),
  'text.padEnd': text('padEnd', ['number', 'text'], 'text', { optional: 1, ...astral, check: constantRange(1, 1000) }),
  'text.padStart': text('padStart', ['number', 'text'], 'text', {
    optional: 1,
    ...astral,
    check: constantRange(1, 1000),
  }),
  'text.repeat': text('repeat', ['number'], 'text', { check: constantRange(1, 100) }),
  'text.replace': text('replace', ['text', 'text'], 'text', { check: constantReplacement }),
  'text.replaceAll': text('replaceAll', ['text', 'text'], 'text', { check: constantReplacement }),
  'text.slice': text('slice', ['number', 'number'], 'text', { optional: 1, ...astral }),
  'text.splitPart': {
    parameters: ['text', 'text', 'number'],
    result: 'text',
    partial: true,
    javascript: ([self, separator, index]) => `(${self}.split(${separator})[${index}] ?? null)`,
    check: args =>
      constantText(args[1]) && constantRange(2, 1000)(args) === null
        ? null
        : 'the separator must be a constant text that is not empty, the index a constant whole number',
  },
  'text.startsWith': text('startsWith', ['text'], 'boolean'),
  'text.substring': text('substring', ['number', 'number'], 'text', { optional: 1, ...astral }),
  'text.test': { parameters: ['text', 'text', 'text'], result: 'boolean', javascript: regularExpression },
  'text.toLowerCase': text('toLowerCase', [], 'text', { inexact: 'special casing' }),
  'text.toUpperCase': text('toUpperCase', [], 'text', { inexact: 'special casing' }),
  'text.trim': text('trim', [], 'text'),
  'text.trimEnd': text('trimEnd', [], 'text'),
  'text.trimStart': text('trimStart', [], 'text'),
  date: { parameters: ['number'], result: 'date', javascript: args => `new Date(${args[0]})` },
  'date.getTime': dateField('getTime'),
  'date.getUTCDate': dateField('getUTCDate'),
  'date.getUTCDay': dateField('getUTCDay'),
  'date.getUTCFullYear': dateField('getUTCFullYear'),
  'date.getUTCHours': dateField('getUTCHours'),
  'date.getUTCMilliseconds': dateField('getUTCMilliseconds'),
  'date.getUTCMinutes': dateField('getUTCMinutes'),
  'date.getUTCMonth': dateField('getUTCMonth'),
  'date.getUTCSeconds': dateField('getUTCSeconds'),
  'date.toISOString': {
    parameters: ['date'],
    result: 'text',
    javascript: method('toISOString'),
    // Any other number may be no date at all, and then the method throws.
    check: ([date]) =>
      date?.kind === 'call' && isMillisecondsOfTimestamp(date.arguments[0])
        ? null
        : 'only the date of a timestamp column, `new Date(r.time / 1000)`, is known to be a valid date',
  },
  '$.formatTime': {
    parameters: ['timestamp', 'text', 'text'],
    optional: 1,
    result: 'text',
    javascript: ([time, pattern, zone]) =>
      `$.formatTime(${time}, ${pattern}${zone === undefined ? '' : `, { zone: ${zone} }`})`,
    check: args =>
      constantText(args[1]) === null || (args[2] !== undefined && constantText(args[2]) === null)
        ? 'the pattern and the zone must be constant texts'
        : null,
  },
} as const satisfies Record<string, FunctionSignature>

export type FunctionName = keyof typeof FUNCTION_TABLE

export const FUNCTIONS: Readonly<Record<FunctionName, FunctionSignature>> = FUNCTION_TABLE

export function isFunctionName(name: string): name is FunctionName {
  return Object.hasOwn(FUNCTION_TABLE, name)
}

/** `time / 1000`, where the time is a timestamp: milliseconds that every Date can hold. */
function isMillisecondsOfTimestamp(node: Expression | undefined): boolean {
  return (
    node?.kind === 'arithmetic' &&
    node.operator === '/' &&
    node.left.type === 'timestamp' &&
    constantNumber(node.right) === 1000
  )
}
