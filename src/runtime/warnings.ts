/** What a run goes on in spite of, and somebody should know: records that are lost, and where what is left of them lies. */
import type { LogNotice } from '../log/log.ts'
import type { Cut, Damage } from '../log/recovery.ts'
import { MillraceError } from '../system/errors.ts'
import type { RunWarning } from './options.ts'

/** Beyond so many different ones no more are kept. */
const WARNINGS_MAX = 100

/** The warnings of a run, each once, however often its files are opened. */
export class Warnings {
  readonly #byMessage = new Map<string, RunWarning>()
  #all: readonly RunWarning[] = []

  get all(): readonly RunWarning[] {
    return this.#all
  }

  add(error: MillraceError): void {
    const { message } = error
    if (this.#byMessage.has(message) || this.#byMessage.size >= WARNINGS_MAX) return
    this.#byMessage.set(message, toldAs(error))
    this.#all = [...this.#byMessage.values()]
  }
}

/** An error as it is told, without what only this process can use of it. */
export function toldAs({ code, message, next }: MillraceError): RunWarning {
  return { code, message, next }
}

/** What a notice of the log warns of, null when of nothing. */
export function warningOf(notice: LogNotice): MillraceError | null {
  if (notice.kind === 'damaged') return damageWarning(notice.damage)
  return notice.kind === 'cut' ? cutWarning(notice.topic, notice.partition, notice.cut) : null
}

/** Records that were kept and that the operators will never get. */
export function skippedWarning(topic: string, from: number, to: number, reason: string): MillraceError {
  return new MillraceError(
    'LOG_DAMAGED',
    `Topic ${topic}: ${countOf(from, to)} had not been processed and cannot be any more: ${reason}.`,
    { next: 'Send them again if their sender still has them.' },
  )
}

/** Records whose rows a sink lacks and will never get. */
export function lackingWarning(sink: string, topic: string, from: number, to: number, reason: string): MillraceError {
  return new MillraceError(
    'LOG_DAMAGED',
    `${sink} goes on without the rows of topic ${topic}'s ${countOf(from, to)}, which can no longer be read: ${reason}.`,
  )
}

export function warehouseWarning(path: string, logSetAside: string): MillraceError {
  return new MillraceError(
    'FILE_UNREADABLE',
    `The write-ahead log of the warehouse ${path} is damaged and was set aside as ${logSetAside}; the rows in it are delivered again.`,
    { next: 'Check the disk; the file that was set aside is not needed any more.' },
  )
}

function damageWarning(damage: Damage): MillraceError {
  const { topic, partition, path, position, bytes, from, to, reason, quarantined } = damage
  const lost = to > from ? `${countOf(from, to)} ${to - from === 1 ? 'is' : 'are'} lost` : 'no record is lost'
  const place = path === null ? 'their file is gone' : `${path}, ${bytes} bytes from byte ${position} on`
  const copy = quarantined === null ? '' : `; a copy of the bytes is in ${quarantined}`
  return new MillraceError(
    'LOG_DAMAGED',
    `Topic ${topic}/${partition} is damaged, ${lost}: ${reason} (${place})${copy}.`,
  )
}

function cutWarning(topic: string, partition: number, { path, position, bytes, reason, quarantined }: Cut) {
  return new MillraceError(
    'LOG_DAMAGED',
    `Topic ${topic}/${partition} ended with ${bytes} bytes that nobody had been promised (${path}, byte ${position}: ${reason}); a copy is in ${quarantined}.`,
    { next: 'Nothing, unless this machine did not lose its power.' },
  )
}

function countOf(from: number, to: number): string {
  return to - from === 1 ? `1 record at offset ${from}` : `${to - from} records from offset ${from} on`
}
