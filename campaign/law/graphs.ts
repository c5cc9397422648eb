/** Random pipelines: one to six steps over what is pushed, with windows over windows, derived topics and several sinks. */
import { z } from 'zod'
import { count, type Pipeline, pipeline, sum, timestamp, topic, tumbling } from '../../src/index.ts'
import { MillraceError } from '../../src/system/errors.ts'
import type { Random } from '../../src/system/random.ts'
import { Outside } from '../../test/runtime/outside.ts'
import { silent } from '../../test/runtime/pushed-readings.ts'

const schema = z.object({
  device: z.string(),
  at: timestamp('ms'),
  n: z.number(),
  parts: z.array(z.object({ part: z.number() })),
})

/** Steps are drawn, so the compiler cannot know what columns there are. */
interface Stream {
  filter(predicate: (row: { n: number }) => boolean): Stream
  derive(columns: Record<string, (row: { n: number }) => number>): Stream
  explode(column: string): Stream
  dedupe(options: { key: string; within: string }): Stream
  groupBy(column: string): { window(window: unknown): { aggregate(aggregates: Record<string, unknown>): Stream } }
  named(name: string): Stream
  to(topic: unknown): Stream
}

export interface Graph {
  readonly plan: Pipeline['plan']
  readonly sinks: readonly Outside[]
  /** Of each sink one more that gets the same rows, where that was asked for. */
  readonly twins: readonly Outside[]
  /** The steps, in words. */
  readonly text: string
}

export type Kind = 'filter' | 'derive' | 'explode' | 'dedupe' | 'topic' | 'window'
/** What is drawn: windows more often than the rest. */
const KINDS: readonly Kind[] = ['filter', 'derive', 'explode', 'dedupe', 'topic', 'window', 'window', 'window']
const PREDICATES = [
  (row: { n: number }) => row.n % 3 !== 0,
  (row: { n: number }) => row.n % 2 === 0,
  (row: { n: number }) => row.n >= 0,
]
const SIZES = ['1 s', '2 s', '10 s'] as const

/** `steps`: how many at most, or which. The same draw of `random` gives the same pipeline with sinks of its own. */
export function graphOf(makeRandom: () => Random, steps: number | readonly Kind[], hasTwins = false): Graph {
  for (let attempt = 0; ; attempt++) {
    const random = makeRandom()
    for (let skipped = 0; skipped < attempt; skipped++) random.integer(1000)
    try {
      return drawn(random, steps, hasTwins)
    } catch (error) {
      // A draw that no pipeline can be, as a window behind a column that is gone.
      if (!(error instanceof MillraceError) || attempt > 50) throw error
    }
  }
}

/** A topic that goes by the time of what is sent to it: of a record, or of a window. */
function derivedTopic(name: string, field: 'at' | 'window_start') {
  const options = {
    key: 'device',
    eventTime: { field, disorder: '0 s', progress: 'key', idleAfter: '1 h' },
  } as const
  const common = { device: z.string(), n: z.number() }
  return field === 'at'
    ? topic(name, z.object({ ...common, at: timestamp('iso') }), options as never)
    : topic(name, z.object({ ...common, window_start: timestamp('iso') }), options as never)
}

function drawn(random: Random, wanted: number | readonly Kind[], hasTwins: boolean): Graph {
  const sinks: Outside[] = []
  const twins: Outside[] = []
  const words: string[] = []
  const readings = topic('readings', schema, {
    key: 'device',
    eventTime: {
      field: 'at',
      disorder: '0 s',
      progress: random.integer(2) === 0 ? 'key' : 'partition',
      idleAfter: '1 h',
    },
  })
  const { plan } = pipeline('drawn', ({ ingest, from, deliver }) => {
    ingest(silent, readings)
    const sinkOf = (stream: Stream) => {
      const sink = new Outside(`sink-${sinks.length}`)
      sinks.push(sink)
      words.push(`-> ${sink.name}`)
      deliver(stream as never, sink.reference as never)
      if (!hasTwins) return
      const twin = new Outside(`${sink.name}-twin`)
      twins.push(twin)
      deliver(stream as never, twin.reference as never)
    }
    let stream = from(readings) as unknown as Stream
    let hasParts = true
    let isWindowed = false
    const drawnSteps = (most: number) =>
      Array.from({ length: 1 + random.integer(most) }, () => KINDS[random.integer(KINDS.length)]!)
    const kinds = typeof wanted === 'number' ? drawnSteps(wanted) : wanted
    for (const [step, kind] of kinds.entries()) {
      if (kind === 'filter') stream = stream.filter(PREDICATES[random.integer(PREDICATES.length)]!)
      else if (kind === 'derive') stream = stream.derive({ n: row => row.n + 1 })
      else if (kind === 'explode' && hasParts) {
        stream = stream.explode('parts')
        hasParts = false
      } else if (kind === 'dedupe') stream = stream.dedupe({ key: 'n', within: '1 h' }).named(`distinct-${step}`)
      else if (kind === 'topic') {
        const derived = derivedTopic(`derived-${step}`, isWindowed ? 'window_start' : 'at')
        stream.to(derived)
        hasParts = false
        stream = from(derived as never) as unknown as Stream
      } else if (kind === 'window') {
        const window = tumbling(SIZES[random.integer(SIZES.length)]!)
        stream = stream
          .groupBy('device')
          .window(window)
          .aggregate({ n: sum('n' as never), rows: count() })
          .named(`window-${step}`)
        hasParts = false
        isWindowed = true
      }
      words.push(kind)
      if (random.integer(3) === 0) sinkOf(stream)
    }
    sinkOf(stream)
    if (random.integer(4) === 0) sinkOf(stream)
  })
  return { plan, sinks, twins, text: words.join(' ') }
}
