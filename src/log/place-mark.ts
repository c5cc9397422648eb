/**
 * What blocks and markers say of the place that they belong to: a file that was copied over another one, or put back in
 * the wrong folder, is known by it.
 */
import { crc32 } from 'node:zlib'

/** In files of the version that wrote no marks: it says nothing. */
const NO_MARK = 0

/** Of a topic's partition: a whole number of 32 bits, never 0. */
export function placeMark(topic: string, partition: number): number {
  return crc32(`${topic}/${partition}`) || 1
}

/** Whether what bears a mark may stand where another one is expected. */
export function marksAgree(mark: number, expected: number): boolean {
  return mark === NO_MARK || mark === expected
}
