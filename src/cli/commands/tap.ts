/**
 * `millrace tap`: a look at the rows between two steps. A run at work shows its own; else, or where inputs are named, they
 * come from a run of the command's own that delivers nothing.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type OwnerClient, ownerOf } from '../../control/client.ts'
import type { Batch } from '../../engine/batch.ts'
import type { Plan, StreamNode } from '../../plan/nodes.ts'
import { systemClock } from '../../system/clock.ts'
import { MillraceError, nearest } from '../../system/errors.ts'
import { remove } from '../../system/files.ts'
import { keepFilesPrivate, ownProcessId } from '../../system/process.ts'
import type { Arguments } from '../arguments.ts'
import { EXIT } from '../exit-codes.ts'
import { inputsOf } from '../inputs.ts'
import { loadPipeline } from '../load-pipeline.ts'
import { stopOnSignals } from '../signals.ts'
import { planUpTo, stagesOf } from '../stages.ts'
import { TappedRows } from '../tapped-rows.ts'
import { processTerminal, type Terminal, tableLines } from '../terminal.ts'

const DEFAULT_LIMIT = 20
const SHOW_EVERY_MS = 200

export async function run(values: Arguments): Promise<number> {
  const terminal = processTerminal()
  const { plan, dataDirectory } = await loadPipeline(values.required('FILE'))
  const stages = stagesOf(plan)
  const name = values.required('STAGE')
  if (name === '?') return await listStages(plan, stages, terminal)
  const stage = stages.get(name)
  if (!stage) throw unknownStage(name, [...stages.keys()])

  const rows = new TappedRows(stage, values.whole('limit') ?? DEFAULT_LIMIT, values.flag('json'), terminal)
  const directory = dataDirectory(values.text('data-dir'))
  const owner = values.list('input').length > 0 ? null : await ownerOf(directory)
  if (owner === null) await tapOwnRun(values, plan, stage, rows)
  else await tapOwner(owner, plan, name, rows, values.duration_ms('for'), terminal)
  await rows.show()
  if (rows.count === 0 && !values.flag('json')) terminal.remark(`no row passed ${name}`)
  return EXIT.ok
}

async function tapOwner(
  owner: OwnerClient,
  plan: Plan,
  name: string,
  rows: TappedRows,
  duration_ms: number | null,
  terminal: Terminal,
): Promise<void> {
  if (owner.about.pipeline !== plan.name) {
    throw new MillraceError(
      'DATA_DIR_MISMATCH',
      `The pipeline at work there is ${owner.about.pipeline}, not ${plan.name}.`,
    )
  }
  const stop = stopOnSignals()
  if (duration_ms !== null) void systemClock.sleep(duration_ms, stop.signal).then(() => stop.abort())
  if (terminal.interactive) {
    const { dim } = terminal.remarkStyle
    terminal.remark(dim(`watching ${plan.name} at work (process ${owner.about.process}); Ctrl-C ends`))
  }
  const watched = await owner.watch(name, {
    nested: rows.isJson,
    signal: stop.signal,
    onSkipped: count => terminal.remark(`${count} rows came faster than they could be shown`),
  })
  const showing = showWhile(rows, stop.signal)
  for await (const line of watched.lines) {
    await rows.addLine(line)
    if (rows.full) break
  }
  stop.abort()
  await showing
}

/** What follows without end is shown as it comes. */
async function showWhile(rows: TappedRows, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await systemClock.sleep(SHOW_EVERY_MS, signal)
    await rows.show()
  }
}

async function tapOwnRun(values: Arguments, plan: Plan, stage: StreamNode, rows: TappedRows): Promise<void> {
  keepFilesPrivate()
  const { runPipeline } = await import('../../runtime/run.ts')
  const stop = stopOnSignals()
  const duration_ms = values.duration_ms('for')
  const untilEnd = duration_ms === null && !values.flag('follow')
  const dataDirectory = join(tmpdir(), `millrace-tap-${ownProcessId()}`)
  const tap = (batch: Batch) => {
    rows.add(batch)
    if (rows.full) stop.abort()
  }
  try {
    await runPipeline(planUpTo(plan, stage), {
      dataDirectory,
      inputs: await inputsOf(plan, values.list('input')),
      untilEnd,
      duration_ms,
      strict: false,
      signal: stop.signal,
      // A bounded answer is one table.
      onProgress: untilEnd ? null : () => void rows.show(),
      taps: new Map([[stage.identity, tap]]),
    })
  } finally {
    remove(dataDirectory)
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
