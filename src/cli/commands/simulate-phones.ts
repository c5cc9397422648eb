/** `millrace simulate phones`: lines for a file, a pipe, or a pipeline that follows. */
import { microsecondsOfIso } from '../../plan/timestamp.ts'
import { faultRates } from '../../simulate/faults.ts'
import { simulatePhones } from '../../simulate/phones.ts'
import { systemClock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import { closeFile, openForWriting, truncateFile, writeBytes } from '../../system/files.ts'
import { type Arguments, durationOf_ms } from '../arguments.ts'
import { EXIT } from '../exit-codes.ts'
import { stopOnSignals } from '../signals.ts'

const DEFAULT_PEOPLE = 5
const DEFAULT_DURATION_MS = 60_000
/** Fixed, so that the same seed gives the same bytes. */
const DEFAULT_START = '2026-01-01T00:00:00Z'
const FLUSH_CHARACTERS = 256 * 1024
/** In real time lines are written ten times a second: often enough for the eye, seldom enough for the processor. */
const PACE_MS = 100

export async function run(values: Arguments): Promise<number> {
  const realtime = values.text('rate') === 'realtime'
  const duration_ms = values.duration_ms('for') ?? (realtime ? null : DEFAULT_DURATION_MS)
  const faults = values.text('faults')
  const simulation = simulatePhones({
    people: values.whole('people') ?? DEFAULT_PEOPLE,
    seed: values.whole('seed') ?? 1,
    start_us: startOf_us(values.text('start') ?? (realtime ? 'now' : DEFAULT_START)),
    duration_us: duration_ms === null ? null : duration_ms * 1000,
    readings_hz: values.whole('hz') ?? 50,
    faults: faults === null ? {} : faultRates(faults),
  })
  const stop = stopOnSignals()
  const output = outputTo(values.text('output'))
  let text = ''
  try {
    for (const { arrival_us, line } of simulation) {
      if (realtime && arrival_us > systemClock.now()) {
        await output.write(text)
        text = ''
        while (arrival_us > systemClock.now() && !stop.signal.aborted) await systemClock.sleep(PACE_MS, stop.signal)
      }
      if (stop.signal.aborted) break
      text += `${line}\n`
      if (text.length < FLUSH_CHARACTERS) continue
      await output.write(text)
      text = ''
      // Lets a signal through.
      await systemClock.sleep(0)
    }
    await output.write(text)
  } finally {
    output.close()
  }
  return EXIT.ok
}

interface Output {
  write(text: string): Promise<void>
  close(): void
}

function outputTo(path: string | null): Output {
  if (path === null) {
    return {
      async write(text) {
        if (!process.stdout.write(text)) await new Promise<void>(resolve => process.stdout.once('drain', resolve))
      },
      close() {},
    }
  }
  const descriptor = openForWriting(path)
  truncateFile(descriptor, 0, path)
  let position = 0
  return {
    async write(text) {
      const bytes = Buffer.from(text)
      writeBytes(descriptor, bytes, position, path)
      position += bytes.length
    },
    close: () => closeFile(descriptor),
  }
}

function startOf_us(text: string): number {
  const relative = /^now(?:-(.+))?$/.exec(text)
  const back_ms = relative?.[1] === undefined ? 0 : durationOf_ms(relative[1])
  const start_us = relative ? (back_ms === null ? null : systemClock.now() - back_ms * 1000) : microsecondsOfIso(text)
  if (start_us !== null) return start_us
  throw new MillraceError(
    'OPTION_INVALID',
    `--start needs a time such as ${DEFAULT_START}, now or now-1m, not '${text}'.`,
  )
}
