/** What was counted in a data directory before this run, beside what its operators count now. */
import type { Flow } from '../../engine/flow.ts'

export interface RowCounts {
  readonly late: number
  readonly partly_late: number
  readonly repeats: number
}

export class EarlierCounts {
  #before: RowCounts = { late: 0, partly_late: 0, repeats: 0 }

  /** Older positions do not have all of them. */
  resume({ late = 0, partly_late = 0, repeats = 0 }: Partial<RowCounts>): void {
    this.#before = { late, partly_late, repeats }
  }

  totals({ counts }: Flow): RowCounts {
    let { late, partly_late, repeats } = this.#before
    for (const step of counts.values()) {
      late += step.late
      partly_late += step.partly_late
      repeats += step.repeats
    }
    return { late, partly_late, repeats }
  }
}
