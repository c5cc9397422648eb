/** The pipeline in a process of its own: started, found, killed, stopped. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { sleep } from './senders.ts'

/** A start that takes longer than this is a fault. */
const READY_MS = 60_000
const STOP_MS = 60_000

export interface ChildOptions {
  /** The source tree that is run. */
  readonly root: string
  readonly dataDirectory: string
  /** The file that grows. */
  readonly lines: string
}

export class Child {
  readonly #options: ChildOptions
  readonly #process: ChildProcess
  readonly #ended: Promise<void>
  #said = ''

  constructor(options: ChildOptions) {
    this.#options = options
    // What an earlier process wrote is not this one's.
    rmSync(this.#addresses, { force: true })
    const { root, dataDirectory, lines } = options
    const words = ['run', join(root, 'test/crash/pipeline.ts'), '--data-dir', dataDirectory]
    words.push('--listen', '127.0.0.1:0', '--input', `lines=${lines}`)
    // This Node itself, not the file that looks for one: the signal must reach the one that works.
    this.#process = spawn(process.execPath, [join(root, 'bin/millrace.js'), ...words], {
      cwd: root,
      env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '', MILLRACE_DEBUG: '1' },
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
