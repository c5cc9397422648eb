/**
 * The command line as data: a command names its positionals and options, and this file turns words into typed values.
 *
 * The words are split by node:util's parseArgs (4 ms of start-up; a full command library costs 10); what is known of each
 * option, the nearest-name answers and the help come from the description alone.
 */
import { parseArgs } from 'node:util'
import { MillraceError, nearest } from '../system/errors.ts'

/** `optional`: a flag that may have a value. */
export type OptionKind = 'flag' | 'optional' | 'text' | 'list' | 'whole' | 'duration' | 'size' | 'choice'

export interface OptionDescription {
  readonly kind: OptionKind
  /** What stands for the value in the help: `FILE`. */
  readonly value?: string
  readonly help: string
  /** What a word must look like to be the value of an `optional` that stands before it. */
  readonly pattern?: RegExp
  /** The only values of a `choice`. */
  readonly choices?: readonly string[]
  /** The smallest value of a `whole`; 0 unless given. */
  readonly minimum?: number
  /** The largest value of a `whole`; none unless given. */
  readonly maximum?: number
}

export interface PositionalDescription {
  readonly name: string
  readonly help: string
  readonly optional?: boolean
}

export interface CommandDescription {
  /** The words after `millrace`: `topics read`. */
  readonly name: string
  readonly summary: string
  readonly positionals: readonly PositionalDescription[]
  readonly options: Readonly<Record<string, OptionDescription>>
  /** Options of which at most one may be given. */
  readonly exclusive?: readonly (readonly string[])[]
  readonly examples: readonly (readonly [command: string, explanation: string])[]
  readonly load: () => Promise<{ run(values: Arguments): Promise<number> }>
}

/** The words of one call, checked against the command's description. */
export class Arguments {
  readonly #command: CommandDescription
  readonly #positionals: readonly string[]
  readonly #values: ReadonlyMap<string, readonly string[]>

  constructor(
    command: CommandDescription,
    positionals: readonly string[],
    values: ReadonlyMap<string, readonly string[]>,
  ) {
    this.#command = command
    this.#positionals = positionals
    this.#values = values
  }

  /** A positional that the description says must be there. */
  required(name: string): string {
    return this.optional(name) ?? this.#undescribed(name)
  }

  optional(name: string): string | null {
    return this.#positionals[this.#command.positionals.findIndex(positional => positional.name === name)] ?? null
  }

  flag(name: string): boolean {
    return this.#values.has(name)
  }

  text(name: string): string | null {
    return this.#values.get(name)?.at(-1) ?? null
  }

  list(name: string): readonly string[] {
    return this.#values.get(name) ?? []
  }

  whole(name: string): number | null {
    const text = this.text(name)
    return text === null ? null : Number(text)
  }

  /** The option as whole milliseconds. */
  duration_ms(name: string): number | null {
    const text = this.text(name)
    return text === null ? null : durationOf_ms(text)
  }

  /** The option as whole bytes. */
  bytes(name: string): number | null {
    const text = this.text(name)
    return text === null ? null : sizeOf_bytes(text)
  }

  #undescribed(name: string): never {
    throw new MillraceError(
      'INTERNAL',
      `the command '${this.#command.name}' reads '${name}', which it does not describe`,
    )
  }
}

/** `127.0.0.1:4401`, `[::1]:4401`, `phones.local:4401`: the host in brackets or plain, then the port. */
export const HOST_AND_PORT = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/

/** Milliseconds of `30s`, `1.5 m`, `200ms`, `2h`, `1d`; null when it is none of them. */
export function durationOf_ms(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)$/.exec(text.trim())
  if (!match) return null
  const unit_ms = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 }[match[2]!]!
  return Math.round(Number(match[1]) * unit_ms)
}

/** Bytes of `500MB`, `10 GB`; null when it is no size. */
function sizeOf_bytes(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(kB|MB|GB|TB)$/i.exec(text.trim())
  if (!match) return null
  const unit_bytes = { kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 }[match[2]!.toLowerCase()]!
  return Math.round(Number(match[1]) * unit_bytes)
}

/**
 * Checks the words after a command's name.
 *
 * Errors: OPTION_UNKNOWN with the nearest option, OPTION_INVALID for a value of the wrong form or a positional too few or
 * too many.
 */
export function parseArguments(command: CommandDescription, words: readonly string[]): Arguments {
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(
      Object.entries(command.options).map(([name, option]) => [
        name,
        { type: takesValue(option) ? ('string' as const) : ('boolean' as const), multiple: true },
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const positionals: string[] = []
  const values = new Map<string, string[]>()
  let optional: OptionDescription | null = null
  for (const token of tokens) {
    const before: OptionDescription | null = optional
    optional = null
    if (token.kind === 'positional') {
      if (before?.pattern?.test(token.value)) values.set(nameOf(command, before), [token.value])
      else positionals.push(token.value)
    }
    if (token.kind !== 'option') continue
    const option = Object.hasOwn(command.options, token.name) ? command.options[token.name] : undefined
    if (!option) throw unknownOption(command, token.rawName)
    if (option.kind === 'optional' && token.value === undefined) optional = option
    const value = checkedValue(command, token.name, option, token.value)
    const earlier = values.get(token.name)
    if (earlier && option.kind === 'list') earlier.push(value)
    else if (earlier && option.kind !== 'flag') throw invalid(command, `--${token.name} is given twice`)
    else values.set(token.name, [value])
  }
  checkPositionals(command, positionals)
  for (const names of command.exclusive ?? []) {
    const given = names.filter(name => values.has(name))
    if (given.length > 1) throw invalid(command, `${given.map(name => `--${name}`).join(' and ')} exclude each other`)
  }
  return new Arguments(command, positionals, values)
}

const takesValue = ({ kind }: OptionDescription) => kind !== 'flag' && kind !== 'optional'

const nameOf = (command: CommandDescription, option: OptionDescription) =>
  Object.keys(command.options).find(name => command.options[name] === option)!

function checkedValue(
  command: CommandDescription,
  name: string,
  option: OptionDescription,
  value: string | undefined,
): string {
  if (option.kind === 'flag') {
    if (value !== undefined) throw invalid(command, `--${name} takes no value`)
    return ''
  }
  const form = option.value ?? 'VALUE'
  if (option.kind === 'optional') {
    if (value === undefined || option.pattern?.test(value) !== false) return value ?? ''
    throw invalid(command, `--${name} takes ${form}, not '${value}'`)
  }
  if (value === undefined || value === '') throw invalid(command, `--${name} needs a value: --${name} ${form}`)
  switch (option.kind) {
    case 'whole': {
      const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = option
      if (!/^\d+$/.test(value) || Number(value) < minimum || Number(value) > maximum) {
        const range = option.maximum === undefined ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`
        throw invalid(command, `--${name} needs a whole number ${range}, not '${value}'`)
      }
      return value
    }
    case 'duration':
      if (durationOf_ms(value) === null) {
        throw invalid(command, `--${name} needs a duration such as 500ms, 30s, 10m or 2h, not '${value}'`)
      }
      return value
    case 'size':
      if (sizeOf_bytes(value) === null) {
        throw invalid(command, `--${name} needs a size such as 500MB or 20GB, not '${value}'`)
      }
      return value
    case 'choice': {
      const choices = option.choices ?? []
      if (!choices.includes(value)) {
        throw invalid(command, `--${name} is one of ${choices.join(', ')}, not '${value}'${didYouMean(value, choices)}`)
      }
      return value
    }
    default:
      return value
  }
}

function checkPositionals(command: CommandDescription, positionals: readonly string[]): void {
  const missing = command.positionals.slice(positionals.length).find(positional => positional.optional !== true)
  if (missing) throw invalid(command, `${missing.name} is missing: ${missing.help}`)
  const extra = positionals[command.positionals.length]
  if (extra !== undefined) throw invalid(command, `'${extra}' is one word too many`)
}

function unknownOption(command: CommandDescription, rawName: string): MillraceError {
  const names = Object.keys(command.options).map(name => `--${name}`)
  return new MillraceError(
    'OPTION_UNKNOWN',
    `'millrace ${command.name}' knows no option ${rawName}${didYouMean(rawName, [...names, '--help'])}`,
    { next: `Run 'millrace ${command.name} --help' for its options.` },
  )
}

function invalid(command: CommandDescription, message: string): MillraceError {
  return new MillraceError('OPTION_INVALID', message, { next: `Run 'millrace ${command.name} --help' for its form.` })
}

/** `; did you mean X?`, or nothing when no known name is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const near = nearest(name, known)
  return near === null ? '' : `; did you mean ${near}?`
}
