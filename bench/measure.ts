/** Runs a command and says what it cost: CPU of the whole process tree from its start, wall time, memory, first result. */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'

export interface Cost {
  /** User and system time of the command and of everything that it started and waited for. */
  readonly cpu_s: number
  readonly wall_s: number
  /** Sum of the largest resident set of each process of the tree. */
  readonly peak_mb: number
  /** From the start until the watched file held something; null when it was not watched or never did. */
  readonly first_s: number | null
}

export interface MeasureOptions {
  /** A file whose first bytes count as the first result. */
  readonly watched?: string
  readonly cwd?: string
}

const POLL_MS = 20
const WATCH_MS = 1

/** The shell's `time` waits for the command and asks the kernel for what its whole tree used; nothing is sampled. */
const TIMED = `TIMEFORMAT='millrace-bench %U %S %R'; time "$@"`

/** Throws with the command's own words when it fails. */
export function measure(command: readonly string[], options: MeasureOptions = {}): Promise<Cost> {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const child = spawn('bash', ['-c', TIMED, 'bash', ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd,
      env: { ...process.env, LC_ALL: 'C' },
    })
    let said = ''
    let first_s: number | null = null
    const peaks = new Map<number, number>()
    const polls = setInterval(() => notePeaks(child.pid!, peaks), POLL_MS)
    const { watched } = options
    const look = () => {
      if (watched === undefined || first_s !== null) return
      if ((statSync(watched, { throwIfNoEntry: false })?.size ?? 0) > 0) first_s = (performance.now() - started) / 1000
    }
    const watch = watched === undefined ? null : setInterval(look, WATCH_MS)
    const hear = (text: Buffer) => {
      said = (said + text.toString()).slice(-20_000)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.on('error', reject)
    child.on('close', code => {
      clearInterval(polls)
      if (watch !== null) clearInterval(watch)
      look()
      const times = /millrace-bench ([\d.]+) ([\d.]+) ([\d.]+)/.exec(said)
      if (code !== 0 || times === null) {
        reject(new Error(`${command.join(' ')} ended with ${code}:\n${said.trim().slice(-2_000)}`))
        return
      }
      const [user, system, wall_s] = times.slice(1).map(Number) as [number, number, number]
      const peak_kb = [...peaks.values()].reduce((sum, peak) => sum + peak, 0)
      resolve({ cpu_s: user + system, wall_s, peak_mb: peak_kb / 1024, first_s })
    })
  })
}

/** Linux only: elsewhere the peak stays 0 and is shown as not measured. */
function notePeaks(root: number, peaks: Map<number, number>): void {
  for (const pid of childrenOf(root)) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      const peak_kb = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0)
      peaks.set(pid, Math.max(peaks.get(pid) ?? 0, peak_kb))
    } catch {
      // It ended in between.
    }
    notePeaks(pid, peaks)
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap(task =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
  } catch {
    return []
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The value below which so much of the values lies, between two of them by their distance. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = share * (sorted.length - 1)
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!]
  return low + (high - low) * (at - Math.floor(at))
}
