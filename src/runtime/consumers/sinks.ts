/** The sinks of a plan. */
import { loadSink, type Sink } from '../../connectors/contract.ts'
import type { Warehouse } from '../../connectors/duckdb/warehouse.ts'
import type { DeliverNode } from '../../plan/nodes.ts'

/** The columns that identify a row where the sink replaces rows; empty where it adds them. */
export function keyOf({ target }: DeliverNode): readonly string[] {
  return target.kind === 'table' && target.mode === 'upsert' ? target.key : []
}

/** A new sink for a stream that is delivered; nothing outside is touched before its `open`. */
export async function sinkOf({ target }: DeliverNode, warehouse: () => Promise<Warehouse>): Promise<Sink> {
  if (target.kind === 'table') return (await warehouse()).table({ table: target.table, mode: target.mode })
  return await loadSink(target.sink)
}
