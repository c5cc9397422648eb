/** From the words of the command line to an exit code; every error of every command is shown here. */
import { MillraceError, nearest } from '../system/errors.ts'
import { type CommandDescription, didYouMean, parseArguments } from './arguments.ts'
import { COMMANDS } from './commands.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'

/** Runs the command that the words name and ends the process with its exit code. */
export async function main(words: readonly string[]): Promise<void> {
  endQuietlyWithTheReader()
  process.on('uncaughtException', error => void showError(error).then(code => process.exit(code)))
  const code = await execute(words)
  await Promise.all([flushed(process.stdout), flushed(process.stderr)])
  // Threads of the warehouse and pipes to other processes must not keep a finished command alive.
  process.exit(code)
}

async function execute(words: readonly string[]): Promise<number> {
  try {
    const [first] = words
    if (first === '--version' || first === '-v') {
      process.stdout.write(`${await version()}\n`)
      return EXIT.ok
    }
    if (first === undefined || first === '--help' || first === '-h' || first === 'help')
      return await help(words.slice(1))
    if (words.includes('--help') || words.includes('-h')) return await help(namesIn(words))
    const found = commandOf(words)
    const values = parseArguments(found.command, found.rest)
    const { run } = await found.command.load()
    return await run(values)
  } catch (error) {
    return await showError(error)
  }
}

async function showError(error: unknown): Promise<number> {
  const { errorLines } = await import('./error-text.ts')
  process.stderr.write(`${errorLines(error).join('\n')}\n`)
  return exitCodeOf(error)
}

async function help(words: readonly string[]): Promise<number> {
  const { commandHelp, overview } = await import('./help.ts')
  const { styleFor } = await import('./terminal.ts')
  const style = styleFor(process.stdout)
  const group = COMMANDS.filter(command => command.name.startsWith(`${words[0]} `))
  const lines =
    words.length === 0
      ? overview(COMMANDS, style)
      : words.length === 1 && group.length > 0
        ? overview(group, style)
        : commandHelp(commandOf(words).command, style)
  process.stdout.write(`${lines.join('\n')}\n`)
  return EXIT.ok
}

/** The words before the first option: the command and its positionals. */
function namesIn(words: readonly string[]): readonly string[] {
  const end = words.findIndex(word => word.startsWith('-'))
  return end < 0 ? words : words.slice(0, end)
}

/** The command that the first one or two words name. */
function commandOf(words: readonly string[]): { command: CommandDescription; rest: readonly string[] } {
  const [first = '', second = ''] = words
  for (const command of COMMANDS) {
    if (command.name === first) return { command, rest: words.slice(1) }
    if (command.name === `${first} ${second}`) return { command, rest: words.slice(2) }
  }
  const group = COMMANDS.filter(command => command.name.startsWith(`${first} `)).map(command => command.name)
  if (group.length > 0) {
    const near = nearest(`${first} ${second}`, group)
    throw new MillraceError(
      'OPTION_UNKNOWN',
      second === '' || second.startsWith('-')
        ? `'millrace ${first}' needs one more word: ${group.map(name => `millrace ${name}`).join(', ')}`
        : `There is no command '${first} ${second}'${near === null ? `; there are: ${group.join(', ')}` : `; did you mean ${near}?`}`,
      { next: `Run 'millrace ${group[0]} --help' for its form.` },
    )
  }
  const heads = new Set(COMMANDS.map(command => command.name.split(' ')[0]!))
  throw new MillraceError(
    'OPTION_UNKNOWN',
    first.startsWith('-')
      ? `millrace knows no option ${first} before the command${didYouMean(first, ['--help', '--version'])}`
      : `There is no command '${first}'${didYouMean(first, heads) || `; there are: ${[...heads].join(', ')}`}`,
    { next: "Run 'millrace --help' for the commands." },
  )
}

async function version(): Promise<string> {
  const { readText } = await import('../system/files.ts')
  const text = readText(new URL('../../package.json', import.meta.url).pathname) ?? '{}'
  return (JSON.parse(text) as { version?: string }).version ?? 'unknown'
}

/** `millrace ... | head`: when nobody reads any more there is nothing left to say. */
function endQuietlyWithTheReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(EXIT.ok)
      throw new MillraceError('FILE_UNWRITABLE', `Cannot write the answer: ${error.message}.`, { cause: error })
    })
  }
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise(resolve => {
    if (stream.writableLength === 0) resolve()
    else stream.write('', () => resolve())
  })
}
