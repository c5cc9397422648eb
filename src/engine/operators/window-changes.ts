/** What changed of a window operator since the last epoch, by kind of slot. Where state is not kept, nothing is collected. */
import { ChangedSlots } from '../state/table.ts'

export class WindowChanges {
  /** Progress keys, groups, panes. */
  readonly keys: ChangedSlots
  readonly groups: ChangedSlots
  readonly panes: ChangedSlots
  /** What the operator has once: slot 0. */
  readonly operator: ChangedSlots

  constructor(isAsked = false) {
    this.keys = new ChangedSlots(isAsked)
    this.groups = new ChangedSlots(isAsked)
    this.panes = new ChangedSlots(isAsked)
    this.operator = new ChangedSlots(isAsked)
  }
}
