/** What a log begins with when it is opened: what was found, whose it is, and where it goes on. */
import { MillraceError } from '../system/errors.ts'
import { cutBack } from './cut-back.ts'
import { setAsideAll } from './mend.ts'
import type { TopicLogOptions } from './options.ts'
import { type Recovered, recover } from './recovery.ts'

const CHECK_BYTES = 256 * 1024 * 1024

export interface Opened extends Recovered {
  readonly incarnation: string
}

/**
 * Looks at the files of a log, and copies aside what is damaged, unless it is opened for reading only; changes nothing
 * else. Throws DATA_DIR_MISMATCH when it holds another stream, or less than `cutTo`.
 */
export function lookInto(options: TopicLogOptions): Opened {
  const { storage, folder, topic, partition = 0, checkBytes = CHECK_BYTES, cutTo, promised = 0 } = options
  const recovered = recover({ storage, folder, topic, partition, checkBytes, promised: cutTo ?? promised })
  // A topic that never had a record is nobody's.
  const stored = recovered.next === 0 ? null : recovered.incarnation
  if (stored !== null && stored !== options.incarnation && !options.adoptIncarnation) {
    throw new MillraceError(
      'DATA_DIR_MISMATCH',
      `Topic ${topic} (${folder}) holds records that are not of this run: its steps or inputs were others, or it followed its inputs.`,
    )
  }
  const incarnation = stored ?? options.incarnation
  if (options.readOnly) return { ...recovered, incarnation }
  const found = cutTo === undefined ? recovered : cutBack(recovered, cutTo, options)
  // What is cut back on purpose needs no copy.
  const isCutBack = found.cut !== recovered.cut
  const { damage, cut } = setAsideAll({ damage: found.damage, cut: isCutBack ? null : found.cut }, options)
  return { ...found, incarnation, damage, cut: isCutBack ? found.cut : cut }
}
