/** Dashboards in the pipeline file: what they become in the plan, and each refusal in its words. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { count, MillraceError, type Parts, pipeline, type Show, timestamp, topic, tumbling } from '../../src/index.ts'
import { checkPlan } from '../../src/plan/check.ts'
import { explain } from '../../src/plan/explain.ts'
import type { Plan, SinkReference } from '../../src/plan/nodes.ts'
import { outputsOf, panelStreamsOf, panelsOf, stepsOf } from '../../src/plan/walk.ts'

const sink: SinkReference = { kind: 'sink', connector: 'file', options: {}, open: async () => null }

const message = z.object({
  id: z.string(),
  at: timestamp('ms'),
  seen: timestamp('ms').nullable(),
  level: z.number(),
  battery: z.number().nullable(),
  tags: z.array(z.string()),
  place: z.object({ latitude: z.number(), longitude: z.number() }),
})
const readings = topic('readings', message, { key: 'id', eventTime: { field: 'at' } })
const timeless = topic('timeless', message)

/** Lets through what the compiler refuses. */
const untyped = (value: unknown) => value as never

function planOf(build: (parts: Parts) => void): Plan {
  return pipeline('test', build).plan
}

const windowsOf = ({ from }: Parts) =>
  from(readings)
    .filter(r => r.level > 0)
    .groupBy('id')
    .window(tumbling('1 m'))
    .aggregate({ n: count() })

const everyKind = (parts: Parts) => {
  const windows = windowsOf(parts)
  parts.deliver(windows, sink)
  parts.dashboard('The Room!', show => [
    show.timeSeries('Level', readings, { value: 'level', by: 'id', unit: '°C' }),
    show.stateTimeline('Busy?', windows, { state: 'n', by: 'id', time: 'window_start', span: '1 h' }),
    show.stat('Now', readings, { value: 'battery' }),
    show.stat('Readings', readings, { aggregate: 'count', over: '1 m' }),
    show.bars('By device', windows, { category: 'id', value: 'n', over: '5 m' }),
    show.table('Devices', readings, { latestBy: 'id', columns: ['id', 'tags', 'at'], limit: 20 }),
    show.table('All', windows),
    show.map('Where', readings, { latitude: 'place.latitude', longitude: 'place.longitude', by: 'id', label: 'level' }),
  ])
}

describe('in the plan', () => {
  test('each kind of panel, with its defaults', () => {
    const shown = panelsOf(planOf(everyKind)).map(({ stream, location, ...rest }) => {
      expect(location?.file).toMatch(/dashboard\.test\.ts$/)
      return { ...rest, of: stream.identity }
    })
    const minutes = (count: number) => count * 60_000_000
    expect(shown).toEqual([
      {
        kind: 'time-series',
        identity: 'the-room/level',
        title: 'Level',
        of: 'readings',
        value: 'level',
        by: 'id',
        unit: '°C',
        time: 'at',
        span_us: minutes(15),
      },
      {
        kind: 'state-timeline',
        identity: 'the-room/busy',
        title: 'Busy?',
        of: 'file-1/window-1',
        state: 'n',
        by: 'id',
        time: 'window_start',
        span_us: minutes(60),
      },
      {
        kind: 'stat',
        identity: 'the-room/now',
        title: 'Now',
        of: 'readings',
        value: 'battery',
        aggregate: 'last',
        unit: null,
        time: 'at',
        span_us: minutes(15),
      },
      {
        kind: 'stat',
        identity: 'the-room/readings',
        title: 'Readings',
        of: 'readings',
        value: null,
        aggregate: 'count',
        unit: null,
        time: 'at',
        span_us: minutes(1),
      },
      {
        kind: 'bars',
        identity: 'the-room/by-device',
        title: 'By device',
        of: 'file-1/window-1',
        category: 'id',
        value: 'n',
        unit: null,
        time: 'window_end',
        span_us: minutes(5),
      },
      {
        kind: 'table',
        identity: 'the-room/devices',
        title: 'Devices',
        of: 'readings',
        shown: ['id', 'tags', 'at'],
        latestBy: ['id'],
        limit: 20,
        time: 'at',
      },
      {
        kind: 'table',
        identity: 'the-room/all',
        title: 'All',
        of: 'file-1/window-1',
        shown: ['id', 'n', 'window_start', 'window_end'],
        latestBy: [],
        limit: 100,
        time: 'window_end',
      },
      {
        kind: 'map',
        identity: 'the-room/where',
        title: 'Where',
        of: 'readings',
        latitude: 'place.latitude',
        longitude: 'place.longitude',
        by: 'id',
        label: 'level',
        time: 'at',
        span_us: minutes(15),
      },
    ])
  })

  test('is frozen, down to the panels', () => {
    const { dashboards } = planOf(everyKind)
    const parts = [dashboards, ...dashboards, dashboards[0]!.panels, ...dashboards[0]!.panels]
    expect(parts.every(Object.isFrozen)).toBe(true)
  })

  test('a panel shows the very step that is delivered, and names those that nothing else uses', () => {
    const plan = planOf(parts => {
      const rows = parts.from(readings).filter(r => r.level > 1)
      const alone = rows.derive({ twice: r => r.level * 2 })
      parts.dashboard('Page', show => [
        show.timeSeries('Twice', alone, { value: 'twice' }),
        show.timeSeries('twice?', alone, { value: 'twice' }),
        show.timeSeries('Once', rows, { value: 'level' }),
      ])
      parts.deliver(rows, sink)
    })
    expect(panelsOf(plan).map(panel => [panel.identity, panel.stream.identity])).toEqual([
      ['page/twice', 'page/twice/derive-1'],
      ['page/twice-2', 'page/twice/derive-1'],
      ['page/once', 'file-1/filter-1'],
    ])
    expect(panelsOf(plan)[2]!.stream).toBe(plan.delivers[0]!.stream)
    expect(panelStreamsOf(plan).map(stream => stream.identity)).toEqual(['page/twice/derive-1', 'file-1/filter-1'])
    expect(outputsOf(plan)).toHaveLength(1)
    expect(stepsOf(plan).map(step => step.identity)).toEqual(['readings', 'file-1/filter-1', 'page/twice/derive-1'])
  })

  test('the steps of a pipeline are named alike with and without a page', () => {
    const bare = planOf(parts => parts.deliver(windowsOf(parts), sink))
    const own = stepsOf(planOf(everyKind)).map(step => step.identity)
    expect(own).toEqual(expect.arrayContaining(stepsOf(bare).map(step => step.identity)))
  })

  test('a page alone is something to do, and its lambdas are checked', () => {
    const plan = planOf(({ from, dashboard }) => {
      const rows = from(readings).derive({ odd: r => Number([r.level].map(level => level % 2)[0]) })
      dashboard('Page', show => [show.stat('Odd', rows, { value: 'odd' })])
    })
    expect(checkPlan(plan).map(({ code }) => code)).toContain('LAMBDA_OPAQUE')
  })

  test('a changelog may be shown', () => {
    const plan = planOf(({ from, dashboard }) => {
      const revised = from(readings).groupBy('id').window(tumbling('1 m'), { early: '5 s' }).aggregate({ n: count() })
      dashboard('Page', show => [show.timeSeries('Count', revised, { value: 'n', by: 'id' })])
    })
    expect(panelsOf(plan)[0]!.stream.stream).toEqual({ kind: 'changelog', key: ['id', 'window_start'] })
  })

  test('is explained', () => {
    const lines = explain(planOf(everyKind)).split('\n')
    expect(lines.flatMap(line => line.match(/-> page .*$/) ?? [])).toEqual([
      '-> page The Room!, Busy?: states of n by id over 1 h of window_start',
      '-> page The Room!, By device: sum of n by id over 5 m of window_end',
      '-> page The Room!, All: latest rows, at most 100: id, n, window_start, window_end',
      '-> page The Room!, Level: lines of level by id over 15 m of at',
      '-> page The Room!, Now: last(battery) over 15 m of at',
      '-> page The Room!, Readings: count() over 1 m of at',
      '-> page The Room!, Devices: latest row by id, at most 20: id, tags, at',
      '-> page The Room!, Where: places of place.latitude, place.longitude by id over 15 m of at',
    ])
  })
})

function refusalOf(build: (parts: Parts) => void): string {
  try {
    planOf(build)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    expect(error.message).toMatch(/ \(\/.*dashboard\.test\.ts:\d+:\d+\)$/)
    return `${error.code}: ${error.message.replace(/ \(\/.*\)$/, '')} > ${error.next}`
  }
  return 'accepted'
}

const page = (panel: (show: Show, parts: Parts) => unknown) => (parts: Parts) =>
  parts.dashboard('Page', show => [panel(show, parts) as never])

describe('refused', () => {
  test.each<[string, (parts: Parts) => void, string]>([
    [
      'a misspelt column',
      page(show => show.timeSeries('L', readings, { value: untyped('leval') })),
      `COLUMN_UNKNOWN: timeSeries "L", value: there is no column 'leval'. Did you mean 'level'? There are: level, battery, place.latitude, place.longitude > Use one of the columns that the message lists.`,
    ],
    [
      'a value that is no number',
      page(show => show.timeSeries('L', readings, { value: untyped('id') })),
      `COLUMN_TYPE: timeSeries "L", value: column 'id' is text, not number. Usable: level, battery, place.latitude, place.longitude > Use a column of the type that the step needs.`,
    ],
    [
      'a time that is none',
      page(show => show.timeSeries('L', readings, { value: 'level', time: untyped('level') })),
      `COLUMN_TYPE: timeSeries "L", time: column 'level' is number, not timestamp. Usable: at, seen > Use a column of the type that the step needs.`,
    ],
    [
      'a time that can be null',
      page(show => show.timeSeries('L', readings, { value: 'level', time: untyped('seen') })),
      `COLUMN_TYPE: timeSeries "L", time: column 'seen' can be null > Put .require('seen') before it.`,
    ],
    [
      'no time at all',
      page(show => show.timeSeries('L', timeless, { value: 'level' })),
      `PIPELINE_INVALID: timeSeries "L": no column is known to be the time > Say it: { time: 'at' }. Timestamps are: at, seen.`,
    ],
    [
      'a value left out',
      page(show => show.timeSeries('L', readings, untyped({}))),
      `PIPELINE_INVALID: timeSeries "L": value is missing > Name a column: { value: 'level' }.`,
    ],
    [
      'a series by an array',
      page(show => show.timeSeries('L', readings, { value: 'level', by: untyped('tags') })),
      `COLUMN_TYPE: timeSeries "L", by: column 'tags' is json, not number or text or boolean or timestamp. Usable: id, at, seen, level, battery, place.latitude, place.longitude > Use a column of the type that the step needs.`,
    ],
    [
      'an option that there is not',
      page(show => show.stateTimeline('S', readings, untyped({ state: 'id', by: 'id', spam: '1 m' }))),
      `PIPELINE_INVALID: stateTimeline "S": there is no option 'spam'. Did you mean 'span'? > Use state, by, time, span.`,
    ],
    [
      'a duration in another form',
      page(show => show.bars('B', readings, { category: 'id', over: untyped('5 min') })),
      `DURATION_INVALID: bars "B", over: "5 min" is not a duration > Write a duration such as '500 ms', '10 s', '15 m'.`,
    ],
    [
      'an aggregate that there is not',
      page(show => show.stat('N', readings, { value: 'level', aggregate: untyped('mean') })),
      `PIPELINE_INVALID: stat "N": aggregate is "mean" > Use 'last', 'count', 'sum', 'average', 'min', 'max'.`,
    ],
    [
      'a sum of nothing',
      page(show => show.stat('N', readings, { aggregate: 'sum' })),
      `PIPELINE_INVALID: stat "N": value is missing > Name a column: { value: 'level' }.`,
    ],
    [
      'a table too long',
      page(show => show.table('T', readings, { limit: 5_000 })),
      `PIPELINE_INVALID: table "T": limit must be a whole number from 1 to 1000 > Correct the pipeline file at the place named.`,
    ],
    [
      'a title of nothing',
      page(show => show.table(' ', readings)),
      `PIPELINE_INVALID: table: the title must be a text of 1 to 200 characters > Write a short text.`,
    ],
    [
      'a function without panels',
      ({ dashboard }) =>
        dashboard(
          'Page',
          untyped(() => {}),
        ),
      `PIPELINE_INVALID: dashboard "Page": expected a list of panels > Write dashboard('Title', show => [show.table('Latest', stream)]).`,
    ],
    [
      'a list in the place of the function',
      ({ dashboard }) => dashboard('Page', untyped([])),
      `PIPELINE_INVALID: dashboard: the second argument is no function > Write dashboard('Title', show => [show.table('Latest', stream)]).`,
    ],
    [
      'two pages of one title',
      ({ dashboard }) => {
        dashboard('Page', show => [show.table('T', readings)])
        dashboard('Page', show => [show.table('T', readings)])
      },
      `PIPELINE_INVALID: two dashboards are titled "Page" > Give each its own title.`,
    ],
  ])('%s', (_, build, said) => {
    expect(refusalOf(build)).toBe(said)
  })

  test('a stream of another pipeline', () => {
    let strange: Parameters<Show['table']>[1] | null = null
    planOf(parts => {
      const rows = windowsOf(parts)
      strange = rows
      parts.deliver(rows, sink)
    })
    expect(refusalOf(page(show => show.table('T', strange!)))).toContain('belongs to another pipeline')
  })

  test('an opaque value, until its type is said', () => {
    const said = refusalOf(
      page((show, { from }) =>
        show.stat('N', from(readings).derive({ odd: r => [r.level].map(level => level % 2)[0]! }), { value: 'odd' }),
      ),
    )
    expect(said).toContain("the type of 'odd' is not known")
  })
})
