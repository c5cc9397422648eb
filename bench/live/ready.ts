/** From the start of the command to the word that it is ready: in an empty directory, and with state to restore. */
import { request } from 'node:http'
import type { Figure, Lane } from '../lanes.ts'
import { median } from '../measure.ts'
import { Server, withFolder, withServer } from './server.ts'

const KEYS = 1_000_000
const RECORDS_A_BODY = 10_000

/** A reading of each of so many devices: a window stays open for each of them. */
async function fill(address: string): Promise<void> {
  const start_ms = Date.now()
  for (let first = 0; first < KEYS; first += RECORDS_A_BODY) {
    const lines = Array.from({ length: RECORDS_A_BODY }, (_, index) => {
      const device = `device-${first + index}`
      const shared = `"sessionId":"ready","deviceId":"${device}","name":"accelerometer"`
      return `{${shared},"time":${start_ms}000000,"values":{"x":1.5,"y":2.5,"z":${(index % 100) / 10}}}\n`
    })
    await post(address, lines.join(''))
  }
}

function post(address: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-ndjson', 'content-length': Buffer.byteLength(body) }
    const sending = request(address, { method: 'POST', headers }, answer => {
      answer.resume()
      answer.on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode}`))))
    })
    sending.on('error', reject)
    sending.end(body)
  })
}

interface Wait {
  readonly ready_ms: number
  readonly readyCpu_ms: number
}

async function empty(checkout: string, more: readonly string[]): Promise<Wait> {
  return await withServer(checkout, 'examples/activity-tracker/pipeline.ts', more, async server => {
    await server.stop()
    return waitOf(server)
  })
}

const waitOf = ({ ready_ms, readyCpu_ms }: Server): Wait => ({ ready_ms, readyCpu_ms })

async function restored(checkout: string, rounds: number): Promise<Wait[]> {
  const pipeline = 'bench/live/pushed.ts'
  return await withFolder(async folder => {
    const first = await Server.start(checkout, pipeline, folder)
    try {
      await fill(first.address)
      const { records } = (await first.stop()).topics[0]!
      if (records !== KEYS) throw new Error(`${records} of ${KEYS} keys were kept`)
    } finally {
      first.kill()
    }
    const waits: Wait[] = []
    for (let round = 0; round < rounds; round++) {
      const again = await Server.start(checkout, pipeline, folder)
      try {
        const { records } = (await again.stop()).topics[0]!
        if (records !== KEYS) throw new Error(`it went on with ${records} of ${KEYS} records`)
      } finally {
        again.kill()
      }
      waits.push(waitOf(again))
    }
    return waits
  })
}

export const ready: Lane = async ({ checkout, rounds, say }) => {
  const waits: Record<'empty' | 'page' | 'restored', Wait[]> = { empty: [], page: [], restored: [] }
  // The first start compiles what later ones find compiled.
  await empty(checkout, ['--console', '127.0.0.1:0'])
  for (let round = 0; round < Math.max(5, rounds); round++) {
    waits.empty.push(await empty(checkout, []))
    waits.page.push(await empty(checkout, ['--console', '127.0.0.1:0']))
  }
  waits.restored.push(...(await restored(checkout, Math.min(3, rounds))))
  for (const [name, each] of Object.entries(waits)) {
    say(
      `ready, ${name}: ${each.map(({ ready_ms, readyCpu_ms }) => `${Math.round(ready_ms)} (CPU ${readyCpu_ms})`).join(', ')} ms`,
    )
  }
  const figure = (what: string, measured: readonly Wait[], most: number | null): Figure[] => [
    {
      lane: 'ready',
      what: `start to ready, ${what}`,
      measured: median(measured.map(wait => wait.ready_ms)),
      unit: 'ms',
      target: most === null ? null : { most },
    },
    {
      lane: 'ready',
      what: `CPU until then, ${what}`,
      measured: median(measured.map(wait => wait.readyCpu_ms)),
      unit: 'ms',
      target: null,
    },
  ]
  return {
    figures: [
      ...figure('example', waits.empty, 800),
      ...figure('example with its page', waits.page, 800),
      ...figure('1,000,000 keys of state', waits.restored, 3000),
    ],
    runs: Object.fromEntries(Object.entries(waits).map(([name, each]) => [`ready, ${name}`, each])),
  }
}
