/** A run that has no file descriptor left for a while goes on, and says so. */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inFolder, MILLRACE, millrace } from './support.ts'

const HTTP = new URL('../../src/connectors/http/index.ts', import.meta.url).href
const PIPELINE = `
import { pipeline, topic } from 'millrace'
import { http } from '${HTTP}'
import { z } from 'zod'

const readings = topic('readings', z.object({ sensor: z.string() }))

export default pipeline('pushed', ({ ingest, from, warehouse }) => {
  ingest(http({ path: '/readings' }), readings)
  warehouse.table('rows').appends(from(readings))
})
`
const DESCRIPTORS_MAX = 90

test.runIf(process.platform === 'linux')(
  'running out of descriptors ends neither the run nor the page',
  () =>
    inFolder(async folder => {
      writeFileSync(join(folder, 'pipeline.ts'), PIPELINE)
      const words = 'run pipeline.ts --listen 127.0.0.1:0 --console 127.0.0.1:0 --events --data-dir data'
      const command = `ulimit -n ${DESCRIPTORS_MAX}; exec '${process.execPath}' '${MILLRACE}' ${words}`
      const child = spawn('sh', ['-c', command], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
      const closed = new Promise<number | null>(resolve => child.once('close', resolve))
      let said = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (said += String(text)))
      const sockets: Socket[] = []
      try {
        await expect.poll(() => said).toContain('"event":"ready"')
        const [{ address }] = JSON.parse(readFileSync(join(folder, 'data/addresses.json'), 'utf8')) as [
          { address: string },
        ]
        const page = /"page":"([^"#]+)/.exec(said)![1]!
        // On one connection: while there is no descriptor left, none can be made.
        const agent = new Agent({ keepAlive: true, maxSockets: 1 })
        let kept = 0
        const push = () =>
          new Promise<number>((resolve, reject) => {
            const call = request(address, { method: 'POST', agent }, response => {
              if (response.statusCode === 200) kept++
              response.resume().once('end', () => resolve(response.statusCode!))
            })
            call.on('error', reject).end('{"sensor":"roof"}')
          })
        expect(await push()).toBe(200)
        const held = () => readdirSync(`/proc/${child.pid}/fd`).length
        while (held() < DESCRIPTORS_MAX) {
          const { port, hostname } = new URL(page)
          const socket = connect(Number(port), hostname).on('error', () => {})
          sockets.push(socket)
          await new Promise(resolve => socket.once('connect', resolve).once('close', resolve))
        }
        expect(await push()).toBe(200)
        // Each of these is a time at which the page would have been told.
        const progress = () => said.split('"event":"progress"').length
        const before = progress()
        await expect.poll(progress, { timeout: 30_000 }).toBeGreaterThan(before + 4)
        for (const socket of sockets.splice(0)) socket.destroy()
        expect(await push()).toBe(200)
        expect((await fetch(new URL('/healthz', page))).status).toBe(200)
        agent.destroy()
        child.kill('SIGINT')
        expect(await closed, said).toBe(0)
        const { stdout } = await millrace(['query', 'SELECT count(*) AS n FROM rows', '--data-dir', 'data', '--json'], {
          cwd: folder,
        })
        expect(stdout).toBe(`{"n":${kept}}\n`)
      } finally {
        for (const socket of sockets) socket.destroy()
        child.kill('SIGKILL')
        await closed
      }
    }),
  90_000,
)
