/** The temperature workload: sensors that send a value a second; minimum, maximum, average every 15 minutes. */
import { average, count, max, min, pipeline, timestamp, topic, tumbling } from 'millrace'
import { file } from 'millrace/file'
import { z } from 'zod'

const measurements = topic(
  'measurements',
  z.object({ sensor_id: z.number(), timestamp: timestamp('s'), temperature: z.number(), humidity: z.number() }),
  { key: 'sensor_id', eventTime: { field: 'timestamp', disorder: '5 s' } },
)

export default pipeline('bench-temperature', ({ from, deliver }) => {
  const results = from(measurements)
    .groupBy('sensor_id')
    .window(tumbling('15 m'))
    .aggregate({ min: min('temperature'), max: max('temperature'), avg: average('temperature'), n: count() })
    .select('sensor_id', 'window_start', 'window_end', 'min', 'max', 'avg', 'n')
  deliver(results, file({ path: 'results.ndjson', timestamps: 'ms' }))
})
