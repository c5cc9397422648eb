/** Identities, fingerprints and findings of plans. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  average,
  count,
  type Parts,
  pipeline,
  sum,
  timestamp,
  topic,
  tumbling,
  type WindowOptions,
} from '../../src/index.ts'
import { checkPlan } from '../../src/plan/check.ts'
import { fingerprint, opaqueLambdas } from '../../src/plan/fingerprint.ts'
import type { Plan, SinkReference, SourceReference, StreamNode } from '../../src/plan/nodes.ts'
import { chainOf, stepsOf } from '../../src/plan/walk.ts'

const source: SourceReference = { kind: 'source', connector: 'file', options: {}, open: async () => null }
const sink: SinkReference = { kind: 'sink', connector: 'file', options: {}, open: async () => null }
const message = z.object({ id: z.string(), at: timestamp('ms'), level: z.number(), battery: z.number().nullable() })
const readings = topic('readings', message, { key: 'id', eventTime: { field: 'at', disorder: '5 s' } })

const planOf = (build: (parts: Parts) => void): Plan => pipeline('test', build).plan
const identities = (plan: Plan) => stepsOf(plan).map(({ identity }) => identity)
const windowOf = (plan: Plan): StreamNode => stepsOf(plan).find(({ kind }) => kind === 'window')!

describe('identities', () => {
  test('are the output, the kind and the ordinal', () => {
    const plan = planOf(({ from, warehouse, deliver }) => {
      const kept = from(readings)
        .filter(r => r.level > 1)
        .filter(r => r.level < 9)
      deliver(kept.derive({ a: r => r.level }), sink)
      warehouse.table('S.T').appends(kept.derive({ b: r => r.level }))
      kept.derive({ c: r => r.level }).to(topic('results'))
      deliver(kept.derive({ d: r => r.level }), sink)
    })
    expect(identities(plan)).toEqual([
      'readings',
      'results/filter-1',
      'results/filter-2',
      'results/derive-1',
      'file-1/derive-1',
      'S.T/derive-1',
      'file-2/derive-1',
    ])
  })

  test('are the same node where outputs share a step', () => {
    const plan = planOf(({ from, warehouse }) => {
      const kept = from(readings)
        .filter(r => r.level > 1)
        .to(topic('results'))
      warehouse.table('T').appends(kept)
    })
    expect(plan.produces[0]!.stream).toBe(plan.delivers[0]!.stream)
  })

  test('can be given, once', () => {
    const plan = planOf(({ from, deliver }) =>
      deliver(
        from(readings)
          .filter(r => r.level > 1)
          .named('high'),
        sink,
      ),
    )
    expect(identities(plan)).toEqual(['readings', 'high'])
    const twice = () =>
      planOf(({ from, deliver }) => {
        deliver(
          from(readings)
            .filter(r => r.level > 1)
            .named('high')
            .filter(r => r.level > 2)
            .named('high'),
          sink,
        )
      })
    expect(twice).toThrow(/^Two steps are named 'high': at .*plan\.test\.ts:\d+:\d+ and at .*plan\.test\.ts:\d+:\d+$/)
  })
})

describe('a fingerprint', () => {
  const window = (build: (parts: Parts) => { readonly node: StreamNode }) =>
    fingerprint(windowOf(planOf(parts => parts.deliver(build(parts) as never, sink))))

  const base = window(({ from }) =>
    from(readings)
      .filter((r, $) => r.level > $.limit, { limit: 3 })
      .derive({ twice: r => r.level * 2, unused: r => r.level + 1 })
      .groupBy('id')
      .window(tumbling('1 m'))
      .aggregate({ total: sum('twice') }),
  )

  test('is a digest', () => {
    expect(base).toMatch(/^[0-9a-f]{64}$/)
  })

  test('stays with other layout, names, unused columns, projections and outputs', () => {
    const same = window(({ from }) =>
      from(readings)
        .select('level', 'id', 'at')
        .filter(
          (reading, p) => {
            return reading.level > p.least
          },
          { least: 3 },
        )
        .derive({ other: r => r.id, twice: row => row.level * 2 })
        .groupBy('id')
        .window(tumbling('60 s'))
        .aggregate({ total: sum('twice') })
        .named('elsewhere')
        .derive({ more: r => r.total }),
    )
    expect(same).toBe(base)
  })

  test.each<[string, Parameters<typeof window>[0]]>([
    [
      'the value of a parameter',
      ({ from }) =>
        from(readings)
          .filter((r, $) => r.level > $.limit, { limit: 4 })
          .derive({ twice: r => r.level * 2 })
          .groupBy('id')
          .window(tumbling('1 m'))
          .aggregate({ total: sum('twice') }),
    ],
    [
      'a derived column',
      ({ from }) =>
        from(readings)
          .filter(r => r.level > 3)
          .derive({ twice: r => r.level * 3 })
          .groupBy('id')
          .window(tumbling('1 m'))
          .aggregate({ total: sum('twice') }),
    ],
    [
      'the key',
      ({ from }) =>
        from(readings)
          .filter(r => r.level > 3)
          .derive({ twice: r => r.level * 2 })
          .groupBy()
          .window(tumbling('1 m'))
          .aggregate({ total: sum('twice') }),
    ],
    [
      'the window',
      ({ from }) =>
        from(readings)
          .filter(r => r.level > 3)
          .derive({ twice: r => r.level * 2 })
          .groupBy('id')
          .window(tumbling('2 m'))
          .aggregate({ total: sum('twice') }),
    ],
    [
      'an aggregate',
      ({ from }) =>
        from(readings)
          .filter(r => r.level > 3)
          .derive({ twice: r => r.level * 2 })
          .groupBy('id')
          .window(tumbling('1 m'))
          .aggregate({ total: average('twice') }),
    ],
    [
      'a step less',
      ({ from }) =>
        from(readings)
          .derive({ twice: r => r.level * 2 })
          .groupBy('id')
          .window(tumbling('1 m'))
          .aggregate({ total: sum('twice') }),
    ],
    [
      'the disorder',
      ({ from }) =>
        from(topic('readings', message, { key: 'id', eventTime: { field: 'at', disorder: '6 s' } }))
          .filter(r => r.level > 3)
          .derive({ twice: r => r.level * 2 })
          .groupBy('id')
          .window(tumbling('1 m'))
          .aggregate({ total: sum('twice') }),
    ],
  ])('changes with %s', (_, build) => {
    expect(window(build)).not.toBe(base)
  })

  test('knows the types inside of an array', () => {
    const of = (weight: z.ZodType<number>) => {
      const boxes = topic(
        'boxes',
        z.object({ at: timestamp('s'), parts: z.array(z.object({ weight, other: z.string() })) }),
        {
          eventTime: { field: 'at' },
        },
      )
      return window(({ from }) =>
        from(boxes)
          .explode('parts')
          .groupBy()
          .window(tumbling('1 m'))
          .aggregate({ total: sum('weight') }),
      )
    }
    expect(of(z.int())).toBe(of(z.number()))
    expect(of(z.number().nullable() as never)).not.toBe(of(z.number()))
  })

  test('holds the text of an opaque lambda whose column is used', () => {
    const opaque = (level: number) => {
      for (let i = 0; i < 3; i++) level += i
      return level
    }
    const of = (column: 'twice' | 'level', lambda: (r: { level: number }) => number) =>
      window(({ from }) =>
        from(readings)
          .derive({ twice: lambda as never })
          .groupBy('id')
          .window(tumbling('1 m'))
          .aggregate({ total: sum(column as never) }),
      )
    const once = (r: { level: number }) => Number(opaque(r.level))
    const twice = (r: { level: number }) => Number(opaque(r.level)) * 2
    expect(of('twice', once)).toBe(of('twice', r => Number(opaque(r.level))))
    expect(of('twice', once)).not.toBe(of('twice', twice))
    expect(of('level', once)).toBe(of('level', twice))
  })

  test('says which lambdas it does not know all of', () => {
    const limit = Math.random()
    const plan = planOf(({ from, warehouse }) => {
      const rows = from(readings).derive({ large: r => r.level > limit })
      const counted = (column: 'large' | 'level') =>
        rows
          .groupBy('id')
          .window(tumbling('1 m'))
          .aggregate({ n: count(column as never) })
      warehouse.table('USED').appends(counted('large'))
      warehouse.table('UNUSED').appends(counted('level'))
    })
    const [used, unused] = plan.delivers.map(({ stream }) => opaqueLambdas(stream))
    expect(used!.map(({ text }) => text)).toEqual([expect.stringContaining('r.level > limit')])
    expect(unused).toEqual([])
  })
})

test('a step whose output has another number now can be called as it was', () => {
  const windows = ({ from }: Parts) => from(readings).groupBy('id').window(tumbling('1 m')).aggregate({ n: count() })
  const before = planOf(parts => parts.deliver(windows(parts), sink))
  expect(windowOf(before).identity).toBe('file-1/window-1')
  const after = planOf(parts => {
    parts.deliver(windows(parts), { ...sink, options: { path: 'first.ndjson' } })
    parts.deliver(windows(parts).named('file-1/window-1'), sink)
  })
  expect(identities(after).filter(name => name.includes('window'))).toEqual(['file-1/window-2', 'file-1/window-1'])
})

describe('findings', () => {
  const codes = (plan: Plan) => checkPlan(plan).map(({ severity, code }) => `${severity} ${code}`)

  test('none for what is right', () => {
    const plan = planOf(({ ingest, from, warehouse }) => {
      ingest(source, readings)
      warehouse.table('T').appends(from(readings).groupBy('id').window(tumbling('1 m')).aggregate({ n: count() }))
    })
    expect(checkPlan(plan)).toEqual([])
  })

  test('an opaque lambda, by its place, with the state that it spoils', () => {
    const plan = planOf(({ ingest, from, deliver }) => {
      ingest(source, readings)
      deliver(
        from(readings)
          .filter(r => {
            let n = 0
            while (n < r.level) n++
            return n > 3
          })
          .groupBy('id')
          .window(tumbling('1 m'))
          .aggregate({ n: count() }),
        sink,
      )
    })
    const [finding] = checkPlan(plan)
    expect(finding).toMatchObject({
      severity: 'warning',
      code: 'LAMBDA_OPAQUE',
      location: { file: expect.stringMatching(/plan\.test\.ts$/) },
    })
    expect(finding?.message).toMatch(
      /^the predicate of file-1\/filter-1 is called once a row: .*; the state of file-1\/window-1 cannot be verified after a change$/,
    )
    expect(finding?.wayOut).not.toBe('')
  })

  test('an inexact function', () => {
    const plan = planOf(({ ingest, from, deliver }) => {
      ingest(source, readings)
      deliver(from(readings).derive({ s: r => Math.sin(r.level) }), sink)
    })
    expect(codes(plan)).toEqual(['note FUNCTION_INEXACT'])
  })

  test('a window without event time', () => {
    const timeless = topic('timeless', z.object({ id: z.string() }))
    const plan = planOf(({ ingest, from, deliver }) => {
      ingest(source, timeless)
      deliver(
        from(timeless)
          .dedupe({ key: 'id', within: '1 h' })
          .groupBy('id')
          .window(tumbling('1 m'))
          .aggregate({ n: count() }),
        sink,
      )
    })
    expect(codes(plan)).toEqual(['error EVENT_TIME_MISSING', 'error EVENT_TIME_MISSING'])
  })

  test('topics that nothing or two feed, keep too little, or decode slowly', () => {
    const short = topic(
      'short',
      z.object({ id: z.string(), at: timestamp('s'), tags: z.array(z.string()).optional() }),
      {
        eventTime: { field: 'at' },
        retention: { time: '1 h' },
      },
    )
    const plan = planOf(({ ingest, from, deliver }) => {
      ingest(source, short)
      const rows = from(short).groupBy('id').window(tumbling('1 d')).aggregate({ n: count() })
      deliver(rows, sink)
      from(readings)
        .derive({ tags: () => null })
        .to(short as never)
    })
    expect(codes(plan)).toEqual([
      'error TOPIC_FED_TWICE',
      'warning RETENTION_SHORT',
      'warning TOPIC_UNBOUND',
      'note DECODE_SLOW',
    ])
  })

  test('windows that silence may let out twice, read again', () => {
    const timed = (name: string) =>
      topic(name, z.object({ id: z.string(), at: timestamp('s') }), { eventTime: { field: 'at' } })
    const results = topic('results', z.object({ id: z.string(), window_end: timestamp('us') }), {
      eventTime: { field: 'window_end' },
    })
    const cascade = (options: WindowOptions) =>
      planOf(({ ingest, from, deliver }) => {
        const input = timed('input')
        ingest(source, input)
        const windows = from(input).groupBy('id').window(tumbling('1 m'), options).aggregate({ n: count() })
        const ends = (options.late === 'restate' ? windows.finals() : windows).select('id', 'window_end')
        ends.to(results)
        deliver(from(results).groupBy('id').window(tumbling('1 h')).aggregate({ windows: count() }), sink)
      })
    expect(codes(cascade({}))).toEqual(['warning WINDOW_TWICE'])
    expect(codes(cascade({ late: 'restate', allowedLateness: '0 s' }))).toEqual([])
  })

  test('tables whose columns or keys will not do', () => {
    const alike = topic('alike', z.object({ userId: z.string().nullable(), USERID: z.string() }))
    const plan = planOf(({ ingest, warehouse }) => {
      ingest(source, alike)
      warehouse.table('T').upserts(alike, { key: 'userId' })
    })
    expect(codes(plan)).toEqual(['error COLUMNS_ALIKE', 'warning KEY_NULLABLE'])
  })
})

test('a chain runs from its topic to the step', () => {
  const plan = planOf(({ from, deliver }) =>
    deliver(
      from(readings)
        .filter(r => r.level > 1)
        .require('battery'),
      sink,
    ),
  )
  expect(chainOf(plan.delivers[0]!.stream).map(({ kind }) => kind)).toEqual(['read', 'filter', 'require'])
})
