/** Copies its readings: what is in `copies` was accepted. */
import { z } from 'zod'
import { pipeline, topic } from '../../src/index.ts'

const readings = topic('readings', z.object({ id: z.int(), name: z.string(), value: z.number() }))

export default pipeline('bad-input', ({ from }) => {
  from(readings).select('id', 'name', 'value').to(topic('copies'))
})
