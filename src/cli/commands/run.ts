/** `millrace run`: the pipeline itself. */
import type { Plan } from '../../plan/nodes.ts'
import type { RunProgress } from '../../runtime/options.ts'
import { systemClock } from '../../system/clock.ts'
import { keepFilesPrivate, keepHeapSmall } from '../../system/process.ts'
import type { Arguments } from '../arguments.ts'
import { type BesideRun, openBesideRun, type Places, placesLines } from '../beside-run.ts'
import { EXIT } from '../exit-codes.ts'
import { inputsOf } from '../inputs.ts'
import { listenOf } from '../listen.ts'
import { loadPipeline } from '../load-pipeline.ts'
import { Notices, ProgressLines } from '../progress.ts'
import { shownAsTopic, summaryLines } from '../run-summary.ts'
import { stopOnSignals } from '../signals.ts'
import { jsonText, processTerminal, type Terminal } from '../terminal.ts'

/** Events of a run are printed so often. */
const EVENT_EVERY_MS = 1000
/** A run with an end that takes longer than this can be asked by other commands. */
const ASKED_AFTER_MS = 1000

export async function run(values: Arguments): Promise<number> {
  const stop = stopOnSignals()
  keepFilesPrivate()
  const path = values.required('FILE')
  if (!values.flag('until-end')) keepHeapSmall()
  const listen = listenOf(values)
  const workers = values.whole('workers') ?? 1
  // Threads start before the pipeline is loaded, so that both load at the same time.
  const pool = workers > 1 ? new (await import('../../engine/workers/pool.ts')).WorkerPool(workers - 1) : null
  const [{ plan, dataDirectory }, { runPipeline }] = await Promise.all([
    loadPipeline(path),
    import('../../runtime/run.ts'),
  ])
  const terminal = processTerminal()
  const report = reporterOf(values, plan, terminal)
  let beside: BesideRun | null = null
  const over = new AbortController()
  let opening: Promise<void> | null = null
  const summary = await runPipeline(plan, {
    dataDirectory: dataDirectory(values.text('data-dir')),
    inputs: await inputsOf(plan, values.list('input')),
    untilEnd: values.flag('until-end'),
    duration_ms: values.duration_ms('for'),
    strict: values.flag('strict'),
    pool,
    signal: stop.signal,
    listen,
    diskBudget_bytes: values.bytes('disk-budget'),
    sinkTimeout_ms: values.duration_ms('sink-timeout'),
    onReady: handle => {
      const open = async () => {
        beside = await openBesideRun(handle, listen, values.text('console'))
        report.ready(beside.places)
      }
      if (!values.flag('until-end') || values.text('console') !== null) return open()
      // Most inputs are read before anybody could ask beside it.
      opening = systemClock.sleep(ASKED_AFTER_MS, over.signal).then(() => (over.signal.aborted ? undefined : open()))
    },
    onWait: reason => terminal.remark(`wait   ${reason}`),
    onProgress: progress => report.progress(progress),
    taps: new Map(),
  }).finally(async () => {
    terminal.live([])
    over.abort()
    await opening
    await beside?.close()
    await pool?.close()
  })
  if (values.flag('json')) await terminal.print(jsonText(summary))
  else if (values.flag('events')) await terminal.print(jsonText({ event: 'summary', ...summary }))
  else for (const line of summaryLines(plan, path, summary, terminal.style)) await terminal.print(line)
  return EXIT.ok
}

interface Reporter {
  ready(places: Places): void
  progress(report: RunProgress): void
}

/** What is said while it works: JSON a line for machines, live lines where a person looks. */
function reporterOf(values: Arguments, plan: Plan, terminal: Terminal): Reporter {
  if (values.flag('events')) {
    let last_ms = Number.NEGATIVE_INFINITY
    let isReady = false
    return {
      ready(places) {
        isReady = true
        void terminal.print(jsonText({ event: 'ready', ...places }))
      },
      progress(report) {
        if (!isReady || report.elapsed_ms - last_ms < EVENT_EVERY_MS) return
        last_ms = report.elapsed_ms
        void terminal.print(jsonText({ event: 'progress', ...report }))
      },
    }
  }
  const untilEnd = values.flag('until-end')
  const shown = shownAsTopic(plan)
  const { remarkStyle: style, interactive } = terminal
  const lines = new ProgressLines(style, untilEnd)
  const notices = new Notices(style, interactive)
  return {
    ready(places) {
      if (values.flag('json')) return
      for (const line of placesLines(places, style)) terminal.remark(line)
      if (interactive && !untilEnd) terminal.remark(style.dim('Ctrl-C stops cleanly.'))
    },
    progress(report) {
      for (const line of notices.lines(report)) terminal.remark(line)
      if (interactive) terminal.live(lines.lines({ ...report, topics: report.topics.filter(shown) }))
    },
  }
}
