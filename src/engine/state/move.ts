/** Takes the state of operators over into others of the same steps that have just been made. */
import { StateReader, StateWriter } from './bytes.ts'
import type { Stateful } from './table.ts'

/** What changed in the old ones and nobody has asked for yet counts as changed in the new ones. */
export function moveState(from: readonly Stateful[], to: readonly Stateful[]): void {
  const writer = new StateWriter()
  const reader = new StateReader(Buffer.alloc(0))
  for (const heir of to) {
    const old = from.find(({ identity }) => identity === heir.identity)
    const changed = heir.tables.map(({ name }) =>
      old?.tables
        .find(table => table.name === name)
        ?.takeChanged()
        .slice(),
    )
    for (const table of heir.tables) {
      const held = old?.tables.find(({ name }) => name === table.name)
      for (let slot = 0; held !== undefined && slot < held.slots; slot++) {
        writer.clear()
        if (!held.write(slot, writer)) continue
        reader.seek(0, writer.bytes)
        table.read(slot, reader)
      }
    }
    heir.restored()
    heir.tables.forEach((table, index) => {
      const slots = changed[index]
      if (slots !== undefined) table.touch(slots)
    })
  }
}
