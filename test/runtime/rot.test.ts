/**
 * A data directory whose files rot after a life that was stopped, killed or cut off with the power: the run goes on and
 * each loss is told, or it stops with a code. Never is a row wrong or twice, never is a record silently gone.
 */
import { afterAll, expect, test, vi } from 'vitest'
import { MillraceError } from '../../src/system/errors.ts'
import { seededRandom } from '../../src/system/random.ts'
import { MemoryStorage } from '../log/memory-storage.ts'
import { copyOf, rot } from '../log/rot.ts'
import { type Message, messagesOf } from './pushed-readings.ts'
import { type Before, beforeRot, brokenAfterRot, endRot, folder, RotLife } from './rot-life.ts'

afterAll(endRot)

/** Planted: checksums that never differ. */
const checksum = vi.hoisted(() => ({ isChecked: true }))
vi.mock('node:zlib', async load => {
  const zlib = await load<typeof import('node:zlib')>()
  return { ...zlib, crc32: (bytes: Uint8Array) => (checksum.isChecked ? zlib.crc32(bytes) : 0) }
})

const TIMES = Number(process.env.MILLRACE_ROT_TIMES ?? 150)
/** So many different rots of one and the same life. */
const ROTS_A_LIFE = 10

/** How a life may end before the rot. */
const ENDS = ['stopped', 'killed', 'power lost'] as const

function filesOf(storage: MemoryStorage) {
  return { files: storage.paths.map(path => ({ path, bytes: storage.bytesOf(path) })), end: 0 }
}

async function lived(seed: number) {
  const random = seededRandom(seed)
  const messages = messagesOf(random, 3, 10)
  const storage = new MemoryStorage()
  const end = ENDS[seed % ENDS.length]!
  const life = new RotLife(storage, end === 'stopped' ? messages.slice(0, 18) : messages)
  const failure = await life.live(random, end === 'stopped' ? undefined : 4 + random.integer(20))
  expect(failure).toBeNull()
  if (end === 'power lost') storage.crash(random)
  return { messages, life, files: filesOf(storage), end }
}

test('a life that is cut off and goes on without rot is as the reference says, and warns of nothing', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const { messages, life, files, end } = await lived(seed)
    const before = beforeRot(() => copyOf(files))
    const next = new RotLife(copyOf(files), messages, life)
    expect(await next.live(seededRandom(seed), 6), end).toBeNull()
    expect(await next.live(seededRandom(seed + 1)), end).toBeNull()
    expect(next.warnings, end).toEqual([])
    expect(brokenAfterRot(next, messages, before), `${seed} ${end}`).toEqual([])
  }
})

/** null: not one that was raised on purpose. */
function codeOf(error: unknown): string | null {
  return error instanceof MillraceError && error.code !== 'INTERNAL' ? error.code : null
}

function wrong(life: RotLife, messages: readonly Message[], before: Before): string[] {
  try {
    return brokenAfterRot(life, messages, before)
  } catch (error) {
    return [`what is stored cannot be read: ${error}`]
  }
}

/** Answers what was wrong, at most about `enough` places. */
async function campaign(times: number, outcomes: Map<string, number>, enough: number): Promise<string[]> {
  const found: string[] = []
  for (let time = 0; time < times && found.length < enough; ) {
    const { messages, life, files, end } = await lived(1000 + time)
    const before = beforeRot(() => copyOf(files))
    for (let each = 0; each < ROTS_A_LIFE && time < times; each++, time++) {
      const seed = 1_000_000 + time
      const random = seededRandom(seed)
      const storage = copyOf(files)
      const what = `${time}, ${end}, ${rot(storage, random).replaceAll(folder, '')}`
      const next = new RotLife(storage, messages, life)
      let failure: unknown = await next.live(random, 2 + random.integer(6))
      if (failure === null) failure = await next.live(random)
      const outcome = failure === null && next.warnings.length > 0 ? 'told' : (codeOf(failure) ?? 'harmless')
      let known = before
      if (codeOf(failure) !== null) {
        // All but what was pushed can be made anew.
        next.forgetMade()
        known = { ...before, processed: 0 }
        failure = await next.live(random)
      }
      if (failure !== null) found.push(`${what}: ${(failure as Error).stack}`)
      else found.push(...wrong(next, messages, known).map(broken => `${what}, ${outcome}: ${broken}`))
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
  }
  return found
}

test(`${TIMES} flips, truncations and losses over a whole data directory`, {
  timeout: 60_000 + TIMES * 2000,
}, async () => {
  const outcomes = new Map<string, number>()
  expect(await campaign(TIMES, outcomes, 10)).toEqual([])
  // Rot that is never met, or always fatal, would prove nothing.
  expect(outcomes.get('told')).toBeGreaterThan(TIMES / 10)
  expect(outcomes.get('harmless')).toBeGreaterThan(TIMES / 10)
  if (TIMES > 150) process.stderr.write(`${JSON.stringify(Object.fromEntries(outcomes))}\n`)
})

test('planted: checksums that are not checked are found', { timeout: 120_000 }, async () => {
  checksum.isChecked = false
  try {
    expect(await campaign(100, new Map(), 1)).not.toEqual([])
  } finally {
    checksum.isChecked = true
  }
})
