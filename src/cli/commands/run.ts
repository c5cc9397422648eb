/** `millrace run`: the pipeline itself. */
import type { Plan } from '../../plan/nodes.ts'
import type { RunProgress, RunSummary, TopicProgress } from '../../runtime/options.ts'
import { systemClock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import { keepHeapSmall } from '../../system/process.ts'
import type { Arguments } from '../arguments.ts'
import { type BesideRun, openBesideRun, type Places, placesLines } from '../beside-run.ts'
import { EXIT } from '../exit-codes.ts'
import { inputsOf } from '../inputs.ts'
import { listenOf } from '../listen.ts'
import { loadPipeline, unknownName } from '../load-pipeline.ts'
import { shortest } from '../paths.ts'
import { Notices, ProgressLines } from '../progress.ts'
import { stopOnSignals } from '../signals.ts'
import {
  elapsedText,
  grouped,
  jsonText,
  processTerminal,
  type Style,
  short,
  type Terminal,
  tableLines,
} from '../terminal.ts'

/** Events of a run are printed so often. */
const EVENT_EVERY_MS = 1000
/** A run with an end that takes longer than this can be asked by other commands. */
const ASKED_AFTER_MS = 1000

export async function run(values: Arguments): Promise<number> {
  const stop = stopOnSignals()
  const profile = values.text('profile') ?? 'default'
  if (profile !== 'default') throw new MillraceError('OPTION_INVALID', unknownName('profile', profile, ['default']))
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
    onReady: handle => {
      const open = async () => {
        beside = await openBesideRun(handle, listen, values.text('console'))
        report.ready(beside.places)
      }
      if (!values.flag('until-end') || values.text('console') !== null) return open()
      // Most inputs are read before anybody could ask beside it.
      opening = systemClock.sleep(ASKED_AFTER_MS, over.signal).then(() => (over.signal.aborted ? undefined : open()))
    },
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

/** A topic that the pipeline writes and nothing reads is told among the outputs. */
function shownAsTopic(plan: Plan): (topic: TopicProgress) => boolean {
  const written = new Set(plan.produces.map(produce => produce.topic.name))
  return topic => topic.records > 0 || !written.has(topic.topic)
}

/** The end of a run as a person reads it, with the command to give next. */
function summaryLines(plan: Plan, path: string, summary: RunSummary, style: Style): string[] {
  const seconds = Math.max(summary.elapsed_ms, 1) / 1000
  const records = summary.topics.reduce((sum, topic) => sum + topic.records, 0)
  const deadLetters = summary.topics.reduce((sum, topic) => sum + topic.deadLetters, 0)
  const directory = shortest(summary.dataDirectory)
  const lines = [
    `${style.bold(plan.name)} ${summary.reason === 'ended' ? 'has read its inputs to their end' : 'was stopped'} after ${elapsedText(summary.elapsed_ms)}: ${grouped(records)} records, ${short(records / seconds)} a second`,
    '',
    ...tableLines(
      [
        { title: 'topic' },
        { title: 'records', align: 'right' },
        { title: 'dead letters', align: 'right' },
        { title: 'late', align: 'right' },
      ],
      summary.topics
        .filter(shownAsTopic(plan))
        .map(topic => [
          topic.topic,
          grouped(topic.records),
          topic.deadLetters > 0 ? style.yellow(grouped(topic.deadLetters)) : '0',
          grouped(topic.late),
        ]),
      style,
    ),
  ]
  if (summary.outputs.length > 0) {
    const outputs = summary.outputs.map(output => [output.output, grouped(output.rows)])
    lines.push('', ...tableLines([{ title: 'output' }, { title: 'rows', align: 'right' }], outputs, style))
  }
  lines.push('', `data      ${directory}`)
  if (deadLetters > 0) lines.push(`refused   millrace deadletters list --data-dir ${directory}`)
  lines.push(`next      millrace verify ${path} --data-dir ${directory}`)
  return lines
}
