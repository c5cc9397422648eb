/** The pushed pipeline with topics that keep only the newest records: what it stores must not grow, however long it runs. */
import { average, count, hopping, pipeline, timestamp, topic } from 'millrace'
import { http } from 'millrace/http'
import { z } from 'zod'

const retention = { size: '64 MB' } as const
const readings = topic(
  'readings',
  z.object({ sessionId: z.string(), deviceId: z.string(), time: timestamp('ms'), value: z.number() }),
  { key: ['sessionId', 'deviceId'], eventTime: { field: 'time', disorder: '5 s', progress: 'key' }, retention },
)

export default pipeline('bench-steady', ({ ingest, from }) => {
  ingest(http({ path: '/readings' }), readings)
  from(readings)
    .groupBy('sessionId', 'deviceId')
    .window(hopping({ size: '10 s', every: '2 s' }))
    .aggregate({ average: average('value'), n: count() })
    .to(topic('windows', null, { retention }))
})
