/** Texts of JSON in one form for each value: fields by name, numbers by their digits. 1e308 is 1e+308, and 1.0 is 1. */

/** The text in that form; a text that is no JSON stays as it is. */
export function settledJson(text: string): string {
  try {
    const value: unknown = JSON.parse(text, (_key, cell: unknown, context?: { readonly source?: string }) =>
      typeof cell === 'number' ? new Digits(context?.source ?? String(cell)) : cell,
    )
    return written(value)
  } catch {
    return text
  }
}

class Digits {
  readonly source: string
  constructor(source: string) {
    this.source = source
  }
}

function written(value: unknown): string {
  if (value instanceof Digits) return settledDigits(value.source)
  if (Array.isArray(value)) return `[${value.map(written).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, cell]) => `${JSON.stringify(name)}:${written(cell)}`).join(',')}}`
}

/** Digits without zeros at either end, and the power of ten of the last one. */
function settledDigits(source: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? []
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const kept = digits.replace(/0+$/, '')
  if (kept === '') return '0'
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - kept.length)
  return power === 0n ? `${sign}${kept}` : `${sign}${kept}e${power}`
}
