/** `millrace tap`: a look at the rows between two steps, from a run of its own that delivers nothing. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Batch, rowsOf } from '../../engine/batch.ts'
import { rowWriter } from '../../engine/rows-json.ts'
import type { Plan, StreamNode } from '../../plan/nodes.ts'
import { runPipeline } from '../../runtime/run.ts'
import { MillraceError, nearest } from '../../system/errors.ts'
import { remove } from '../../system/files.ts'
import { ownProcessId } from '../../system/process.ts'
import type { Arguments } from '../arguments.ts'
import { EXIT } from '../exit-codes.ts'
import { inputsOf } from '../inputs.ts'
import { loadPipeline } from '../load-pipeline.ts'
import { RowPrinter } from '../row-printer.ts'
import { stopOnSignals } from '../signals.ts'
import { planUpTo, stagesOf } from '../stages.ts'
import { processTerminal, type Terminal, tableLines, timeText } from '../terminal.ts'

const DEFAULT_LIMIT = 20

export async function run(values: Arguments): Promise<number> {
  const terminal = processTerminal()
  const { plan } = await loadPipeline(values.required('FILE'))
  const stages = stagesOf(plan)
  const name = values.required('STAGE')
  if (name === '?') return await listStages(plan, stages, terminal)
  const stage = stages.get(name)
  if (!stage) throw unknownStage(name, [...stages.keys()])

  const stop = stopOnSignals()
  const rows = new TappedRows(stage, values.whole('limit') ?? DEFAULT_LIMIT, values.flag('json'), terminal)
  const duration_ms = values.duration_ms('for')
  const untilEnd = duration_ms === null && !values.flag('follow')
  const dataDirectory = join(tmpdir(), `millrace-tap-${ownProcessId()}`)
  try {
    await runPipeline(planUpTo(plan, stage), {
      dataDirectory,
      inputs: await inputsOf(plan, values.list('input')),
      untilEnd,
      duration_ms,
      strict: false,
      signal: stop.signal,
      // What follows without end is shown as it comes, a bounded answer as one table.
      onProgress: untilEnd ? null : () => void rows.show(),
      taps: new Map([
        [
          name,
          batch => {
            rows.add(batch)
            if (rows.full) stop.abort()
          },
        ],
      ]),
    })
  } finally {
    remove(dataDirectory)
  }
  await rows.show()
  if (rows.count === 0 && !values.flag('json')) terminal.remark(`no row passed ${name}`)
  return EXIT.ok
}

/** Prints rows as they come, up to a limit. */
class TappedRows {
  readonly #columns: readonly string[]
  readonly #times: readonly string[]
  readonly #limit: number
  readonly #terminal: Terminal
  readonly #printer: RowPrinter | null
  readonly #writer: ReturnType<typeof rowWriter>
  count = 0

  constructor(stage: StreamNode, limit: number, json: boolean, terminal: Terminal) {
    this.#columns = stage.columns.map(column => column.name)
    this.#times = stage.columns.filter(column => column.type === 'timestamp').map(column => column.name)
    this.#limit = limit
    this.#terminal = terminal
    this.#printer = json ? null : new RowPrinter(terminal)
    this.#writer = rowWriter(stage.columns)
  }

  get full(): boolean {
    return this.#limit > 0 && this.count >= this.#limit
  }

  add(batch: Batch): void {
    const room = this.#limit > 0 ? this.#limit - this.count : batch.length
    const length = Math.min(room, batch.length)
    if (length <= 0) return
    this.count += length
    const part = length === batch.length ? batch : { ...batch, length }
    if (this.#printer === null) {
      void this.#terminal.print(Buffer.from(this.#writer.write(part)).toString().trimEnd())
      return
    }
    for (const row of rowsOf(part)) {
      const shown = Object.fromEntries(this.#columns.map(column => [column, row[column]]))
      for (const time of this.#times) if (typeof shown[time] === 'number') shown[time] = timeText(shown[time])
      void this.#printer.add(shown)
    }
  }

  async show(): Promise<void> {
    await this.#printer?.flush()
  }
}

async function listStages(plan: Plan, stages: ReadonlyMap<string, StreamNode>, terminal: Terminal): Promise<number> {
  const rows = [...stages].map(([name, node]) => [name, node.kind, node.columns.map(column => column.name).join(', ')])
  const lines = tableLines(
    [{ title: 'stage' }, { title: 'step' }, { title: 'columns' }],
    rows,
    terminal.style,
    Infinity,
  )
  for (const line of lines) await terminal.print(line)
  if (rows.length === 0) terminal.remark(`${plan.name} has no step`)
  return EXIT.ok
}

function unknownStage(name: string, known: readonly string[]): MillraceError {
  // The last part alone is often meant: `window-1` for `activity/window-1`.
  const near = nearest(name, known) ?? known.find(stage => stage.endsWith(`/${name}`)) ?? null
  return new MillraceError(
    'OPTION_INVALID',
    `There is no stage '${name}'${near === null ? '' : `; did you mean ${near}?`}${near === null ? '; ' : ' '}there are: ${known.join(', ')}.`,
    { next: 'Use one of the stages named.' },
  )
}
