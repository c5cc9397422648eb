/** `millrace simulate phones`: lines for a file, a pipe, or a pipeline that follows; or messages pushed over HTTP. */
import { microsecondsOfIso } from '../../plan/timestamp.ts'
import { faultRates } from '../../simulate/faults.ts'
import { type PhonesOptions, simulatePhones } from '../../simulate/phones.ts'
import { systemClock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import { closeFile, openForWriting, truncateFile, writeBytes } from '../../system/files.ts'
import { seededRandom } from '../../system/random.ts'
import { type Arguments, durationOf_ms } from '../arguments.ts'
import { EXIT } from '../exit-codes.ts'
import { PushLines } from '../push-progress.ts'
import { stopOnSignals } from '../signals.ts'
import { processTerminal } from '../terminal.ts'

const DEFAULT_PEOPLE = 5
const DEFAULT_DURATION_MS = 60_000
/** Fixed, so that the same seed gives the same bytes. */
const DEFAULT_START = '2026-01-01T00:00:00Z'
const FLUSH_CHARACTERS = 256 * 1024
/** In real time lines are written ten times a second: often enough for the eye, seldom enough for the processor. */
const PACE_MS = 100
const CONNECTIONS_MAX = 256

export async function run(values: Arguments): Promise<number> {
  const to = values.text('to')
  return to === null ? writeLines(values) : push(values, urlOf(to))
}

async function writeLines(values: Arguments): Promise<number> {
  for (const name of ['every', 'connections', 'json']) {
    if (values.flag(name)) throw new MillraceError('OPTION_INVALID', `--${name} is for phones that push: add --to URL.`)
  }
  const realtime = values.text('rate') === 'realtime'
  const simulation = simulatePhones(phonesOptions(values, realtime))
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

/** Phones that push live, unless `--rate max` says otherwise. The exit code is 1 when something was refused that nobody asked to be broken. */
async function push(values: Arguments, to: URL): Promise<number> {
  const { simulateMessages } = await import('../../simulate/messages.ts')
  const { pushMessages } = await import('../../simulate/push.ts')
  const realtime = values.text('rate') !== 'max'
  const every_ms = values.duration_ms('every') ?? 1000
  if (every_ms < 1) throw new MillraceError('OPTION_INVALID', '--every needs a time of at least 1ms.')
  const phones = phonesOptions(values, realtime)
  const terminal = processTerminal()
  const lines = new PushLines(terminal.remarkStyle)
  const summary = await pushMessages(simulateMessages({ ...phones, every_us: every_ms * 1000 }), {
    to,
    realtime,
    connections: values.whole('connections') ?? Math.min(phones.people, CONNECTIONS_MAX),
    clock: systemClock,
    random: seededRandom(phones.seed),
    signal: stopOnSignals().signal,
    onRefused: (status, text) => terminal.remark(refusalText(status, text, to)),
    onProgress: progress => terminal.live(lines.lines(progress)),
  })
  terminal.live([])
  const { trouble, ...counts } = summary
  if (values.flag('json')) await terminal.print(JSON.stringify(counts))
  else await terminal.print(lines.last(summary))
  const asked = (phones.faults?.malformed ?? 0) > 0
  return summary.refused > 0 && !asked ? EXIT.no : EXIT.ok
}

function phonesOptions(values: Arguments, realtime: boolean): PhonesOptions {
  const duration_ms = values.duration_ms('for') ?? (realtime ? null : DEFAULT_DURATION_MS)
  const faults = values.text('faults')
  return {
    people: values.whole('people') ?? DEFAULT_PEOPLE,
    seed: values.whole('seed') ?? 1,
    start_us: startOf_us(values.text('start') ?? (realtime ? 'now' : DEFAULT_START)),
    duration_us: duration_ms === null ? null : duration_ms * 1000,
    readings_hz: values.whole('hz') ?? 50,
    faults: faults === null ? {} : faultRates(faults, values.flag('to')),
  }
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) {
    // Every user of a machine can list the words of a command, but not what its environment holds.
    const key = process.env.MILLRACE_KEY
    if (key && !url.searchParams.has('key')) url.searchParams.set('key', key)
    return url
  }
  throw new MillraceError(
    'OPTION_INVALID',
    `--to needs an address such as http://127.0.0.1:4401/sensor-logger, not '${text}'.`,
  )
}

/** The server's words, without the key that the address may hold. */
function refusalText(status: number, text: string, to: URL): string {
  const words = text.trim().slice(0, 500) || 'no reason given'
  return `refused with ${status} by ${to.origin}: ${words}`
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
