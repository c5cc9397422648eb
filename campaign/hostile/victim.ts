/** The pipeline that is attacked, in a process of its own, and what its work costs. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { readStored } from '../../test/log/read-stored.ts'

const ROOT = join(import.meta.dirname, '../..')
const TICK_MS = 10

export interface Cost {
  /** Of the processor, of all threads. */
  readonly cpu_ms: number
  /** How far its memory rose at most. */
  readonly bytes: number
}

interface Ready {
  readonly page: string
  readonly addresses: readonly { readonly topic: string; readonly address: string }[]
}

export class Victim {
  readonly dataDirectory: string
  readonly #process: ChildProcess
  readonly #ended: Promise<void>
  #said = ''

  constructor(dataDirectory: string) {
    this.dataDirectory = dataDirectory
    const run = ['run', join(import.meta.dirname, 'pipeline.ts'), '--data-dir', dataDirectory, '--events']
    const open = ['--listen', '127.0.0.1:0', '--console', '127.0.0.1:0']
    this.#process = spawn(process.execPath, [join(ROOT, 'bin/millrace.js'), ...run, ...open], {
      cwd: ROOT,
      env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#process.stdout!, this.#process.stderr!]) {
      stream.on('data', (bytes: Buffer) => {
        this.#said = (this.#said + bytes).slice(-20_000)
      })
    }
    this.#ended = new Promise(resolve => this.#process.once('close', () => resolve()))
  }

  /** Where it listens; rejects when it ended first. */
  async ready(): Promise<{ readonly origin: string; readonly page: URL }> {
    for (;;) {
      const line = /^\{"event":"ready".*\}$/m.exec(this.#said)?.[0]
      if (line !== undefined) {
        const { page, addresses } = JSON.parse(line) as Ready
        return { origin: new URL(addresses[0]!.address).origin, page: new URL(page) }
      }
      if (this.isGone) throw new Error(`it did not start: ${this.#said}`)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }

  get isGone(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }

  /** What it cost while something was done. */
  async costOf(action: () => Promise<void>): Promise<Cost> {
    const file = (name: string) => `/proc/${this.#process.pid}/${name}`
    const memory = (field: string) => {
      const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(file('status'), 'utf8'))?.[1]
      return Number(kilobytes) * 1024
    }
    const cpu_ms = () => {
      const [user, system] = readFileSync(file('stat'), 'utf8').split(') ')[1]!.split(' ').slice(11, 13)
      return (Number(user) + Number(system)) * TICK_MS
    }
    // From here on the highest water is that of this action.
    writeFileSync(file('clear_refs'), '5')
    const before = { memory: memory('VmRSS'), cpu_ms: cpu_ms() }
    await action()
    return { cpu_ms: cpu_ms() - before.cpu_ms, bytes: memory('VmHWM') - before.memory }
  }

  /** Ends it as a person does; answers what was wrong with that, or null. */
  async stop(): Promise<string | null> {
    this.#process.kill('SIGINT')
    await this.#ended
    const { exitCode, signalCode } = this.#process
    return exitCode === 0 ? null : `it ended with ${exitCode ?? signalCode}: ${this.#said.slice(-2000)}`
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  /** What is stored of a topic, once it has stopped; `rows` are those of its table. */
  async stored(topic: string): Promise<{ readonly records: number; readonly rejected: number; readonly rows: number }> {
    const letters = readStored(this.dataDirectory, 'dead_letters').records
    const { records, faults } = readStored(this.dataDirectory, topic)
    if (faults.length > 0) throw new Error(faults.join('\n'))
    const file = join(this.dataDirectory, 'warehouse.duckdb')
    const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' })
    const connection = await instance.connect()
    const table = topic.toUpperCase()
    const counted = (await connection.runAndReadAll(`SELECT count(*)::INTEGER FROM ${table}`)).getRows()[0]![0]
    connection.closeSync()
    instance.closeSync()
    const rejected = letters.filter(line => (JSON.parse(line) as { topic: string }).topic === topic).length
    return { records: records.length, rejected, rows: Number(counted) }
  }
}
