/** What hostile clients send to. Two paths keep all that is rejected, of few records a request; one has the limits as they are. */
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
  ingest(http({ path: '/events', maximumRecords: 10_000, rejectedRecordsPerMinute: 1_000_000_000 }), events)
  ingest(http({ path: '/lines' }), lines)
  ingest(sensorLogger({ path: '/phone', maximumRecords: 10_000, rejectedRecordsPerMinute: 1_000_000_000 }), phones)
  warehouse.table('EVENTS').appends(from(events))
  warehouse.table('LINES').appends(from(lines))
  warehouse.table('PHONES').appends(from(phones))
})
