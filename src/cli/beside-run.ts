/** What stands beside a run at work: the socket for other commands, and the live page where it is asked for. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Listen } from '../connectors/contract.ts'
import type { RunHandle } from '../runtime/options.ts'
import { statusOf } from '../system/files.ts'
import { shortest } from './paths.ts'
import type { Style } from './terminal.ts'

/** The page as it was built: a package holds it, a clone makes it at the first `npm start`. */
const PAGE = fileURLToPath(new URL('../../console/dist', import.meta.url))

export interface BesideRun {
  /** Where people and devices find what. */
  readonly places: Places
  close(): Promise<void>
}

export interface Places {
  /** The page with its key; null: none is served. */
  readonly page: string | null
  /** false: a clone in which nobody has built it yet. */
  readonly pageIsBuilt: boolean
  readonly addresses: RunHandle['addresses']
  /** Whoever pushes needs an API key. */
  readonly keysNeeded: boolean
  readonly dataDirectory: string
}

/** `console`: the words of `--console`; null: no page. */
export async function openBesideRun(run: RunHandle, listen: Listen, console: string | null): Promise<BesideRun> {
  const { openOwnerSocket } = await import('../control/server.ts')
  const { addresses, dataDirectory } = run
  const socket = await openOwnerSocket(run)
  try {
    const { areKeysNeeded } = await import('../ingress/access.ts')
    const keysNeeded = addresses.length > 0 && areKeysNeeded(listen, dataDirectory)
    const page = console === null ? null : await openPage(run, console, keysNeeded)
    return {
      places: { page: page?.link ?? null, pageIsBuilt: isPageBuilt(), addresses, keysNeeded, dataDirectory },
      async close() {
        await Promise.all([socket.close(), page?.close()])
      },
    }
  } catch (error) {
    await socket.close()
    throw error
  }
}

function isPageBuilt(): boolean {
  return statusOf(join(PAGE, 'index.html')) !== null
}

async function openPage(run: RunHandle, at: string, keysNeeded: boolean) {
  const [{ openConsole }, { consoleAddressOf, consoleKeyOf }] = await Promise.all([
    import('../dashboard/open.ts'),
    import('../dashboard/address.ts'),
  ])
  const key = consoleKeyOf(run.dataDirectory)
  const opened = await openConsole(run, { ...consoleAddressOf(at), key, assets: PAGE, keysNeeded })
  return { link: `${opened.address}/#key=${key}`, close: () => opened.close() }
}

/** One screen of where things are. */
export function placesLines(
  { page, pageIsBuilt, addresses, keysNeeded, dataDirectory }: Places,
  style: Style,
): string[] {
  const lines: string[] = []
  if (page !== null) lines.push(`page   ${style.cyan(page)}`)
  if (page !== null && !pageIsBuilt) lines.push(style.yellow('       it is not built yet: npm start builds it'))
  for (const { topic, address } of addresses) lines.push(`push   ${style.cyan(address)}  ${style.dim(`to ${topic}`)}`)
  if (addresses.length > 0) {
    const directory = shortest(dataDirectory)
    lines.push(keysNeeded ? `key    needed: millrace keys make NAME --data-dir ${directory}` : 'key    not needed')
  }
  if (lines.length > 0) lines.push(`data   ${shortest(dataDirectory)}`)
  return lines
}
