/** What a run shows while it works: a bar where the end is known, rates where it is not. */
import type { OutputProgress, RunProgress, TopicProgress } from '../runtime/options.ts'
import { bytesText, elapsedText, grouped, type Style, short, timeText } from './terminal.ts'

const BAR_WIDTH = 24
/** Rates are those of the last few seconds: old speed says nothing about what is left. */
const RATE_OVER_MS = 4000

/** Turns each report of a run into live lines. */
export class ProgressLines {
  readonly #style: Style
  readonly #bounded: boolean
  readonly #earlier: { elapsed_ms: number; progress: RunProgress }[] = []

  /** `bounded`: the run ends where its inputs end now, so that what is left can be told. */
  constructor(style: Style, bounded: boolean) {
    this.#style = style
    this.#bounded = bounded
  }

  lines(progress: RunProgress): string[] {
    this.#earlier.push({ elapsed_ms: progress.elapsed_ms, progress })
    while (this.#earlier.length > 2 && progress.elapsed_ms - this.#earlier[1]!.elapsed_ms > RATE_OVER_MS)
      this.#earlier.shift()
    const base = this.#earlier[0]!
    const passed_s = (progress.elapsed_ms - base.elapsed_ms) / 1000
    const lines = progress.topics.map(topic => {
      const before = base.progress.topics.find(other => other.topic === topic.topic)
      const rate = (now: number, then: number | undefined) =>
        passed_s > 0 ? (now - (then ?? 0)) / passed_s : progress.elapsed_ms > 0 ? (now * 1000) / progress.elapsed_ms : 0
      return this.#topicLine(topic, rate(topic.records, before?.records), rate(topic.bytes, before?.bytes))
    })
    const outputs = progress.outputs.map(output => `${output.output} ${grouped(output.rows)}`)
    if (outputs.length > 0) lines.push(this.#style.dim(`  -> ${outputs.join(' · ')}`))
    const lacking = progress.outputs.filter(isBehind)
    if (lacking.length > 0) lines.push(`     ${lacking.map(output => this.#lackText(output)).join(' · ')}`)
    const { held } = progress
    if (held !== null) lines.push(this.#style.red(`${held.code}: ${held.message}`), `  next: ${held.next}`)
    return lines
  }

  #lackText({ output, behind }: Behind): string {
    const colour = behind.error === null ? this.#style.yellow : this.#style.red
    return colour(`${output}${behind.error === null ? '' : ' takes no rows'}: ${rowsText(behind.rows)} behind`)
  }

  #topicLine(topic: TopicProgress, records_s: number, bytes_s: number): string {
    const parts: string[] = []
    const bounded = this.#bounded && topic.bytesTotal !== null && topic.bytesTotal > 0
    if (bounded) {
      const share = Math.min(1, topic.bytes / topic.bytesTotal)
      const rest_ms = bytes_s > 0 ? ((topic.bytesTotal - topic.bytes) / bytes_s) * 1000 : null
      parts.push(`${bar(share)} ${String(Math.floor(share * 100)).padStart(3)} %`)
      parts.push(`${bytesText(topic.bytes)} of ${bytesText(topic.bytesTotal)}`, `${short(records_s)} records/s`)
      if (rest_ms !== null && share < 1) parts.push(`${elapsedText(rest_ms)} left`)
    } else {
      parts.push(`${grouped(topic.records)} records`, `${short(records_s)}/s`)
    }
    if (topic.deadLetters > 0) parts.push(this.#style.yellow(`${grouped(topic.deadLetters)} dead letters`))
    if (topic.late > 0) parts.push(`${grouped(topic.late)} late`)
    if (topic.partly_late > 0) parts.push(`${grouped(topic.partly_late)} partly late`)
    if (topic.repeats > 0) parts.push(`${grouped(topic.repeats)} repeats`)
    if (!bounded && topic.watermark !== null) {
      parts.push(`event time ${timeText(Math.floor(topic.watermark / 1e6) * 1e6)}`)
    }
    return `${this.#style.bold(topic.topic)}  ${parts.join(' · ')}`
  }
}

type Behind = OutputProgress & { readonly behind: NonNullable<OutputProgress['behind']> }

/** A sink that lacks rows of its stream. */
export function isBehind(output: OutputProgress): output is Behind {
  return output.behind !== null
}

/** What is kept for a sink when the run ends. */
export const keptText = ({ output, behind }: Behind): string =>
  `${rowsText(behind.rows)} for ${output}, which the next start delivers`

const rowsText = (rows: number): string => (rows === 1 ? '1 row' : `${grouped(rows)} rows`)

/** What a run says besides its rates, each once: where no live lines stand it goes to a log. */
export class Notices {
  readonly #style: Style
  readonly #isLive: boolean
  readonly #told = new Set<string>()
  /** By sink that fails, the codes that were told since it kept up last. */
  readonly #failing = new Map<string, Set<string>>()
  #held: string | null = null

  /** `isLive`: live lines say already why nothing is taken in. */
  constructor(style: Style, isLive: boolean) {
    this.#style = style
    this.#isLive = isLive
  }

  lines({ warnings, held, outputs }: Pick<RunProgress, 'warnings' | 'held' | 'outputs'>): string[] {
    const lines: string[] = []
    for (const { code, message, next } of warnings) {
      const line = `${this.#style.yellow(code)}: ${message}`
      if (this.#told.has(line)) continue
      this.#told.add(line)
      lines.push(line, `  next: ${next}`)
    }
    for (const output of outputs) lines.push(...this.#sinkLines(output))
    const isNew = !this.#isLive && (held?.code ?? null) !== this.#held
    this.#held = held?.code ?? null
    if (!isNew) return lines
    if (held === null) return [...lines, 'it goes on']
    return [...lines, `${this.#style.red(held.code)}: ${held.message}`, `  next: ${held.next}`]
  }

  /** That a sink fails, and that it has everything again; while it catches up between the two nothing is said. */
  #sinkLines({ output, behind }: OutputProgress): string[] {
    if (behind === null) return this.#failing.delete(output) ? [`${output} has all its rows again`] : []
    const { rows, error } = behind
    if (error === null) return []
    const told = this.#failing.get(output) ?? new Set()
    if (told.has(error.code)) return []
    this.#failing.set(output, told.add(error.code))
    return [
      `${this.#style.yellow(error.code)}: ${output} takes no rows just now: ${error.message}`,
      `  what it lacks is kept for it (${rowsText(rows)}); everything else goes on`,
      `  next: ${error.next}`,
    ]
  }
}

function bar(share: number): string {
  const full = Math.round(share * BAR_WIDTH)
  return `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}`
}
