/**
 * One key in several partitions, interleaved, cut and with silences of any kind: what is late, and the last row of each
 * window, is the same.
 */
import fc from 'fast-check'
import type { StreamNode, WindowNode } from '../../src/plan/nodes.ts'
import { expectSameRows } from '../../test/engine/compare.ts'
import { drive, topicOfPlan } from '../../test/engine/drive.ts'
import { logs, nested, plainPolicies, policies, settings, windowed } from '../../test/engine/random-logs.ts'
import { type Cells, framed, identityOf, type LogRecord, lastWords, lateRows } from '../../test/engine/reference.ts'
import type { Campaign, FailedCase } from '../contract.ts'

const PARTITIONS_MAX = 4
/** How often the same partitions are read in another interleaving. */
const INTERLEAVINGS = 3
/** Failed cases that are shrunk: each takes as long as many cases. */
const SHRUNK_MAX = 2

/** What becomes of one log: where its records lie, and how they are read. */
const dealt = fc.record({
  partitions: fc.integer({ min: 1, max: PARTITIONS_MAX }),
  places: fc.array(fc.nat(PARTITIONS_MAX * 60), { minLength: 23, maxLength: 47 }),
  /** By interleaving: which partition is read next, and where batches end. */
  reads: fc.array(
    fc.record({
      turns: fc.array(fc.nat(1000), { minLength: 13, maxLength: 37 }),
      cuts: fc.array(fc.boolean(), { minLength: 7, maxLength: 31 }),
      silences_s: fc.array(fc.constantFrom(0, 0, 0, 1, 9, 11, 60, 4000), { minLength: 5, maxLength: 17 }),
    }),
    { minLength: INTERLEAVINGS, maxLength: INTERLEAVINGS },
  ),
})

const aCase = fc.record({
  setting: settings(policies),
  nestedSetting: settings(plainPolicies),
  isNested: fc.boolean(),
  log: logs(1, 80),
  dealt,
})

type Case = typeof aCase extends fc.Arbitrary<infer T> ? T : never

/** The partitions' records, each in its order, in one order of all. */
function interleaved(partitions: readonly (readonly LogRecord[])[], turns: readonly number[]): LogRecord[] {
  const next = partitions.map(() => 0)
  const log: LogRecord[] = []
  for (let turn = 0; ; turn++) {
    const left = next.flatMap((at, partition) => (at < partitions[partition]!.length ? [partition] : []))
    if (left.length === 0) return log
    const partition = left[turns[turn % turns.length]! % left.length]!
    log.push(partitions[partition]![next[partition]!]!)
    next[partition]!++
  }
}

const windowBefore = (node: StreamNode): WindowNode =>
  node.kind === 'window' ? node : windowBefore((node as Exclude<StreamNode, { kind: 'read' }>).input)

/** Throws where a result, or what was late, is not that of the plain reference, or differs between two readings. */
function check({ setting, nestedSetting, isNested, log, dealt: { partitions, places, reads } }: Case): void {
  // A dedupe keeps whichever repeat comes first, so it stands in these tests only where a key has one partition.
  const isPlaced = isNested && partitions === 1
  const { plan } = isPlaced ? nested({ ...nestedSetting, progress: 'key' }) : windowed({ ...setting, progress: 'key' })
  const topic = topicOfPlan(plan)
  const streams = plan.delivers.map(({ stream }) => stream)
  const lists: LogRecord[][] = Array.from({ length: partitions }, () => [])
  log.forEach(({ cells }, index) => {
    const partition = places[index % places.length]! % partitions
    lists[partition]!.push({ partition, cells })
  })
  for (const { turns, cuts, silences_s } of reads) {
    const read = interleaved(lists, turns)
    const driven = drive(
      topic,
      streams,
      read,
      partitions,
      record => cuts[record % cuts.length]!,
      record =>
        // What comes out in a silence comes out again when it changes, and a step behind it would count it twice.
        isPlaced ? 0 : silences_s[record % silences_s.length]!,
    )
    const rows = framed(topic, read, partitions > 1)
    streams.forEach((stream, index) => {
      const wanted = lastWords(stream, rows).map(({ cells: { revision, is_final, ...cells } }) => cells)
      const found = lastOf(driven.rows[index]!, isPlaced ? null : windowBefore(stream)).map(
        ({ revision, is_final, ...cells }) => cells,
      )
      expectSameRows(found, wanted)
    })
    const { late } = lateRows(windowBefore(streams[0]!), rows)
    if (driven.late !== late) throw new Error(`${driven.late} rows are late, not ${late}`)
  }
}

/** The last row of each window; null: the rows as they are. */
function lastOf(rows: readonly Cells[], node: WindowNode | null): readonly Cells[] {
  if (node === null) return rows
  const idOf = (row: Cells) => [...node.keys, 'window_start'].map(name => identityOf(row[name])).join('|')
  return [...new Map(rows.map(row => [idOf(row), row])).values()]
}

const keys: Campaign = {
  proves:
    'A key in several partitions has the same late records and the same results in every interleaving, under every cut, in every order of the partitions and whatever silence emits.',
  cases: 1000,
  ciCases: 150,
  plants: [
    {
      name: 'late-by-what-was-emitted',
      file: 'src/engine/operators/window.ts',
      from: 'const closed = Math.max(own - this.#allowed, schedule.closed[key]!)',
      to: 'const closed = Math.max(own - this.#allowed, schedule.emitted[key]! - this.#allowed)',
      cases: 100,
    },
    {
      name: 'new-key-waits-for-no-partition',
      file: 'src/engine/key-watermarks.ts',
      from: 'const at = own === NEVER_CAME ? reached : own',
      to: 'const at = own === NEVER_CAME ? Number.POSITIVE_INFINITY : own',
      cases: 100,
    },
    {
      name: 'new-key-starts-at-nothing',
      file: 'src/engine/key-times.ts',
      from: 'const maximum = Math.max(at, isNew ? furthest : maxima[key]!)',
      to: 'const maximum = Math.max(at, isNew ? at : maxima[key]!)',
      cases: 100,
    },
  ],
  async run({ cases, seed, report }) {
    const failed: FailedCase[] = []
    for (let index = 0; index < cases; index++) {
      const result = fc.check(fc.property(aCase, check), {
        numRuns: 1,
        seed: seed + index,
        endOnFailure: failed.length >= SHRUNK_MAX,
      })
      if (result.failed) {
        const lines = [
          JSON.stringify(result.counterexample),
          ...(result.errorInstance as Error).message.split('\n').slice(0, 40),
        ]
        failed.push({ seed: seed + index, cases: 1, lines })
      }
      report(index + 1)
    }
    return failed
  },
}

export default keys
