/** Where the console listens, and the key that it asks for. */
import { join } from 'node:path'
import { MillraceError } from '../system/errors.ts'
import { readText, replaceText } from '../system/files.ts'
import { newIncarnation } from '../system/random.ts'

const HOST_DEFAULT = '127.0.0.1'
const PORT_DEFAULT = 4400
/** A port, or a host with or without one; an IPv6 address stands in brackets. */
const FORM = /^(?:(?<port>\d{1,5})|(?:\[(?<six>[0-9a-f:.]+)\]|(?<name>[a-z0-9._-]+))(?::(?<port>\d{1,5}))?)?$/i

export interface ConsoleAddress {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

/** `[HOST:]PORT`, `HOST` or nothing of `--console`; default 127.0.0.1:4400. Throws OPTION_INVALID. */
export function consoleAddressOf(text: string): ConsoleAddress {
  const match = FORM.exec(text)
  const { port = String(PORT_DEFAULT), six, name } = match?.groups ?? {}
  if (match === null || Number(port) > 65_535) {
    throw new MillraceError('OPTION_INVALID', `--console ${text} is no address.`, {
      next: 'Write HOST:PORT, such as 127.0.0.1:4400 or [::1]:4400.',
    })
  }
  return { host: six ?? name ?? HOST_DEFAULT, port: Number(port) }
}

/** The key of this data directory's console: made the first time, in a file that only its owner may read. */
export function consoleKeyOf(dataDirectory: string): string {
  const path = join(dataDirectory, 'console.key')
  const known = readText(path)?.trim()
  if (known !== undefined && /^[\w-]{22,200}$/.test(known)) return known
  const made = newIncarnation()
  replaceText(path, `${made}\n`, { isPrivate: true })
  return made
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}
