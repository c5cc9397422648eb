/**
 * Load for a pipeline that takes HTTP, from a process of its own: `node bench/load.ts --to URL [--rate 20000 | --maximum]
 * [--batch 100] [--connections 32] [--devices 200] [--seconds 10] [--warmup 2] [--form sensor-logger|array|ndjson]
 * [--probe ws://127.0.0.1:4400/live [--key KEY] [--disorder 5000] [--every 2000]]`, or `node bench/load.ts --alone`.
 *
 * With `--rate` (readings a second) requests are planned ahead, and a wait counts from the planned time: a server that
 * stalls is charged for all that would have come meanwhile. `--maximum`: each connection sends when it was answered.
 * `--alone`: against a server that does nothing, what this generator can send at all. One JSON line on stdout.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { FORMS, type Form } from './load/bodies.ts'
import { Generator } from './load/generator.ts'
import { Probe } from './load/probe.ts'

const { values } = parseArgs({
  options: {
    to: { type: 'string' },
    rate: { type: 'string', default: '20000' },
    maximum: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
    batch: { type: 'string', default: '100' },
    connections: { type: 'string', default: '32' },
    devices: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '10' },
    warmup: { type: 'string', default: '2' },
    form: { type: 'string', default: 'sensor-logger' },
    probe: { type: 'string' },
    key: { type: 'string' },
    disorder: { type: 'string', default: '5000' },
    every: { type: 'string', default: '2000' },
  },
})
const form = FORMS.find(name => name === values.form)
if (form === undefined) throw new Error(`--form is one of ${FORMS.join(', ')}`)
if (values.to === undefined && !values.alone) throw new Error('--to URL or --alone')

async function measure(to: URL, bodies: Form): Promise<void> {
  const probe =
    values.probe === undefined
      ? null
      : await Probe.open({
          url: values.probe,
          key: values.key ?? null,
          disorder_ms: Number(values.disorder),
          every_ms: Number(values.every),
        })
  const connections = Number(values.connections)
  const isOpen = !values.maximum && !values.alone
  const options = {
    url: to,
    form: bodies,
    batch: Number(values.batch),
    connections,
    // A device has one request under way at a time.
    devices: isOpen ? Number(values.devices) : Math.max(Number(values.devices), 2 * connections),
    session: `load-${Math.floor(performance.timeOrigin)}`,
  }
  const result = await new Generator({
    ...options,
    rate: isOpen ? Number(values.rate) : null,
    warmup_s: Number(values.warmup),
    duration_s: Number(values.seconds),
    probe,
  }).run()
  const { batch, devices } = options
  const mode = isOpen ? 'planned' : values.alone ? 'alone' : 'maximum'
  const windows = probe === null ? {} : { window_ms: probe.result() }
  console.log(JSON.stringify({ mode, form, batch, connections, devices, ...result, ...windows }))
  probe?.close()
}

async function dumbServer(): Promise<{ server: ChildProcess; url: URL }> {
  const server = spawn(process.execPath, [join(import.meta.dirname, 'load/dumb-server.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [port] = (await once(server.stdout!, 'data')) as [Buffer]
  return { server, url: new URL(`http://127.0.0.1:${port.toString().trim()}/`) }
}

if (values.alone) {
  const { server, url } = await dumbServer()
  try {
    await measure(url, form)
  } finally {
    server.kill()
  }
} else await measure(new URL(values.to!), form)
