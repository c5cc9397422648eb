/** What became of the rows that came to a step with state, in this run. */
export interface StepCounts {
  /** Rows that came to it. Of a window: `in` = those that count in all windows that hold them + `late` + `partly_late`. */
  in: number
  /** Of a window: rows that count in none of the windows that hold them. */
  late: number
  /** Of overlapping windows: rows that are late for some of the windows that hold them and count in the others. */
  partly_late: number
  /** Of a dedupe: rows that were dropped. */
  repeats: number
}

export function noCounts(): StepCounts {
  return { in: 0, late: 0, partly_late: 0, repeats: 0 }
}
