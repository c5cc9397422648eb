/** Pieces of DuckDB SQL that the oracle writes again and again. */

/** A name as SQL reads it, whatever characters it has. */
export const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

/** A text literal. */
export const literal = (text: string) => `'${text.replaceAll("'", "''")}'`

/**
 * Orders texts as JavaScript does, by UTF-16 units: DuckDB compares UTF-8, which differs where one text has a character
 * of U+E000..FFFF and the other one beyond U+FFFF. A U+10FFFF before each of the former puts them behind the latter.
 */
export const textOrder = (sql: string) =>
  `regexp_replace(${sql}, '([\\x{E000}-\\x{FFFF}])', chr(1114111) || '\\1', 'g')`

/** Columns that the oracle carries beside the user's own. No path of a message begins with this character. */
export const HIDDEN = {
  /** Event time in whole microseconds, BIGINT. */
  time: '"#time"',
  /** Event time that the record's partition or key had reached, less the disorder, BIGINT. */
  frontier: '"#frontier"',
  /** The same for steps whose groups hold rows of several progress keys, BIGINT. */
  joint: '"#joint"',
  /** Order of the records: unique, and growing within each partition. */
  position: '"#position"',
  partition: '"#partition"',
  /** Of a result: the end of its window, and how many records count in it. */
  end: '"#end"',
  records: '"#records"',
  /**
   * While the input has not ended, how far event time had come in the end, less the disorder: for the key of the row, for
   * all keys, and for the windows of the step. NULL: it has not begun.
   */
  own: '"#own"',
  all: '"#all"',
  limit: '"#limit"',
} as const
