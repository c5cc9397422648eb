/** What is pushed to each pipeline that is killed. */
import { timestamp, topic } from 'millrace'
import { z } from 'zod'
import { PUSHED } from './reference.ts'

export const pushed = topic(
  'pushed',
  z.object({
    messageId: z.number(),
    sessionId: z.string(),
    deviceId: z.string(),
    name: z.string(),
    time: timestamp('ns'),
    values: z.object({ number: z.number(), amount: z.number() }),
  }),
  // Silence lasts as long as chance has it: windows of what was pushed go by the records alone.
  { key: 'deviceId', eventTime: { field: 'time', disorder: PUSHED.disorder, progress: 'key', idleAfter: '1 h' } },
)
