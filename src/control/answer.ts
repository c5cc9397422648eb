/** Answers of the owner: a document, or a stream of lines that goes no faster than its reader. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ERRORS, MillraceError } from '../system/errors.ts'
import { type Note, wireError } from './protocol.ts'

const BODY_BYTES_MAX = 16 * 1024 * 1024
/** Lines are gathered up to about so many characters before they are written. */
const PIECE_CHARACTERS = 64 * 1024

/** The body of a request as text. Throws OPTION_INVALID for one that is too large. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > BODY_BYTES_MAX) throw new MillraceError('OPTION_INVALID', `More than ${BODY_BYTES_MAX} bytes at once.`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** The members of a JSON object. Throws OPTION_INVALID for anything else. */
export function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {}
  throw new MillraceError('OPTION_INVALID', 'The request is no JSON object.')
}

export function answerJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

/** Before the first byte an error is the whole answer, after it the last line of the stream. */
export function answerError(response: ServerResponse, error: unknown): void {
  const said = wireError(error)
  if (response.headersSent) {
    response.end(`${JSON.stringify(['error', said] satisfies Note)}\n`)
    return
  }
  const isTheirs = error instanceof MillraceError && ERRORS[error.code].fault === 'user'
  response.writeHead(isTheirs ? 400 : 500, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify({ error: said }))
}

/** A stream of lines. */
export class LineStream {
  readonly #response: ServerResponse
  #text = ''

  constructor(response: ServerResponse) {
    this.#response = response
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    response.flushHeaders()
  }

  /** Bytes that the reader has not taken. */
  get waiting_bytes(): number {
    return this.#response.writableLength
  }

  /** Adds a line; resolves when there is room for more. */
  async add(line: unknown): Promise<void> {
    this.#text += `${JSON.stringify(line)}\n`
    if (this.#text.length >= PIECE_CHARACTERS) await this.flush()
  }

  note(note: Note): Promise<void> {
    return this.add(note)
  }

  /** Calls once, when the reader has taken all that waits; never when it goes away before. */
  whenTaken(action: () => void): void {
    this.#response.once('drain', action)
  }

  /** Writes at once, however much waits: the caller looks at `waiting_bytes`. */
  push(bytes: Uint8Array | string): void {
    this.#response.write(bytes)
  }

  async flush(): Promise<void> {
    const text = this.#text
    this.#text = ''
    if (text === '' || this.#response.destroyed || this.#response.write(text)) return
    await new Promise<void>(resolve => {
      const done = () => {
        this.#response.off('drain', done).off('close', done)
        resolve()
      }
      this.#response.on('drain', done).on('close', done)
    })
  }

  async end(): Promise<void> {
    await this.note(['end'])
    await this.flush()
    this.#response.end()
  }
}
