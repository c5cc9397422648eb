/** A run at work on a disk in memory, of which one file is damaged, misplaced or put back between two of its lives. */
import { headerAt } from '../../src/log/block.ts'
import { MillraceError } from '../../src/system/errors.ts'
import { seededRandom } from '../../src/system/random.ts'
import { MemoryStorage } from '../../test/log/memory-storage.ts'
import { copyOf, type Original } from '../../test/log/rot.ts'
import { type Message, messagesOf } from '../../test/runtime/pushed-readings.ts'
import { type Before, beforeRot, brokenAfterRot, folder, RotLife, toldOf } from '../../test/runtime/rot-life.ts'
import { blocksIn, damage } from './damage.ts'

/** So many cases begin with the same lives: these take most of the time. */
const CASES_A_LIFE = 30
const ENDS = ['stopped', 'killed', 'power lost'] as const

interface Lived {
  readonly number: number
  readonly messages: readonly Message[]
  readonly life: RotLife
  readonly older: Original
  readonly files: Original
  readonly before: Before
}

let last: Lived | null = null

export { endRot as endRuns } from '../../test/runtime/rot-life.ts'

/** What came of it, and what is wrong, with what was done first; empty when nothing is. */
export async function runCase(seed: number): Promise<{ outcome: string; lines: string[] }> {
  // Any that fall on one number, so that a case alone begins with the same life.
  const number = Math.floor(seed / CASES_A_LIFE)
  if (last?.number !== number) last = await lived(number)
  const { messages, life, older, files, before } = last
  const random = seededRandom(seed)
  const storage = copyOf(files)
  const what = damage(storage, copyOf(older), random).replaceAll(folder, '')
  const intact = intactReadings(copyOf(files), storage)
  const next = new RotLife(storage, messages, life)
  let failure: unknown = await next.live(random, 2 + random.integer(6))
  if (failure === null) failure = await next.live(random)
  const found: string[] = []
  let known = before
  let outcome = next.warnings.length > 0 ? 'told' : 'harmless'
  const code = codeOf(failure)
  if (code !== null) {
    outcome = code
    found.push(...costlyAdvice(failure as MillraceError))
    // All but what was pushed, and refused of it, can be made anew: the advice.
    next.forgetMade()
    known = { ...before, processed: 0 }
    failure = await next.live(random)
  }
  if (failure !== null) found.push(String((failure as Error).stack))
  else found.push(...broken(next, messages, known))
  for (const offset of toldOf(next.warnings).get('readings/0') ?? []) {
    if (intact.has(offset)) found.push(`readings/0: ${offset} is said to be lost, and its block is whole`)
  }
  return { outcome, lines: found.length === 0 ? [] : [what, ...found] }
}

async function lived(number: number): Promise<Lived> {
  const random = seededRandom(number)
  const messages = messagesOf(random, 3, 10)
  const storage = new MemoryStorage()
  const first = new RotLife(storage, messages)
  await first.live(random, 3 + random.integer(8))
  const older = filesOf(storage)
  const end = ENDS[number % ENDS.length]!
  const life = new RotLife(storage, end === 'stopped' ? messages.slice(0, 20) : messages, first)
  const failure = await life.live(random, end === 'stopped' ? undefined : 4 + random.integer(12))
  if (failure !== null) throw failure
  if (end === 'power lost') storage.crash(random)
  const files = filesOf(storage)
  return { number, messages, life, older, files, before: beforeRot(() => copyOf(files)) }
}

function filesOf(storage: MemoryStorage): Original {
  return { files: storage.paths.map(path => ({ path, bytes: storage.bytesOf(path) })), end: 0 }
}

/** Offsets of the pushed records whose blocks stand where they stood, byte for byte. */
function intactReadings(before: MemoryStorage, after: MemoryStorage): Set<number> {
  const offsets = new Set<number>()
  for (const path of before.paths.filter(each => each.includes('/topics/readings/0/'))) {
    if (after.lengthOf(path) === null) continue
    const was = before.bytesOf(path)
    for (const { position, length } of blocksIn(path, was)) {
      const block = was.subarray(position, position + length)
      if (!block.equals(after.bytesOf(path).subarray(position, position + length))) continue
      const { header } = headerAt(block, 0)!
      for (let index = 0; index < header.records; index++) offsets.add(header.firstOffset + index)
    }
  }
  return offsets
}

/** null: not one that was raised on purpose. */
function codeOf(error: unknown): string | null {
  return error instanceof MillraceError && error.code !== 'INTERNAL' ? error.code : null
}

/** What may be said to somebody whose only copy of the records lies there. */
function costlyAdvice({ code, message, next }: MillraceError): string[] {
  return /fresh|empty sink|remove|delete/i.test(`${next}`) ? [`${code} costs data (${message}): ${next}`] : []
}

function broken(life: RotLife, messages: readonly Message[], before: Before): string[] {
  try {
    return brokenAfterRot(life, messages, before)
  } catch (error) {
    return [`what is stored cannot be read: ${(error as Error).stack}`]
  }
}
