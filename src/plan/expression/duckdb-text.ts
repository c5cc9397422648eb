/** Pieces of DuckDB SQL that more than one translation needs. */

/** Gives a name to a value that a formula uses more than once. */
export type Let = (value: string, formula: (name: string) => string) => string

const SHORT = 60

/** Values that are short are written again; longer ones are bound by a lambda over a list of one. */
export function binder(): Let {
  let count = 0
  return (value, formula) => {
    if (value.length <= SHORT) return formula(value)
    const name = `let_${++count}`
    return `list_transform([${value}], lambda ${name}: ${formula(name)})[1]`
  }
}

export const NAN = "'NaN'::DOUBLE"
export const INFINITY = "'Infinity'::DOUBLE"

/** A double: a bare 0.1 would be a DECIMAL. */
export function numberLiteral(value: number): string {
  const text = Object.is(value, -0) ? '-0' : String(value)
  return /^-?\d{1,9}(\.\d{1,6})?$/.test(text) && text.length < 12 && !text.startsWith('-')
    ? `${text}::DOUBLE`
    : `'${text}'::DOUBLE`
}

export function textLiteral(text: string): string {
  if (!text.isWellFormed()) throw new Error('a text literal with half of a surrogate pair cannot be written in SQL')
  if (!text.includes('\0')) return `'${text.replaceAll("'", "''")}'`
  return `concat(${text.split('\0').map(textLiteral).join(', chr(0), ')})`
}

/** White space as `trim` of JavaScript has it. */
export const WHITE_SPACE =
  '\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff'

/** Texts in the order of UTF-16 units: before U+E000..FFFF a U+10FFFF, so that they come after all astral characters. */
export function utf16Order(text: string): string {
  return `regexp_replace(${text}, '([\\x{E000}-\\x{FFFF}])', chr(1114111) || '\\1', 'g')`
}

/** Characters above U+FFFF, each of which JavaScript counts twice. */
export function astralCount(text: string): string {
  return `length(regexp_replace(${text}, '[^\\x{10000}-\\x{10FFFF}]', '', 'g'))`
}

/** A number as JavaScript writes it, from DuckDB's shortest digits with their mantissa and exponent. */
export function numberText(value: string, bind: Let): string {
  return bind(value, number =>
    bind(`CAST(abs(${number}) AS VARCHAR)`, text => {
      const mantissa = `regexp_replace(split_part(${text}, 'e', 1), '\\.0$', '')`
      const digits = `replace(${mantissa}, '.', '')`
      const exponent = `CAST(split_part(${text}, 'e', 2) AS INTEGER)`
      const written = [
        `CASE WHEN isnan(${number}) THEN 'NaN' WHEN isinf(${number}) THEN CASE WHEN ${number} > 0 THEN 'Infinity' ELSE '-Infinity' END`,
        `WHEN NOT contains(${text}, 'e') THEN CASE WHEN ${number} < 0 THEN '-' ELSE '' END || ${mantissa}`,
        `ELSE CASE WHEN ${number} < 0 THEN '-' ELSE '' END || CASE`,
        `WHEN ${exponent} BETWEEN 0 AND 20 THEN rpad(${digits}, ${exponent} + 1, '0')`,
        `WHEN ${exponent} > 20 THEN ${mantissa} || 'e+' || ${exponent}`,
        `WHEN ${exponent} >= -6 THEN '0.' || repeat('0', -${exponent} - 1) || ${digits}`,
        `ELSE ${mantissa} || 'e' || ${exponent} END END`,
      ]
      return written.join(' ')
    }),
  )
}
