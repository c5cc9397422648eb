/** Readings pushed over HTTP, windows of them to a topic: the activity tracker without its warehouse. */
import { average, count, hopping, pipeline, timestamp, topic } from 'millrace'
import { http } from 'millrace/http'
import { z } from 'zod'

const readings = topic(
  'readings',
  z.object({
    sessionId: z.string(),
    deviceId: z.string(),
    name: z.string(),
    time: timestamp('ns'),
    values: z.object({ x: z.number(), y: z.number(), z: z.number() }),
  }),
  // However slow the machine, no window closes because nothing came.
  { key: ['sessionId', 'deviceId'], eventTime: { field: 'time', disorder: '5 s', progress: 'key', idleAfter: '1 h' } },
)

export default pipeline('bench-pushed', ({ ingest, from }) => {
  ingest(http({ path: '/readings' }), readings)
  from(readings)
    .filter(r => r.name === 'accelerometer')
    .derive({ magnitude: r => Math.sqrt(r.values.x ** 2 + r.values.y ** 2 + r.values.z ** 2) })
    .groupBy('sessionId', 'deviceId')
    .window(hopping({ size: '10 s', every: '2 s' }))
    .aggregate({ avg_magnitude: average('magnitude'), n: count() })
    .to(topic('windows'))
})
