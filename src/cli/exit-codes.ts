/** What the exit code of every command means; `--help` and docs/cli.md say the same. */
import { ERRORS, type ErrorCode, MillraceError } from '../system/errors.ts'

export const EXIT = {
  ok: 0,
  /** The command worked and its answer is no: `verify` found a difference, `check` an error, a topic refused again. */
  no: 1,
  /** The command line cannot be carried out as written. */
  usage: 2,
  /** The pipeline file or the data must be mended. */
  pipeline: 3,
  /** A file, a disk or a server outside failed. */
  outside: 4,
  /** Nothing differs, and not everything could be compared. */
  incomplete: 5,
  /** The pipeline was changed in a way that its data directory does not go on with. */
  changed: 6,
  internal: 70,
} as const

export const EXIT_MEANINGS: readonly (readonly [number, string])[] = [
  [EXIT.ok, 'done; also after Ctrl-C'],
  [EXIT.no, 'the answer is no (verify found a difference, check found an error, a record was refused again)'],
  [EXIT.usage, 'the command line is wrong'],
  [EXIT.pipeline, 'the pipeline or its data is wrong (also: --strict stopped)'],
  [EXIT.outside, 'something outside failed: a file, a disk, a server'],
  [EXIT.incomplete, 'verify found no difference, and could not compare everything'],
  [EXIT.changed, 'the pipeline was changed in a way that its data directory does not go on with; nothing was altered'],
  [EXIT.internal, 'a fault of Millrace'],
]

/** Faults of the user that lie in the command line, not in the pipeline file. */
const USAGE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'OPTION_UNKNOWN',
  'OPTION_INVALID',
  'PIPELINE_NOT_FOUND',
  'INPUT_MISSING',
  'TOPIC_UNKNOWN',
  'QUERY_FAILED',
  'NOT_RUNNING',
  'DATA_DIR_BUSY',
  'DATA_DIR_MISMATCH',
  'NODE_TOO_OLD',
])

/** The exit code for an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof MillraceError)) return EXIT.internal
  if (error.code === 'CHANGE_REFUSED') return EXIT.changed
  if (USAGE.has(error.code)) return EXIT.usage
  switch (ERRORS[error.code].fault) {
    case 'user':
      return EXIT.pipeline
    case 'outside':
      return EXIT.outside
    case 'internal':
      return EXIT.internal
  }
}
