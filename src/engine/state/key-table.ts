/**
 * Keys as bytes -> slots: an open-addressing table (linear probing) with slots that are freed and used again.
 *
 * Bytes of all keys lie in one growing buffer, so a key costs its bytes and 20 more, and no object.
 */
const EMPTY = -1
const DELETED = -2

export class KeyTable {
  #entries = new Int32Array(1024).fill(EMPTY)
  #occupied = 0
  #hashes = new Int32Array(512)
  #offsets = new Float64Array(512)
  #lengths = new Int32Array(512)
  #free: number[] = []
  #slots = 0
  #bytes = Buffer.alloc(1 << 14)
  #bytesEnd = 0
  #bytesFreed = 0

  /** Slots handed out so far, free ones included: arrays by slot need this length. */
  get capacity(): number {
    return this.#slots
  }

  get size(): number {
    return this.#slots - this.#free.length
  }

  /** Whether a slot belongs to a key. */
  has(slot: number): boolean {
    return slot < this.#slots && this.#lengths[slot]! >= 0
  }

  /** The slot of a key; a new one, and `size` one more, when the key is unknown. */
  findOrAdd(key: Buffer, length: number): number {
    if ((this.#occupied + 1) * 2 > this.#entries.length) this.#rebuild()
    const hash = hashOf(key, 0, length)
    const mask = this.#entries.length - 1
    let index = hash & mask
    let grave = -1
    for (;;) {
      const slot = this.#entries[index]!
      if (slot === EMPTY) break
      if (slot === DELETED) {
        if (grave < 0) grave = index
      } else if (this.#hashes[slot] === hash && this.#equals(slot, key, length)) return slot
      index = (index + 1) & mask
    }
    const slot = this.#newSlot()
    this.#hashes[slot] = hash
    this.#keep(slot, key, 0, length)
    if (grave >= 0) index = grave
    else this.#occupied++
    this.#entries[index] = slot
    return slot
  }

  /** Frees the slot of a key; it may be handed out again for another one. */
  release(slot: number): void {
    const mask = this.#entries.length - 1
    let index = this.#hashes[slot]! & mask
    while (this.#entries[index] !== slot) index = (index + 1) & mask
    this.#entries[index] = DELETED
    this.#bytesFreed += this.#lengths[slot]!
    this.#lengths[slot] = -1
    this.#free.push(slot)
    if (this.#bytesFreed > 1 << 16 && this.#bytesFreed * 2 > this.#bytesEnd) this.#compact()
  }

  /** Gives the key in bytes [from, to) a slot of its own, in a table that has just been made; `restored` follows. */
  restore(slot: number, bytes: Buffer, from: number, to: number): void {
    if (slot >= this.#slots) {
      this.#reserve(slot)
      this.#lengths.fill(-1, this.#slots, slot + 1)
      this.#slots = slot + 1
    }
    this.#hashes[slot] = hashOf(bytes, from, to)
    this.#keep(slot, bytes, from, to)
  }

  /** Called once when all keys have been restored: the other slots are free. */
  restored(): void {
    for (let slot = this.#slots - 1; slot >= 0; slot--) if (this.#lengths[slot]! < 0) this.#free.push(slot)
    let size = this.#entries.length
    while (size < this.size * 4) size *= 2
    const entries = new Int32Array(size).fill(EMPTY)
    for (let slot = 0; slot < this.#slots; slot++) {
      if (this.#lengths[slot]! >= 0) entries[emptyFrom(entries, this.#hashes[slot]!)] = slot
    }
    this.#entries = entries
    this.#occupied = this.size
  }

  #equals(slot: number, key: Buffer, length: number): boolean {
    const offset = this.#offsets[slot]!
    return this.#lengths[slot] === length && this.#bytes.compare(key, 0, length, offset, offset + length) === 0
  }

  #newSlot(): number {
    const free = this.#free.pop()
    if (free !== undefined) return free
    this.#reserve(this.#slots)
    return this.#slots++
  }

  #reserve(slot: number): void {
    if (slot < this.#hashes.length) return
    const length = Math.max(slot + 1, this.#hashes.length * 2)
    this.#hashes = grown(this.#hashes, new Int32Array(length))
    this.#offsets = grown(this.#offsets, new Float64Array(length))
    this.#lengths = grown(this.#lengths, new Int32Array(length))
  }

  #keep(slot: number, key: Buffer, from: number, to: number): void {
    const length = to - from
    if (this.#bytesEnd + length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#bytesEnd + length))
      this.#bytes.copy(larger, 0, 0, this.#bytesEnd)
      this.#bytes = larger
    }
    const bytes = this.#bytes
    const end = this.#bytesEnd
    // Keys are short: a call of `copy` takes longer.
    for (let index = 0; index < length; index++) bytes[end + index] = key[from + index]!
    this.#offsets[slot] = end
    this.#lengths[slot] = length
    this.#bytesEnd += length
  }

  #rebuild(): void {
    const size = this.size * 4 > this.#entries.length ? this.#entries.length * 2 : this.#entries.length
    const entries = new Int32Array(size).fill(EMPTY)
    for (const slot of this.#entries) {
      if (slot >= 0) entries[emptyFrom(entries, this.#hashes[slot]!)] = slot
    }
    this.#entries = entries
    this.#occupied = this.size
  }

  #compact(): void {
    const old = this.#bytes
    this.#bytes = Buffer.alloc(Math.max(1 << 14, (this.#bytesEnd - this.#bytesFreed) * 2))
    let end = 0
    for (let slot = 0; slot < this.#slots; slot++) {
      const length = this.#lengths[slot]!
      if (length < 0) continue
      old.copy(this.#bytes, end, this.#offsets[slot]!, this.#offsets[slot]! + length)
      this.#offsets[slot] = end
      end += length
    }
    this.#bytesEnd = end
    this.#bytesFreed = 0
  }
}

/** The place in a table without graves where an entry of this hash goes. */
function emptyFrom(entries: Int32Array, hash: number): number {
  const mask = entries.length - 1
  let index = hash & mask
  while (entries[index] !== EMPTY) index = (index + 1) & mask
  return index
}

/** FNV-1a with a last mix, so that the low bits depend on all bytes. */
function hashOf(bytes: Buffer, from: number, to: number): number {
  let hash = 0x811c9dc5
  for (let index = from; index < to; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x85ebca6b)
  return hash ^ (hash >>> 13)
}

/** The larger array with the cells of the smaller one. */
export function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from)
  return to
}
