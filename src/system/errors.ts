/**
 * Every error that Millrace raises on purpose: one table of stable codes.
 *
 * A code never changes its meaning. `fault` says who can mend it: the user (their pipeline, options or data), something
 * outside (a file, a server, a disk) or Millrace itself. `retried` says whether it can pass by itself: the
 * runtime then tries again with back-off. (Sinks of a run that follows its inputs are tried again after any error.)
 */
export const ERRORS = {
  PIPELINE_INVALID: { fault: 'user', retried: false, next: 'Correct the pipeline file at the place named.' },
  PIPELINE_NOT_FOUND: { fault: 'user', retried: false, next: 'Check the path of the pipeline file.' },
  SCHEMA_UNSUPPORTED: { fault: 'user', retried: false, next: 'Use a zod type that has a column form, or z.unknown().' },
  COLUMN_UNKNOWN: { fault: 'user', retried: false, next: 'Use one of the columns that the message lists.' },
  COLUMN_TYPE: { fault: 'user', retried: false, next: 'Use a column of the type that the step needs.' },
  COLUMN_TAKEN: { fault: 'user', retried: false, next: 'Choose another name for the new column.' },
  DURATION_INVALID: { fault: 'user', retried: false, next: "Write a duration such as '500 ms', '10 s', '15 m'." },
  WINDOW_INVALID: { fault: 'user', retried: false, next: 'Give a size and a step that are positive.' },
  EXPRESSION_REFUSED: { fault: 'user', retried: false, next: 'Write the lambda in the form that the message shows.' },
  LAMBDA_FAILED: { fault: 'user', retried: false, next: 'The lambda threw: guard it against the row that is shown.' },
  OPTION_UNKNOWN: { fault: 'user', retried: false, next: 'Run the command with --help for its options.' },
  OPTION_INVALID: { fault: 'user', retried: false, next: 'Run the command with --help for the form of each option.' },
  INPUT_MISSING: { fault: 'user', retried: false, next: 'Give the topic an input: --input TOPIC=FILE.' },
  TOPIC_UNKNOWN: { fault: 'user', retried: false, next: 'Use one of the topics that the message lists.' },
  QUERY_FAILED: { fault: 'user', retried: false, next: 'Correct the SQL; the message is the warehouse’s own.' },
  RECORD_INVALID: { fault: 'user', retried: false, next: 'Look at the record in dead_letters, correct the sender.' },
  TEXT_NOT_UNICODE: {
    fault: 'user',
    retried: false,
    next: 'Look at the record in dead_letters; have the sender write UTF-8 and cut texts between characters.',
  },
  HEADER_MISMATCH: {
    fault: 'user',
    retried: false,
    next: 'Correct the names in the header, or those in the schema of the topic.',
  },
  INTEGER_OVERFLOW: {
    fault: 'user',
    retried: false,
    next: 'Use Number(...) where the nearest double is enough, a smaller window, or filter such rows.',
  },
  RECORD_AHEAD: { fault: 'user', retried: false, next: 'Set the clock of the sender, or raise maxAhead.' },
  RECORD_LATE: { fault: 'outside', retried: false, next: 'Raise disorder, or let the window restate late records.' },
  SOURCE_DAMAGED: { fault: 'outside', retried: false, next: 'Look at the source at the position that is named.' },
  VERIFY_UNSUPPORTED: { fault: 'user', retried: false, next: 'Write the named lambda so that it can be translated.' },
  FILE_UNREADABLE: { fault: 'outside', retried: false, next: 'Check that the file exists, is whole and can be read.' },
  FILE_RENAMED: {
    fault: 'user',
    retried: false,
    next: 'If it was renamed, its records are taken twice: give such files a name that the pattern does not match, or keep one of each record with .dedupe().',
  },
  FILE_UNWRITABLE: { fault: 'outside', retried: false, next: 'Check the folder’s permissions and the free space.' },
  LOG_FULL: {
    fault: 'outside',
    retried: true,
    next: 'Make room on the disk, or move the data directory to a larger one. Nothing that was taken in is lost meanwhile.',
  },
  LOG_DAMAGED: {
    fault: 'outside',
    retried: false,
    next: 'Check the disk; put back a copy of the file if there is one.',
  },
  LOG_FORMAT: {
    fault: 'user',
    retried: false,
    next: 'Use the version of Millrace that wrote it; nothing was altered.',
  },
  STATE_DAMAGED: {
    fault: 'outside',
    retried: false,
    next: 'Put back a copy of the data directory. Without one, leave dead_letters and the topics that were pushed to where they are, and move journal, deliveries, the other topics, the warehouse and the files of sinks to another folder: the next run makes them again.',
  },
  SINK_TIMEOUT: { fault: 'outside', retried: true, next: 'Look at the external system; the rows are kept for it.' },
  SINK_FAILED: {
    fault: 'outside',
    retried: false,
    next: 'Read the message of the external system; the rows are kept.',
  },
  SINK_FENCED: { fault: 'outside', retried: true, next: 'See whether another run writes to the same place.' },
  SINK_INCOMPLETE: { fault: 'outside', retried: false, next: 'Mend it and run the same command again: it goes on.' },
  SINK_BEHIND_LOG: {
    fault: 'outside',
    retried: false,
    next: 'Restore the newer state of the external system, or give the output a new name in the pipeline: it then gets all rows that are kept.',
  },
  WAREHOUSE_FAILED: { fault: 'outside', retried: true, next: 'Read the warehouse’s message; the rows are kept.' },
  WAREHOUSE_MISMATCH: {
    fault: 'user',
    retried: false,
    next: 'Deliver to a table of another name, or give the column its old type; the table was not altered.',
  },
  NOT_RUNNING: { fault: 'user', retried: false, next: 'Start the pipeline: millrace run FILE.' },
  STATE_UNVERIFIED: {
    fault: 'user',
    retried: false,
    next: 'Write the lambda so that it can be read: give it what it captures as a parameter. If what it captures has changed, put the old value back, or run the pipeline under another name beside this one.',
  },
  DATA_DIR_BUSY: { fault: 'user', retried: false, next: 'Stop the run that owns the data directory, or use another.' },
  DATA_DIR_MISMATCH: {
    fault: 'user',
    retried: false,
    next: 'Go on with the pipeline, the inputs and the files that belong to the directory. Another pipeline has its own --data-dir; this one stays as it is.',
  },
  CHANGE_REFUSED: {
    fault: 'user',
    retried: false,
    next: 'Put the old name or definition back. Or run the changed pipeline beside it: under another name, over the same inputs, with a --data-dir of its own; this one stays as it is. docs/changing.md has both worked out.',
  },
  LISTEN_FAILED: { fault: 'outside', retried: false, next: 'Choose another address, or stop what listens there.' },
  KEY_REFUSED: { fault: 'user', retried: false, next: "Make a key with 'millrace keys make NAME' and send it." },
  REQUEST_INVALID: { fault: 'user', retried: false, next: 'Correct the request as the message says.' },
  REQUEST_TOO_LARGE: { fault: 'user', retried: false, next: 'Send the records in several smaller requests.' },
  TOO_BUSY: { fault: 'outside', retried: true, next: 'Send the same request again after a moment.' },
  REJECTED_TOO_MANY: {
    fault: 'user',
    retried: true,
    next: 'Correct the sender, or wait: rejected records are taken again each minute.',
  },
  RUN_STOPPING: { fault: 'outside', retried: false, next: 'Send it again when the pipeline runs again.' },
  NODE_TOO_OLD: { fault: 'user', retried: false, next: 'Install Node 24 or newer.' },
  INTERNAL: { fault: 'internal', retried: false, next: 'Please report this with the pipeline and the message.' },
} as const satisfies Record<string, { fault: 'user' | 'outside' | 'internal'; retried: boolean; next: string }>

export type ErrorCode = keyof typeof ERRORS

/** An error with a code from the table; `message` says what is wrong and where, `next` what to do. */
export class MillraceError extends Error {
  readonly code: ErrorCode
  readonly next: string

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; next?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MillraceError'
    this.code = code
    this.next = options.next ?? ERRORS[code].next
  }
}

/** The name among `known` that is nearest to a misspelt one (edit distance at most a third of its length), or null. */
export function nearest(name: string, known: Iterable<string>): string | null {
  let best: string | null = null
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), bestDistance)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Letters changed, left out, put in or swapped with their neighbour; counting stops at the limit. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min(last[j]! + 1, current[j - 1]! + 1, last[j - 1]! + change)
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (beforeLast[j - 2] ?? limit) + 1)
      current.push(least)
    }
    beforeLast = last
    last = current
  }
  return last[b.length]!
}
