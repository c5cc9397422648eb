/** Average magnitude by session in windows of 60 s, a new one every 1 s: what overlapping windows cost. */
import { average, count, hopping, pipeline, timestamp, topic } from 'millrace'
import { file } from 'millrace/file'
import { z } from 'zod'

const readings = topic(
  'readings',
  z.object({
    messageId: z.number(),
    sessionId: z.string(),
    deviceId: z.string(),
    name: z.string(),
    time: timestamp('ns'),
    values: z.object({ x: z.number(), y: z.number(), z: z.number() }),
  }),
  { key: 'deviceId', eventTime: { field: 'time', disorder: '5 s' } },
)

export default pipeline('bench-hopping-60-1', ({ from, deliver }) => {
  const results = from(readings)
    .derive({ magnitude: r => Math.sqrt(r.values.x ** 2 + r.values.y ** 2 + r.values.z ** 2) })
    .groupBy('sessionId', 'deviceId')
    .window(hopping({ size: '60 s', every: '1 s' }))
    .aggregate({ avg_magnitude: average('magnitude'), n: count() })
    .select('sessionId', 'deviceId', 'window_start', 'window_end', 'avg_magnitude', 'n')
  deliver(results, file({ path: 'results.ndjson', timestamps: 'ms' }))
})
