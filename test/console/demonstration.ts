/** `npm start` as a process, for tests: at ports of its own, with a data directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

export interface Demonstration {
  readonly child: ChildProcess
  /** The page with its key. */
  readonly page: string
  /** Where phones push to. */
  readonly push: string
  /** SIGKILL, which nothing can be done against; resolves when the process is gone. */
  kill(): Promise<void>
  /** As Ctrl-C; resolves to the exit code and all that was said. */
  stop(): Promise<{ code: number | null; said: string }>
}

const alive = new Set<ChildProcess>()

/** For `afterEach`: what a failed test left is gone. */
export async function endDemonstrations(): Promise<void> {
  const gone = [...alive].map(child => new Promise(resolve => child.on('close', resolve)))
  for (const child of alive) child.kill('SIGKILL')
  await Promise.all(gone)
}

/** Two ports that nothing listens at just now. */
export async function freePorts(): Promise<readonly [console: number, push: number]> {
  const servers = [createServer(), createServer()]
  const ports = servers.map(
    server =>
      new Promise<number>(resolve =>
        server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
      ),
  )
  const [first, second] = await Promise.all(ports)
  await Promise.all(servers.map(server => new Promise(done => server.close(done))))
  return [first!, second!]
}

/** Resolves when it says where things are. `ports`: of the page, and of phones with the host where it is not loopback. */
export async function startDemonstration(
  ports: readonly [number, number | string],
  dataDirectory: string,
  ...words: readonly string[]
): Promise<Demonstration> {
  const [console, push] = ports
  const places = [
    '--console',
    `127.0.0.1:${console}`,
    '--listen',
    typeof push === 'string' ? push : `127.0.0.1:${push}`,
  ]
  const child = spawn(
    process.execPath,
    [join(ROOT, 'scripts/start.ts'), ...places, '--data-dir', dataDirectory, ...words],
    { cwd: ROOT, env: { ...process.env, NO_COLOR: '1' }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  alive.add(child)
  let said = ''
  const closed = new Promise<number | null>(resolve =>
    child.on('close', code => {
      alive.delete(child)
      resolve(code)
    }),
  )
  const ready = new Promise<void>((resolve, reject) => {
    const listen = (bytes: Buffer) => {
      said += bytes
      if (said.includes('Ctrl-C stops it')) resolve()
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    void closed.then(code => reject(new Error(`it ended with ${code}: ${said}`)))
  })
  await ready
  const address = (name: string) => new RegExp(`^ *${name} +(http\\S+)`, 'm').exec(said)?.[1] ?? ''
  return {
    child,
    page: address('page'),
    push: address('phones'),
    async kill() {
      child.kill('SIGKILL')
      await closed
    },
    async stop() {
      child.kill('SIGINT')
      return { code: await closed, said }
    },
  }
}
