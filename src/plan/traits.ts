/** What may be asked of a kind of step, wherever: a kind that is added without its answers does not compile. */
import type { StreamNode } from './nodes.ts'
import { chainOf } from './walk.ts'

interface Traits {
  /** It keeps something from one row to the next, which an epoch holds. */
  readonly hasState: boolean
  /** It goes by the event time of its rows. */
  readonly goesByTime: boolean
  /** What it makes of a record can be made again of that record alone. */
  readonly isRowByRow: boolean
}

const ROW_BY_ROW: Traits = { hasState: false, goesByTime: false, isRowByRow: true }
const BY_TIME: Traits = { hasState: true, goesByTime: true, isRowByRow: false }

const TRAITS: Readonly<Record<StreamNode['kind'], Traits>> = {
  read: ROW_BY_ROW,
  filter: ROW_BY_ROW,
  require: ROW_BY_ROW,
  derive: ROW_BY_ROW,
  project: ROW_BY_ROW,
  explode: ROW_BY_ROW,
  dedupe: BY_TIME,
  window: BY_TIME,
  // It lets pass or not by what the row says itself; but it stands behind a window.
  finals: { hasState: false, goesByTime: false, isRowByRow: false },
}

export function hasState({ kind }: StreamNode): boolean {
  return TRAITS[kind].hasState
}

export function goesByTime({ kind }: StreamNode): boolean {
  return TRAITS[kind].goesByTime
}

/** Whether each row of a stream is made of one record alone. */
export function isRowByRow(stream: StreamNode): boolean {
  return chainOf(stream).every(({ kind }) => TRAITS[kind].isRowByRow)
}
