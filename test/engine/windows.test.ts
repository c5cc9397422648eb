/** Laws: however a log is cut and delivered, windows are those that a plain recomputation of it gives. */
import fc from 'fast-check'
import { describe, test } from 'vitest'
import type { StreamNode, WindowNode } from '../../src/plan/nodes.ts'
import { expectSameRows } from './compare.ts'
import { drive, topicOfPlan } from './drive.ts'
import {
  across,
  logs,
  nested,
  plainPolicies,
  policies,
  type Setting,
  scattered,
  settings,
  stacked,
  windowed,
} from './random-logs.ts'
import { type Cells, framed, type LogRecord, lastWords, lateRows, revisions } from './reference.ts'
import { options, SEED } from './seed.ts'

test(`seed ${SEED}`, () => {})

const cuts = fc
  .array(fc.boolean(), { minLength: 7, maxLength: 31 })
  .map(bits => (record: number) => bits[record % bits.length]!)
const everyRecord = () => true
const once = () => false

const streamsOf = (plan: ReturnType<typeof windowed>['plan']) => plan.delivers.map(({ stream }) => stream)

function windowBefore(node: StreamNode): WindowNode {
  return node.kind === 'window' ? node : windowBefore((node as Exclude<StreamNode, { kind: 'read' }>).input)
}

/** The last revision of each window, which must also be a final one. */
function finalRows(rows: readonly Cells[], stream: StreamNode): Cells[] {
  if (stream.stream.kind === 'append') return [...rows]
  const { key } = stream.stream
  const last = new Map<string, Cells>()
  for (const row of rows) {
    const id = key.map(name => `${typeof row[name]}:${row[name]}`).join('|')
    const before = last.get(id)
    if (row.revision !== (before === undefined ? 0 : (before.revision as number) + 1))
      throw new Error(`revision ${row.revision} of ${id}`)
    if (before?.is_final === true) throw new Error(`a word after the last one on ${id}`)
    last.set(id, row)
  }
  return [...last.values()].map(({ revision, is_final, ...row }) => {
    if (is_final !== true) throw new Error('the last word on a window is not final')
    return row
  })
}

function check(
  setting: Setting,
  build: typeof windowed,
  log: readonly LogRecord[],
  partitions: number,
  cut: (record: number) => boolean,
) {
  const { plan } = build(setting)
  const topic = topicOfPlan(plan)
  const streams = streamsOf(plan)
  const driven = drive(topic, streams, log, partitions, cut)
  const rows = framed(topic, log, partitions > 1)
  streams.forEach((stream, index) => {
    expectSameRows(
      finalRows(driven.rows[index]!, stream),
      lastWords(stream, rows).map(({ cells: { revision, is_final, ...cells } }) => cells),
    )
  })
  return { topic, streams, driven, rows }
}

describe('windows are those of a plain recomputation', () => {
  test('one partition, cut anywhere', () => {
    fc.assert(
      fc.property(settings(policies), logs(1), cuts, (setting, log, cut) => {
        const { streams, driven, rows } = check(setting, windowed, log, 1, cut)
        const { late } = lateRows(windowBefore(streams[0]!), rows)
        if (driven.late !== late) throw new Error(`${driven.late} rows late, not ${late}`)
      }),
      options(300),
    )
  })

  test('long windows of many panes', () => {
    fc.assert(
      fc.property(settings(policies), logs(1, 150), cuts, (setting, log, cut) => {
        check(setting, stacked, log, 1, cut)
      }),
      options(300),
    )
  })

  test('two to four partitions, mixed in any way', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4 }).chain(partitions => fc.tuple(fc.constant(partitions), logs(partitions))),
        settings(policies),
        cuts,
        fc.boolean(),
        ([partitions, log], setting, cut, isStacked) => {
          check(setting, isStacked ? stacked : windowed, log, partitions, cut)
        },
      ),
      options(300),
    )
  })

  test('windows of windows, after a dedupe', () => {
    fc.assert(
      fc.property(settings(plainPolicies), logs(1), cuts, (setting, log, cut) => {
        check(setting, nested, log, 1, cut)
      }),
      options(200),
    )
  })
})

test('time by key, with each key in several partitions', () => {
  fc.assert(
    fc.property(settings(policies), logs(1), cuts, (setting, log, cut) => {
      check({ ...setting, progress: 'key' }, windowed, scattered(log, 3), 3, cut)
    }),
    options(200),
  )
})

test('groups of several keys, time by key', () => {
  fc.assert(
    fc.property(settings(policies), logs(1), cuts, (setting, log, cut) => {
      check({ ...setting, progress: 'key' }, across, log, 1, cut)
    }),
    options(200),
  )
})

describe('the same rows in the same order, however one partition is cut', () => {
  const law = (build: typeof windowed, policy: typeof policies) =>
    fc.property(settings(policy), logs(1), cuts, (setting, log, cut) => {
      const { plan } = build(setting)
      const streams = streamsOf(plan)
      const [whole, single, random] = [once, everyRecord, cut].map(one =>
        drive(topicOfPlan(plan), streams, log, 1, one),
      )
      streams.forEach((_, index) => {
        expectSameRows(whole!.rows[index]!, single!.rows[index]!, true)
        expectSameRows(random!.rows[index]!, single!.rows[index]!, true)
      })
    })
  test('windows', () => fc.assert(law(stacked, policies), options(200)))
  test('windows of windows', () => fc.assert(law(nested, plainPolicies), options(100)))
})

test('every revision is that of the log played record by record', () => {
  fc.assert(
    fc.property(settings(policies), logs(1, 40), cuts, (setting, log, cut) => {
      const { plan } = stacked(setting)
      const node = windowBefore(plan.delivers[0]!.stream)
      if (node.stream.kind === 'append') return
      const topic = topicOfPlan(plan)
      const driven = drive(topic, [node], log, 1, cut)
      expectSameRows(driven.rows[0]!, revisions(node, framed(topic, log)))
    }),
    options(300),
  )
})

test('any order within the disorder gives the same rows', () => {
  const shuffled = logs(1).chain(log =>
    fc.tuple(
      fc.constant(log),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: log.length, maxLength: log.length }),
    ),
  )
  fc.assert(
    fc.property(settings(plainPolicies), shuffled, cuts, (setting, [log, delays], cut) => {
      const disorder = setting.disorder * 1e6
      const sorted = log.toSorted((a, b) => (a.cells.at as number) - (b.cells.at as number))
      const { plan } = windowed({ ...setting, shape: 'composite' })
      const streams = streamsOf(plan)
      const delivered = sorted
        .map((record, index) => ({
          record,
          at: (record.cells.at as number) + delays[index]! * Math.max(0, disorder - 1),
        }))
        .sort((a, b) => a.at - b.at)
        .map(({ record }) => record)
      const names = [
        'rows',
        'total',
        'mean',
        'median',
        'different',
        'last_time',
        'window_start',
        ...['device', 'text', 'number', 'flag'],
      ]
      const part = (rows: readonly Cells[]) => rows.map(row => Object.fromEntries(names.map(name => [name, row[name]])))
      const inOrder = drive(topicOfPlan(plan), streams, sorted, 1, once)
      const outOfOrder = drive(topicOfPlan(plan), streams, delivered, 1, cut)
      expectSameRows(part(outOfOrder.rows[0]!), part(inOrder.rows[0]!))
      if (outOfOrder.late > 0) throw new Error('rows within the disorder are late')
    }),
    options(150),
  )
})
