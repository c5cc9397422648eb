/** The sinks of a plan. */
import { loadSink, type Sink } from '../../connectors/contract.ts'
import type { Warehouse } from '../../connectors/duckdb/warehouse.ts'
import type { DeliverNode, Plan } from '../../plan/nodes.ts'

/** The columns that identify a row where the sink replaces rows; empty where it adds them. */
export function keyOf({ target }: DeliverNode): readonly string[] {
  return target.kind === 'table' && target.mode === 'upsert' ? target.key : []
}

/** A new sink for a stream that is delivered; nothing outside is touched before its `open`. */
export async function sinkOf({ target }: DeliverNode, warehouse: () => Promise<Warehouse>): Promise<Sink> {
  if (target.kind === 'table') return (await warehouse()).table({ table: target.table, mode: target.mode })
  return await loadSink(target.sink)
}

/** Makes the sinks of connectors and leaves them: throws what a run would throw for their options. Nothing is opened. */
export async function makeSinks({ delivers }: Plan): Promise<void> {
  for (const { target } of delivers) if (target.kind === 'sink') await loadSink(target.sink)
}
