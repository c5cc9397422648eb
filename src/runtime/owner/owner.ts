/**
 * A data directory has one owner at a time.
 *
 * It is taken from another process only when that one is certainly gone, and by one process alone, however many try
 * (claims.ts).
 */
import type { Server } from 'node:net'
import { join } from 'node:path'
import { type Clock, systemClock } from '../../system/clock.ts'
import { MillraceError } from '../../system/errors.ts'
import { touch } from '../../system/file-names.ts'
import { makeFolder, remove } from '../../system/files.ts'
import { listenIn } from '../../system/local-socket.ts'
import { newIncarnation } from '../../system/random.ts'
import { BEAT, type Beat, type Claim, newClaim, type ReadClaim, socketOf, stateOf } from './claim.ts'
import { follow, lockIn, readClaims, standAlone } from './claims.ts'

/** Each failed attempt means that another process came between. */
const ATTEMPTS_MAX = 100

export interface Owner {
  /** Rejects with DATA_DIR_BUSY when another process has taken the directory all the same: nothing may be written then. */
  readonly lost: Promise<never>
  release(): void
}

/**
 * Takes the directory, made when missing. Throws DATA_DIR_BUSY while another process that may be at work has it. After a
 * power cut, or when the last owner ran on another machine, this takes as long as a lock must lie still; `onWatch` is told
 * so first.
 */
export async function takeOwnership(
  dataDirectory: string,
  clock: Clock = systemClock,
  beat: Beat = BEAT,
  onWatch: (watched: string) => void = () => {},
): Promise<Owner> {
  makeFolder(dataDirectory)
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const last = readClaims(dataDirectory).at(-1) ?? null
    const state = last === null ? 'gone' : await stateOf(dataDirectory, last, beat, clock, onWatch)
    if (state === 'alive') throw busy(dataDirectory, last!)
    if (state === 'changed') continue
    const token = newIncarnation()
    const server = await listenIn(dataDirectory, socketOf(token)).catch(() => null)
    const claim = newClaim(dataDirectory, token, server !== null, clock)
    const owner = new HeldDirectory(dataDirectory, claim, server)
    if (follow(dataDirectory, last, claim)) {
      standAlone(dataDirectory)
      void owner.keep(clock, beat)
      return owner
    }
    owner.close()
  }
  throw new MillraceError('DATA_DIR_BUSY', `${dataDirectory} was taken by other processes again and again.`)
}

class HeldDirectory implements Owner {
  readonly #dataDirectory: string
  readonly #claim: Claim
  readonly #server: Server | null
  readonly #released = new AbortController()
  readonly #lost = Promise.withResolvers<never>()

  constructor(dataDirectory: string, claim: Claim, server: Server | null) {
    this.#dataDirectory = dataDirectory
    this.#claim = claim
    this.#server = server
    // Told to whoever asks.
    this.lost.catch(() => {})
  }

  get lost(): Promise<never> {
    return this.#lost.promise
  }

  /** Touches the lock until the release, and looks whether it is still its own. */
  async keep(clock: Clock, beat: Beat): Promise<void> {
    for (;;) {
      await clock.sleep(beat.every_ms, this.#released.signal)
      if (this.#released.signal.aborted) return
      try {
        this.#beat()
      } catch {
        // A disk that takes no beat now, or no descriptor left: the next one comes soon.
      }
    }
  }

  #beat(): void {
    const last = readClaims(this.#dataDirectory).at(-1) ?? null
    // Somebody removed it by hand: without it nobody knows that the directory is taken.
    if (last === null && follow(this.#dataDirectory, null, this.#claim)) return
    if (last === null || last.token === this.#claim.token) touch(lockIn(this.#dataDirectory))
    else {
      this.#released.abort()
      this.#lost.reject(busy(this.#dataDirectory, last))
    }
  }

  release(): void {
    this.#released.abort()
    if (readClaims(this.#dataDirectory).at(-1)?.token === this.#claim.token) remove(lockIn(this.#dataDirectory))
    this.close()
  }

  /** Lets go of the socket. */
  close(): void {
    this.#server?.close()
    remove(join(this.#dataDirectory, socketOf(this.#claim.token)))
  }
}

function busy(dataDirectory: string, { process, host, since, began }: ReadClaim): MillraceError {
  const where = began === null ? ` on ${host}, since ${since}` : ''
  return new MillraceError('DATA_DIR_BUSY', `${dataDirectory} is in use by process ${process}${where}.`)
}
