/**
 * The same phones as they push: each gathers readings for a second or so and makes a message of them, in the form of the
 * app Sensor Logger. When each message sets off, and what the network does to it, follow from the seed.
 */
import { seededRandom } from '../system/random.ts'
import { type FaultRates, happens, heldOffline, type Reading, type ReadingForm, type Sending } from './faults.ts'
import { type PhonesOptions, type PhonesSimulation, simulatePhones } from './phones.ts'
import { Waiting } from './waiting.ts'

export interface MessagesOptions extends Omit<PhonesOptions, 'form'> {
  /** How long a phone gathers readings for one message, in microseconds; default 1 s. */
  readonly every_us?: number
}

export interface PushMessage {
  /** When it sets off, microseconds since the epoch; messages come in this order. */
  readonly arrival_us: number
  /** 0-based number of the phone. */
  readonly person: number
  readonly messageId: number
  /** How many readings it holds. */
  readonly readings: number
  readonly body: string
  /** It was sent before: the same number, the same bytes. */
  readonly again: boolean
  /** The phone sends it once more as soon as it was answered. */
  readonly twice: boolean
  /** The phone gives up waiting for the first answer after this long, in milliseconds; null: it is patient. */
  readonly giveUp_ms: number | null
}

export interface MessagesSimulation extends Iterable<PushMessage> {
  readonly phones: PhonesSimulation['phones']
}

const SECOND_US = 1_000_000
const DUPLICATE_US = 30 * SECOND_US
/** Messages of a burst after an offline time set off this fast one after the other. */
const BURST_STEP_US = 1000
const GIVE_UP_MS = { from: 1, to: 40 }

/** A simulation that starts anew each time it is iterated; the same options give the same messages. */
export function simulateMessages(options: MessagesOptions): MessagesSimulation {
  const { offline, duplicate, ...faults } = options.faults ?? {}
  const simulation = simulatePhones({ ...options, faults, form: payloadForm })
  // Another recording each time: a message of an earlier one, with the same number, would pass for a repetition.
  const phones = simulation.phones.map(phone => ({
    ...phone,
    sessionId: sessionOf(phone.sessionId, options.start_us),
  }))
  return { phones, [Symbol.iterator]: () => generate(options, simulation, phones) }
}

interface Sender extends Sending {
  readonly person: number
  /** What a message begins with, up to its number, and what stands behind the number. */
  readonly head: string
  readonly middle: string
  readings: string[]
  messageId: number
}

function* generate(
  options: MessagesOptions,
  simulation: PhonesSimulation,
  phones: PhonesSimulation['phones'],
): Generator<PushMessage> {
  const { start_us, faults = {}, every_us = SECOND_US } = options
  const senders = phones.map(({ sessionId, deviceId }, person): Sender => {
    const middle = `,"sessionId":"${sessionId}","deviceId":"${deviceId}","userId":"person-${person + 1}","payload":[`
    const mishaps = seededRandom((Math.imul(options.seed | 0, 0x9e3779b9) ^ Math.imul(person + 1, 0x85ebca6b)) >>> 0)
    return { person, head: '{"messageId":', middle, mishaps, readings: [], messageId: 0, offlineUntil_us: 0, kept: 0 }
  })
  const waiting = new Waiting<PushMessage>()
  // Phones send in turn, spread evenly over the period, so that the next one due is always the next of the row.
  let turn = 0
  const due_us = () =>
    start_us + (Math.floor(turn / senders.length) + 1 + (turn % senders.length) / senders.length) * every_us
  const send = function* (): Generator<PushMessage> {
    const now_us = Math.floor(due_us())
    yield* waiting.until(now_us)
    for (const message of messagesOf(senders[turn++ % senders.length]!, now_us, every_us, faults)) {
      if (message.arrival_us === now_us) yield message
      else waiting.add(message)
    }
  }
  for (const { arrival_us, person, line } of simulation) {
    while (due_us() <= arrival_us) yield* send()
    senders[person]!.readings.push(line)
  }
  // What was gathered last: one more message of each phone.
  for (let rest = 0; rest < senders.length; rest++) yield* send()
  yield* waiting.until(Number.POSITIVE_INFINITY)
}

/** The message of a phone's readings, none when there are none, and what comes of it. */
function messagesOf(sender: Sender, now_us: number, every_us: number, faults: FaultRates): PushMessage[] {
  const { readings, mishaps: random, person, messageId } = sender
  if (readings.length === 0) return []
  sender.readings = []
  sender.messageId++
  const whole = `${sender.head}${messageId}${sender.middle}${readings.join(',')}]}`
  const body = happens(random, faults.malformed) ? whole.slice(0, 40 + random.integer(whole.length - 40)) : whole
  const message: PushMessage = {
    arrival_us: departureOf(sender, now_us, every_us, faults),
    person,
    messageId,
    readings: readings.length,
    body,
    again: false,
    twice: happens(random, faults.retry),
    giveUp_ms: happens(random, faults.timeout)
      ? GIVE_UP_MS.from + random.integer(GIVE_UP_MS.to - GIVE_UP_MS.from)
      : null,
  }
  if (!happens(random, faults.duplicate)) return [message]
  const again_us = message.arrival_us + 1 + random.integer(DUPLICATE_US)
  return [message, { ...message, arrival_us: again_us, again: true, twice: false, giveUp_ms: null }]
}

/** When a message sets off: at once, unless its phone is offline or a later message overtakes it. */
function departureOf(sender: Sender, now_us: number, every_us: number, faults: FaultRates): number {
  const random = sender.mishaps
  const rate = ((faults.offline ?? 0) * every_us) / (60 * SECOND_US)
  const held_us = heldOffline(sender, now_us, rate, BURST_STEP_US)
  if (held_us !== null) return held_us
  if (happens(random, faults.reorder)) return now_us + Math.round(every_us * (1.1 + random.next()))
  return now_us
}

/** A reading as an element of a message's payload. Half of the phones are of the make that says how accurate it is. */
const payloadForm: ReadingForm = {
  line: elementOf,
  malformed(reading, random) {
    const element = elementOf(reading)
    switch (random.integer(4)) {
      case 0:
        return element.replace(/"x":[^,]*/, '"x":"fast"')
      case 1:
        return element.replace(`"time":${reading.time}`, '"time":"yesterday"')
      case 2:
        return element.replace(`"name":"${reading.name}",`, '')
      default:
        return element.replace(/"values":\{[^}]*\}/, '"values":null')
    }
  },
}

function elementOf({ deviceId, name, time, values }: Reading): string {
  const accuracy = deviceId < '8' ? ',"accuracy":3' : ''
  return `{"name":"${name}","time":${time},"values":${values}${accuracy}}`
}

function sessionOf(sessionId: string, start_us: number): string {
  return (BigInt(`0x${sessionId}`) ^ BigInt.asUintN(48, BigInt(start_us))).toString(16).padStart(12, '0')
}
