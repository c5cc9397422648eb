/** Two phones: how strongly each was moved, in windows of 10 s every 2 s. One of them was offline, its readings came late. */
import { average, count, hopping, last, pipeline, timestamp, topic } from 'millrace'
import { file } from 'millrace/file'
import { z } from 'zod'

const readings = topic(
  'readings',
  z.object({
    device: z.string(),
    name: z.string(),
    time: timestamp('ns'),
    values: z.object({ x: z.number(), y: z.number(), z: z.number() }),
    battery: z.number().optional(),
  }),
  { key: 'device', eventTime: { field: 'time', disorder: '2 s', progress: 'key' } },
)

export default pipeline('golden-activity', ({ from, deliver, warehouse }) => {
  const activity = from(readings)
    .filter(r => r.name === 'accelerometer')
    .derive({ magnitude: r => Math.sqrt(r.values.x ** 2 + r.values.y ** 2 + r.values.z ** 2) })
    .groupBy('device')
    .window(hopping({ size: '10 s', every: '2 s' }), { late: 'quarantine' })
    .aggregate({ readings: count(), magnitude: average('magnitude'), battery: last('battery') })
    .derive({ activity: r => (r.magnitude < 2 ? 'resting' : 'moving') })
  deliver(activity, file({ path: 'results.ndjson' }))
  warehouse.table('ACTIVITY').upserts(activity, { key: ['device', 'window_start'] })
  warehouse.table('ACTIVITY_LOG').appends(activity)
})
