/** Where `npm start` keeps its data, and where it listens. */
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join, resolve } from 'node:path'
import type { Arguments } from '../../src/cli/arguments.ts'
import { shortest } from '../../src/cli/paths.ts'
import { takeOwnership } from '../../src/runtime/owner/owner.ts'
import { MillraceError } from '../../src/system/errors.ts'
import { listFolder, makeFolder, remove, replaceText, statusOf } from '../../src/system/files.ts'

/** Says that the directory was made here, and may be removed by `--fresh`. */
const MARK = 'made-by-npm-start'
/** Tried one after the other when the usual port is taken; then any free one. */
const PORTS_AHEAD = [0, 10, 20, 30, 40]

/**
 * The data directory, there and free. A run of the user's own that stands in the usual place is left alone: then it is
 * the place beside. Throws DATA_DIR_BUSY when it is in use, OPTION_INVALID when `--fresh` would remove what others made.
 */
export async function directoryOf(values: Arguments, usual: string): Promise<string> {
  const given = values.text('data-dir')
  const directory = given !== null ? resolve(given) : isOthers(usual) ? `${usual}-simulated` : usual
  const isNew = listFolder(directory).length === 0
  if (!isNew) await refuseWhenBusy(directory)
  if (values.flag('fresh')) removeOwn(directory)
  if (isNew || values.flag('fresh')) {
    makeFolder(directory)
    replaceText(join(directory, MARK), 'npm start -- --fresh removes this directory and begins anew.\n')
  }
  return directory
}

function isOthers(directory: string): boolean {
  return listFolder(directory).length > 0 && statusOf(join(directory, MARK)) === null
}

function removeOwn(directory: string): void {
  if (isOthers(directory)) {
    throw new MillraceError('OPTION_INVALID', `${shortest(directory)} was not made by npm start, and is left alone.`, {
      next: 'Remove it yourself, or name another place: npm start -- --fresh --data-dir DIR',
    })
  }
  remove(directory)
}

async function refuseWhenBusy(directory: string): Promise<void> {
  try {
    const owner = await takeOwnership(directory)
    owner.release()
  } catch (cause) {
    if (!(cause instanceof MillraceError) || cause.code !== 'DATA_DIR_BUSY') throw cause
    throw new MillraceError(cause.code, cause.message, {
      cause,
      next: 'Stop that one (Ctrl-C where it runs), or start another beside it: npm start -- --data-dir DIR',
    })
  }
}

/** The usual port, or one near it when something listens there already. */
export async function freePort(host: string, usual: number): Promise<number> {
  for (const ahead of PORTS_AHEAD) if (await isFree(host, usual + ahead)) return usual + ahead
  return 0
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise(answer => {
    const server = createServer()
    server.once('error', () => answer(false))
    server.listen({ host, port, exclusive: true }, () => server.close(() => answer(true)))
  })
}

/** An address at which this machine itself reaches what listens at `address`. */
export function localAddress(address: string): string {
  return withHost(address, host => (host === '0.0.0.0' ? '127.0.0.1' : host === '[::]' ? '[::1]' : host))
}

/** The addresses at which others in the network may reach it; as it stands where it listens at one alone. */
export function networkAddresses(address: string): readonly string[] {
  const { hostname } = new URL(address)
  if (hostname !== '0.0.0.0' && hostname !== '[::]') return [address]
  const own = Object.values(networkInterfaces())
    .flatMap(list => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
  return own.map(found => withHost(address, () => found.address))
}

/** Without the slash that a URL puts behind a bare host. */
function withHost(address: string, hostOf: (host: string) => string): string {
  const url = new URL(address)
  url.hostname = hostOf(url.hostname)
  return address.endsWith('/') ? url.href : url.href.replace(/\/$/, '')
}
