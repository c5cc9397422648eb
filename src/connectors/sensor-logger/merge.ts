/** Readings of several sensors as one stream in the order of their times. */
import { Damaged } from '../../formats/lines.ts'
import type { Reading } from './readings.ts'

/**
 * An export holds one sensor after the other, but one phone's clock drives them all: read one after the other, every
 * sensor but the first would look hours late. What cannot be read of a sensor is passed on where it stands; a sensor that
 * breaks off leaves the others as they are.
 */
export async function* inOrder(
  sensors: readonly AsyncIterable<Reading | Damaged>[],
): AsyncGenerator<Reading | Damaged, void, undefined> {
  const heads: { readonly iterator: AsyncIterator<Reading | Damaged>; item: Reading | Damaged }[] = []
  const advance = async (iterator: AsyncIterator<Reading | Damaged>): Promise<Reading | Damaged | null> => {
    try {
      const { value, done } = await iterator.next()
      return done ? null : value
    } catch (error) {
      if (error instanceof Damaged) return error
      throw error
    }
  }
  try {
    for (const sensor of sensors) {
      const iterator = sensor[Symbol.asyncIterator]()
      const item = await advance(iterator)
      if (item !== null) heads.push({ iterator, item })
    }
    while (heads.length > 0) {
      let best = 0
      let bestTime = Number.POSITIVE_INFINITY
      for (let index = 0; index < heads.length; index++) {
        const { item } = heads[index]!
        // Damage, and a reading without a time, hold nothing back.
        const time = item instanceof Damaged || Number.isNaN(item.time) ? Number.NEGATIVE_INFINITY : item.time
        if (time < bestTime) {
          best = index
          bestTime = time
        }
      }
      const head = heads[best]!
      yield head.item
      const next = await advance(head.iterator)
      if (next === null) heads.splice(best, 1)
      else head.item = next
    }
  } finally {
    for (const { iterator } of heads) await iterator.return?.()
  }
}
