/** What goes wrong between a phone and the pipeline, each with a rate of its own. */
import { MillraceError, nearest } from '../system/errors.ts'
import type { Random } from '../system/random.ts'

/**
 * What goes wrong with readings, however they travel:
 *
 * - `late`: a reading is held back by up to two seconds (rate: share of the readings).
 * - `duplicate`: a reading is sent again with the same messageId, up to a second later (share of the readings). Of pushed
 *   messages: the whole message comes again, up to 30 s later (share of the messages).
 * - `out-of-order`: a reading is overtaken by its successors of the next 200 ms (share of the readings).
 * - `offline`: a phone is silent for 15 to 60 s, then sends what it kept in a burst (times a minute and phone).
 * - `clock-ahead`: a phone's clock stands in 2099 (share of the phones, at least one).
 * - `malformed`: a reading is broken: bad JSON, a wrong type, a missing field, cut short (share of the readings). Of pushed
 *   messages as many are cut short.
 */
type DeviceFault = 'late' | 'duplicate' | 'out-of-order' | 'offline' | 'clock-ahead' | 'malformed'

/**
 * What goes wrong between a phone that pushes and the one who answers (rates: share of the messages):
 *
 * - `retry`: the same message is sent again as soon as it was answered.
 * - `reorder`: a message is overtaken by the next one or two.
 * - `timeout`: the phone gives up waiting for the answer, and sends the message again.
 */
type NetworkFault = 'retry' | 'reorder' | 'timeout'

export type Fault = DeviceFault | NetworkFault

export type FaultRates = Readonly<Partial<Record<Fault, number>>>

export const DEFAULT_RATES: Readonly<Record<Fault, number>> = {
  late: 0.05,
  duplicate: 0.01,
  'out-of-order': 0.05,
  offline: 0.25,
  'clock-ahead': 0.05,
  malformed: 0.001,
  retry: 0.02,
  reorder: 0.05,
  timeout: 0.02,
}

const NETWORK: readonly Fault[] = ['retry', 'reorder', 'timeout']
const FAULTS = Object.keys(DEFAULT_RATES) as Fault[]

/**
 * Rates from `late,duplicate=0.2` or `all`: the default rate, or the one after the `=`. `pushed`: there is a network, so
 * that its faults can be asked for.
 *
 * Errors: OPTION_INVALID for an unknown fault (with the nearest), one that needs a network where there is none, or a rate
 * outside 0..1 (offline: 0..60).
 */
export function faultRates(text: string, pushed = false): FaultRates {
  const rates: Partial<Record<Fault, number>> = {}
  const possible = pushed ? FAULTS : FAULTS.filter(fault => !NETWORK.includes(fault))
  for (const word of text.split(',')) {
    const [name = '', given] = word.trim().split('=', 2)
    if (name === '' && given === undefined) continue
    if (name === 'all' && given === undefined) {
      for (const fault of possible) rates[fault] = DEFAULT_RATES[fault]
      continue
    }
    if (!isFault(name)) {
      const near = nearest(name, [...possible, 'all'])
      throw new MillraceError(
        'OPTION_INVALID',
        `There is no fault '${name}'${near === null ? '' : `; did you mean ${near}?`} Faults: ${possible.join(', ')}, all.`,
      )
    }
    if (!possible.includes(name)) {
      throw new MillraceError('OPTION_INVALID', `The fault ${name} is one of the network: it needs --to URL.`)
    }
    const rate = given === undefined ? DEFAULT_RATES[name] : Number(given)
    const most = name === 'offline' ? 60 : 1
    if (given === '' || !(rate >= 0 && rate <= most)) {
      throw new MillraceError('OPTION_INVALID', `The rate of ${name} is a number from 0 to ${most}, not '${given}'.`)
    }
    rates[name] = rate
  }
  return rates
}

/** Whether it goes wrong this time. Without a rate nothing is drawn. */
export function happens(random: Random, rate: number | undefined): boolean {
  return rate !== undefined && rate > 0 && random.next() < rate
}

/** A phone that has no network now and then, and then sends what it kept in a burst. */
export interface Sending {
  readonly mishaps: Random
  /** Silent until here; 0 while online. */
  offlineUntil_us: number
  /** What waits for the burst, by number. */
  kept: number
}

const OFFLINE_US = { from: 15_000_000, to: 60_000_000 }

/**
 * When the phone sends what it has now, if it is offline or goes offline at this `rate`; null: it can send. What it gets
 * during the burst waits behind it, `step_us` after what was before: a phone sends in its own order.
 */
export function heldOffline(phone: Sending, now_us: number, rate: number, step_us: number): number | null {
  const queued_us = phone.offlineUntil_us + step_us * phone.kept
  if (queued_us > now_us) {
    phone.kept++
    return queued_us
  }
  if (!happens(phone.mishaps, rate)) return null
  phone.offlineUntil_us = now_us + OFFLINE_US.from + phone.mishaps.integer(OFFLINE_US.to - OFFLINE_US.from)
  phone.kept = 1
  return phone.offlineUntil_us
}

function isFault(name: string): name is Fault {
  return Object.hasOwn(DEFAULT_RATES, name)
}

/** How far a clock that stands in 2099 is ahead of the simulation's start. */
export function aheadBy_us(start_us: number): number {
  return Date.UTC(2099, 0, 1) * 1000 - start_us
}

/** The fields of a reading as it is written. */
export interface Reading {
  readonly messageId: number
  readonly sessionId: string
  readonly deviceId: string
  readonly name: string
  /** Nanoseconds as digits: a double cannot hold them. */
  readonly time: string
  readonly values: string
}

/** How a reading is written, and how a broken sender would write it. */
export interface ReadingForm {
  line(reading: Reading): string
  malformed(reading: Reading, random: Random): string
}

/** A reading as a record of its own. */
export const recordForm: ReadingForm = { line: lineOf, malformed: malformedLine }

function lineOf(reading: Reading): string {
  return `{"messageId":${reading.messageId},"sessionId":"${reading.sessionId}","deviceId":"${reading.deviceId}","name":"${reading.name}","time":${reading.time},"values":${reading.values}}`
}

function malformedLine(reading: Reading, random: Random): string {
  const line = lineOf(reading)
  switch (random.integer(6)) {
    case 0:
      return line.replace('"deviceId":', '"deviceId":,')
    case 1:
      return line.replace(/"x":[^,]*/, '"x":"fast"')
    case 2:
      return line.replace(`"time":${reading.time}`, '"time":"yesterday"')
    case 3:
      return line.replace(`"deviceId":"${reading.deviceId}",`, '')
    case 4:
      return line.slice(0, 20 + random.integer(line.length - 30))
    default:
      return line.replace(/"values":.*$/, '"values":null}')
  }
}
