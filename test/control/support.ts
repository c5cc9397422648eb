/** A run at work as the owner's socket sees it: a real warehouse, and the rest as a test says. */
import { join } from 'node:path'
import type { PushOutcome } from '../../src/connectors/contract.ts'
import { openWarehouse, type Warehouse } from '../../src/connectors/duckdb/warehouse.ts'
import { type Batch, batchOf } from '../../src/engine/batch.ts'
import type { Plan } from '../../src/plan/nodes.ts'
import { stepsOf } from '../../src/plan/walk.ts'
import type { RunHandle } from '../../src/runtime/options.ts'
import { MillraceError } from '../../src/system/errors.ts'

export interface FakeRun {
  readonly handle: RunHandle
  readonly warehouse: Warehouse
  /** What was appended, in order. */
  readonly appended: { topic: string; text: string; id: string | null }[]
  /** What the next appends answer; kept unless told. */
  outcome: (text: string) => PushOutcome | Promise<PushOutcome>
  readonly watchers: Map<string, Set<(batch: Batch) => void>>
  /** Rows that leave a step. */
  emit(step: string, rows: readonly Readonly<Record<string, unknown>>[]): void
  /** Rows into the table `numbers`, through the sink, committed. */
  commit(values: readonly number[]): Promise<void>
  close(): Promise<void>
}

const KEPT: PushOutcome = { kind: 'kept', accepted: 1, refusedCount: 0, refused: [] }

const COLUMNS = [{ name: 'value', type: 'number', nullable: false }] as const

export async function fakeRun(dataDirectory: string, plan: Plan): Promise<FakeRun> {
  const warehouse = await openWarehouse({ path: join(dataDirectory, 'warehouse.duckdb') })
  const sink = warehouse.table({ table: 'numbers', mode: 'append' })
  const incarnation = '1'.repeat(32)
  await sink.open({ consumer: 'test/numbers', incarnation, dataDirectory, columns: COLUMNS, key: [] })
  let position = 0
  const watchers = new Map<string, Set<(batch: Batch) => void>>()
  const steps = new Map(stepsOf(plan).map(node => [node.identity, node]))
  const run: FakeRun = {
    warehouse,
    appended: [],
    // Slowly enough that whoever does not wait for it is seen.
    outcome: () => new Promise(resolve => setTimeout(() => resolve(KEPT), 20)),
    watchers,
    emit(step, rows) {
      const batch = batchOf(steps.get(step)!.columns, rows)
      for (const watcher of watchers.get(step) ?? []) watcher(batch)
    },
    async commit(values) {
      await sink.write(
        batchOf(
          COLUMNS,
          values.map(value => ({ value })),
        ),
      )
      position += values.length
      await sink.commit(position)
    },
    async close() {
      await sink.close()
      await warehouse.close()
    },
    handle: {
      plan,
      dataDirectory,
      addresses: [{ topic: 'readings', connector: 'http', address: 'http://127.0.0.1:4401/readings' }],
      progress: () => ({
        elapsed_ms: 12,
        epoch: 3,
        held: null,
        warnings: [],
        newRecords: 0,
        steps: [],
        topics: [],
        outputs: [],
      }),
      notReady: () => null,
      history: () => [],
      watch(step, onRows) {
        if (!steps.has(step)) throw new MillraceError('OPTION_INVALID', `There is no stage '${step}'.`)
        const all = watchers.get(step) ?? new Set()
        watchers.set(step, all.add(onRows))
        return () => all.delete(onRows)
      },
      query: (sql, options) => warehouse.query(sql, options),
      checkpoint: async () => {},
      async snapshot(path) {
        await warehouse.snapshot(path)
        return { epoch: 3, positions: { readings: [17] } }
      },
      async append(topic, lines, id) {
        const text = Buffer.from(lines).toString('utf8')
        run.appended.push({ topic, text, id: id ?? null })
        return await run.outcome(text)
      },
    },
  }
  return run
}

/** Resolves when the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 5))
}
