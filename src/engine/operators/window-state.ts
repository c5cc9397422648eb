/**
 * The state of a window operator as tables of slots.
 *
 * keys: the cells of each group. progress: by progress key how far windows have come out and what is due. groups: by group
 * its next window and the revisions of those that came out. panes: rows, in what the aggregates keep of them. operator:
 * what there is once.
 */
import { type Stateful, type StateTable, stateTable } from '../state/table.ts'
import type { WindowChanges } from './window-changes.ts'
import type { WindowState } from './window-emission.ts'

export function statefulWindow(identity: string, state: WindowState, changes: WindowChanges): Stateful {
  const { groups, panes, schedule } = state
  return {
    identity,
    tables: [
      groups.table('keys'),
      progressTable(state, changes),
      groupTable(state, changes),
      stateTable('panes', changes.panes, {
        slots: () => panes.slots,
        write: (slot, to) => panes.write(slot, to),
        read: (slot, from) => panes.read(slot, from),
      }),
      operatorTable(state, changes),
    ],
    restored: () => {
      groups.restored()
      schedule.restored(groups.capacity)
      panes.restored(groups.capacity)
    },
  }
}

function progressTable({ schedule, given }: WindowState, changes: WindowChanges): StateTable {
  return stateTable('progress', changes.keys, {
    slots: () => schedule.keyCount,
    write: (key, to) => {
      if (!schedule.writeKey(key, to)) return false
      given.writeKey(key, to)
      return true
    },
    read: (key, from) => {
      schedule.readKey(key, from)
      given.readKey(key, from)
    },
  })
}

function groupTable({ groups, schedule, given }: WindowState, changes: WindowChanges): StateTable {
  return stateTable('groups', changes.groups, {
    slots: () => groups.capacity,
    write: (group, to) => {
      if (!schedule.writeGroup(group, to)) return false
      given.writeGroup(group, to)
      return true
    },
    read: (group, from) => {
      schedule.readGroup(group, from)
      given.readGroup(group, from)
    },
  })
}

function operatorTable({ given, output }: WindowState, changes: WindowChanges): StateTable {
  return stateTable('operator', changes.operator, {
    slots: () => 1,
    write: (_, to) => {
      if (!given.any && output.given === 0) return false
      given.writeOperator(to)
      output.writeOperator(to)
      return true
    },
    read: (_, from) => {
      given.readOperator(from)
      output.readOperator(from)
    },
  })
}
