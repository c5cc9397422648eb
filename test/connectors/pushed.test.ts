import { http } from '../../src/connectors/http/index.ts'
import { sensorLogger } from '../../src/connectors/sensor-logger/index.ts'
import { pushedConformance, type Said } from '../conformance/pushed.ts'
import { post } from './pushing.ts'

const said = async (address: string, body: unknown): Promise<Said> => {
  const { status, text, headers } = await post(address, JSON.stringify(body))
  return { status, text, retryAfter: typeof headers['retry-after'] === 'string' ? headers['retry-after'] : null }
}

pushedConformance({
  name: 'http',
  reference: () => http({ path: '/events' }),
  send: (address, { number, records, padding = 0 }) =>
    said(
      address,
      Array.from({ length: records }, (_, id) => ({ number, id, text: 'x'.repeat(padding) })),
    ),
  isKept: ({ status, text }) => status === 200 && /^\{"accepted":[1-9]\d*\}$/.test(text),
})

pushedConformance({
  name: 'Sensor Logger, pushed',
  reference: () => sensorLogger({ path: '/sensor-logger' }),
  send: (address, { number, records, padding = 0 }) =>
    said(address, {
      messageId: number,
      sessionId: 's',
      deviceId: 'd',
      payload: Array.from({ length: records }, (_, time) => ({
        name: 'annotation',
        time,
        values: { text: 'x'.repeat(padding) },
      })),
    }),
  isKept: ({ status, text }) => status === 200 && text === '{"ok":true}',
})
