/** Rows of a step for a command beside the run: as they come, some left out where the reader is slower than they are. */
import { rowWriter } from '../engine/rows-json.ts'
import { stepsOf } from '../plan/walk.ts'
import type { RunHandle } from '../runtime/options.ts'
import { MillraceError } from '../system/errors.ts'
import type { LineStream } from './answer.ts'
import type { Note } from './protocol.ts'

/** A reader may be so far behind before rows are left out. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024

/** Sends rows until the signal; `nested`: dots in the names of columns are objects within each other. */
export async function watchStep(
  run: RunHandle,
  step: string,
  nested: boolean,
  openStream: () => LineStream,
  signal: AbortSignal,
): Promise<void> {
  const node = stepsOf(run.plan).find(({ identity }) => identity === step)
  if (node === undefined) throw new MillraceError('OPTION_INVALID', `The pipeline at work has no step '${step}'.`)
  const writer = rowWriter(node.columns, { nested })
  let lines: LineStream | null = null
  let skipped = 0
  const tellSkipped = () => {
    if (skipped > 0) lines?.push(`${JSON.stringify(['skipped', skipped] satisfies Note)}\n`)
    skipped = 0
  }
  const unwatch = run.watch(step, batch => {
    if (lines === null || batch.length === 0) return
    if (lines.waiting_bytes > WAITING_BYTES_MAX) {
      if (skipped === 0) lines.whenTaken(tellSkipped)
      skipped += batch.length
      return
    }
    tellSkipped()
    // The writer's bytes are lent, the socket takes them later.
    lines.push(Buffer.from(writer.write(batch)))
  })
  try {
    lines = openStream()
    await lines.note(['columns', node.columns.map(({ name, type }) => ({ name, type }))])
    await lines.flush()
    await aborted(signal)
  } finally {
    unwatch()
  }
  tellSkipped()
  await lines.end()
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
