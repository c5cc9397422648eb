/** The simulated phones of `npm start`: a process of its own that pushes over HTTP, as real ones would. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const MILLRACE = fileURLToPath(new URL('../../bin/millrace.js', import.meta.url))
/** What real networks and phones do. The few broken records show what becomes of them. */
const FAULTS = 'late,out-of-order,duplicate,retry,reorder,timeout,malformed=0.00005'
/** Readings of the time just past come at once, so that the first windows close soon. Less of it where some are stored. */
const HISTORY = { first: '2m', later: '20s' }
const WORDS_KEPT = 2000

export interface Phones {
  /** Resolves when they are gone; to what they said when they went by themselves and something was wrong. */
  readonly ended: Promise<string | null>
  /** Answers to what is under way are waited for. */
  stop(): Promise<void>
}

export interface PhonesOptions {
  readonly to: string
  /** null: none is needed. */
  readonly key: string | null
  readonly people: number
  readonly seed: number
  /** Something is stored already. */
  readonly goesOn: boolean
}

export function startPhones({ to, key, people, seed, goesOn }: PhonesOptions): Phones {
  const start = `now-${goesOn ? HISTORY.later : HISTORY.first}`
  const words = ['simulate', 'phones', '--to', to, '--start', start, '--faults', FAULTS]
  const numbers = ['--people', String(people), '--seed', String(seed)]
  const child = spawn(process.execPath, [MILLRACE, ...words, ...numbers], {
    // The channel ends the phones when this process is killed: nobody else would.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // Not among the words, which every user of the machine can list.
    env: { ...process.env, ...(key === null ? {} : { MILLRACE_KEY: key }) },
  })
  let said = ''
  child.stderr?.on('data', bytes => {
    said = `${said}${bytes}`.slice(-WORDS_KEPT)
  })
  let isStopping = false
  const ended = new Promise<string | null>(resolve => {
    child.on('error', error => resolve(error.message))
    child.on('close', code => resolve(isStopping || code === 0 ? null : said.trim() || `exit code ${code}`))
  })
  return {
    ended,
    async stop() {
      isStopping = true
      child.kill('SIGTERM')
      await ended
    },
  }
}
