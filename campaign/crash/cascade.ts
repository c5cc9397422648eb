/** The second pipeline that is killed: windows over windows into a topic that is read again, with two sinks behind it. */
import { count, pipeline, sum, timestamp, topic, tumbling } from 'millrace'
import { file } from 'millrace/file'
import { sensorLogger } from 'millrace/sensor-logger'
import { z } from 'zod'
import { pushed } from './pushed.ts'
import { CASCADE } from './reference.ts'

const sums = topic(
  'sums',
  z.object({
    deviceId: z.string(),
    records: z.number().nullable(),
    total: z.number().nullable(),
    window_start: timestamp('us'),
    window_end: timestamp('us'),
  }),
  { key: 'deviceId', eventTime: { field: 'window_start', disorder: '0 s', progress: 'key', idleAfter: '1 h' } },
)

export default pipeline('cascade', ({ from, ingest, deliver, warehouse }) => {
  ingest(sensorLogger({ path: '/push' }), pushed)

  from(pushed)
    .groupBy('deviceId')
    .window(tumbling(CASCADE.first), { late: 'quarantine' })
    .aggregate({ records: count(), total: sum('values.amount') })
    .groupBy('deviceId')
    .window(tumbling(CASCADE.second))
    .aggregate({ records: sum('records'), total: sum('total') })
    .to(sums)
  const thirds = from(sums)
    .groupBy('deviceId')
    .window(tumbling(CASCADE.third))
    .aggregate({ records: sum('records'), total: sum('total') })

  warehouse.table('THIRDS').appends(thirds)
  deliver(thirds, file({ path: 'thirds.ndjson' }))
})
