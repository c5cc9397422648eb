/** A run that does what the test says: batches are given by hand, progress is what was set. */

import { z } from 'zod'
import { type Batch, batchOf } from '../../src/engine/batch.ts'
import type { Parts } from '../../src/index.ts'
import { count, pipeline, timestamp, topic, tumbling } from '../../src/index.ts'
import type { Plan, SourceReference } from '../../src/plan/nodes.ts'
import type { RunHandle, RunProgress } from '../../src/runtime/options.ts'

const source: SourceReference = { kind: 'source', connector: 'http', options: {}, open: async () => null }

export const readings = topic(
  'readings',
  z.object({ device: z.string(), at: timestamp('us'), level: z.number(), note: z.string().nullable() }),
  { key: 'device', eventTime: { field: 'at', disorder: '2 s' } },
)

export const roomPlan: Plan = pipeline('room', ({ ingest, from, warehouse, dashboard }: Parts) => {
  ingest(source, readings)
  const windows = from(readings)
    .filter(r => r.level > 0)
    .groupBy('device')
    .window(tumbling('1 m'), { early: '1 s' })
    .aggregate({ n: count() })
  windows.to(topic('counted'))
  warehouse.table('ROOM.COUNTS').upserts(windows, { key: ['device', 'window_start'] })
  dashboard('Room', show => [
    show.timeSeries('Level', readings, { value: 'level', by: 'device' }),
    show.table('Latest', readings, { latestBy: 'device' }),
    show.stat('Readings', readings, { aggregate: 'count', over: '1 m' }),
    show.table('Counts', windows),
  ])
}).plan

export interface Reading {
  readonly device: string
  readonly at: number
  readonly level: number
  readonly note?: string | null
}

export class FakeRun implements RunHandle {
  readonly plan = roomPlan
  readonly dataDirectory: string
  readonly addresses = [{ topic: 'readings', connector: 'http', address: 'http://127.0.0.1:4401/readings' }]
  readonly #watchers = new Map<string, Set<(batch: Batch) => void>>()
  now: RunProgress = {
    elapsed_ms: 0,
    epoch: 7,
    held: null,
    warnings: [],
    newRecords: 0,
    steps: [],
    topics: [],
    outputs: [],
  }

  constructor(dataDirectory: string) {
    this.dataDirectory = dataDirectory
  }

  progress(): RunProgress {
    return this.now
  }

  reason: string | null = null
  notReady(): string | null {
    return this.reason
  }

  /** By step what an earlier run left. */
  readonly stored = new Map<string, Batch[]>()

  history(step: string): readonly Batch[] {
    return this.stored.get(step) ?? []
  }

  watch(step: string, onRows: (batch: Batch) => void): () => void {
    const watchers = this.#watchers.get(step) ?? new Set()
    this.#watchers.set(step, watchers.add(onRows))
    return () => watchers.delete(onRows)
  }

  /** Steps that somebody watches. */
  get watched(): string[] {
    return [...this.#watchers].flatMap(([step, watchers]) => (watchers.size > 0 ? [step] : [])).sort()
  }

  read(...rows: readonly Reading[]): void {
    this.batch(readingsOf(rows))
  }

  batch(batch: Batch): void {
    for (const watcher of this.#watchers.get('readings') ?? []) watcher(batch)
  }

  query(): never {
    throw new Error('not asked')
  }

  async checkpoint(): Promise<void> {}

  snapshot(): never {
    throw new Error('not asked')
  }

  append(): never {
    throw new Error('not asked')
  }
}

export function readingsOf(rows: readonly Reading[]): Batch {
  return batchOf(
    readings.node.columns,
    rows.map(row => ({ note: null, ...row })),
  )
}
