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
  /** The steps, in words. */
  readonly text: string
}

const PREDICATES = [
  (row: { n: number }) => row.n % 3 !== 0,
  (row: { n: number }) => row.n % 2 === 0,
  (row: { n: number }) => row.n >= 0,
]
const SIZES = ['1 s', '2 s', '10 s'] as const

/** `steps`: how many at most. The same draw of `random` gives the same pipeline with sinks of its own. */
export function graphOf(makeRandom: () => Random, steps: number): Graph {
  for (let attempt = 0; ; attempt++) {
    const random = makeRandom()
    for (let skipped = 0; skipped < attempt; skipped++) random.integer(1000)
    try {
      return drawn(random, steps)
    } catch (error) {
      // A draw that no pipeline can be, as a window behind a column that is gone.
      if (!(error instanceof MillraceError) || attempt > 50) throw error
    }
  }
}

function drawn(random: Random, stepsMax: number): Graph {
  const sinks: Outside[] = []
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
    }
    let stream = from(readings) as unknown as Stream
    let hasParts = true
    const steps = 1 + random.integer(stepsMax)
    for (let step = 0; step < steps; step++) {
      const kind = random.integer(8)
      if (kind === 0) stream = stream.filter(PREDICATES[random.integer(PREDICATES.length)]!)
      else if (kind === 1) stream = stream.derive({ n: row => row.n + 1 })
      else if (kind === 2 && hasParts) {
        stream = stream.explode('parts')
        hasParts = false
      } else if (kind === 3) stream = stream.dedupe({ key: 'n', within: '1 h' }).named(`distinct-${step}`)
      else if (kind === 4) {
        const derived = topic(`derived-${step}`)
        stream.to(derived)
        stream = from(derived as never) as unknown as Stream
      } else {
        const window = tumbling(SIZES[random.integer(SIZES.length)]!)
        stream = stream
          .groupBy('device')
          .window(window)
          .aggregate({ n: sum('n' as never), rows: count() })
          .named(`window-${step}`)
        hasParts = false
      }
      words.push(['filter', 'derive', 'explode', 'dedupe', 'topic', 'window', 'window', 'window'][kind]!)
      if (random.integer(3) === 0) sinkOf(stream)
    }
    sinkOf(stream)
    if (random.integer(4) === 0) sinkOf(stream)
  })
  return { plan, sinks, text: words.join(' ') }
}
