/** What was held back, handed out in the order of its arrival (a binary heap; equal times in order of entry). */
export class Waiting<Held extends { readonly arrival_us: number }> {
  readonly #heap: { readonly held: Held; readonly entry: number }[] = []
  #entries = 0

  add(held: Held): void {
    const heap = this.#heap
    heap.push({ held, entry: this.#entries++ })
    let at = heap.length - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(at, parent)) break
      this.#swap(at, parent)
      at = parent
    }
  }

  /** Something has arrived by then. */
  due(time_us: number): boolean {
    return this.#heap.length > 0 && this.#heap[0]!.held.arrival_us <= time_us
  }

  /** Takes out what has arrived by then. */
  *until(time_us: number): Generator<Held> {
    while (this.due(time_us)) yield this.#take()
  }

  #take(): Held {
    const heap = this.#heap
    const first = heap[0]!.held
    const last = heap.pop()!
    if (heap.length === 0) return first
    heap[0] = last
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      if (left >= heap.length) return first
      const child = left + 1 < heap.length && this.#before(left + 1, left) ? left + 1 : left
      if (!this.#before(child, at)) return first
      this.#swap(child, at)
      at = child
    }
  }

  #before(a: number, b: number): boolean {
    const first = this.#heap[a]!
    const second = this.#heap[b]!
    const difference = first.held.arrival_us - second.held.arrival_us
    return difference !== 0 ? difference < 0 : first.entry < second.entry
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap
    const held = heap[a]!
    heap[a] = heap[b]!
    heap[b] = held
  }
}
