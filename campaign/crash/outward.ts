/** The third pipeline that is killed: every kind of file sink, out of records, of windows, and of a dedupe. */
import { count, pipeline, sum, tumbling } from 'millrace'
import { file } from 'millrace/file'
import { sensorLogger } from 'millrace/sensor-logger'
import { pushed } from './pushed.ts'
import { PUSHED } from './reference.ts'

export default pipeline('outward', ({ from, ingest, deliver }) => {
  ingest(sensorLogger({ path: '/push' }), pushed)

  deliver(
    from(pushed)
      .filter(r => r.values.number % 2 === 0)
      .select('values.number', 'deviceId'),
    file({ path: 'evens.csv' }),
  )
  const sums = from(pushed)
    .groupBy('deviceId')
    .window(tumbling(PUSHED.size), { late: 'quarantine' })
    .aggregate({ records: count(), total: sum('values.amount') })
  deliver(sums, file({ path: 'sums.ndjson' }))
  deliver(
    from(pushed)
      .dedupe({ key: ['values.number'], within: '1 h' })
      .select('values.number'),
    file({ path: 'once.parquet' }),
  )
})
