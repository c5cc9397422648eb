/** What all writers of DuckDB vectors share: the binding, the size of a vector, and the mask of its nulls. */
import type { ColumnData } from '../../engine/batch.ts'

export type Bindings = typeof import('@duckdb/node-bindings')
export type Vector = ReturnType<Bindings['data_chunk_get_vector']>

/** Writes `rows` cells of a column, from the row `from` on, to the beginning of a vector. */
export type VectorWriter = (vector: Vector, data: ColumnData | null, from: number, rows: number) => void

/** Rows of one DuckDB vector. */
export const VECTOR_ROWS = 2048

/** One bit a row, 1 for a value; nothing is written when all rows have one (a reset vector says so). */
export const maskWords = new Uint32Array(VECTOR_ROWS / 32)
const maskBuffer = maskWords.buffer

export function writeMask(bindings: Bindings, vector: Vector): void {
  bindings.vector_ensure_validity_writable(vector)
  bindings.copy_data_to_vector_validity(vector, 0, maskBuffer, 0, maskBuffer.byteLength)
}
