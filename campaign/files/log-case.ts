/** Logs of several segments, alike in the places of their blocks, of which one file is damaged or misplaced. */
import { HEADER_BYTES, headerAt } from '../../src/log/block.ts'
import type { TopicLog } from '../../src/log/topic-log.ts'
import { MillraceError } from '../../src/system/errors.ts'
import { type Random, seededRandom } from '../../src/system/random.ts'
import { contentsOf, HandClock, openLog, records, recordText } from '../../test/log/logs.ts'
import { MemoryStorage } from '../../test/log/memory-storage.ts'
import { copyOf } from '../../test/log/rot.ts'
import { blocksIn, damage } from './damage.ts'

/** Each log's first record has this number: they are as long as each other's, and none is like another's. */
const LOGS = [
  { topic: 't', partition: 0, first: 100_000, incarnation: '0123456789abcdef'.repeat(2) },
  { topic: 't', partition: 1, first: 200_000, incarnation: '0123456789abcdef'.repeat(2) },
  { topic: 'u', partition: 0, first: 300_000, incarnation: 'fedcba9876543210'.repeat(2) },
] as const
type LogPlace = (typeof LOGS)[number]

/** The incarnation is known to whoever opens the log, or is the one that is found: `knows`. */
function open(
  storage: MemoryStorage,
  { topic, partition, incarnation }: LogPlace,
  knows: boolean,
  checkBytes?: number,
): TopicLog {
  return openLog(storage, {
    topic,
    partition,
    incarnation: knows ? incarnation : '0'.repeat(32),
    adoptIncarnation: !knows,
    folder: `/data/topics/${topic}/${partition}`,
    segmentBytes: 1200,
    clock: new HandClock(),
    ...(checkBytes === undefined ? {} : { checkBytes }),
  })
}

/** What came of it, and what is wrong, with what was done first; empty when nothing is. */
export async function logCase(seed: number): Promise<{ outcome: string; lines: string[] }> {
  const random = seededRandom(seed)
  const { storage, older, end } = await lived(random)
  const untouched = copyOf(filesOf(storage))
  const what = damage(storage, older, random)
  const knows = random.integer(2) === 0
  const checkBytes = random.integer(3) === 0 ? 0 : undefined
  const found: string[] = []
  let isTold = false
  for (const place of LOGS) {
    const intact = intactOffsets(untouched, storage, place)
    const { told, lies } = await lookInto(storage, place, { end, intact, knows, checkBytes })
    isTold ||= told
    for (const lie of lies) found.push(`${place.topic}/${place.partition}: ${lie}`)
  }
  const outcome = isTold ? 'told' : 'harmless'
  return { outcome, lines: found.length === 0 ? [] : [what, ...found] }
}

async function lived(random: Random) {
  const storage = new MemoryStorage()
  const counts = Array.from({ length: 20 + random.integer(20) }, () => 1 + random.integer(4))
  const oldAt = random.integer(counts.length)
  let older = storage
  let end = 0
  const appendAll = async (from: number, to: number) => {
    for (const place of LOGS) {
      const log = open(storage, place, true)
      let next = log.next
      for (const count of counts.slice(from, to)) {
        await log.append(records(place.first + next, count))
        next += count
      }
      end = next
      await log.close()
    }
  }
  await appendAll(0, oldAt)
  older = copyOf(filesOf(storage))
  await appendAll(oldAt, counts.length)
  return { storage, older, end }
}

function filesOf(storage: MemoryStorage) {
  return { files: storage.paths.map(path => ({ path, bytes: storage.bytesOf(path) })), end: 0 }
}

/** Offsets of a log whose blocks stand where they stood, byte for byte. */
function intactOffsets(before: MemoryStorage, after: MemoryStorage, { topic, partition }: LogPlace): Set<number> {
  const offsets = new Set<number>()
  for (const path of before.paths.filter(each => each.startsWith(`/data/topics/${topic}/${partition}/`))) {
    if (after.lengthOf(path) === null) continue
    const was = before.bytesOf(path)
    const is = after.bytesOf(path)
    for (const { position, length } of blocksIn(path, was)) {
      if (!was.subarray(position, position + length).equals(is.subarray(position, position + length))) continue
      const { header } = headerAt(was.subarray(position, position + HEADER_BYTES), 0)!
      for (let index = 0; index < header.records; index++) offsets.add(header.firstOffset + index)
    }
  }
  return offsets
}

interface Expected {
  readonly end: number
  readonly intact: ReadonlySet<number>
  readonly knows: boolean
  readonly checkBytes: number | undefined
}

async function lookInto(
  storage: MemoryStorage,
  place: LogPlace,
  { end, intact, knows, checkBytes }: Expected,
): Promise<{ told: boolean; lies: string[] }> {
  const found: string[] = []
  let isTold = false
  try {
    const log = open(storage, place, knows, checkBytes)
    if (log.next < end) found.push(`ends at ${log.next}, not ${end}, and says ${log.cut?.reason ?? 'nothing'}`)
    if (log.next > end) found.push(`ends at ${log.next}, not ${end}`)
    const { texts, gaps } = contentsOf(log)
    for (const [offset, text] of texts) {
      if (text !== recordText(place.first + offset)) found.push(`a wrong row at ${offset}: ${text}`)
    }
    for (let offset = 0; offset < end; offset++) {
      if (!texts.has(offset) && intact.has(offset)) found.push(`${offset} is said to be lost, and its block is whole`)
    }
    isTold = log.damage.length > 0 || gaps.length > 0
    const told = log.damage.reduce((sum, each) => sum + each.to - each.from, 0)
    const lost = gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0)
    if (checkBytes === undefined && told !== lost) found.push(`${lost} are lost, ${told} were told at the start`)
    const next = await log.append(records(place.first + log.next, 2))
    await log.close()
    const again = open(storage, place, knows, checkBytes)
    if (again.next !== next + 2 || contentsOf(again).texts.size !== texts.size + 2)
      found.push('appends after it are gone')
    await again.close()
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code === 'INTERNAL') found.push(String((error as Error).stack))
    else found.push(`it does not open: ${error.code}: ${error.message}`)
  }
  return { told: isTold, lies: found }
}
