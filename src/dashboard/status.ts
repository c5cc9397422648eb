/** What the page is told about the run as a whole, twice a second: rates are differences over the last two seconds. */
import { join } from 'node:path'
import { wireError } from '../control/protocol.ts'
import type { RunHandle, RunProgress, RunWarning } from '../runtime/options.ts'
import type { Clock } from '../system/clock.ts'
import { freeBytes, listFolder, statusOf } from '../system/files.ts'
import { residentBytes } from '../system/process.ts'
import { sinkId, sourceId, stepOf, topicId } from './graph.ts'
import type { NodeStatus, Status } from './protocol.ts'

const RATE_MS = 2_000
const DISK_MS = 5_000
/** Records of the past are not late by years. */
const LAG_MS_MAX = 86_400_000

interface Sample {
  readonly at_ms: number
  readonly records: ReadonlyMap<string, number>
}

export class StatusReporter {
  readonly #run: RunHandle
  readonly #clock: Clock
  readonly #started_ms: number
  #samples: Sample[] = []
  /** What the page missed last. */
  #missed: RunWarning | null = null
  #disk = { at_ms: Number.NEGATIVE_INFINITY, logBytes: 0, diskFree_bytes: null as number | null }

  constructor(run: RunHandle, clock: Clock) {
    this.#run = run
    this.#clock = clock
    this.#started_ms = clock.monotonic_ms()
  }

  /** The status of this moment; called at even intervals. Null when it cannot be had: the next one says so. */
  status(): Status | null {
    try {
      return this.#status()
    } catch (error) {
      this.missed(error)
      return null
    }
  }

  /** Something could not be shown: the run goes on, and the page says so from now on. */
  missed(error: unknown): void {
    const { message } = wireError(error)
    const next = 'If this process has too many files open, raise the limit (ulimit -n) or close pages and clients.'
    this.#missed = { code: 'FILE_UNREADABLE', message: `The page missed something: ${message}.`, next }
  }

  #status(): Status {
    const progress = this.#run.progress()
    const now_ms = this.#clock.now() / 1000
    const at_ms = this.#clock.monotonic_ms()
    if (at_ms - this.#disk.at_ms >= DISK_MS) this.#disk = { at_ms, ...this.#measureDisk() }
    const nodes = this.#nodes(progress, now_ms)
    const records = new Map([...nodes].map(([id, node]) => [id, node.records]))
    this.#samples = [...this.#samples.filter(sample => at_ms - sample.at_ms <= RATE_MS), { at_ms, records }]
    const oldest = this.#samples[0]!
    const seconds = (at_ms - oldest.at_ms) / 1000
    const rated = [...nodes].map(([id, node]) => {
      const before = oldest.records.get(id) ?? node.records
      return [id, { ...node, perSecond: seconds === 0 ? 0 : (node.records - before) / seconds }] as const
    })
    const { logBytes, diskFree_bytes } = this.#disk
    return {
      kind: 'status',
      now_ms,
      uptime_ms: at_ms - this.#started_ms,
      epoch: progress.epoch,
      held: progress.held,
      warnings: this.#missed === null ? progress.warnings : [...progress.warnings, this.#missed],
      nodes: Object.fromEntries(rated),
      memory_bytes: residentBytes(),
      logBytes,
      diskFree_bytes,
    }
  }

  #nodes({ topics, steps, outputs }: RunProgress, now_ms: number): Map<string, NodeStatus> {
    const nodes = new Map<string, NodeStatus>()
    const { plan } = this.#run
    for (const { step, rows, late = 0, partly_late = 0, repeats = 0 } of steps) {
      const counts = {
        ...(late > 0 && { late }),
        ...(partly_late > 0 && { partly_late }),
        ...(repeats > 0 && { repeats }),
      }
      nodes.set(stepOf(step), { records: rows, perSecond: 0, ...counts })
    }
    const made = new Map(outputs.map(({ output, rows }) => [output, rows]))
    const produced = new Set(plan.produces.map(({ topic }) => topic.name))
    for (const { output, rows, behind } of outputs) {
      nodes.set(produced.has(output) ? topicId(output) : sinkId(output), {
        records: rows,
        perSecond: 0,
        ...(behind === null ? {} : { behind }),
      })
    }
    for (const { topic, records, deadLetters, late, watermark } of topics) {
      const watermark_ms = watermark === null ? null : watermark / 1000
      const node = plan.topics.find(({ name }) => name === topic)
      // The watermark waits for what may come in disorder: that is no lag.
      const disorder_ms = (node?.eventTime?.disorder_us ?? 0) / 1000
      const lag_ms = watermark_ms === null ? null : Math.max(0, now_ms - watermark_ms - disorder_ms)
      nodes.set(topicId(topic), {
        // A topic that a stream is sent to has what was made, whether it is read again or not.
        records: produced.has(topic) ? (made.get(topic) ?? records) : records,
        perSecond: 0,
        late,
        deadLetters,
        watermark_ms,
        lag_ms: lag_ms === null || lag_ms > LAG_MS_MAX ? null : lag_ms,
      })
      // What a topic got is what its source gave, where there is one.
      const ingests = plan.ingests.filter(ingest => ingest.topic.name === topic)
      if (ingests.length === 1) nodes.set(sourceId(plan, ingests[0]!), { records, perSecond: 0 })
    }
    return nodes
  }

  #measureDisk(): { readonly logBytes: number; readonly diskFree_bytes: number | null } {
    const { dataDirectory } = this.#run
    const diskFree_bytes = freeBytes(dataDirectory)
    try {
      return {
        logBytes: bytesUnder(join(dataDirectory, 'topics')) + bytesUnder(join(dataDirectory, 'deliveries')),
        diskFree_bytes,
      }
    } catch {
      // What cannot be read is the log's to complain of; the page says what it knew last.
      return { logBytes: this.#disk.logBytes, diskFree_bytes }
    }
  }
}

/** Length of all files of a folder; those that go meanwhile do not count. */
function bytesUnder(folder: string): number {
  let bytes = 0
  for (const name of listFolder(folder)) {
    const path = join(folder, name)
    const status = statusOf(path)
    if (status?.kind === 'folder') bytes += bytesUnder(path)
    else bytes += status?.bytes ?? 0
  }
  return bytes
}
