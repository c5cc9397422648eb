/**
 * What a phone in a pocket measures while its owner rests, walks, runs or sprints.
 *
 * Linear acceleration is a gait: a fundamental at the step rate and two harmonics on each axis, scaled so that the mean
 * magnitude is the one drawn for this stretch, breathing slowly in strength, with sensor noise on top. Rest is noise and
 * sway alone.
 */
import type { Random } from '../system/random.ts'

export type Activity = 'Stationary' | 'Walking' | 'Running' | 'Sprinting'

export type Sensor = 'accelerometer' | 'gyroscope' | 'gravity'
export const SENSORS: readonly Sensor[] = ['accelerometer', 'gyroscope', 'gravity']

interface Range {
  readonly from: number
  readonly to: number
}

/**
 * Of each activity: how long it is kept up, steps a second, mean magnitude of the acceleration in m/s² (inside the
 * classes' limits of 0.5, 2 and 5) and of the rotation in rad/s, and what follows it how often.
 */
const HABITS: Record<
  Activity,
  {
    readonly dwell_s: Range
    readonly steps_hz: Range
    readonly acceleration: Range
    readonly rotation: Range
    readonly next: readonly (readonly [Activity, number])[]
  }
> = {
  Stationary: {
    dwell_s: { from: 20, to: 120 },
    steps_hz: { from: 0.2, to: 0.3 },
    acceleration: { from: 0.05, to: 0.3 },
    rotation: { from: 0.01, to: 0.08 },
    next: [
      ['Walking', 0.85],
      ['Running', 0.15],
    ],
  },
  Walking: {
    dwell_s: { from: 30, to: 150 },
    steps_hz: { from: 1.6, to: 2 },
    acceleration: { from: 1, to: 1.7 },
    rotation: { from: 0.6, to: 1.2 },
    next: [
      ['Stationary', 0.4],
      ['Running', 0.45],
      ['Sprinting', 0.15],
    ],
  },
  Running: {
    dwell_s: { from: 25, to: 100 },
    steps_hz: { from: 2.5, to: 3 },
    acceleration: { from: 2.6, to: 4.4 },
    rotation: { from: 1.5, to: 2.6 },
    next: [
      ['Walking', 0.5],
      ['Sprinting', 0.3],
      ['Stationary', 0.2],
    ],
  },
  Sprinting: {
    dwell_s: { from: 12, to: 28 },
    steps_hz: { from: 3, to: 3.2 },
    acceleration: { from: 6, to: 9 },
    rotation: { from: 2.6, to: 4 },
    next: [
      ['Running', 0.5],
      ['Walking', 0.4],
      ['Stationary', 0.1],
    ],
  },
}

/** Amplitude and phase of the fundamental and its two harmonics on one axis. */
type Harmonics = readonly (readonly [amplitude: number, phase: number])[]

/** One stretch of one activity. */
export interface Bout {
  readonly activity: Activity
  readonly start_us: number
  readonly end_us: number
  readonly steps_hz: number
  readonly noise: number
  readonly acceleration: readonly [Harmonics, Harmonics, Harmonics]
  readonly rotation: readonly [Harmonics, Harmonics, Harmonics]
}

/** How the phone lies in the pocket: the direction of gravity, drawn once a person. */
export interface Posture {
  readonly tilt: number
  readonly turn: number
}

const GRAVITY = 9.80665
/** Share of the mean magnitude that is noise while moving; at rest nearly all of it is. */
const NOISE_MOVING = 0.12
const NOISE_RESTING = 0.45
/** Harmonics of a footfall, from biomechanics' usual picture: the second is strong, the third is the heel strike. */
const HARMONIC_STRENGTH = [1, 0.55, 0.25]
/** Vertical, forward, sideways. */
const AXIS_STRENGTH = [0.6, 0.45, 1]

export function drawPosture(random: Random): Posture {
  return { tilt: 0.2 + random.next() * 0.9, turn: random.next() * 2 * Math.PI }
}

/** The first bout of a person, caught in the middle of it. */
export function firstBout(random: Random, start_us: number): Bout {
  const activity = pick<Activity>(random, [
    ['Stationary', 0.3],
    ['Walking', 0.4],
    ['Running', 0.22],
    ['Sprinting', 0.08],
  ])
  return drawBout(random, activity, start_us)
}

/** The bout that follows another without a gap. */
export function nextBout(random: Random, before: Bout): Bout {
  return drawBout(random, pick(random, HABITS[before.activity].next), before.end_us)
}

function drawBout(random: Random, activity: Activity, start_us: number): Bout {
  const habit = HABITS[activity]
  const dwell_s = within(random, habit.dwell_s)
  const noiseShare = activity === 'Stationary' ? NOISE_RESTING : NOISE_MOVING
  const magnitude = within(random, habit.acceleration)
  const noise = noiseShare * magnitude
  return {
    activity,
    start_us,
    end_us: start_us + Math.round(dwell_s * 1e6),
    steps_hz: within(random, habit.steps_hz),
    noise,
    acceleration: drawHarmonics(random, magnitude, noise),
    rotation: drawHarmonics(random, within(random, habit.rotation), 0),
  }
}

/** Harmonics whose mean magnitude over a step, noise included, is the one wanted. */
function drawHarmonics(random: Random, magnitude: number, noise: number): [Harmonics, Harmonics, Harmonics] {
  const axis = (strength: number): Harmonics =>
    HARMONIC_STRENGTH.map(harmonic => [strength * harmonic * (0.8 + random.next() * 0.4), random.next() * 2 * Math.PI])
  const axes = AXIS_STRENGTH.map(axis)
  let sum = 0
  const samples = 96
  for (let sample = 0; sample < samples; sample++) {
    const phase = (2 * Math.PI * sample) / samples
    sum += Math.hypot(wave(axes[0]!, phase), wave(axes[1]!, phase), wave(axes[2]!, phase))
  }
  // Noise on three axes lengthens the mean vector: roughly in quadrature.
  const clean = Math.sqrt(Math.max(0, magnitude ** 2 - 2.5 * noise ** 2))
  const scale = clean / (sum / samples)
  const scaled = (harmonics: Harmonics): Harmonics => harmonics.map(([amplitude, phase]) => [amplitude * scale, phase])
  return [scaled(axes[0]!), scaled(axes[1]!), scaled(axes[2]!)]
}

function wave(harmonics: Harmonics, phase: number): number {
  let sum = 0
  for (let order = 0; order < harmonics.length; order++) {
    const [amplitude, shift] = harmonics[order]!
    sum += amplitude * Math.sin((order + 1) * phase + shift)
  }
  return sum
}

/** The reading of a sensor at a time, as x, y, z written into `out`: m/s² (acceleration, gravity) or rad/s. */
export function measure(
  sensor: Sensor,
  bout: Bout,
  posture: Posture,
  time_us: number,
  random: Random,
  out: Float64Array,
): void {
  const seconds = (time_us - bout.start_us) / 1e6
  const phase = 2 * Math.PI * bout.steps_hz * seconds
  switch (sensor) {
    case 'accelerometer': {
      // Nobody steps evenly: the strength breathes by 8 % every few steps.
      const breath = 1 + 0.08 * Math.sin(0.9 * seconds)
      for (let axis = 0; axis < 3; axis++) {
        out[axis] = breath * wave(bout.acceleration[axis]!, phase) + bout.noise * random.normal()
      }
      return
    }
    case 'gyroscope':
      for (let axis = 0; axis < 3; axis++) out[axis] = wave(bout.rotation[axis]!, phase) + 0.01 * random.normal()
      return
    case 'gravity': {
      const sway = bout.activity === 'Stationary' ? 0.01 : 0.12
      const tilt = posture.tilt + sway * Math.sin(phase / 2)
      const turn = posture.turn + sway * Math.cos(phase / 2)
      out[0] = GRAVITY * Math.sin(tilt) * Math.cos(turn) + 0.004 * random.normal()
      out[1] = GRAVITY * Math.sin(tilt) * Math.sin(turn) + 0.004 * random.normal()
      out[2] = GRAVITY * Math.cos(tilt) + 0.004 * random.normal()
      return
    }
  }
}

function within(random: Random, range: Range): number {
  return range.from + random.next() * (range.to - range.from)
}

function pick<T>(random: Random, weighted: readonly (readonly [T, number])[]): T {
  let rest = random.next() * weighted.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [value, weight] of weighted) {
    rest -= weight
    if (rest < 0) return value
  }
  return weighted.at(-1)![0]
}
