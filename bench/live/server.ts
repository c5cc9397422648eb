/** `millrace run` as a process of its own, from its start to its end, and what it costs meanwhile. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { Places } from '../../src/cli/beside-run.ts'
import type { RunSummary } from '../../src/runtime/options.ts'
import type { LoadResult } from '../load/generator.ts'
import type { Quantiles } from '../load/histogram.ts'

/** What the kernel counts CPU time in; it is so on every Linux. */
const TICKS_PER_S = 100
const STOPS_WITHIN_MS = 60_000

export interface Usage {
  /** User and system time since the start. */
  readonly cpu_s: number
  readonly resident_mb: number
}

export class Server {
  /** From the start of the command to the word that it is ready. */
  readonly ready_ms: number
  /** CPU time until then. */
  readonly readyCpu_ms: number
  readonly places: Places
  readonly #child: ChildProcess
  readonly #summary: Promise<RunSummary>

  private constructor(child: ChildProcess, ready_ms: number, places: Places, summary: Promise<RunSummary>) {
    this.#child = child
    this.ready_ms = ready_ms
    this.readyCpu_ms = this.usage.cpu_s * 1000
    this.places = places
    this.#summary = summary
  }

  /** Resolves when it is ready; rejects with its own words when it ends before. */
  static async start(
    checkout: string,
    pipeline: string,
    dataDirectory: string,
    more: readonly string[] = [],
  ): Promise<Server> {
    const started = performance.now()
    const words = ['run', join(checkout, pipeline), '--data-dir', dataDirectory, '--listen', '127.0.0.1:0', '--events']
    const child = spawn(process.execPath, [join(checkout, 'bin/millrace.js'), ...words, ...more], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    child.stderr.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(-4_000)
    })
    const ready = Promise.withResolvers<{ ready_ms: number; places: Places }>()
    const ended = Promise.withResolvers<RunSummary>()
    ended.promise.catch(() => {})
    createInterface(child.stdout).on('line', line => {
      const event = JSON.parse(line) as { event: string } & (Places | RunSummary)
      if (event.event === 'ready') ready.resolve({ ready_ms: performance.now() - started, places: event as Places })
      if (event.event === 'summary') ended.resolve(event as RunSummary)
    })
    child.on('close', code => {
      const error = new Error(`millrace run ${pipeline} ended with ${code}: ${said.trim()}`)
      ready.reject(error)
      ended.reject(error)
    })
    const { ready_ms, places } = await ready.promise
    return new Server(child, ready_ms, places, ended.promise)
  }

  /** Where records can be sent to. */
  get address(): string {
    return this.places.addresses[0]!.address
  }

  /** Linux only: elsewhere nothing is known. */
  get usage(): Usage {
    const { pid } = this.#child
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const resident_kb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0)
    return { cpu_s: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S, resident_mb: resident_kb / 1024 }
  }

  /** Lets it stop cleanly, and answers what it says at its end. */
  async stop(): Promise<RunSummary> {
    if (this.#child.exitCode === null) {
      const closed = once(this.#child, 'close', { signal: AbortSignal.timeout(STOPS_WITHIN_MS) })
      this.#child.kill('SIGTERM')
      await closed
    }
    return await this.#summary
  }

  /** For the end of a bench that failed. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/** Calls with a server over a fresh data directory on the disk of this checkout; both are gone afterwards. */
export async function withServer<T>(
  checkout: string,
  pipeline: string,
  more: readonly string[],
  use: (server: Server, dataDirectory: string) => Promise<T>,
): Promise<T> {
  return await withFolder(async dataDirectory => {
    const server = await Server.start(checkout, pipeline, dataDirectory, more)
    try {
      return await use(server, dataDirectory)
    } finally {
      server.kill()
    }
  })
}

export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const out = join(import.meta.dirname, '../out')
  mkdirSync(out, { recursive: true })
  const folder = mkdtempSync(join(out, 'live-'))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export type Load = LoadResult & { readonly window_ms?: Quantiles & { readonly expected: number } }

/** bench/load.ts in a process of its own. Throws when a request was refused or never answered: then no figure counts. */
export async function load(to: string, options: readonly string[]): Promise<Load> {
  const script = join(import.meta.dirname, '../load.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [script, '--to', to, ...options])
  const result = JSON.parse(stdout) as Load
  const { errors, unanswered } = result
  if (Object.keys(errors).length > 0 || unanswered > 0) {
    throw new Error(`${unanswered} requests were not answered; by status, refused: ${JSON.stringify(errors)}`)
  }
  return result
}

/** Throws when what was delivered is not what one query over all stored records gives. */
export async function verify(checkout: string, pipeline: string, dataDirectory: string): Promise<void> {
  try {
    const words = ['verify', join(checkout, pipeline), '--data-dir', dataDirectory]
    await promisify(execFile)(process.execPath, [join(checkout, 'bin/millrace.js'), ...words])
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`verify ${pipeline}: ${(stdout + stderr).trim().slice(-2_000)}`)
  }
}
