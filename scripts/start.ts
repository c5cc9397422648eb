// `npm start`: the activity tracker at work. It takes what phones push over HTTP, and serves the page that shows it;
// simulated phones push from a process of their own. What was stored stays, and the next start goes on from it.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Arguments, type CommandDescription, HOST_AND_PORT, parseArguments } from '../src/cli/arguments.ts'
import { type BesideRun, openBesideRun } from '../src/cli/beside-run.ts'
import { errorLines } from '../src/cli/error-text.ts'
import { exitCodeOf } from '../src/cli/exit-codes.ts'
import { commandHelp } from '../src/cli/help.ts'
import { listenOf } from '../src/cli/listen.ts'
import { loadPipeline } from '../src/cli/load-pipeline.ts'
import { Notices } from '../src/cli/progress.ts'
import { stopOnSignals } from '../src/cli/signals.ts'
import { processTerminal, styleFor, type Terminal } from '../src/cli/terminal.ts'
import type { Listen } from '../src/connectors/contract.ts'
import type { RunProgress } from '../src/runtime/options.ts'
import { runPipeline } from '../src/runtime/run.ts'
import { systemClock } from '../src/system/clock.ts'
import { MillraceError } from '../src/system/errors.ts'
import { statusOf } from '../src/system/files.ts'
import { keepFilesPrivate } from '../src/system/process.ts'
import { phoneKeyOf } from './start/phone-key.ts'
import { type Phones, startPhones } from './start/phones.ts'
import { directoryOf, freePort, localAddress } from './start/place.ts'
import { lastLines, Rates, screenLines } from './start/screen.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const PIPELINE = join(root, 'examples/activity-tracker/pipeline.ts')
const HOST = '127.0.0.1'
const PUSH_PORT = 4401
const CONSOLE_PORT = 4400
/** Where no terminal shows a live line, one is printed this often. */
const PLAIN_EVERY_MS = 10_000
const LONG_MS = 86_400_000

const COMMAND: CommandDescription = {
  name: 'start',
  summary: 'The activity tracker: what phones push, live on a page',
  positionals: [],
  options: {
    for: { kind: 'duration', value: '20s', help: 'stop after this long; default: until Ctrl-C' },
    people: { kind: 'whole', value: 'N', minimum: 1, help: 'simulated persons with a phone each; default 6' },
    seed: { kind: 'whole', value: 'N', help: 'other people; default 1' },
    'no-phones': { kind: 'flag', help: 'simulate nobody; wait for real phones' },
    'data-dir': { kind: 'text', value: 'DIR', help: 'another folder for what is stored' },
    fresh: { kind: 'flag', help: 'remove what earlier starts stored there' },
    listen: {
      kind: 'text',
      value: 'HOST:PORT',
      help: `where phones push to; default ${HOST}:${PUSH_PORT}; 0.0.0.0 for all of this machine's addresses`,
    },
    console: {
      kind: 'optional',
      value: 'HOST:PORT',
      pattern: HOST_AND_PORT,
      help: `where the page is served; default ${HOST}:${CONSOLE_PORT}`,
    },
  },
  examples: [
    ['npm start -- --listen 0.0.0.0:4401 --no-phones', 'real phones on the network; each needs the key that is shown'],
    ['npm start -- --people 50 --seed 7 --data-dir /tmp/crowd', 'more people, elsewhere'],
    ['npm start -- --fresh', 'begin anew'],
  ],
  load: () => Promise.reject(new Error('not a command of millrace')),
}

async function start(): Promise<number> {
  const words = process.argv.slice(2)
  if (words.includes('--help') || words.includes('-h')) return help()
  const values = parseArguments(COMMAND, words)
  const stop = stopOnSignals()
  keepFilesPrivate()
  const terminal = processTerminal()
  const [{ plan }] = await Promise.all([loadPipeline(PIPELINE), buildPage(line => terminal.remark(line))])
  const dataDirectory = await directoryOf(values, join(root, '.millrace', plan.name))
  const goesOn = statusOf(join(dataDirectory, 'run.json')) !== null
  const { listen, console, taken } = await whereToListen(values)
  const people = values.flag('no-phones') ? 0 : (values.whole('people') ?? 6)
  const key = await phoneKeyOf(dataDirectory, listen)

  const running = new AbortController()
  const reporter = reporterOf(terminal)
  const opened: { beside?: BesideRun; phones?: Phones } = {}
  /** Phones first: what they have sent is answered. */
  const ending = (async () => {
    await ended(values.duration_ms('for'), stop.signal)
    await opened.phones?.stop()
    running.abort()
  })()
  try {
    const summary = await runPipeline(plan, {
      dataDirectory,
      inputs: new Map(),
      untilEnd: false,
      duration_ms: null,
      strict: false,
      signal: running.signal,
      listen,
      onReady: async handle => {
        opened.beside = await openBesideRun(handle, listen, console)
        const { places } = opened.beside
        for (const line of screenLines({ places, key, people, taken, goesOn }, terminal.style))
          await terminal.print(line)
        reporter.begin()
        const to = places.addresses[0]?.address
        if (people === 0 || to === undefined || stop.signal.aborted) return
        const seed = values.whole('seed') ?? 1
        opened.phones = startPhones({ to: localAddress(to), key, people, seed, goesOn })
        void opened.phones.ended.then(
          words => words !== null && terminal.remark(`The simulated phones have ended: ${words}`),
        )
      },
      onProgress: reporter.report,
      taps: new Map(),
    })
    terminal.live([])
    for (const line of lastLines(summary)) await terminal.print(line)
    return 0
  } finally {
    terminal.live([])
    stop.abort()
    await ending
    await opened.beside?.close()
  }
}

/** The places asked for, else the usual ones, else some near them; `taken` says so. */
async function whereToListen(values: Arguments): Promise<{ listen: Listen; console: string; taken: string[] }> {
  const taken: string[] = []
  const portOf = async (usual: number, what: string) => {
    const port = await freePort(HOST, usual)
    if (port !== usual) taken.push(`Something listens at port ${usual} already: ${what} is at another one.`)
    return port
  }
  const given = listenOf(values)
  const listen = values.flag('listen') ? given : { ...given, port: await portOf(PUSH_PORT, 'the address for phones') }
  const console = values.text('console') || `${HOST}:${await portOf(CONSOLE_PORT, 'the page')}`
  return { listen, console, taken }
}

/** How it goes, from when it is said that it goes. */
function reporterOf(terminal: Terminal): { begin(): void; report(progress: RunProgress): void } {
  const rates = new Rates(terminal.remarkStyle)
  const notices = new Notices(terminal.remarkStyle, terminal.interactive)
  let isBegun = false
  let plain_ms = 0
  return {
    begin() {
      isBegun = true
    },
    report(progress) {
      for (const line of notices.lines(progress)) terminal.remark(line)
      if (!isBegun) return
      const line = rates.line(progress)
      if (terminal.interactive) return terminal.live([line])
      if (progress.elapsed_ms < plain_ms + PLAIN_EVERY_MS) return
      plain_ms = progress.elapsed_ms
      void terminal.print(line)
    },
  }
}

function help(): number {
  process.stdout.write(`${ownName(commandHelp(COMMAND, styleFor(process.stdout)))}\n`)
  return 0
}

/** It is described as a command is, and called otherwise. */
function ownName(lines: readonly string[]): string {
  return lines.join('\n').replaceAll('millrace start', 'npm start --')
}

/** Resolves after the time given, or at the signal. */
async function ended(duration_ms: number | null, signal: AbortSignal): Promise<void> {
  do await systemClock.sleep(duration_ms ?? LONG_MS, signal)
  while (duration_ms === null && !signal.aborted)
}

/** In a process of its own: what builds it is large, and has no business in one that runs for days. */
async function buildPage(say: (line: string) => void): Promise<void> {
  const words = [join(root, 'console/build.ts')]
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] })
  let failure = ''
  child.stderr.on('data', bytes => {
    failure += bytes
  })
  const slow = setTimeout(() => say('Building the page ...'), 500)
  const code = await new Promise(resolve => {
    child.on('close', resolve)
    child.on('error', resolve)
  })
  clearTimeout(slow)
  if (code !== 0) throw new MillraceError('INTERNAL', `The page could not be built: ${failure.trim()}`)
}

function report(error: unknown): number {
  const lines = errorLines(error)
  const isOld = error instanceof MillraceError && OF_THE_DIRECTORY.has(error.code)
  if (isOld) lines.push('  or:   npm start -- --fresh, which removes what earlier starts stored')
  process.stderr.write(`${ownName(lines)}\n`)
  return exitCodeOf(error)
}

/** Errors that a new data directory does not have. */
const OF_THE_DIRECTORY: ReadonlySet<string> = new Set([
  ...['DATA_DIR_MISMATCH', 'STATE_DAMAGED', 'LOG_FORMAT', 'WAREHOUSE_MISMATCH'],
])

// The last line: what stands above must exist before it starts.
process.exit(await start().catch(report))
