/** The owner's end of the local socket: it answers commands that look at the data directory of a run at work. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isAbsolute, join } from 'node:path'
import type { RunHandle } from '../runtime/options.ts'
import { type Clock, systemClock } from '../system/clock.ts'
import { MillraceError } from '../system/errors.ts'
import { remove } from '../system/files.ts'
import { listen, withSocketPath } from '../system/local-socket.ts'
import { nodeHttp, ownProcessId } from '../system/process.ts'
import { answerError, answerJson, bodyOf, LineStream, objectOf } from './answer.ts'
import { newPlace } from './place.ts'
import type { About } from './protocol.ts'
import { Resender, recordsOf } from './resend.ts'
import { watchStep } from './watch.ts'

const CONNECTIONS_MAX = 64
const CLOSE_WITHIN_MS = 1000

interface Call {
  readonly run: RunHandle
  readonly resender: Resender
  readonly url: URL
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Aborted when the client goes away. */
  readonly gone: AbortSignal
  /** Aborted when the owner stops. */
  readonly closing: AbortSignal
}

const ROUTES: Readonly<Record<string, (call: Call) => Promise<void>>> = {
  'GET /about': about,
  'POST /query': query,
  'GET /watch': watch,
  'POST /snapshot': snapshot,
  'POST /resend': resend,
}

/** Listens for commands beside the run, which must own the data directory. Throws FILE_UNWRITABLE when it cannot. */
export async function openOwnerSocket(run: RunHandle, clock: Clock = systemClock): Promise<{ close(): Promise<void> }> {
  const closing = new AbortController()
  const resender = new Resender(run, clock)
  const server = nodeHttp().createServer({ maxHeaderSize: 8192, headersTimeout: 10_000, requestTimeout: 60_000 })
  server.maxConnections = CONNECTIONS_MAX
  server.on('request', (request, response) => {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const url = new URL(request.url ?? '/', 'http://owner')
    const call = { run, resender, url, request, response, gone: gone.signal, closing: closing.signal }
    void answer(call).catch(error => answerError(response, error))
  })
  const place = newPlace(run.dataDirectory)
  await withSocketPath(run.dataDirectory, place.listenOn, path => listen(server, path)).catch(cause => {
    const message = `Cannot listen on ${join(run.dataDirectory, place.listenOn)}: ${(cause as Error).message}.`
    throw new MillraceError('FILE_UNWRITABLE', message, { cause })
  })
  place.publish()
  // A connection that breaks is the client's loss alone.
  server.on('error', () => {})
  return {
    async close() {
      place.remove()
      closing.abort()
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      await Promise.race([closed, clock.sleep(CLOSE_WITHIN_MS)])
      server.closeAllConnections()
      await closed
    },
  }
}

async function answer(call: Call): Promise<void> {
  const name = `${call.request.method} ${call.url.pathname}`
  const route = Object.hasOwn(ROUTES, name) ? ROUTES[name] : undefined
  if (route === undefined) throw new MillraceError('OPTION_INVALID', `The running pipeline does not know ${name}.`)
  call.response.setHeader('connection', 'close')
  await route(call)
}

async function about({ run, response }: Call): Promise<void> {
  const { namespace, name } = run.plan
  answerJson(response, {
    protocol: 1,
    process: ownProcessId(),
    namespace,
    pipeline: name,
    addresses: run.addresses,
    progress: run.progress(),
  } satisfies About)
}

async function query({ run, request, response, gone, closing }: Call): Promise<void> {
  const { sql, limit, timeout_ms } = objectOf(await bodyOf(request))
  if (typeof sql !== 'string') throw new MillraceError('OPTION_INVALID', 'The question has no SQL.')
  const rows = await run.query(sql, {
    ...(typeof limit === 'number' ? { limit } : {}),
    ...(typeof timeout_ms === 'number' ? { timeout_ms } : {}),
    signal: AbortSignal.any([gone, closing]),
  })
  try {
    const lines = new LineStream(response)
    await lines.note(['columns', rows.columns])
    for (let some = await rows.read(); some !== null; some = await rows.read()) {
      for (const row of some) await lines.add(row)
    }
    await lines.end()
  } finally {
    rows.close()
  }
}

function watch({ run, url, response, gone, closing }: Call): Promise<void> {
  const nested = url.searchParams.get('nested') === '1'
  const step = url.searchParams.get('step') ?? ''
  return watchStep(run, step, nested, () => new LineStream(response), AbortSignal.any([gone, closing]))
}

async function snapshot({ run, request, response, gone }: Call): Promise<void> {
  const { path } = objectOf(await bodyOf(request))
  if (typeof path !== 'string' || !isAbsolute(path)) {
    throw new MillraceError('OPTION_INVALID', 'The path of a snapshot must be absolute.')
  }
  const content = await run.snapshot(path)
  // Whoever wanted it went away meanwhile and cannot tidy up.
  if (gone.aborted) remove(path)
  else answerJson(response, content)
}

async function resend({ resender, request, response }: Call): Promise<void> {
  const answers = await resender.send(recordsOf(await bodyOf(request)))
  const lines = new LineStream(response)
  for (const one of answers) await lines.add(one)
  await lines.end()
}
