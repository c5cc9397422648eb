/** What goes wrong between a phone and the pipeline, each with a rate of its own. */
import { MillraceError, nearest } from '../system/errors.ts'
import type { Random } from '../system/random.ts'

/**
 * - `late`: a reading is held back by up to two seconds (rate: share of the readings).
 * - `duplicate`: a reading is sent again with the same messageId, up to a second later (share of the readings).
 * - `out-of-order`: a reading is overtaken by its successors of the next 200 ms (share of the readings).
 * - `offline`: a phone is silent for 15 to 60 s, then sends what it kept in a burst (times a minute and phone).
 * - `clock-ahead`: a phone's clock stands in 2099 (share of the phones, at least one).
 * - `malformed`: a line is broken: bad JSON, a wrong type, a missing field, cut short (share of the readings).
 */
export type Fault = 'late' | 'duplicate' | 'out-of-order' | 'offline' | 'clock-ahead' | 'malformed'

export type FaultRates = Readonly<Partial<Record<Fault, number>>>

export const DEFAULT_RATES: Readonly<Record<Fault, number>> = {
  late: 0.05,
  duplicate: 0.01,
  'out-of-order': 0.05,
  offline: 0.25,
  'clock-ahead': 0.05,
  malformed: 0.001,
}

const FAULTS = Object.keys(DEFAULT_RATES) as Fault[]

/**
 * Rates from `late,duplicate=0.2` or `all`: the default rate, or the one after the `=`.
 *
 * Errors: OPTION_INVALID for an unknown fault (with the nearest) or a rate outside 0..1 (offline: 0..60).
 */
export function faultRates(text: string): FaultRates {
  const rates: Partial<Record<Fault, number>> = {}
  for (const word of text.split(',')) {
    const [name = '', given] = word.trim().split('=', 2)
    if (name === '' && given === undefined) continue
    if (name === 'all' && given === undefined) {
      Object.assign(rates, DEFAULT_RATES)
      continue
    }
    if (!isFault(name)) {
      const near = nearest(name, [...FAULTS, 'all'])
      throw new MillraceError(
        'OPTION_INVALID',
        `There is no fault '${name}'${near === null ? '' : `; did you mean ${near}?`} Faults: ${FAULTS.join(', ')}, all.`,
      )
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

function isFault(name: string): name is Fault {
  return Object.hasOwn(DEFAULT_RATES, name)
}

/** How far a clock that stands in 2099 is ahead of the simulation's start. */
export function aheadBy_us(start_us: number): number {
  return Date.UTC(2099, 0, 1) * 1000 - start_us
}

/** The fields of a reading as the line has them. */
export interface Reading {
  readonly messageId: number
  readonly sessionId: string
  readonly deviceId: string
  readonly name: string
  /** Nanoseconds as digits: a double cannot hold them. */
  readonly time: string
  readonly values: string
}

export function lineOf(reading: Reading): string {
  return `{"messageId":${reading.messageId},"sessionId":"${reading.sessionId}","deviceId":"${reading.deviceId}","name":"${reading.name}","time":${reading.time},"values":${reading.values}}`
}

/** The reading as a broken sender would write it. */
export function malformedLine(reading: Reading, random: Random): string {
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
