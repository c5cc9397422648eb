/** The other end of the owner's socket: what a command asks a run at work. */
import type { IncomingMessage } from 'node:http'
import type { LiveQueryOptions } from '../connectors/duckdb/live-query.ts'
import type { Row, RowStream } from '../connectors/duckdb/rows.ts'
import type { Snapshot } from '../runtime/options.ts'
import { MillraceError } from '../system/errors.ts'
import { withSocketPath } from '../system/local-socket.ts'
import { nodeHttp } from '../system/process.ts'
import { SOCKET } from './place.ts'
import {
  type About,
  type Column,
  errorFrom,
  type Note,
  type QueryRequest,
  type Resend,
  type Resent,
  type SnapshotRequest,
  type WireError,
} from './protocol.ts'

/** A run that does not say who it is within this time is not asked anything else. */
const ABOUT_WITHIN_MS = 5000

export interface OwnerClient {
  /** As it was when it was asked first. */
  readonly about: About
  query(sql: string, options?: LiveQueryOptions): Promise<RowStream>
  /**
   * Rows that leave a step from now on, as JSON texts; `nested`: dots in columns' names are objects within each other. It
   * ends with the run or the signal. Rows that came too fast to be shown are told to `onSkipped`.
   */
  watch(step: string, options: WatchOptions): Promise<WatchedRows>
  /** Copies the warehouse to an absolute path that is not there yet. */
  snapshot(path: string): Promise<Snapshot>
  /** Sends records to their topics again; answers in their order. At most a few megabytes at once. */
  resend(records: readonly Resend[]): Promise<Resent[]>
}

interface WatchOptions {
  readonly nested: boolean
  readonly signal: AbortSignal
  readonly onSkipped: (rows: number) => void
}

interface WatchedRows {
  readonly columns: readonly Column[]
  readonly lines: AsyncGenerator<string, void, undefined>
}

/**
 * The run that owns a data directory; null when there is none, also when it was killed and left its socket.
 * Throws DATA_DIR_BUSY for one that does not answer.
 */
export async function ownerOf(dataDirectory: string, within_ms = ABOUT_WITHIN_MS): Promise<OwnerClient | null> {
  const socket = new OwnerSocket(dataDirectory)
  const about = await socket.about(within_ms)
  if (about === null) return null
  return {
    about,
    query: (sql, options) => socket.query(sql, options),
    watch: (step, options) => socket.watch(step, options),
    snapshot: path =>
      socket.document<Snapshot>('POST', '/snapshot', JSON.stringify({ path } satisfies SnapshotRequest)),
    async resend(records) {
      const answers: Resent[] = []
      const body = records.map(record => `${JSON.stringify(record)}\n`).join('')
      for await (const line of socket.stream('POST', '/resend', body)) {
        if (!isNote(line)) answers.push(JSON.parse(line) as Resent)
      }
      return answers
    },
  }
}

class OwnerSocket {
  readonly #dataDirectory: string

  constructor(dataDirectory: string) {
    this.#dataDirectory = dataDirectory
  }

  async about(within_ms: number): Promise<About | null> {
    try {
      return await this.document<About>('GET', '/about', null, within_ms)
    } catch (error) {
      const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code ?? ''
      if (['ECONNREFUSED', 'ENOENT', 'ENOTSOCK'].includes(code)) return null
      throw error
    }
  }

  async document<T>(method: string, path: string, body: string | null, timeout_ms = 0): Promise<T> {
    const response = await this.#send(method, path, body, { timeout_ms })
    return JSON.parse(await textOf(response).catch(error => this.#fail(error))) as T
  }

  async query(sql: string, options: LiveQueryOptions = {}): Promise<RowStream> {
    const { limit = null, timeout_ms = null, signal } = options
    const body = JSON.stringify({ sql, limit, timeout_ms } satisfies QueryRequest)
    const lines = this.stream('POST', '/query', body, signal)
    const columns = await columnsOf(lines)
    return {
      columns,
      async read() {
        const rows: Row[] = []
        while (rows.length < 1000) {
          const { done, value } = await lines.next()
          if (done) return rows.length > 0 ? rows : null
          if (!isNote(value)) rows.push(JSON.parse(value) as Row)
        }
        return rows
      },
      close: () => void lines.return(),
    }
  }

  async watch(step: string, { nested, signal, onSkipped }: WatchOptions): Promise<WatchedRows> {
    const parameters = new URLSearchParams({ step, nested: nested ? '1' : '0' })
    const lines = this.stream('GET', `/watch?${parameters}`, null, signal)
    const columns = await columnsOf(lines)
    async function* rows(): AsyncGenerator<string, void, undefined> {
      try {
        for await (const line of lines) {
          const note = isNote(line) ? (JSON.parse(line) as Note) : null
          if (note === null) yield line
          else if (note[0] === 'skipped') onSkipped(note[1])
        }
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
    return { columns, lines: rows() }
  }

  /** The lines of a stream up to its end. Throws what the other side raised, and when it was cut off. */
  async *stream(
    method: string,
    path: string,
    body: string | null,
    signal?: AbortSignal,
  ): AsyncGenerator<string, void, undefined> {
    let response: IncomingMessage | null = null
    try {
      response = await this.#send(method, path, body, signal === undefined ? {} : { signal })
      for await (const line of linesOf(response)) {
        if (isNote(line)) {
          const note = JSON.parse(line) as Note
          if (note[0] === 'end') return
          if (note[0] === 'error') throw errorFrom(note[1])
        }
        yield line
      }
      throw new Error('it ended in the middle of its answer')
    } catch (error) {
      if (signal?.aborted)
        throw new MillraceError('QUERY_FAILED', 'It was ended before its last row.', { cause: error })
      this.#fail(error)
    } finally {
      response?.destroy()
    }
  }

  async #send(
    method: string,
    path: string,
    body: string | null,
    options: { signal?: AbortSignal; timeout_ms?: number },
  ): Promise<IncomingMessage> {
    const { request } = nodeHttp()
    const { timeout_ms = 0, ...rest } = options
    const send = (socketPath: string) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const call = request({ socketPath, path, method, agent: false, timeout: timeout_ms, ...rest }, resolve)
        call.on('error', reject)
        call.on('timeout', () => call.destroy(new Error(`no answer within ${timeout_ms / 1000} s`)))
        call.end(body ?? undefined)
      })
    const response = await withSocketPath(this.#dataDirectory, SOCKET, send).catch(error => this.#fail(error))
    if (response.statusCode === 200) return response
    const text = await textOf(response).catch(error => this.#fail(error))
    throw errorFrom((JSON.parse(text) as { error: WireError }).error)
  }

  #fail(cause: unknown): never {
    if (cause instanceof MillraceError) throw cause
    const why = (cause as Error).message
    throw new MillraceError('DATA_DIR_BUSY', `The run that has ${this.#dataDirectory} did not answer: ${why}.`, {
      cause,
      next: 'Look whether it is still at work, and try again.',
    })
  }
}

async function columnsOf(lines: AsyncGenerator<string, void, undefined>): Promise<readonly Column[]> {
  const { value } = await lines.next()
  const note = value === undefined ? null : (JSON.parse(value) as Note)
  return note?.[0] === 'columns' ? note[1] : []
}

const isNote = (line: string) => line.startsWith('[')

async function textOf(response: IncomingMessage): Promise<string> {
  let text = ''
  response.setEncoding('utf8')
  for await (const piece of response as AsyncIterable<string>) text += piece
  return text
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void, undefined> {
  let rest = ''
  response.setEncoding('utf8')
  for await (const piece of response as AsyncIterable<string>) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop()!
    yield* lines
  }
}
