/** Meters that send some messages twice and some late: sums a minute, corrected for as long as five minutes. */
import { count, max, pipeline, sum, timestamp, topic, tumbling } from 'millrace'
import { file } from 'millrace/file'
import { z } from 'zod'

const messages = topic(
  'messages',
  z.object({
    id: z.number(),
    meter: z.string(),
    site: z.string().nullable(),
    at: timestamp('iso'),
    watts: z.number().nullable(),
  }),
  { key: 'meter', eventTime: { field: 'at', disorder: '10 s' } },
)

export default pipeline('golden-restated', ({ from, deliver, warehouse }) => {
  const sums = from(messages)
    .dedupe({ key: ['meter', 'id'], within: '10 m' })
    .require('watts')
    .groupBy('site')
    .window(tumbling('1 m'), { late: 'restate', allowedLateness: '5 m' })
    .aggregate({ messages: count(), watts: sum('watts'), peak: max('watts') })
  deliver(sums, file({ path: 'results.ndjson' }))
  warehouse.table('SUMS').upserts(sums, { key: ['site', 'window_start'] })
  warehouse.table('SUMS_LOG').appends(sums)
})
