/**
 * Texts of which JavaScript and SQL make different things: where a lambda may meet one, what it gives is not known.
 *
 * Casing that changes the length or goes by the neighbours (Unicode's SpecialCasing.txt), characters of two UTF-16 units,
 * and numbers that JavaScript reads in other bases.
 */
import { inexact } from '../../plan/expression/duckdb.ts'
import { FUNCTIONS } from '../../plan/expression/functions.ts'
import type { Lambda } from '../../plan/expression/lambda.ts'
import { type Built, type Doubt, last } from './built.ts'
import { literal, quoted } from './text.ts'

const ODD: Readonly<Record<string, string>> = {
  'special casing':
    '[\\x{DF}\\x{130}\\x{149}\\x{1F0}\\x{390}\\x{3A3}\\x{3B0}\\x{587}\\x{1E96}-\\x{1E9E}\\x{1F50}-\\x{1FFF}\\x{FB00}-\\x{FB17}]',
  'characters above U+FFFF': '[\\x{10000}-\\x{10FFFF}]',
  'hexadecimal texts': '^\\s*0[xXoObB]',
}

/** Whether a lambda meets such texts, as questions to the rows that it reads. */
export function oddTexts({ expression, reads }: Lambda, input: Built): Doubt[] {
  if (expression === null) return []
  const texts = input.columns.filter(
    ({ name, type, unknown }) => type === 'text' && unknown === null && reads.includes(name),
  )
  if (texts.length === 0) return []
  return inexact(expression).flatMap(name => {
    const reason = name in FUNCTIONS ? FUNCTIONS[name as keyof typeof FUNCTIONS].inexact : undefined
    const pattern = typeof reason === 'string' ? ODD[reason] : undefined
    if (pattern === undefined) return []
    const odd = texts.map(column => `regexp_matches(${quoted(column.name)}, ${literal(pattern)})`).join(' OR ')
    return {
      sql: `WITH ${input.steps.join(',\n')}\nSELECT EXISTS (SELECT 1 FROM ${last(input)} WHERE ${odd})`,
      reason: `${texts.map(column => column.name).join(', ')} holds texts with ${reason}, of which ${name} makes something else in SQL`,
    }
  })
}
