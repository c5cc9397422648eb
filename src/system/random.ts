import { randomBytes, randomUUID } from 'node:crypto'

/** A stream of pseudo-random numbers that a seed fixes (sfc32; public domain, from PractRand). */
export interface Random {
  /** A double in [0, 1). */
  next(): number
  /** A whole number in [0, below). */
  integer(below: number): number
  /** A normally distributed double with mean 0 and deviation 1 (Box and Muller). */
  normal(): number
}

export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9 ^ seed
  let b = 0x243f6a88
  let c = 0xb7e15162
  let counter = 1
  const draw = () => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let i = 0; i < 15; i++) draw()
  const next = () => ((draw() >>> 5) * 67108864 + (draw() >>> 6)) / 9007199254740992
  return {
    next,
    integer: below => Math.floor(next() * below),
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  }
}

/** An identity that nothing else has: 32 hexadecimal digits (a UUID without its dashes). */
export function newIncarnation(): string {
  return randomUUID().replaceAll('-', '')
}

/** Bytes that nobody can guess, for keys and secrets. */
export function secretBytes(count: number): Uint8Array {
  return randomBytes(count)
}
