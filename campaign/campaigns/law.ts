/** Random pipelines, abandoned behind an epoch that was staged at any moment, and begun again. */
import { seededRandom } from '../../src/system/random.ts'
import type { Campaign, FailedCase } from '../contract.ts'
import { cleanRows, cutRows, type Moment, messagesOf } from '../law/case.ts'
import type { Kind } from '../law/graphs.ts'
import { PLANTED } from '../law/planted.ts'

/** The first cases are small and tried at every microtask; so many of them in a long run, and in a short one. */
const SMALL: readonly (readonly Kind[])[] = [
  ['window', 'topic', 'window'],
  ['window', 'window', 'topic', 'window'],
  ['topic', 'dedupe', 'window'],
  ['explode', 'window'],
]
const EXHAUSTIVE = { few: 4, all: 30, allFrom: 1000 }
/** A short run looks at every so many microtasks, from a drawn one on. */
const SHORT_STRIDE = 5
const DEPTH_MAX = 400

interface Drawn {
  readonly seed: number
  readonly steps: number | readonly Kind[]
  readonly messages: number
}

/** What is wrong, a line each; nothing: all is well. `moments`: a number: every so many microtasks until it is over. */
async function compare({ seed, steps, messages }: Drawn, moments: readonly Moment[] | number): Promise<string[]> {
  const log = messagesOf(seededRandom(seed ^ 0x5eed), messages)
  const clean = await cleanRows(seed, steps, log)
  const tried = async (of: readonly Moment[]) => {
    const { rows, isOver } = await cutRows(seed, steps, log, of)
    const wrong = rows.flatMap((found, sink) => differences(`sink-${sink}`, clean.rows[sink]!, found))
    if (wrong.length === 0) return { lines: [], isOver }
    return { lines: [`${clean.text}; cut off at ${JSON.stringify(of)}`, ...wrong], isOver }
  }
  if (typeof moments !== 'number') return (await tried(moments)).lines
  const stride = moments
  const random = seededRandom(seed)
  // The last message closes all windows.
  for (const message of [messages, 0]) {
    for (let depth = random.integer(stride); depth < DEPTH_MAX; depth += stride) {
      const { lines, isOver } = await tried([{ kind: 'microtask', message, depth }])
      if (lines.length > 0) return lines
      if (isOver) break
    }
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
    ...PLANTED,
    {
      name: 'derived-rows-behind-a-promise',
      file: 'src/runtime/process/topics.ts',
      from: 'this.task(topic.name).pushDerived(batch)',
      to: 'const own = structuredClone(batch); let later = Promise.resolve(); for (let turn = 0; turn < 20; turn++) later = later.then(() => {}); void later.then(() => this.task(topic.name).pushDerived(own))',
      cases: 60,
    },
    {
      name: 'several-partitions-read-again',
      file: 'src/runtime/streams/streams.ts',
      from: 'isRowByRow(stream) && options.isOneLog(source)',
      to: 'isRowByRow(stream)',
      cases: 1,
      test: 'test/runtime/several-inputs-sink.test.ts',
    },
    {
      name: 'rows-committed-before-their-epoch',
      file: 'src/runtime/consumers/sink-consumer.ts',
      from: 'if (this.#committed < this.#position && this.#position <= stream.safe && (isFull || isWhole)) {',
      to: 'if (this.#committed < this.#position && isWhole) {',
      cases: 200,
    },
  ],
  async run({ cases, seed, report }) {
    const failed: FailedCase[] = []
    for (let index = 0; index < cases; index++) {
      const own = seed + index
      const random = seededRandom(own ^ 0x1a4)
      const isLong = cases >= EXHAUSTIVE.allFrom
      const isSmall = index < (isLong ? EXHAUSTIVE.all : EXHAUSTIVE.few)
      const drawn = {
        seed: own,
        steps: isSmall ? (SMALL[index] ?? 1 + (index % 3)) : 6,
        messages: isSmall ? 1 : 2 + random.integer(8),
      }
      const moments = Array.from({ length: 1 + random.integer(3) }, (): Moment => {
        return random.integer(3) === 0
          ? { kind: 'call', sink: random.integer(5), call: random.integer(6) }
          : { kind: 'microtask', message: random.integer(drawn.messages), depth: random.integer(120) }
      })
      const lines = await compare(drawn, isSmall ? (isLong ? 1 : SHORT_STRIDE) : moments).catch(error => [
        String(error?.stack ?? error),
      ])
      if (lines.length > 0) failed.push({ seed: own, cases: 1, lines: lines.slice(0, 12) })
      report(index + 1)
    }
    return failed
  },
} satisfies Campaign
