/**
 * The first pipeline that is killed: messages pushed over HTTP and lines of a file that grows, each stored, filtered, put into
 * windows, deduplicated and delivered in every way there is. Each record has a number that no other has.
 */
import { count, hopping, pipeline, sum, timestamp, topic, tumbling } from 'millrace'
import { sensorLogger } from 'millrace/sensor-logger'
import { z } from 'zod'
import { pushed } from './pushed.ts'
import { LINES, PUSHED } from './reference.ts'

const lines = topic(
  'lines',
  z.object({ number: z.number(), event: z.number(), room: z.string(), time: timestamp('ms'), amount: z.number() }),
  { eventTime: { field: 'time', disorder: LINES.disorder, idleAfter: '300 ms' } },
)

export default pipeline('everyday', ({ from, ingest, warehouse }) => {
  ingest(sensorLogger({ path: '/push' }), pushed)

  from(pushed)
    .filter(r => r.values.number % 2 === 0)
    .select('deviceId', 'values.number')
    .to(topic('evens'))
  const sums = from(pushed)
    .groupBy('deviceId')
    .window(tumbling(PUSHED.size), { late: 'quarantine' })
    .aggregate({ records: count(), total: sum('values.amount') })
    .to(topic('sums'))

  from(lines).select('number').to(topic('line_numbers'))
  const once = from(lines)
    .dedupe({ key: ['event'], within: LINES.within })
    .select('event', 'number')
    .to(topic('once'))
  const revised = from(lines)
    .groupBy('room')
    .window(hopping({ size: LINES.size, every: LINES.every }), {
      late: 'restate',
      allowedLateness: LINES.allowedLateness,
    })
    .aggregate({ records: count(), total: sum('amount') })
    .to(topic('revised'))

  warehouse.table('RAW.PUSHED').appends(pushed)
  warehouse.table('RAW.LINES').appends(lines)
  warehouse.table('ONCE').appends(once)
  warehouse.table('SUMS').upserts(sums, { key: ['deviceId', 'window_start'] })
  warehouse.table('SUMS_LOG').appends(sums)
  warehouse.table('REVISED').upserts(revised, { key: ['room', 'window_start'] })
  warehouse.table('REVISED_LOG').appends(revised)
})
