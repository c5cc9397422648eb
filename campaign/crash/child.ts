/** The pipeline in a process of its own: started, found, killed, stopped. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { sleep } from './senders.ts'

/** A start that takes longer than this is a fault. */
const READY_MS = 60_000
const STOP_MS = 60_000

const ROOT = join(import.meta.dirname, '../..')
/** What a killed parent leaves behind stops by itself, in a time in which it may still commit. */
const ORPHAN_MS = 30_000
/** Has the first process take itself for an older Node, which hands over to the Node that it finds; that one does not. */
const AS_OLDER = `data:text/javascript,${encodeURIComponent(
  `if (process.env.MILLRACE_OLDER) { delete process.env.MILLRACE_OLDER; Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.0.0' } }) }`,
)}`

export interface ChildOptions {
  readonly dataDirectory: string
  /** The pipeline's file, in this folder. */
  readonly pipeline: string
  /** The file that grows; null: the pipeline follows none. */
  readonly lines: string | null
}

export class Child {
  readonly #options: ChildOptions
  readonly #process: ChildProcess
  readonly #ended: Promise<void>
  #said = ''

  /** `handsOver`: a process stands in front that started the one that works, as an older Node does. */
  constructor(options: ChildOptions, handsOver = false) {
    this.#options = options
    // What an earlier process wrote is not this one's.
    rmSync(this.#addresses, { force: true })
    const { pipeline, dataDirectory, lines } = options
    const words = ['run', join(import.meta.dirname, pipeline), '--data-dir', dataDirectory, '--listen', '127.0.0.1:0']
    if (lines !== null) words.push('--input', `lines=${lines}`)
    // Else this Node itself, not one that looks for another: the signal must reach the one that works.
    const front = handsOver ? ['--import', AS_OLDER] : []
    this.#process = spawn(process.execPath, [...front, join(ROOT, 'bin/millrace.js'), ...words], {
      cwd: ROOT,
      env: {
        ...process.env,
        NO_COLOR: '1',
        NODE_OPTIONS: '',
        MILLRACE_DEBUG: '1',
        ...(handsOver ? { MILLRACE_OLDER: '1' } : {}),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#process.stdout!, this.#process.stderr!]) {
      stream.on('data', (bytes: Buffer) => {
        this.#said = (this.#said + bytes.toString()).slice(-10_000)
      })
    }
    this.#ended = new Promise(resolve => {
      this.#process.once('error', () => resolve())
      this.#process.once('close', () => resolve())
    })
  }

  get #addresses(): string {
    return join(this.#options.dataDirectory, 'addresses.json')
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }

  /** Where to push. Throws with the process's own words when it ends, or when it takes a minute. */
  async ready(): Promise<string> {
    for (const started = Date.now(); Date.now() - started < READY_MS; await sleep(3)) {
      const address = this.#addressNow()
      if (address !== null) return address
      if (this.hasEnded) throw new Error(`the pipeline ended before it was ready${this.#words()}`)
    }
    throw new Error(`the pipeline was not ready after ${READY_MS / 1000} s${this.#words()}`)
  }

  #addressNow(): string | null {
    try {
      const addresses = JSON.parse(readFileSync(this.#addresses, 'utf8')) as { topic: string; address: string }[]
      return addresses.find(({ topic }) => topic === 'pushed')?.address ?? null
    } catch {
      // Not there yet, or not wholly.
      return null
    }
  }

  /** Throws when it had ended by itself: nothing else may end it. */
  async kill(): Promise<void> {
    if (this.hasEnded) throw new Error(`the pipeline ended by itself${this.#words()}`)
    this.#process.kill('SIGKILL')
    await this.#ended
  }

  /**
   * Kills the process in front alone. Throws when the one that works is still there much later: it would hold the data
   * directory, and nobody knows of it.
   */
  async killFront(): Promise<void> {
    const behind = childrenOf(this.#process.pid!)
    if (this.hasEnded) throw new Error(`the pipeline ended by itself${this.#words()}`)
    this.#process.kill('SIGKILL')
    for (const began = Date.now(); behind.some(isAlive); await sleep(5)) {
      if (Date.now() - began < ORPHAN_MS) continue
      for (const id of behind) process.kill(id, 'SIGKILL')
      throw new Error(`the process behind the one that was killed ran on as an orphan${this.#words()}`)
    }
    await this.#ended
  }

  /** Kills it while it stops; it may be quicker than that. */
  async killWhileStopping(after_ms: number): Promise<void> {
    this.#process.kill('SIGINT')
    await Promise.race([this.#ended, sleep(after_ms)])
    if (!this.hasEnded) return await this.kill()
    if (this.#process.exitCode !== 0) throw new Error(`the pipeline stopped badly${this.#words()}`)
  }

  /** As Ctrl-C does. Throws unless the process says that all went well. */
  async stop(): Promise<void> {
    this.#process.kill('SIGINT')
    await Promise.race([this.#ended, sleep(STOP_MS)])
    if (!this.hasEnded) {
      this.#process.kill('SIGKILL')
      throw new Error(`the pipeline did not stop in ${STOP_MS / 1000} s${this.#words()}`)
    }
    if (this.#process.exitCode !== 0) throw new Error(`the pipeline stopped badly${this.#words()}`)
  }

  /** At the end of the harness, whatever happened. */
  end(): void {
    if (!this.hasEnded) this.#process.kill('SIGKILL')
  }

  #words(): string {
    const { exitCode, signalCode } = this.#process
    return ` (exit code ${exitCode}, signal ${signalCode}):\n${this.#said.trim()}`
  }
}

/** Ids of the processes that a process has started and that still run. */
function childrenOf(id: number): number[] {
  try {
    return readFileSync(`/proc/${id}/task/${id}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function isAlive(id: number): boolean {
  try {
    process.kill(id, 0)
    return true
  } catch {
    return false
  }
}
