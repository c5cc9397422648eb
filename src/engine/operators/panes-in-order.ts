/** Puts panes back in order after a restart. */

/** The slots that are panes, by group, those of a group in order of time. A slot whose index is NaN is no whole pane. */
export function panesInOrder(groupOf: Int32Array, index: Float64Array, slots: number, groups: number): Int32Array {
  const isPane = (slot: number) => groupOf[slot]! >= 0 && !Number.isNaN(index[slot])
  // Counted, then placed: a million panes are not to be compared with each other.
  const ends = new Int32Array(groups)
  for (let slot = 0; slot < slots; slot++) if (isPane(slot)) ends[groupOf[slot]!]!++
  let total = 0
  for (let group = 0; group < groups; group++) {
    total += ends[group]!
    ends[group] = total - ends[group]!
  }
  const placed = new Int32Array(total)
  for (let slot = 0; slot < slots; slot++) if (isPane(slot)) placed[ends[groupOf[slot]!]!++] = slot
  let start = 0
  for (const end of ends) {
    if (end - start > 1) placed.subarray(start, end).sort((a, b) => index[a]! - index[b]!)
    start = end
  }
  return placed
}
