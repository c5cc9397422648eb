/** Numbers given to names: where the name's hash says when that is free, else the next one; in the second round all again. */
export class Assignment {
  readonly #numbers = new Map<string, number>()
  readonly #taken = new Set<number>()
  readonly #size: number

  constructor(size: number) {
    this.#size = size
  }

  numberOf(name: string): number {
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    const round = Math.floor(this.#numbers.size / this.#size) * this.#size
    let place = hashOf(name) % this.#size
    while (this.#taken.has(round + place)) place = (place + 1) % this.#size
    this.#numbers.set(name, round + place)
    this.#taken.add(round + place)
    return round + place
  }
}

function hashOf(text: string): number {
  let hash = 2_166_136_261
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16_777_619)
  return (hash ^ (hash >>> 15)) >>> 0
}
