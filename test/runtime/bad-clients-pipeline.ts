/** What the bad clients are let loose upon. */
import { pipeline, topic } from 'millrace'
import { http } from 'millrace/http'
import { z } from 'zod'

const events = topic('events', z.object({ client: z.string(), n: z.number() }))

export default pipeline('besieged', ({ ingest, from, warehouse }) => {
  ingest(http({ path: '/events' }), events)
  warehouse.table('EVENTS').appends(from(events).filter(r => r.n >= 0))
})
