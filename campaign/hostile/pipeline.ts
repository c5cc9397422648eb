/** What hostile clients send to: limits as they are by default, but for the path that takes any number of rejected records. */
import { pipeline, topic } from 'millrace'
import { http } from 'millrace/http'
import { sensorLogger } from 'millrace/sensor-logger'
import { z } from 'zod'

const events = topic(
  'events',
  z.object({
    id: z.string().max(40),
    n: z.number(),
    flag: z.boolean().nullish(),
    inner: z.object({ values: z.array(z.number()), note: z.string() }).optional(),
  }),
)
const lines = topic('lines', z.object({ id: z.string(), n: z.number().min(0) }))
const phones = topic('phones', z.object({ deviceId: z.string(), name: z.string(), time: z.number() }))

export default pipeline('hostile', ({ ingest, from, warehouse }) => {
  ingest(http({ path: '/events', rejectedRecordsPerMinute: 1_000_000_000 }), events)
  ingest(http({ path: '/lines' }), lines)
  ingest(sensorLogger({ path: '/phone', rejectedRecordsPerMinute: 1_000_000_000 }), phones)
  warehouse.table('EVENTS').appends(from(events))
  warehouse.table('LINES').appends(from(lines))
  warehouse.table('PHONES').appends(from(phones))
})
