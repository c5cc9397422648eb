/** What a process writes down to take a data directory, and how others tell whether that process is gone. */
import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import type { Clock } from '../../system/clock.ts'
import { readText, statusOf, versionOf } from '../../system/files.ts'
import { answersIn } from '../../system/local-socket.ts'
import { ownProcessId, processIsAlive, processStart, startOfSystem } from '../../system/process.ts'

/** How often an owner touches its lock, and how long one may lie still before its owner counts as gone. */
export interface Beat {
  readonly every_ms: number
  readonly silentFor_ms: number
}

export const BEAT: Beat = { every_ms: 2000, silentFor_ms: 12_000 }

/** A claim as it is written to a file. */
export interface Claim {
  /** Names it for good. */
  readonly token: string
  readonly process: number
  readonly host: string
  /** ISO 8601. */
  readonly since: string
  /** The running system and the folder in it: where it is the same, the socket's answer can be relied on. Else empty. */
  readonly place: string
  /** The socket listens; false where the file system has no sockets. */
  readonly listens: boolean
}

/** A claim that was read. */
export interface ReadClaim extends Claim {
  readonly path: string
  /** As the version before wrote it: nothing but a process and when it began. */
  readonly began: string | null
}

export const socketOf = (token: string) => `owner.${token}.live`

export function newClaim(dataDirectory: string, token: string, listens: boolean, clock: Clock): Claim {
  const since = new Date(clock.now() / 1000).toISOString()
  return { token, process: ownProcessId(), host: hostname(), since, place: placeOf(dataDirectory), listens }
}

/** The number comes first, with two blanks: the version before reads that alone, and asks whether the process runs. */
export const claimText = (claim: Claim) => `${claim.process}  ${JSON.stringify(claim)}\n`

/** The claim in a file; null: there is none. */
export function readClaim(path: string): ReadClaim | null {
  const text = readText(path)
  if (text === null) return null
  const [number = '', began = ''] = text.trim().split(' ')
  try {
    if (began === '') return { ...(JSON.parse(text.slice(number.length)) as Claim), path, began: null }
  } catch {
    // What is no claim names no process that could be at work.
  }
  const token = createHash('sha256').update(text).digest('hex').slice(0, 32)
  return { token, process: Number(number), host: hostname(), since: '', place: '', listens: false, path, began }
}

/**
 * Whether the process behind a claim is certainly gone. `changed`: another claim has taken the file's place meanwhile.
 *
 * On the same running system the socket decides, whatever number the process has and in whatever container it runs: the
 * system closes it with the process. Elsewhere (another machine that shares the directory, or this one before it was
 * started again) the lock is watched: its owner touches it all the time. `onWatch` is told before that.
 */
export async function stateOf(
  dataDirectory: string,
  claim: ReadClaim,
  beat: Beat,
  clock: Clock,
  onWatch: (watched: string) => void,
): Promise<'alive' | 'gone' | 'changed'> {
  if (claim.began !== null) return isAtWork(claim.process, claim.began) ? 'alive' : 'gone'
  if (claim.listens) {
    const answer = await answersIn(dataDirectory, socketOf(claim.token))
    if (answer === 'yes') return 'alive'
    const isHere = claim.place !== '' && claim.place === placeOf(dataDirectory)
    if (answer === 'ECONNREFUSED' && isHere) return readClaim(claim.path)?.token === claim.token ? 'gone' : 'changed'
  }
  onWatch(
    `process ${claim.process} on ${claim.host} may still have ${dataDirectory}: its lock is watched for ${beat.silentFor_ms / 1000} s`,
  )
  const before = versionOf(claim.path)
  for (let waited_ms = 0; waited_ms < beat.silentFor_ms; waited_ms += beat.every_ms) {
    await clock.sleep(beat.every_ms)
    if (readClaim(claim.path)?.token !== claim.token) return 'changed'
    if (versionOf(claim.path) !== before) return 'alive'
  }
  return 'gone'
}

function isAtWork(process: number, began: string): boolean {
  const isSame = began === '' || began === processStart(process)
  return Number.isInteger(process) && process > 0 && isSame && processIsAlive(process)
}

function placeOf(dataDirectory: string): string {
  const start = startOfSystem()
  return start === '' ? '' : `${start} ${statusOf(dataDirectory)?.identity}`
}
