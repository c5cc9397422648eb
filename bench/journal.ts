/**
 * How fast epochs are committed and state is read back: `node bench/journal.ts [--seconds 2] [--folder DIR]`.
 *
 * An epoch changes slots of 56 bytes; it is committed when it is synced, and the disk decides. The state that is restored
 * has 1,000,000 slots, of which 400 epochs have changed 5,000 each.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { StateReader, StateWriter } from '../src/engine/state/bytes.ts'
import { ChangedSlots, type Stateful, type StateTable } from '../src/engine/state/table.ts'
import { Journal } from '../src/log/journal.ts'
import { systemClock } from '../src/system/clock.ts'
import { seededRandom } from '../src/system/random.ts'
import { diskStorage } from '../src/system/storage.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string' }, folder: { type: 'string' } } })
const duration_ms = Number(values.seconds ?? 2) * 1000
const root = mkdtempSync(join(values.folder ?? tmpdir(), 'millrace-bench-journal-'))
const NUMBERS = 7
const SLOT_BYTES = NUMBERS * 8
const KEYS = 1_000_000

/** Slots of a few numbers each. */
class Numbers implements StateTable {
  readonly name = 'numbers'
  readonly #numbers = new Float64Array(KEYS * NUMBERS)
  readonly #changed = new ChangedSlots()
  slots = 0

  set(slot: number, value: number): void {
    this.#numbers.fill(value, slot * NUMBERS, (slot + 1) * NUMBERS)
    this.slots = Math.max(this.slots, slot + 1)
    this.#changed.mark(slot)
  }

  takeChanged(): Int32Array {
    return this.#changed.take()
  }

  touch(slots: Int32Array): void {
    this.#changed.markRows(slots, 0, slots.length)
  }

  write(slot: number, to: StateWriter): boolean {
    for (let index = 0; index < NUMBERS; index++) to.number(this.#numbers[slot * NUMBERS + index]!)
    return true
  }

  read(slot: number, from: StateReader): void {
    for (let index = 0; index < NUMBERS; index++) this.#numbers[slot * NUMBERS + index] = from.number()
    this.slots = Math.max(this.slots, slot + 1)
  }
}

const open = (folder: string) =>
  new Journal({ storage: diskStorage, clock: systemClock, dataDirectory: join(root, folder) })
const operatorOf = (table: StateTable): readonly Stateful[] => [
  { identity: 'bench/window', tables: [table], restored: () => {} },
]

async function epochs(bytes: number): Promise<void> {
  const journal = open(`epochs-${bytes}`)
  const table = new Numbers()
  const slots = Math.max(1, Math.round(bytes / SLOT_BYTES))
  const waits: number[] = []
  const started = performance.now()
  for (let now = started; now - started < duration_ms; ) {
    for (let count = 0; count < slots; count++) table.set((waits.length * slots + count) % 20_000, waits.length)
    journal.stage({ epoch: waits.length }, operatorOf(table))
    await journal.write()
    const done = performance.now()
    waits.push(done - now)
    now = done
  }
  const rate = waits.length / ((performance.now() - started) / 1000)
  await journal.close()
  waits.sort((a, b) => a - b)
  const at = (share: number) => waits[Math.floor(waits.length * share)]!.toFixed(2)
  console.log(`epochs of ${bytes / 1000} kB: ${Math.round(rate)}/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`)
}

async function restoring(): Promise<void> {
  const journal = open('restored')
  const table = new Numbers()
  const random = seededRandom(1)
  for (let slot = 0; slot < KEYS; slot++) table.set(slot, slot)
  let longest_ms = 0
  let most = 0
  for (let epoch = 0; epoch < 400; epoch++) {
    const started = performance.now()
    journal.stage({ epoch }, operatorOf(table))
    if (epoch > 0) longest_ms = Math.max(longest_ms, performance.now() - started)
    await journal.write()
    most = Math.max(most, journal.bytes)
    for (let count = 0; count < 5000; count++) table.set(random.integer(KEYS), epoch)
  }
  await journal.close()
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`
  console.log(
    `state of ${megabytes(KEYS * SLOT_BYTES)}: journal up to ${megabytes(most)}, 5,000 slots staged in ${longest_ms.toFixed(1)} ms at most`,
  )
  const started = performance.now()
  const again = open('restored')
  const opened = performance.now()
  again.restore(operatorOf(new Numbers()))
  console.log(
    `opened and checked in ${(opened - started).toFixed(0)} ms, 1,000,000 slots restored in ${(performance.now() - opened).toFixed(0)} ms`,
  )
  await again.close()
}

try {
  await epochs(1000)
  await epochs(100_000)
  await restoring()
} finally {
  rmSync(root, { recursive: true, force: true })
}
