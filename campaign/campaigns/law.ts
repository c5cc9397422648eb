/** Random pipelines, abandoned behind an epoch that was staged at any moment, and begun again. */
import { seededRandom } from '../../src/system/random.ts'
import type { Campaign, FailedCase } from '../contract.ts'
import { cleanRows, cutRows, type Moment, messagesOf } from '../law/case.ts'

/** The first cases are small and tried at every microtask; so many of them in a long run, and in a short one. */
const EXHAUSTIVE = { few: 4, all: 30, allFrom: 1000 }
const DEPTH_MAX = 400

interface Drawn {
  readonly seed: number
  readonly steps: number
  readonly messages: number
}

/** What is wrong, a line each; nothing: all is well. */
async function compare({ seed, steps, messages }: Drawn, moments: readonly Moment[] | 'every'): Promise<string[]> {
  const log = messagesOf(seededRandom(seed ^ 0x5eed), messages)
  const clean = await cleanRows(seed, steps, log)
  const tried = async (of: readonly Moment[]) => {
    const { rows, isOver } = await cutRows(seed, steps, log, of)
    const wrong = rows.flatMap((found, sink) => differences(`sink-${sink}`, clean.rows[sink]!, found))
    if (wrong.length === 0) return { lines: [], isOver }
    return { lines: [`${clean.text}; cut off at ${JSON.stringify(of)}`, ...wrong], isOver }
  }
  if (moments !== 'every') return (await tried(moments)).lines
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    const { lines, isOver } = await tried([{ kind: 'microtask', message: 0, depth }])
    if (lines.length > 0) return lines
    if (isOver) break
  }
  return []
}

function differences(name: string, expected: readonly string[], found: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const row of expected) counts.set(row, (counts.get(row) ?? 0) + 1)
  for (const row of found) counts.set(row, (counts.get(row) ?? 0) - 1)
  return [...counts].flatMap(([row, times]) =>
    times === 0
      ? []
      : `${name}: ${row} is ${times > 0 ? `missing ${times}` : `there ${-times}`} times ${times > 0 ? '' : 'too often'}`,
  )
}

export default {
  proves: 'Whenever an epoch is staged and whatever is abandoned behind it, every output is that of a clean run.',
  cases: 1000,
  ciCases: 300,
  plants: [
    {
      name: 'derived-rows-a-turn-later',
      file: 'src/runtime/process/topics.ts',
      from: 'this.task(topic.name).pushDerived(batch)',
      to: 'const own = structuredClone(batch); void Promise.resolve().then(() => this.task(topic.name).pushDerived(own))',
      cases: 60,
    },
    {
      name: 'rows-committed-before-their-epoch',
      file: 'src/runtime/consumers/sink-consumer.ts',
      from: 'if (this.#committed < this.#position && this.#position <= stream.safe && isWhole && this.#mayCommit()) {',
      to: 'if (this.#committed < this.#position && isWhole) {',
      cases: 200,
    },
  ],
  async run({ cases, seed, report }) {
    const failed: FailedCase[] = []
    for (let index = 0; index < cases; index++) {
      const own = seed + index
      const random = seededRandom(own ^ 0x1a4)
      const isSmall = index < (cases < EXHAUSTIVE.allFrom ? EXHAUSTIVE.few : EXHAUSTIVE.all)
      const drawn = { seed: own, steps: isSmall ? 1 + (index % 3) : 6, messages: isSmall ? 1 : 2 + random.integer(8) }
      const moments = Array.from({ length: 1 + random.integer(3) }, (): Moment => {
        return random.integer(3) === 0
          ? { kind: 'call', sink: random.integer(5), call: random.integer(6) }
          : { kind: 'microtask', message: random.integer(drawn.messages), depth: random.integer(120) }
      })
      const lines = await compare(drawn, isSmall ? 'every' : moments).catch(error => [String(error?.stack ?? error)])
      if (lines.length > 0) failed.push({ seed: own, cases: 1, lines: lines.slice(0, 12) })
      report(index + 1)
    }
    return failed
  },
} satisfies Campaign
