/** A pipeline that was changed, started in the directory of the one before: what goes on, what is refused, in which words. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { count, hopping, type Parts, pipeline, sum, timestamp, topic, tumbling } from '../../src/index.ts'
import type { Plan } from '../../src/plan/nodes.ts'
import { goOn, meaningsOf } from '../../src/runtime/checkpoint/changes.ts'
import type { EpochHeader } from '../../src/runtime/checkpoint/header.ts'
import { inputIdentity, sourcesOf } from '../../src/runtime/ingest/input-names.ts'
import { MemoryStorage } from '../log/memory-storage.ts'
import { Outside } from './outside.ts'
import { push, silent } from './pushed-readings.ts'
import { begin } from './runs.ts'

const fields = { device: z.string(), at: timestamp('ms'), n: z.number() }
const options = { key: 'device', eventTime: { field: 'at', disorder: '0 s', idleAfter: '1 h' } } as const
const readings = topic('readings', z.object(fields), options)
type Windows = Parameters<Parts['deliver']>[0]

const line = (at: number, n: number) => `${JSON.stringify({ device: 'a', at, n })}\n`
const lines = (...seconds: number[]) => seconds.map(second => line(second * 1000, second)).join('')

interface Life {
  readonly out: Outside
  readonly plan: (body: (parts: Parts, out: Outside) => void, name?: string) => Plan
}

/** Runs one pipeline over five readings, then the other in the same directory; answers what became of it. */
async function change(before: (life: Life) => Plan, after: (life: Life) => Plan) {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-changes-'))
  const storage = new MemoryStorage()
  const out = new Outside('out')
  const life: Life = { out, plan: (body, name = 'change') => pipeline(name, parts => body(parts, out)).plan }
  try {
    const first = await begin(before(life), folder, {}, storage.forProcess())
    await push(first.handle!, { sender: 's', number: 0, lines: lines(1, 2, 3, 12, 13) })
    await first.stop()
    expect(first.failure).toBeNull()
    const stored = everything(folder)
    const rows = structuredClone(out.rows)
    const second = await begin(after(life), folder, {}, storage.forProcess())
    if (second.failure !== null) {
      expect(everything(folder)).toEqual(stored)
      expect(out.rows).toEqual(rows)
      // What was there before goes on as if nothing had been tried.
      const third = await begin(before(life), folder, {}, storage.forProcess())
      await push(third.handle!, { sender: 's', number: 1, lines: lines(14, 15, 22) })
      await third.stop()
      expect(third.failure).toBeNull()
      const { code, message, next } = second.failure as { code: string; message: string; next: string }
      return { code, message: message.replaceAll(folder, 'DIR'), next, warnings: [], rows: out.rows }
    }
    await push(second.handle!, { sender: 's', number: 1, lines: lines(14, 15, 22) })
    const { warnings } = second.handle!.progress()
    await second.stop()
    expect(second.failure).toBeNull()
    return { code: null, message: '', next: '', warnings: warnings.map(({ message }) => message), rows: out.rows }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Files with their contents; logs and journal are in memory, and are compared by what goes on. */
function everything(folder: string): readonly (readonly [string, string])[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter(name => statSync(join(folder, name)).isFile())
    .map(name => [name, readFileSync(join(folder, name), 'base64')] as const)
}

/** What `after` must be told of the change from `before`, when one pipeline reads readings into windows. */
const windows =
  (make: (parts: Parts) => unknown, more: (parts: Parts) => void = () => {}) =>
  ({ plan }: Life): Plan =>
    plan((parts, out) => {
      parts.ingest(silent, readings)
      parts.deliver(make(parts) as Windows, out.reference)
      more(parts)
    })

const plain = windows(({ from }) => from(readings).groupBy('device').window(tumbling('10 s')).aggregate({ n: count() }))
const whole = [
  { n: 3, window_start: 0 },
  { n: 4, window_start: 10_000_000 },
]

test('nothing changed: it goes on', async () => {
  const { code, rows } = await change(plain, plain)
  expect(code).toBeNull()
  expect(rows).toMatchObject(whole)
})

test('a window of another name is not begun empty in silence', async () => {
  const renamed = windows(({ from }) =>
    from(readings).groupBy('device').window(tumbling('10 s')).aggregate({ n: count() }).named('renamed'),
  )
  const { code, message, next, rows } = await change(plain, renamed)
  expect(code).toBe('CHANGE_REFUSED')
  expect(message).toBe(
    [
      'DIR does not go on with what was changed in the pipeline; nothing was altered.',
      '  The step out-1/window-1 is gone, and with it the state that is kept of it.',
      '    was: topic readings: event time at (ms), disorder 0 s, progress by partition',
      '    was: columns read: device text',
      '    was: window of 10 s by device, late rows: drop',
      '    was: n = count()',
      '  The step renamed is new: it would begin empty, behind records of readings that were processed without it.',
      '    is:  topic readings: event time at (ms), disorder 0 s, progress by partition',
      '    is:  columns read: device text',
      '    is:  window of 10 s by device, late rows: drop',
      '    is:  n = count()',
    ].join('\n'),
  )
  expect(next).toMatch(
    /^Put the old name or definition back\. Or run the changed pipeline beside it: under another name/,
  )
  // The one before is as it was, and its windows are whole.
  expect(rows).toMatchObject(whole)
})

test.each([
  [
    'the size of a window',
    windows(({ from }) => from(readings).groupBy('device').window(tumbling('20 s')).aggregate({ n: count() })),
    ['was: window of 10 s by device, late rows: drop', 'is:  window of 20 s by device, late rows: drop'],
  ],
  [
    'hopping in place of tumbling',
    windows(({ from }) =>
      from(readings)
        .groupBy('device')
        .window(hopping({ size: '10 s', every: '5 s' }))
        .aggregate({ n: count() }),
    ),
    ['was: window of 10 s by device, late rows: drop', 'is:  window of 10 s every 5 s by device, late rows: drop'],
  ],
  [
    'an aggregate',
    windows(({ from }) =>
      from(readings)
        .groupBy('device')
        .window(tumbling('10 s'))
        .aggregate({ n: sum('n') }),
    ),
    [
      'was: columns read: device text',
      'was: n = count()',
      'is:  columns read: device text, n number',
      'is:  n = sum(n)',
    ],
  ],
  [
    'a threshold before it',
    windows(({ from }) =>
      from(readings)
        .filter(r => r.n > 1)
        .groupBy('device')
        .window(tumbling('10 s'))
        .aggregate({ n: count() }),
    ),
    ['is:  columns read: device text, n number', 'is:  filter n > 1'],
  ],
  [
    'disorder',
    ({ plan }: Life) =>
      plan((parts, out) => {
        const eventTime = { ...options.eventTime, disorder: '5 s' } as const
        const patient = topic('readings', z.object(fields), { ...options, eventTime })
        parts.ingest(silent, patient)
        const made = parts.from(patient).groupBy('device').window(tumbling('10 s')).aggregate({ n: count() })
        parts.deliver(made, out.reference)
      }),
    ['(ms), disorder 0 s, progress', '(ms), disorder 5 s, progress'],
  ],
  [
    'a dedupe in front',
    windows(({ from }) =>
      from(readings)
        .dedupe({ key: 'device', within: '1 s' })
        .groupBy('device')
        .window(tumbling('10 s'))
        .aggregate({ n: count() }),
    ),
    [
      'The step out-1/window-1 means something else.',
      'The step out-1/dedupe-1 is new',
      'is:  dedupe by device within 1 s',
    ],
  ],
  [
    'a step after it',
    windows(({ from }) =>
      from(readings)
        .groupBy('device')
        .window(tumbling('10 s'))
        .aggregate({ n: count() })
        .derive({ n: r => r.n * 2 }),
    ),
    [],
  ],
  [
    'one more window',
    windows(
      ({ from }) => from(readings).groupBy('device').window(tumbling('10 s')).aggregate({ n: count() }),
      ({ from, deliver }) => {
        const added = from(readings).groupBy('device').window(tumbling('1 m')).aggregate({ total: count() })
        deliver(added, new Outside('added').reference)
      },
    ),
    ['The step added-1/window-1 is new: it would begin empty', 'is:  window of 1 m by device, late rows: drop'],
  ],
  [
    'a window behind a new topic',
    windows(
      ({ from }) => from(readings).groupBy('device').window(tumbling('10 s')).aggregate({ n: count() }),
      ({ from, deliver }) => {
        const between = topic('between', z.object(fields), options)
        from(readings)
          .filter(r => r.n > 0)
          .to(between)
        const added = from(between).groupBy('device').window(tumbling('1 m')).aggregate({ total: count() })
        deliver(added, new Outside('added').reference)
      },
    ),
    ['The step added-1/window-1 is new: it would begin empty'],
  ],
  [
    'an option of the source',
    ({ plan }: Life) =>
      plan((parts, out) => {
        parts.ingest({ ...silent, options: { limit: 2 } }, readings)
        const made = parts.from(readings).groupBy('device').window(tumbling('10 s')).aggregate({ n: count() })
        parts.deliver(made, out.reference)
      }),
    ['The topic readings has other sources.', 'was: silent {}, followed', 'is:  silent {"limit":2}, followed'],
  ],
] as const)('%s is refused, with what it was and what it is', async (_what, after, parts) => {
  const { code, message, rows } = await change(plain, after)
  expect(code).toBe('CHANGE_REFUSED')
  for (const part of parts) expect(message).toContain(part)
  expect(rows).toMatchObject(whole)
})

const raw =
  (schema: z.ZodObject<typeof fields>, keep: (r: { n: number }) => boolean = () => true) =>
  ({ plan }: Life): Plan =>
    plan((parts, out) => {
      const raws = topic('readings', schema, options)
      parts.ingest(silent, raws)
      parts.deliver(parts.from(raws).filter(keep), out.reference)
    })

test('a threshold or a field of rows that are delivered as they are', async () => {
  const threshold = await change(
    raw(z.object(fields), r => r.n > 1),
    raw(z.object(fields), r => r.n > 2),
  )
  expect(threshold.code).toBe('CHANGE_REFUSED')
  expect(threshold.message).toContain(
    '  out holds rows, and new ones would mean something else.\n    was: filter n > 1\n    is:  filter n > 2',
  )
  const wider = z.object({ ...fields, extra: z.string().optional() }) as unknown as z.ZodObject<typeof fields>
  const field = await change(raw(z.object(fields)), raw(wider))
  expect(field.code).toBe('CHANGE_REFUSED')
  expect(field.message).toContain('is:  columns read: at timestamp, device text, extra text?, n number')
})

test('a threshold may change before there are rows', async () => {
  const never = raw(z.object(fields), r => r.n > 100)
  const { code, rows } = await change(
    never,
    raw(z.object(fields), r => r.n > 14),
  )
  expect(code).toBeNull()
  expect(rows).toMatchObject([{ n: 15 }, { n: 22 }])
})

test('an optional field that no step reads, and one more source of a topic of its own: it goes on', async () => {
  const after = ({ plan }: Life): Plan =>
    plan((parts, out) => {
      const wider = topic('readings', z.object({ ...fields, extra: z.string().optional() }), options)
      const others = topic('others', z.object(fields), options)
      parts.ingest(silent, wider)
      parts.ingest(silent, others)
      const count_ = (one: typeof others) =>
        parts.from(one).groupBy('device').window(tumbling('10 s')).aggregate({ n: count() })
      parts.deliver(count_(wider as never), out.reference)
      parts.deliver(count_(others), new Outside('others').reference)
    })
  const { code, rows, warnings } = await change(plain, after)
  expect({ code, warnings }).toEqual({ code: null, warnings: [] })
  expect(rows).toMatchObject(whole)
})

test('a panel may come and go; its windows begin now, and that is said', async () => {
  const shown = windows(
    ({ from }) => from(readings).groupBy('device').window(tumbling('10 s')).aggregate({ n: count() }),
    ({ from, dashboard }) => {
      const minutes = from(readings).groupBy('device').window(tumbling('1 m')).aggregate({ total: count() })
      dashboard('Page', show => [show.table('Minutes', minutes, { latestBy: 'device' })])
    },
  )
  const added = await change(plain, shown)
  expect(added.code).toBeNull()
  expect(added.warnings).toEqual([
    'page/minutes/window-1, which only the page shows, begins now: its first windows lack the records that were processed before.',
  ])
  expect(added.rows).toMatchObject(whole)
  const gone = await change(shown, plain)
  expect({ code: gone.code, warnings: gone.warnings }).toEqual({ code: null, warnings: [] })
  expect(gone.rows).toMatchObject(whole)
})

test('what an epoch of an earlier version does not say is judged by the inputs as a whole', async () => {
  const { plan } = pipeline('change', ({ ingest, from, deliver }) => {
    ingest(silent, readings)
    deliver(from(readings), new Outside('out').reference)
  })
  const sources = sourcesOf(plan, new Map())
  const run = {
    plan,
    meanings: meaningsOf(plan, sources, false),
    identity: inputIdentity(sources, false),
    dataDirectory: 'DIR',
    textOf: () => null,
    onWarning: () => {},
  }
  const header: EpochHeader = {
    ...{ pipeline: 'change', namespace: 'default', identity: run.identity, fingerprints: {}, topics: {}, lengths: {} },
    ...{ letters: { ingestion: 0, processing: 0 }, incarnations: {}, outputs: {}, ended: false },
  }
  expect(goOn(header, run)).toBe(run.identity)
  expect(() => goOn({ ...header, identity: 'other' }, run)).toThrow(
    'The inputs are not those with which the directory was written.\n    is:  readings: silent {}, followed',
  )
})

test('another pipeline has its own directory', async () => {
  const other = ({ plan, out }: Life) =>
    plan(parts => {
      parts.ingest(silent, readings)
      parts.deliver(parts.from(readings), out.reference)
    }, 'other')
  const { code, message } = await change(plain, other)
  expect(code).toBe('DATA_DIR_MISMATCH')
  expect(message).toBe('DIR belongs to the pipeline default/change, and this one is default/other.')
})

test.each(['a topic', 'a sink'])(
  '%s that was taken away for a run is not put back: it lacks rows, and keeps those that it holds',
  async what => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-put-back-'))
    const storage = new MemoryStorage()
    const [always, sometimes] = [new Outside('always'), new Outside('sometimes')]
    const plan = (isThere: boolean) =>
      pipeline('put-back', ({ ingest, from, deliver }) => {
        ingest(silent, readings)
        deliver(from(readings) as never, always.reference as never)
        if (!isThere) return
        const rows = from(readings).filter(r => r.n > 0)
        if (what === 'a topic') rows.to(topic('sometimes'))
        else deliver(rows as never, sometimes.reference as never)
      }).plan
    const stored = () => {
      const paths = storage.paths.filter(path => path.includes('/topics/sometimes/') && path.endsWith('.log'))
      return paths.reduce((sum, path) => sum + storage.lengthOf(path)!, 0)
    }
    let kept = 0
    try {
      for (const [number, isThere] of [true, false, true].entries()) {
        const run = await begin(plan(isThere), folder, {}, storage.forProcess())
        if (number === 2) {
          expect(run.failure).toMatchObject({
            code: 'CHANGE_REFUSED',
            message: expect.stringContaining('sometimes was not in the pipeline for a while'),
          })
        } else {
          await push(run.handle!, { sender: 's', number, lines: lines(number * 10 + 1, number * 10 + 2) })
          await run.stop()
          expect(run.failure).toBeNull()
          if (number === 0) kept = stored()
        }
      }
      if (what === 'a sink') expect(sometimes.rows.map(({ n }) => n)).toEqual([1, 2])
      else expect(stored()).toBe(kept)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
)
