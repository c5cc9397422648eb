import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'
import { EXIT_MEANINGS } from '../../src/cli/exit-codes.ts'
import { commandHelp } from '../../src/cli/help.ts'
import { styleFor } from '../../src/cli/terminal.ts'
import { DEFAULT_RATES } from '../../src/simulate/faults.ts'

const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
const plain = styleFor({}, {})

describe('docs/cli.md and --help tell the same as the code', () => {
  test.each(COMMANDS.map(command => [command.name, command] as const))('%s', (name, command) => {
    expect(page).toContain(`\`millrace ${name}`)
    const row = page.split('\n').find(line => line.startsWith(`| \`${name}\` | \`--`)) ?? ''
    for (const option of Object.keys(command.options)) expect(row).toContain(`\`--${option}`)
    const help = commandHelp(command, plain).join('\n')
    for (const option of Object.keys(command.options)) expect(help).toContain(`--${option}`)
    expect(command.examples.length).toBeGreaterThan(0)
    for (const [example] of command.examples) {
      expect(example).toContain(`millrace ${name}`)
      expect(help).toContain(example)
    }
  })

  test('exit codes', () => {
    for (const [code, meaning] of EXIT_MEANINGS) expect(page).toContain(`| ${code} | ${meaning} |`)
  })

  test('faults', () => {
    for (const [fault, rate] of Object.entries(DEFAULT_RATES)) {
      expect(page).toMatch(new RegExp(`\\| \`${fault}\` \\|.*\\| ${String(rate).replace('.', '\\.')} `))
    }
  })
})
