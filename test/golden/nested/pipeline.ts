/** A minute's means of each room, the warmest minute of each quarter of an hour, and a topic in between. */
import { average, count, max, min, pipeline, timestamp, topic, tumbling } from 'millrace'
import { file } from 'millrace/file'
import { z } from 'zod'

const temperatures = topic('temperatures', z.object({ room: z.string(), time: timestamp('ms'), celsius: z.number() }), {
  key: 'room',
  eventTime: { field: 'time', disorder: '5 s' },
})

export default pipeline('golden-nested', ({ from, deliver, warehouse }) => {
  const minutes = from(temperatures)
    .groupBy('room')
    .window(tumbling('1 m'))
    .aggregate({ readings: count(), celsius: average('celsius') })
  const minuteTopic = topic('minutes')
  minutes.to(minuteTopic)
  const quarters = minutes
    .groupBy('room')
    .window(tumbling('15 m'))
    .aggregate({ minutes: count(), coldest: min('celsius'), warmest: max('celsius') })
  deliver(quarters, file({ path: 'results.ndjson' }))
  warehouse.table('MINUTES').appends(minutes)
  warehouse.table('QUARTERS').upserts(quarters, { key: ['room', 'window_start'] })
})
