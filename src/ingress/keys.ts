/**
 * API keys: made and revoked on the command line, kept as hashes in `keys.json` of the data directory.
 *
 * A key's secret is 32 random bytes, which nobody can guess by trying, so its plain SHA-256 is kept: a slow hash protects
 * what people choose themselves, and would only cost each request its time here.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type Clock, systemClock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import { createText } from '../system/file-names.ts'
import { readText, remove, replaceText } from '../system/files.ts'
import { secretBytes } from '../system/random.ts'

/** A key as it is kept. Times are microseconds since the epoch. */
export interface KeyRecord {
  readonly id: string
  readonly name: string
  /** SHA-256 of the whole key, in hexadecimal digits. */
  readonly hash: string
  /** Names of the topics that it may send to; null: all. */
  readonly topics: readonly string[] | null
  readonly created: number
  readonly expires: number | null
  readonly revoked: number | null
}

/** What is told of a key: never its hash. */
export interface KeyInfo extends Omit<KeyRecord, 'hash'> {
  /** To the minute; null: never, or not known. */
  readonly lastUsed: number | null
}

const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const SECRET_BYTES = 32
/** As many as the largest secret needs. */
const SECRET_LETTERS = 43
const ID_LETTERS = 8
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u
const LOCK_TRIES = 100
const LOCK_WAIT_MS = 20

export function keysPath(dataDirectory: string): string {
  return join(dataDirectory, 'keys.json')
}

/** When each key was used last, by id; written by the run that owns the data directory alone. */
export function usesPath(dataDirectory: string): string {
  return join(dataDirectory, 'keys-used.json')
}

/** The hash under which a key is kept. */
export function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

/** The id in a text that has the form of a key; null for any other text. */
export function idIn(text: string): string | null {
  return /^mk_([0-9A-Za-z]{8})_[0-9A-Za-z]{43}$/.exec(text)?.[1] ?? null
}

/**
 * Makes a key. The answer is the only place where it ever stands.
 *
 * `topics` null: it may send to all. `expiresIn_ms` null: it never expires. Throws OPTION_INVALID for a name that a key
 * in use has, or that is none.
 */
export async function makeKey(
  dataDirectory: string,
  options: { name: string; topics: readonly string[] | null; expiresIn_ms: number | null },
  clock: Clock = systemClock,
): Promise<{ key: string; info: KeyInfo }> {
  const { name, topics, expiresIn_ms } = options
  if (!NAME.test(name)) {
    throw new MillraceError('OPTION_INVALID', `A key cannot have the name ${JSON.stringify(name)}.`, {
      next: 'Use letters, digits, spaces, dots, dashes and underscores, at most 64: ann-phone.',
    })
  }
  const id = lettersOf(secretBytes(16)).slice(-ID_LETTERS)
  const key = `mk_${id}_${lettersOf(secretBytes(SECRET_BYTES)).padStart(SECRET_LETTERS, '0')}`
  const created = clock.now()
  const expires = expiresIn_ms === null ? null : created + expiresIn_ms * 1000
  const record: KeyRecord = { id, name, hash: hashOf(key), topics, created, expires, revoked: null }
  await changeKeys(dataDirectory, clock, records => {
    const taken = records.find(other => other.name === name && other.revoked === null)
    if (taken !== undefined) {
      throw new MillraceError('OPTION_INVALID', `There is a key named ${name} already (${taken.id}).`, {
        next: `Choose another name, or revoke it first: millrace keys revoke ${taken.id}`,
      })
    }
    return [...records, record]
  })
  return { key, info: infoOf(record, {}) }
}

/** All keys, in the order in which they were made; revoked and expired ones too. Throws FILE_UNREADABLE. */
export function listKeys(dataDirectory: string): readonly KeyInfo[] {
  const uses = readUses(dataDirectory)
  return readKeys(dataDirectory).map(record => infoOf(record, uses))
}

/** Revokes the key with this id, or the one in use with this name. Throws OPTION_INVALID when there is none. */
export async function revokeKey(dataDirectory: string, nameOrId: string, clock: Clock = systemClock): Promise<KeyInfo> {
  let revoked: KeyRecord | null = null
  await changeKeys(dataDirectory, clock, records => {
    const live = records.filter(record => record.revoked === null)
    const found = live.find(record => record.id === nameOrId) ?? live.find(record => record.name === nameOrId)
    if (found === undefined) {
      const names = live.map(record => `${record.name} (${record.id})`).join(', ')
      throw new MillraceError(
        'OPTION_INVALID',
        `There is no key in use with this name or id; there are: ${names || 'none'}.`,
        { next: "Name one of them; 'millrace keys list' shows all." },
      )
    }
    const changed = { ...found, revoked: clock.now() }
    revoked = changed
    return records.map(record => (record === found ? changed : record))
  })
  return infoOf(revoked!, readUses(dataDirectory))
}

function infoOf({ hash: _, ...told }: KeyRecord, uses: Readonly<Record<string, number>>): KeyInfo {
  return { ...told, lastUsed: uses[told.id] ?? null }
}

/** What the file holds, checked: a key that cannot be read must not count as none. Throws FILE_UNREADABLE. */
export function readKeys(dataDirectory: string): readonly KeyRecord[] {
  const path = keysPath(dataDirectory)
  const text = readText(path)
  if (text === null) return []
  try {
    const { version, keys } = JSON.parse(text) as { version?: unknown; keys?: unknown }
    if (version === 1 && Array.isArray(keys) && keys.every(isKeyRecord)) return keys
  } catch {}
  throw new MillraceError('FILE_UNREADABLE', `${path} does not hold API keys in a form that is known.`, {
    next: 'Put back a copy of it; or remove it, which ends all keys, and make new ones.',
  })
}

function isKeyRecord(value: unknown): value is KeyRecord {
  const { id, name, hash, topics, created, expires, revoked } = (value ?? {}) as Record<string, unknown>
  const isTime = (time: unknown) => time === null || Number.isFinite(time)
  const isNames = topics === null || (Array.isArray(topics) && topics.every(topic => typeof topic === 'string'))
  const isHash = typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash)
  return (
    typeof id === 'string' &&
    typeof name === 'string' &&
    isHash &&
    isNames &&
    isTime(expires) &&
    isTime(revoked) &&
    Number.isFinite(created)
  )
}

/** Empty when it cannot be read: it is only for people. */
export function readUses(dataDirectory: string): Record<string, number> {
  try {
    return JSON.parse(readText(usesPath(dataDirectory)) ?? '{}') as Record<string, number>
  } catch {
    return {}
  }
}

/** One writer at a time: two commands at once must not lose each other's change. */
async function changeKeys(
  dataDirectory: string,
  clock: Clock,
  change: (records: readonly KeyRecord[]) => readonly KeyRecord[],
): Promise<void> {
  const path = keysPath(dataDirectory)
  const lock = `${path}.lock`
  for (let tries = 0; !createText(lock, ''); tries++) {
    if (tries === LOCK_TRIES) {
      throw new MillraceError('DATA_DIR_BUSY', `Another command is changing ${path}.`, {
        next: `Try again; if no other command runs, remove ${lock}.`,
      })
    }
    await clock.sleep(LOCK_WAIT_MS)
  }
  try {
    const keys = change(readKeys(dataDirectory))
    replaceText(path, `${JSON.stringify({ version: 1, keys }, null, 2)}\n`, { isPrivate: true })
  } finally {
    remove(lock)
  }
}

/** The number that the bytes are, in base 62. */
function lettersOf(bytes: Uint8Array): string {
  let number = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  let text = ''
  for (; number > 0n; number /= 62n) text = LETTERS[Number(number % 62n)]! + text
  return text.padStart(ID_LETTERS, '0')
}
