/**
 * `millrace verify`: what a run delivered, held against DuckDB queries over everything that its topics received.
 *
 * Every column of every output is compared: equal in whole numbers, texts, times and truths, to 1e-9 where the last
 * digits depend on the order of additions. What cannot be recomputed is named, with the reason; nothing else is claimed.
 */
import { join, resolve } from 'node:path'
import type { Plan } from '../plan/nodes.ts'
import type { Snapshot } from '../runtime/options.ts'
import { MillraceError } from '../system/errors.ts'
import { makeFolder, readText, remove, statusOf } from '../system/files.ts'
import { attach, openDatabase } from './database.ts'
import { type NotCompared, outputsOf, type Session, type VerifiedOutput, verifyOutput } from './outputs.ts'
import { progressAt, progressOf } from './progress.ts'
import { type RunRecord, Topics } from './topics.ts'

export interface VerifyReport {
  readonly outputs: readonly VerifiedOutput[]
  readonly notCompared: readonly NotCompared[]
}

export interface VerifyOptions {
  readonly dataDirectory: string
  /** A copy of the warehouse (`RunHandle.snapshot`) that is verified in its place: a run at work has it open. */
  readonly snapshot?: { readonly path: string; readonly positions: Snapshot['positions'] }
  /** Told what is being done, a sentence a step. */
  readonly onProgress?: (step: string) => void
}

/** Whether some row is missing, too many, or different. */
export const disagrees = ({ missingCount, unexpectedCount, differentCount }: VerifiedOutput) =>
  missingCount + unexpectedCount + differentCount > 0

/**
 * Recomputes every output of a run, as far as its last epoch came. Throws OPTION_INVALID when the folder holds no run,
 * DATA_DIR_MISMATCH when the last run in it was one of another pipeline.
 */
export async function verifyPipeline(plan: Plan, options: VerifyOptions): Promise<VerifyReport> {
  const record = runRecord(options.dataDirectory)
  if (record.pipeline !== undefined && record.pipeline !== plan.name) {
    throw new MillraceError(
      'DATA_DIR_MISMATCH',
      `The last run in ${options.dataDirectory} was one of the pipeline ${record.pipeline}, not of ${plan.name}.`,
      { next: 'Give the --data-dir of this pipeline, or run it again.' },
    )
  }
  const first = await verifyOnce(plan, options, record, false)
  // DuckDB reads a record with two equal keys otherwise than JSON.parse: a difference stands when both ways find it.
  if (!first.isDoubtful || !first.report.outputs.some(disagrees)) return first.report
  return (await verifyOnce(plan, options, record, true)).report
}

async function verifyOnce(
  plan: Plan,
  { dataDirectory, snapshot, onProgress: say = () => {} }: VerifyOptions,
  record: RunRecord,
  isDoubtful: boolean,
): Promise<{ readonly report: VerifyReport; readonly isDoubtful: boolean }> {
  const folder = join(dataDirectory, '.verify')
  remove(folder)
  makeFolder(folder)
  const database = await openDatabase(folder)
  try {
    const own = resolve(dataDirectory, record.warehouseFile ?? plan.warehouseFile)
    const warehouseFile = snapshot?.path ?? own
    const warehouse = statusOf(warehouseFile) === null ? null : 'warehouse'
    if (warehouse !== null) await attach(database, warehouseFile, warehouse)
    const progress =
      snapshot === undefined ? progressOf(dataDirectory, record.untilEnd !== false) : progressAt(snapshot.positions)
    const topics = new Topics({ plan, record, progress, dataDirectory, folder, database, isDoubtful, say })
    const session: Session = {
      plan,
      progress,
      live: record.untilEnd === false || (record.stored?.length ?? 0) > 0,
      isAtWork: snapshot !== undefined,
      database,
      places: { dataDirectory, warehouse, folder },
      topics,
      say,
    }
    const outputs: VerifiedOutput[] = []
    const notCompared: NotCompared[] = []
    for (const output of outputsOf(plan)) {
      const report = await verifyOutput(session, output)
      if (report.verified !== null) outputs.push(report.verified)
      notCompared.push(...report.notCompared)
    }
    return { report: { outputs, notCompared }, isDoubtful: topics.isDoubtful }
  } finally {
    database.close()
    remove(folder)
  }
}

function runRecord(dataDirectory: string): RunRecord {
  const path = join(dataDirectory, 'run.json')
  const text = readText(path)
  if (text !== null) {
    try {
      return JSON.parse(text) as RunRecord
    } catch (cause) {
      throw new MillraceError('FILE_UNREADABLE', `${path} is damaged.`, {
        cause,
        next: 'Start the pipeline: it writes the file again, and loses nothing.',
      })
    }
  }
  throw new MillraceError('OPTION_INVALID', `${dataDirectory} holds no run (run.json is missing).`, {
    next: 'Run the pipeline first: millrace run FILE --until-end --data-dir DIR',
  })
}
