/** A log of several segments whose files rot, and what is then wrong with what it gives. */
import { MillraceError } from '../../src/system/errors.ts'
import type { Random } from '../../src/system/random.ts'
import { contentsOf, HandClock, openLog, records, recordText } from './logs.ts'
import { MemoryStorage } from './memory-storage.ts'

const OPTIONS = { segmentBytes: 1200, clock: new HandClock() }

export interface Original {
  readonly files: readonly { readonly path: string; readonly bytes: Buffer }[]
  readonly end: number
}

/** A log that was closed; `marker` false: without what was noted beside it, as after a loss of power. */
export async function original(marker: boolean): Promise<Original> {
  const storage = new MemoryStorage()
  const log = openLog(storage, OPTIONS)
  let end = 0
  for (let count = 1; end < 80; count = (count % 4) + 1) {
    await log.append(records(end, count))
    end += count
  }
  await log.close()
  const paths = storage.paths.filter(path => marker || !path.endsWith('/marker'))
  return { files: paths.map(path => ({ path, bytes: storage.bytesOf(path) })), end }
}

export function copyOf({ files }: Original): MemoryStorage {
  const storage = new MemoryStorage()
  for (const { path, bytes } of files) {
    storage.makeFolder(path.slice(0, path.lastIndexOf('/')))
    const file = storage.open(path)
    file.write(bytes, 0)
    file.syncNow()
    file.close()
  }
  return storage
}

/** Flips a bit, cuts a file off, writes zeros over a piece, or takes a file away; says which. */
export function rot(storage: MemoryStorage, random: Random): string {
  const path = storage.paths[random.integer(storage.paths.length)]!
  const length = storage.lengthOf(path)!
  const at = random.integer(Math.max(length, 1))
  const kind = random.integer(20)
  if (kind < 12) {
    const bit = random.integer(8)
    storage.flip(path, at, bit)
    return `bit ${bit} of byte ${at} of ${path}`
  }
  if (kind < 18) {
    storage.cutOff(path, at)
    return `${path} cut off at ${at}`
  }
  if (kind < 19) {
    storage.remove(path)
    return `${path} removed`
  }
  const bytes = Buffer.alloc(Math.min(1 + random.integer(300), length - at))
  const file = storage.open(path)
  file.write(bytes, at)
  file.syncNow()
  return `${bytes.length} bytes of zeros at ${at} of ${path}`
}

/**
 * What is wrong with a log after rot; empty when each loss is told and nothing is false. `cutMay` is how many records at
 * the end may have been cut off as never acknowledged: that many were in the last block when nothing vouches for it.
 */
export async function lies(
  storage: MemoryStorage,
  { end }: Original,
  cutMay: number,
  checkBytes?: number,
): Promise<string[]> {
  const found: string[] = []
  const options = { ...OPTIONS, ...(checkBytes === undefined ? {} : { checkBytes }) }
  try {
    const log = openLog(storage, options)
    if (log.next > end) found.push(`ends at ${log.next}, not ${end}`)
    if (log.next < end && (log.cut === null || log.next < end - cutMay))
      found.push(`${log.next} to ${end} went silently`)
    const { texts, gaps } = contentsOf(log)
    for (const [offset, text] of texts) if (text !== recordText(offset)) found.push(`a wrong row at ${offset}: ${text}`)
    const lost = gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0)
    if (texts.size + lost !== log.next) found.push(`${texts.size} rows and ${lost} lost are not ${log.next}`)
    if (checkBytes === undefined) {
      const told = log.damage.reduce((sum, each) => sum + each.to - each.from, 0)
      if (told !== lost) found.push(`${lost} are lost, ${told} were told at the start`)
      if (log.damage.some(each => each.path !== null && each.quarantined === null)) found.push('damage not set aside')
    }
    // It goes on, and the next start tells the same.
    const next = await log.append(records(log.next, 3))
    await log.close()
    const again = openLog(storage, options)
    const after = contentsOf(again)
    if (again.next !== next + 3 || after.texts.size !== texts.size + 3) found.push('appends after it are not there')
    if (JSON.stringify(after.gaps) !== JSON.stringify(gaps)) found.push('the gaps are others after a second start')
  } catch (error) {
    if (!(error instanceof MillraceError)) found.push(String((error as Error).stack))
  }
  return found
}
