/** Help pages, drawn from the descriptions of the commands. */
import type { CommandDescription, OptionDescription } from './arguments.ts'
import { EXIT_MEANINGS } from './exit-codes.ts'
import type { Style } from './terminal.ts'

const GUTTER = 2

/** The page of `millrace --help`, or of a group such as `millrace topics --help`. */
export function overview(commands: readonly CommandDescription[], style: Style): string[] {
  return [
    `${style.bold('millrace')}: sensor and event pipelines in one TypeScript file`,
    '',
    style.bold('Commands'),
    ...columns(commands.map(command => [usageWords(command), command.summary])),
    '',
    "Each command explains itself: 'millrace run --help'. 'millrace --version' prints the version.",
    '',
    ...exitCodes(style),
    '',
    style.bold('Environment'),
    ...columns([
      ['NO_COLOR=1', 'no colours'],
      ['MILLRACE_DEBUG=1', 'errors with their stack and causes'],
    ]),
  ]
}

/** The page of one command. */
export function commandHelp(command: CommandDescription, style: Style): string[] {
  const lines = [
    `millrace ${usageWords(command)}${Object.keys(command.options).length > 0 ? ' [options]' : ''}`,
    '',
    command.summary,
  ]
  if (command.positionals.length > 0) {
    lines.push('', style.bold('Arguments'))
    lines.push(...columns(command.positionals.map(positional => [positional.name, positional.help])))
  }
  const options = Object.entries(command.options)
  if (options.length > 0) {
    lines.push('', style.bold('Options'))
    lines.push(...columns(options.map(([name, option]) => [optionWords(name, option), optionHelp(option)])))
  }
  lines.push('', style.bold('Examples'))
  for (const [example, explanation] of command.examples)
    lines.push(`  ${style.dim(`# ${explanation}`)}`, `  ${example}`)
  lines.push('', ...exitCodes(style))
  return lines
}

function usageWords(command: CommandDescription): string {
  const words = command.positionals.map(({ name, optional }) => (optional ? `[${name}]` : name))
  return [command.name, ...words].join(' ')
}

function optionWords(name: string, option: OptionDescription): string {
  if (option.kind === 'optional') return `--${name} [${option.value ?? 'VALUE'}]`
  return option.kind === 'flag'
    ? `--${name}`
    : `--${name} ${option.value ?? 'VALUE'}${option.kind === 'list' ? ' ...' : ''}`
}

function optionHelp(option: OptionDescription): string {
  return option.choices ? `${option.help} (${option.choices.join(', ')})` : option.help
}

function exitCodes(style: Style): string[] {
  return [style.bold('Exit codes'), ...columns(EXIT_MEANINGS.map(([code, meaning]) => [String(code), meaning]))]
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `${' '.repeat(GUTTER)}${left.padEnd(width)}${' '.repeat(GUTTER)}${right}`)
}
