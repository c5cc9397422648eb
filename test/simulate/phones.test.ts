import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_RATES, type Fault, type FaultRates, faultRates } from '../../src/simulate/faults.ts'
import { type PhonesOptions, type SimulatedLine, simulatePhones } from '../../src/simulate/phones.ts'
import { Waiting } from '../../src/simulate/waiting.ts'

const START_US = Date.UTC(2026, 0, 1) * 1000
const OPTIONS: PhonesOptions = { people: 8, seed: 3, start_us: START_US, duration_us: 120e6, readings_hz: 10 }

interface Reading {
  messageId: number
  sessionId: string
  deviceId: string
  name: string
  time: string
  values: { x: number; y: number; z: number }
}

/** The line as a strict reader sees it; null for a malformed one. */
function readingOf({ line }: SimulatedLine): Reading | null {
  const form =
    /^\{"messageId":\d+,"sessionId":"[0-9a-f]{12}","deviceId":"[0-9a-f]{12}","name":"(accelerometer|gyroscope|gravity)","time":(\d{19}),"values":\{"x":-?\d+\.\d{6},"y":-?\d+\.\d{6},"z":-?\d+\.\d{6}\}\}$/
  const match = form.exec(line)
  return match ? { ...(JSON.parse(line) as Reading), time: match[2]! } : null
}

function lagOf_us(line: SimulatedLine): number {
  return line.arrival_us - Number(BigInt(readingOf(line)!.time) / 1000n)
}

function digest(lines: Iterable<SimulatedLine>): string {
  const hash = createHash('sha256')
  for (const { arrival_us, line } of lines) hash.update(`${arrival_us} ${line}\n`)
  return hash.digest('hex')
}

function linesWith(faults: FaultRates, options: Partial<PhonesOptions> = {}): SimulatedLine[] {
  return [...simulatePhones({ ...OPTIONS, ...options, faults })]
}

describe('what is simulated', () => {
  test('the same seed gives the same bytes, another seed others', () => {
    const all = faultRates('all')
    expect(digest(simulatePhones({ ...OPTIONS, faults: all }))).toBe(
      digest(simulatePhones({ ...OPTIONS, faults: all })),
    )
    expect(digest(simulatePhones({ ...OPTIONS, seed: 4 }))).not.toBe(digest(simulatePhones(OPTIONS)))
    // A simulation can be read again from its start.
    const again = simulatePhones(OPTIONS)
    expect(digest(again)).toBe(digest(again))
  })

  test('lines come in the order of their arrival, whatever the faults', () => {
    const faults = fc.record<FaultRates>({
      late: fc.double({ min: 0, max: 1, noNaN: true }),
      duplicate: fc.double({ min: 0, max: 1, noNaN: true }),
      'out-of-order': fc.double({ min: 0, max: 1, noNaN: true }),
      offline: fc.double({ min: 0, max: 60, noNaN: true }),
    })
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 5 }), faults, (seed, people, rates) => {
        const lines = linesWith(rates, { seed, people, duration_us: 5e6 })
        expect(lines.length).toBeGreaterThanOrEqual(people * 5 * 10 * 3)
        for (let index = 1; index < lines.length; index++) {
          expect(lines[index]!.arrival_us).toBeGreaterThanOrEqual(lines[index - 1]!.arrival_us)
        }
      }),
      { numRuns: 50 },
    )
  })

  test('each phone has 3 sensors at the rate asked for, with messageIds of their own', () => {
    const lines = linesWith({})
    expect(lines).toHaveLength(8 * 120 * 10 * 3)
    const readings = lines.map(line => readingOf(line)!)
    expect(new Set(readings.map(reading => reading.messageId)).size).toBe(lines.length)
    expect(new Set(readings.map(reading => reading.deviceId)).size).toBe(8)
    const counts = Object.groupBy(readings, reading => `${reading.deviceId} ${reading.name}`)
    for (const group of Object.values(counts)) expect(group).toHaveLength(1200)
  })

  test('the mean magnitude of ten seconds tells what the person did', () => {
    let right = 0
    let windows = 0
    const seen = new Set<string>()
    for (const seed of [1, 2, 3, 4]) {
      const simulation = simulatePhones({ ...OPTIONS, people: 10, seed, duration_us: 300e6, readings_hz: 20 })
      const sums = new Map<string, { sum: number; count: number }>()
      for (const line of simulation) {
        const { sessionId, name, values } = readingOf(line)!
        if (name !== 'accelerometer') continue
        const key = `${sessionId} ${Math.floor(line.arrival_us / 10e6)}`
        const window = sums.get(key) ?? { sum: 0, count: 0 }
        sums.set(key, {
          sum: window.sum + Math.sqrt(values.x ** 2 + values.y ** 2 + values.z ** 2),
          count: window.count + 1,
        })
      }
      for (const span of simulation.truth()) {
        seen.add(span.activity)
        for (let window = Math.ceil(span.start_us / 10e6); (window + 1) * 10e6 <= span.end_us; window++) {
          const { sum, count } = sums.get(`${span.sessionId} ${window}`)!
          const mean = sum / count
          const activity = mean < 0.5 ? 'Stationary' : mean < 2 ? 'Walking' : mean < 5 ? 'Running' : 'Sprinting'
          windows++
          if (activity === span.activity) right++
        }
      }
    }
    expect([...seen].sort()).toEqual(['Running', 'Sprinting', 'Stationary', 'Walking'])
    expect(windows).toBeGreaterThan(500)
    expect(right / windows).toBeGreaterThanOrEqual(0.95)
  })

  test('the truth covers each person from the first moment to the last without a gap', () => {
    const simulation = simulatePhones(OPTIONS)
    for (const _ of simulation);
    for (const { sessionId } of simulation.phones) {
      const spans = simulation.truth().filter(span => span.sessionId === sessionId)
      expect(spans[0]!.start_us).toBe(START_US)
      expect(spans.at(-1)!.end_us).toBe(START_US + 120e6)
      spans.slice(1).forEach((span, index) => {
        expect(span.start_us).toBe(spans[index]!.end_us)
      })
    }
  })

  test('walking and running have the step rate of people', () => {
    const simulation = simulatePhones({ ...OPTIONS, readings_hz: 50, duration_us: 200e6 })
    const vertical = new Map<string, number[]>()
    for (const line of simulation) {
      const { sessionId, name, values } = readingOf(line)!
      if (name !== 'accelerometer') continue
      const samples = vertical.get(sessionId)
      if (samples) samples.push(values.z)
      else vertical.set(sessionId, [values.z])
    }
    let checked = 0
    for (const { activity, sessionId, start_us, end_us } of simulation.truth()) {
      if (activity !== 'Walking' && activity !== 'Running') continue
      const first = Math.ceil(((start_us - START_US) / 1e6) * 50)
      if (end_us - start_us < 21e6) continue
      const samples = vertical.get(sessionId)!.slice(first, first + 1000)
      const rate = strongest_hz(samples, 50)
      // The second harmonic may be the stronger one for some persons.
      const [low, high] = activity === 'Walking' ? [1.5, 2.1] : [2.4, 3.1]
      const order = rate > high ? 2 : 1
      expect(rate / order).toBeGreaterThan(low)
      expect(rate / order).toBeLessThan(high)
      checked++
    }
    expect(checked).toBeGreaterThan(5)
  })
})

/** The frequency with the largest Fourier coefficient, by the definition. */
function strongest_hz(samples: readonly number[], rate_hz: number): number {
  let best = 0
  let bestPower = 0
  for (let hz = 0.5; hz < 8; hz += 0.05) {
    let real = 0
    let imaginary = 0
    samples.forEach((sample, index) => {
      const angle = (2 * Math.PI * hz * index) / rate_hz
      real += sample * Math.cos(angle)
      imaginary += sample * Math.sin(angle)
    })
    const power = real ** 2 + imaginary ** 2
    if (power > bestPower) {
      best = hz
      bestPower = power
    }
  }
  return best
}

describe('each fault occurs when asked for, and no other', () => {
  const rates: Record<Exclude<Fault, 'retry' | 'reorder' | 'timeout'>, FaultRates> = {
    late: { late: 0.05 },
    duplicate: { duplicate: 0.05 },
    'out-of-order': { 'out-of-order': 0.1 },
    offline: { offline: 1 },
    'clock-ahead': { 'clock-ahead': 0.05 },
    malformed: { malformed: 0.05 },
  }

  /** Which faults a reader of the lines can see. */
  function seen(lines: readonly SimulatedLine[]): Fault[] {
    const found = new Set<Fault>()
    const ids = new Set<number>()
    for (const line of lines) {
      const reading = readingOf(line)
      if (reading === null) {
        found.add('malformed')
        continue
      }
      if (ids.has(reading.messageId)) {
        found.add('duplicate')
        continue
      }
      ids.add(reading.messageId)
      const lag_us = lagOf_us(line)
      if (lag_us < 0) found.add('clock-ahead')
      else if (lag_us > 2_000_000) found.add('offline')
      else if (lag_us > 200_000) found.add('late')
      else if (lag_us > 0) found.add('out-of-order')
    }
    return [...found]
  }

  test('none', () => {
    expect(seen(linesWith({}))).toEqual([])
  })

  test.each(Object.entries(rates).filter(([name]) => name !== 'late' && name !== 'offline'))('%s', (name, faults) => {
    expect(seen(linesWith(faults))).toEqual([name])
  })

  test('late: held back by up to two seconds, about as often as asked', () => {
    const lines = linesWith(rates.late)
    const lags = lines.map(lagOf_us).filter(lag => lag > 0)
    expect(Math.max(...lags)).toBeLessThanOrEqual(2_000_000)
    expect(Math.max(...lags)).toBeGreaterThan(1_900_000)
    expect(lags.length / lines.length).toBeGreaterThan(0.04)
    expect(lags.length / lines.length).toBeLessThan(0.06)
    expect(lines).toHaveLength(linesWith({}).length)
  })

  test('offline: silence, then all that was kept in a burst, in its order', () => {
    const lines = linesWith(rates.offline)
    expect(lines).toHaveLength(linesWith({}).length)
    const kept = lines.filter(line => lagOf_us(line) > 2_000_000)
    const byPhone = Object.groupBy(kept, line => readingOf(line)!.deviceId)
    expect(Object.keys(byPhone).length).toBeGreaterThan(3)
    for (const burst of Object.values(byPhone)) {
      const times = burst!.map(line => readingOf(line)!.time)
      expect(times).toEqual([...times].sort())
    }
    // While a phone is offline nothing of it arrives.
    const [first] = kept
    const { deviceId, time } = readingOf(first!)!
    const from_us = Number(BigInt(time) / 1000n)
    const between = lines.filter(
      line =>
        line.arrival_us > from_us && line.arrival_us < first!.arrival_us && readingOf(line)!.deviceId === deviceId,
    )
    expect(between).toEqual([])
  })

  test('duplicate: the very same line again, at most a second later', () => {
    const first = new Map<string, number>()
    let duplicates = 0
    for (const { line, arrival_us } of linesWith(rates.duplicate)) {
      const before = first.get(line)
      if (before === undefined) first.set(line, arrival_us)
      else {
        duplicates++
        expect(arrival_us - before).toBeLessThanOrEqual(1_000_001)
      }
    }
    expect(duplicates).toBeGreaterThan(1000)
  })

  test('clock-ahead: one phone lives in 2099', () => {
    const simulation = simulatePhones({ ...OPTIONS, faults: rates['clock-ahead'] })
    const [ahead, ...others] = simulation.phones.filter(phone => phone.clockAhead)
    expect(others).toEqual([])
    for (const line of simulation) {
      const { deviceId, time } = readingOf(line)!
      const year = new Date(Number(BigInt(time) / 1_000_000n)).getUTCFullYear()
      expect(year).toBe(deviceId === ahead!.deviceId ? 2099 : 2026)
    }
  })

  test('malformed: bad JSON, wrong types and missing fields all occur', () => {
    const broken = linesWith(rates.malformed).filter(line => readingOf(line) === null)
    const parsed = broken.map(({ line }) => {
      try {
        return JSON.parse(line) as Record<string, unknown>
      } catch {
        return null
      }
    })
    expect(parsed.some(value => value === null)).toBe(true)
    expect(parsed.some(value => value !== null && !('deviceId' in value))).toBe(true)
    expect(parsed.some(value => value?.values === null)).toBe(true)
    expect(parsed.some(value => value?.time === 'yesterday')).toBe(true)
    expect(broken.every(({ line }) => !line.includes('\n'))).toBe(true)
  })

  test('a fault changes what arrives, never what people did', () => {
    const calm = new Set(linesWith({}).map(({ line }) => line))
    const stormy = linesWith({ late: 0.2, duplicate: 0.2, 'out-of-order': 0.2, offline: 1 })
    expect(new Set(stormy.map(({ line }) => line))).toEqual(calm)
    const simulation = simulatePhones({ ...OPTIONS, faults: faultRates('all') })
    const still = simulatePhones(OPTIONS)
    for (const _ of simulation);
    for (const _ of still);
    expect(simulation.truth()).toEqual(still.truth())
  })
})

describe('the list of faults', () => {
  test('names with default or given rates', () => {
    expect(faultRates('late,duplicate=0.2')).toEqual({ late: DEFAULT_RATES.late, duplicate: 0.2 })
    const { retry, reorder, timeout, ...withoutNetwork } = DEFAULT_RATES
    expect(faultRates('all,offline=3')).toEqual({ ...withoutNetwork, offline: 3 })
    expect(faultRates('all,offline=3', true)).toEqual({ ...DEFAULT_RATES, offline: 3 })
    expect(faultRates('retry=0.5', true)).toEqual({ retry: 0.5 })
    expect(faultRates('')).toEqual({})
  })

  test('a wrong name is answered with the nearest, a wrong rate with the range', () => {
    expect(() => faultRates('dupliacte')).toThrow(/did you mean duplicate\?/)
    expect(() => faultRates('timeout=0.1')).toThrow(/--to URL/)
    expect(() => faultRates('late=2')).toThrow(/from 0 to 1/)
    expect(() => faultRates('late=')).toThrow(/from 0 to 1/)
    expect(() => faultRates('late=often')).toThrow(/from 0 to 1/)
  })
})

test('waiting lines come out in the order of arrival, equal ones in the order of entry', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), arrivals => {
      const waiting = new Waiting<{ arrival_us: number; line: string }>()
      arrivals.forEach((arrival_us, index) => {
        waiting.add({ arrival_us, line: String(index) })
      })
      const expected = arrivals
        .map((arrival_us, index) => ({ arrival_us, line: String(index) }))
        .sort((a, b) => a.arrival_us - b.arrival_us)
      expect([...waiting.until(10), ...waiting.until(20)]).toEqual(expected)
    }),
  )
})
