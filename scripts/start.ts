// `npm start`: the main job on simulated phones. A second process writes what the phones send, in real time and with a
// past of a minute; the activity tracker follows the file, and the activities appear here as they come.
import { type ChildProcess, spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CommandDescription, parseArguments } from '../src/cli/arguments.ts'
import { errorLines } from '../src/cli/error-text.ts'
import { exitCodeOf } from '../src/cli/exit-codes.ts'
import { loadPipeline } from '../src/cli/load-pipeline.ts'
import { shortest } from '../src/cli/paths.ts'
import { stopOnSignals } from '../src/cli/signals.ts'
import { elapsedText, grouped, processTerminal, type Style, tableLines, timeText } from '../src/cli/terminal.ts'
import { sourceForInput } from '../src/connectors/input.ts'
import { type Batch, rowsOf } from '../src/engine/batch.ts'
import type { RunProgress } from '../src/runtime/options.ts'
import { takeOwnership } from '../src/runtime/owner.ts'
import { runPipeline } from '../src/runtime/run.ts'
import { systemClock } from '../src/system/clock.ts'
import { listFolder, makeFolder, remove, statusOf } from '../src/system/files.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const TOPIC = 'raw_sensor_data'
const RESULTS = 'processed_activity'
const FAULTS = 'late,duplicate,out-of-order,malformed=0.0002'
const HISTORY = '1m'

const COMMAND: CommandDescription = {
  name: 'start',
  summary: 'The activity tracker on simulated phones',
  positionals: [],
  options: {
    for: { kind: 'duration', value: '20s', help: 'stop after this long; default: until Ctrl-C' },
    people: { kind: 'whole', value: 'N', minimum: 1, help: 'persons with a phone each; default 6' },
    'data-dir': { kind: 'text', value: 'DIR', help: 'another folder for what is stored' },
    seed: { kind: 'whole', value: 'N', help: 'other people; default 1' },
  },
  examples: [],
  load: () => Promise.reject(new Error('not a command of millrace')),
}

async function start(): Promise<number> {
  const values = parseArguments(COMMAND, process.argv.slice(2))
  const stop = stopOnSignals()
  const terminal = processTerminal()
  const { plan } = await loadPipeline(join(root, 'examples/activity-tracker/pipeline.ts'))
  const dataDirectory = freshDirectory(resolve(values.text('data-dir') ?? join(root, '.millrace', plan.name)))
  const input = join(dataDirectory, 'simulated', 'phones.ndjson')
  const stage = plan.produces.find(produce => produce.topic.name === RESULTS)?.stream.identity ?? ''
  const people = values.whole('people') ?? 6

  terminal.remark(`${people} simulated phones -> ${TOPIC} -> ${plan.name} -> ${RESULTS}; Ctrl-C stops`)
  const phones = simulate(input, people, values.whole('seed') ?? 1)
  try {
    while (!stop.signal.aborted && (statusOf(input)?.bytes ?? 0) === 0 && phones.exitCode === null) {
      await systemClock.sleep(20, stop.signal)
    }
    const live = terminal.interactive && process.stdout.isTTY === true
    const board = new Board(terminal.remarkStyle)
    const summary = await runPipeline(plan, {
      dataDirectory,
      inputs: new Map([[TOPIC, [sourceForInput(input)]]]),
      untilEnd: false,
      duration_ms: values.duration_ms('for'),
      strict: false,
      signal: stop.signal,
      onProgress: progress => live && terminal.live(board.lines(progress)),
      taps: new Map([
        [
          stage,
          batch => {
            const lines = board.add(batch)
            if (!live) for (const line of lines) void terminal.print(line)
          },
        ],
      ]),
    })
    terminal.settle()
    const records = summary.topics.find(topic => topic.topic === TOPIC)?.records ?? 0
    await terminal.print(`stopped after ${elapsedText(summary.elapsed_ms)}: ${grouped(records)} readings`)
    const shown = shortest(dataDirectory)
    await terminal.print(
      `look  bin/millrace.js query "FROM PROCESSED_DATA.USER_ACTIVITY_PROCESSED" --data-dir ${shown}`,
    )
    return 0
  } finally {
    phones.kill()
  }
}

function simulate(output: string, people: number, seed: number): ChildProcess {
  const words = ['simulate', 'phones', '--rate', 'realtime', '--start', `now-${HISTORY}`, '--faults', FAULTS]
  const numbers = ['--people', String(people), '--seed', String(seed), '--output', output]
  return spawn(process.execPath, [join(root, 'bin/millrace.js'), ...words, ...numbers], {
    // The channel ends the phones when this process is killed: nobody else would.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
}

/**
 * A folder for this demonstration. What an earlier one left is removed; a run of the user's own, which has no
 * `simulated` folder, is left alone.
 */
function freshDirectory(path: string): string {
  const own = listFolder(path).length > 0 && statusOf(join(path, 'simulated')) === null
  const directory = own ? `${path}-simulated` : path
  // Says so when another demonstration is at work there.
  takeOwnership(directory).release()
  remove(directory)
  makeFolder(join(directory, 'simulated'))
  return directory
}

/** The latest activity of each phone, as a table that is drawn again and again, or as one line a window. */
class Board {
  readonly #style: Style
  readonly #phones = new Map<string, { latest: ReturnType<typeof activityOf>; magnitudes: number[] }>()

  constructor(style: Style) {
    this.#style = style
  }

  add(batch: Batch): string[] {
    return rowsOf(batch).map(row => {
      const activity = activityOf(row)
      const phone = this.#phones.get(activity.phone)
      const magnitudes = [...(phone?.magnitudes ?? []), activity.magnitude].slice(-24)
      this.#phones.set(activity.phone, { latest: activity, magnitudes })
      const { confidence, magnitude, end_us } = activity
      return `${timeText(end_us)}  ${activity.phone}  ${activity.name.padEnd(10)}  ${percent(confidence)}  ${magnitude.toFixed(2)} m/s²`
    })
  }

  lines(progress: RunProgress): string[] {
    const rows = [...this.#phones]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([phone, { latest, magnitudes }]) => [
        phone,
        this.#paint(latest.name),
        percent(latest.confidence),
        latest.magnitude.toFixed(2),
        magnitudes.map(blockFor).join(''),
        timeText(latest.end_us).slice(11),
      ])
    const raw = progress.topics.find(topic => topic.topic === TOPIC)
    const remarks = [`${grouped(raw?.records ?? 0)} readings`, `${grouped(raw?.late ?? 0)} late`]
    if (raw?.deadLetters) remarks.push(`${grouped(raw.deadLetters)} refused`)
    return [
      '',
      ...tableLines(
        [
          { title: 'phone' },
          { title: 'activity' },
          { title: 'confidence', align: 'right' },
          { title: 'm/s²', align: 'right' },
          { title: 'the last windows' },
          { title: 'until (UTC)' },
        ],
        rows,
        this.#style,
      ),
      '',
      this.#style.dim(remarks.join(' · ')),
    ]
  }

  #paint(name: string): string {
    const { dim, green, yellow, red } = this.#style
    const colours: Record<string, (text: string) => string> = {
      Stationary: dim,
      Walking: green,
      Running: yellow,
      Sprinting: red,
    }
    return (colours[name] ?? dim)(name)
  }
}

function activityOf(row: Readonly<Record<string, unknown>>) {
  return {
    phone: String(row.deviceId),
    name: String(row.activity_type),
    confidence: Number(row.confidence),
    magnitude: Number(row.avg_magnitude),
    end_us: Number(row.window_end),
  }
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`.padStart(5)
}

function blockFor(magnitude: number): string {
  return '▁▂▃▄▅▆▇█'[Math.min(7, Math.floor(magnitude))]!
}

function report(error: unknown): number {
  process.stderr.write(`${errorLines(error).join('\n')}\n`)
  return exitCodeOf(error)
}

// The last line: what stands above must exist before it starts.
process.exit(await start().catch(report))
