/** The activity workload: 200 phones at 50 Hz; average magnitude by session and device in hopping windows. */
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

export default pipeline('bench-activity', ({ from, deliver }) => {
  const results = from(readings)
    .filter(r => r.name === 'accelerometer')
    .derive({ magnitude: r => Math.sqrt(r.values.x ** 2 + r.values.y ** 2 + r.values.z ** 2) })
    .groupBy('sessionId', 'deviceId')
    .window(hopping({ size: '10 s', every: '2 s' }))
    .aggregate({ avg_magnitude: average('magnitude'), n: count() })
    .derive(
      {
        activity: (r, $) =>
          r.avg_magnitude < $.walking
            ? 'Stationary'
            : r.avg_magnitude < $.running
              ? 'Walking'
              : r.avg_magnitude < $.sprinting
                ? 'Running'
                : 'Sprinting',
      },
      { walking: 0.5, running: 2, sprinting: 5 },
    )
    .select('sessionId', 'deviceId', 'window_start', 'window_end', 'avg_magnitude', 'n', 'activity')
  deliver(results, file({ path: 'results.ndjson', timestamps: 'ms' }))
})
