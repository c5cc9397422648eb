/**
 * Phones in the pockets of people who rest, walk, run and sprint: the same seed gives the same bytes.
 *
 * People and faults draw from separate streams of numbers, so that a fault changes what arrives and never what was done:
 * a run with faults can be held against the run without them.
 */
import { type Random, seededRandom } from '../system/random.ts'
import {
  aheadBy_us,
  type FaultRates,
  happens,
  heldOffline,
  type Reading,
  type ReadingForm,
  recordForm,
  type Sending,
} from './faults.ts'
import { type Activity, type Bout, drawPosture, firstBout, measure, nextBout, type Posture, SENSORS } from './gait.ts'
import { Waiting } from './waiting.ts'

export interface PhonesOptions {
  readonly people: number
  readonly seed: number
  /** Event time of the first readings, microseconds since the epoch. */
  readonly start_us: number
  /** Simulated time; null: without end. */
  readonly duration_us: number | null
  /** Readings a second of each sensor; default 50. */
  readonly readings_hz?: number
  readonly faults?: FaultRates
  /** How a reading is written; default a record of its own. */
  readonly form?: ReadingForm
}

export interface SimulatedLine {
  /** When the line arrives, microseconds since the epoch; lines come in this order. */
  readonly arrival_us: number
  /** 0-based number of the phone. */
  readonly person: number
  /** One record, without the line feed. */
  readonly line: string
}

/** What a person really did. */
export interface TruthSpan {
  readonly sessionId: string
  readonly deviceId: string
  readonly activity: Activity
  /** By the world's clock; a phone whose clock is ahead writes other times. */
  readonly start_us: number
  readonly end_us: number
}

export interface PhonesSimulation extends Iterable<SimulatedLine> {
  readonly phones: readonly { readonly sessionId: string; readonly deviceId: string; readonly clockAhead: boolean }[]
  /** What has been done so far, person by person; complete once the lines were read to their end. */
  truth(): readonly TruthSpan[]
}

interface Phone extends Sending {
  readonly person: number
  readonly sessionId: string
  readonly deviceId: string
  readonly posture: Posture
  readonly motion: Random
  /** Where in the period of the readings this phone takes its own. */
  readonly phase_us: number
  readonly ahead_us: number
  bout: Bout
}

const LATE_US = 2_000_000
const DUPLICATE_US = 1_000_000
const OVERTAKEN_US = 200_000
/** Readings of a burst after an offline time follow each other this fast. */
const BURST_STEP_US = 100

/** A simulation that starts anew each time it is iterated. */
export function simulatePhones(options: PhonesOptions): PhonesSimulation {
  const spans: TruthSpan[] = []
  const phones = makePhones(options)
  return {
    phones: phones.map(({ sessionId, deviceId, ahead_us }) => ({ sessionId, deviceId, clockAhead: ahead_us > 0 })),
    truth: () => spans,
    [Symbol.iterator]: () => {
      spans.length = 0
      return generate(options, makePhones(options), spans)
    },
  }
}

function makePhones(options: PhonesOptions): Phone[] {
  const period_us = 1e6 / (options.readings_hz ?? 50)
  const ahead = options.faults?.['clock-ahead'] ?? 0
  const aheadCount = ahead === 0 ? 0 : Math.max(1, Math.round(ahead * options.people))
  return Array.from({ length: options.people }, (_, person) => {
    const motion = seededRandom(mix(options.seed, 2 * person))
    const mishaps = seededRandom(mix(options.seed, 2 * person + 1))
    const sessionId = hexadecimal(motion)
    const deviceId = hexadecimal(motion)
    return {
      person,
      sessionId,
      deviceId,
      posture: drawPosture(motion),
      motion,
      mishaps,
      // In the order of the persons, so that the readings of one period are made in the order of their times.
      phase_us: Math.floor((person * period_us) / SENSORS.length / options.people),
      ahead_us: person >= options.people - aheadCount ? aheadBy_us(options.start_us) : 0,
      bout: firstBout(motion, options.start_us),
      offlineUntil_us: 0,
      kept: 0,
    }
  })
}

function* generate(options: PhonesOptions, phones: readonly Phone[], spans: TruthSpan[]): Generator<SimulatedLine> {
  const { start_us, duration_us, faults = {}, form = recordForm } = options
  const readings_hz = options.readings_hz ?? 50
  const waiting = new Waiting<SimulatedLine>()
  const values = new Float64Array(3)
  const periods = duration_us === null ? Number.POSITIVE_INFINITY : Math.ceil((duration_us * readings_hz) / 1e6)
  let messageId = 0
  for (let period = 0; period < periods; period++) {
    for (let index = 0; index < SENSORS.length; index++) {
      const sensor = SENSORS[index]!
      const sensor_us = start_us + Math.round(((period + index / SENSORS.length) * 1e6) / readings_hz)
      for (const phone of phones) {
        const time_us = sensor_us + phone.phase_us
        // The next bouts are due; the one that has ended goes into the truth.
        while (time_us >= phone.bout.end_us) {
          spans.push(spanOf(phone, phone.bout.end_us))
          phone.bout = nextBout(phone.motion, phone.bout)
        }
        measure(sensor, phone.bout, phone.posture, time_us, phone.motion, values)
        const reading: Reading = {
          messageId: messageId++,
          sessionId: phone.sessionId,
          deviceId: phone.deviceId,
          name: sensor,
          time: `${time_us + phone.ahead_us}${String(phone.motion.integer(1000)).padStart(3, '0')}`,
          values: `{"x":${values[0]!.toFixed(6)},"y":${values[1]!.toFixed(6)},"z":${values[2]!.toFixed(6)}}`,
        }
        if (waiting.due(time_us)) yield* waiting.until(time_us)
        const arrival_us = arrivalOf(phone, time_us, faults, readings_hz)
        const malformed = happens(phone.mishaps, faults.malformed)
        const line = malformed ? form.malformed(reading, phone.mishaps) : form.line(reading)
        const { person } = phone
        if (arrival_us === time_us) yield { arrival_us, person, line }
        else waiting.add({ arrival_us, person, line })
        if (happens(phone.mishaps, faults.duplicate)) {
          waiting.add({ arrival_us: arrival_us + 1 + phone.mishaps.integer(DUPLICATE_US), person, line })
        }
      }
    }
  }
  const end_us = start_us + (duration_us ?? 0)
  for (const phone of phones) spans.push(spanOf(phone, end_us))
  yield* waiting.until(Number.POSITIVE_INFINITY)
}

function spanOf(phone: Phone, end_us: number): TruthSpan {
  const { activity, start_us } = phone.bout
  return { sessionId: phone.sessionId, deviceId: phone.deviceId, activity, start_us, end_us }
}

/** When a reading gets here: at once, unless something holds it back. */
function arrivalOf(phone: Phone, time_us: number, faults: FaultRates, readings_hz: number): number {
  const random = phone.mishaps
  // The rate is for a minute, the question is put once a reading of all three sensors.
  const rate = (faults.offline ?? 0) / (60 * readings_hz * SENSORS.length)
  const held_us = heldOffline(phone, time_us, rate, BURST_STEP_US)
  if (held_us !== null) return held_us
  if (happens(random, faults.late)) return time_us + 1 + random.integer(LATE_US)
  if (happens(random, faults['out-of-order'])) return time_us + 1 + random.integer(OVERTAKEN_US)
  return time_us
}

/** A seed of its own for each stream: neighbouring seeds must not give related streams. */
function mix(seed: number, stream: number): number {
  let h = (Math.imul(seed | 0, 0x85ebca6b) ^ Math.imul(stream + 1, 0x9e3779b9)) >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d) >>> 0
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b) >>> 0
  return (h ^ (h >>> 16)) >>> 0
}

function hexadecimal(random: Random): string {
  return Array.from({ length: 12 }, () => random.integer(16).toString(16)).join('')
}
