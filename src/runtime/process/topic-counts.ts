/** What came to a topic of a data directory, and what became of it: counted before this run, and in it. */
import type { Flow } from '../../engine/flow.ts'
import type { TopicPosition } from '../ingest/partitions.ts'

interface RowCounts {
  readonly late: number
  readonly partly_late: number
  readonly repeats: number
}

export class TopicCounts {
  records = 0
  bytes = 0
  duplicates = 0
  #before: RowCounts = { late: 0, partly_late: 0, repeats: 0 }

  /** Older positions do not have all of them. */
  resume({ records, bytes, duplicates = 0, late = 0, partly_late = 0, repeats = 0 }: TopicPosition): void {
    this.records = records
    this.bytes = bytes
    this.duplicates = duplicates
    this.#before = { late, partly_late, repeats }
  }

  /** `flow`: its operators count what becomes of rows. */
  totals({ counts }: Flow) {
    const { records, bytes, duplicates } = this
    let { late, partly_late, repeats } = this.#before
    for (const step of counts.values()) {
      late += step.late
      partly_late += step.partly_late
      repeats += step.repeats
    }
    return { records, bytes, duplicates, late, partly_late, repeats }
  }
}
