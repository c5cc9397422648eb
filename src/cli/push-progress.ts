/** What phones that push show while they work, and at the end. */
import type { PushProgress } from '../simulate/push.ts'
import { elapsedText, grouped, type Style, short } from './terminal.ts'

/** Rates are those of the last few seconds. */
const RATE_OVER_MS = 3000

export class PushLines {
  readonly #style: Style
  readonly #earlier: PushProgress[] = []

  constructor(style: Style) {
    this.#style = style
  }

  lines(progress: PushProgress): string[] {
    this.#earlier.push(progress)
    while (this.#earlier.length > 2 && progress.elapsed_ms - this.#earlier[1]!.elapsed_ms > RATE_OVER_MS)
      this.#earlier.shift()
    const base = this.#earlier.length > 1 ? this.#earlier[0]! : { elapsed_ms: 0, messages: 0, readings: 0 }
    const passed_s = (progress.elapsed_ms - base.elapsed_ms) / 1000
    const rate = (count: number) => short(passed_s > 0 ? count / passed_s : 0)
    const parts = [
      `${rate(progress.messages - base.messages)} messages/s`,
      `${rate(progress.readings - base.readings)} readings/s`,
      `${grouped(progress.messages)} kept`,
    ]
    if (progress.repeated > 0) parts.push(`${grouped(progress.repeated)} sent again`)
    if (progress.waiting > 0) parts.push(`${grouped(progress.waiting)} waiting`)
    if (progress.refused > 0) parts.push(this.#style.red(`${grouped(progress.refused)} refused`))
    const lines = [parts.join(' · ')]
    if (progress.trouble !== null) lines.push(this.#style.yellow(`trying again: ${progress.trouble}`))
    return lines
  }

  /** One line for when it is over. */
  last({ elapsed_ms, messages, readings, repeated, refused, waiting }: PushProgress): string {
    const parts = [`${grouped(messages)} messages with ${grouped(readings)} readings kept`]
    if (repeated > 0) parts.push(`${grouped(repeated)} sent again`)
    if (refused > 0) parts.push(`${grouped(refused)} refused`)
    if (waiting > 0) parts.push(`${grouped(waiting)} not settled`)
    return `${parts.join(', ')} in ${elapsedText(elapsed_ms)}`
  }
}
