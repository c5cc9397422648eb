/**
 * The lowest of the times of many keys, which only ever grow.
 *
 * A heap by the times that the keys had when the heap last looked at them: those are at most what the keys have now, so
 * only keys at the top have to be looked at again. A key costs a look only if it has had rows since the last one, whatever
 * the number of keys.
 */
import { grown } from './state/key-table.ts'

export class LowestKey {
  #keys = new Int32Array(1024)
  #seen = new Float64Array(1024)
  #count = 0

  add(key: number, time: number): void {
    if (this.#count === this.#keys.length) {
      this.#keys = grown(this.#keys, new Int32Array(this.#count * 2))
      this.#seen = grown(this.#seen, new Float64Array(this.#count * 2))
    }
    let at = this.#count++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#seen[parent]! <= time) break
      this.#put(at, this.#keys[parent]!, this.#seen[parent]!)
      at = parent
    }
    this.#put(at, key, time)
  }

  /** The lowest time, +Infinity without keys. `timeOf`: the time that a key has now. */
  lowest(timeOf: (key: number) => number): number {
    while (this.#count > 0) {
      const now = timeOf(this.#keys[0]!)
      if (now === this.#seen[0]) return now
      this.#sink(this.#keys[0]!, now)
    }
    return Number.POSITIVE_INFINITY
  }

  #sink(key: number, time: number): void {
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= this.#count) break
      if (child + 1 < this.#count && this.#seen[child + 1]! < this.#seen[child]!) child++
      if (this.#seen[child]! >= time) break
      this.#put(at, this.#keys[child]!, this.#seen[child]!)
      at = child
    }
    this.#put(at, key, time)
  }

  #put(at: number, key: number, time: number): void {
    this.#keys[at] = key
    this.#seen[at] = time
  }
}
