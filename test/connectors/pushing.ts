/** A small runtime for sources that are pushed to: it takes what comes and settles it as the test says. */
import { mkdtempSync, rmSync } from 'node:fs'
import { request as send } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SourceContext } from '../../src/connectors/contract.ts'
import {
  loadSource,
  type Pushed,
  type PushedMessage,
  type PushOutcome,
  type Source,
} from '../../src/connectors/contract.ts'
import type { SourceReference } from '../../src/plan/nodes.ts'
import { contextOf } from '../conformance/source.ts'

export interface Pushing {
  readonly source: Source
  readonly address: string
  readonly dataDirectory: string
  readonly events: Pushed[]
  /** The records of all that was pushed, as lines. */
  lines(): string[]
  close(): Promise<void>
}

export interface PushingOptions {
  readonly settle?: (message: PushedMessage, lines: readonly string[]) => PushOutcome | null
  readonly context?: Partial<SourceContext>
  /** false: nothing is read until the test does it. */
  readonly reads?: boolean
}

export const kept = (message: PushedMessage): PushOutcome => ({
  kind: 'kept',
  accepted: message.records,
  refusedCount: 0,
  refused: [],
})

/** What a schema of any objects would say: lines that are no JSON objects are refused. */
function decoded(message: PushedMessage, lines: readonly string[]): PushOutcome {
  const refused = lines.flatMap((line, record) => {
    try {
      const value: unknown = JSON.parse(line)
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return []
      return [{ record, path: '', reason: 'expected object' }]
    } catch (error) {
      return [{ record, path: '', reason: (error as Error).message }]
    }
  })
  return { kind: 'kept', accepted: message.records - refused.length, refusedCount: refused.length, refused }
}

export async function pushing(
  reference: SourceReference | Source,
  { settle = decoded, context = {}, reads = true }: PushingOptions = {},
): Promise<Pushing> {
  const dataDirectory = context.dataDirectory ?? mkdtempSync(join(tmpdir(), 'millrace-push-'))
  const removeFolder = () => {
    if (context.dataDirectory === undefined) rmSync(dataDirectory, { recursive: true, force: true })
  }
  const source = 'read' in reference ? reference : await loadSource(reference)
  const opening = source.open(contextOf([], { untilEnd: false, dataDirectory, maximumChunkBytes: 1 << 20, ...context }))
  await Promise.resolve(opening).catch(error => {
    removeFolder()
    throw error
  })
  const events: Pushed[] = []
  const loop = async () => {
    for (let event = await source.read(); event !== null; event = await source.read()) {
      if (event.kind === 'idle') continue
      if (event.kind !== 'pushed') throw new Error(`a source that is pushed to said ${event.kind}`)
      events.push(event)
      let at = 0
      for (const message of event.messages) {
        const lines = linesIn(event.bytes.subarray(at, at + message.bytes))
        at += message.bytes
        const outcome = settle(message, lines)
        if (outcome !== null) message.settle(outcome)
      }
    }
  }
  const reading = reads ? loop() : Promise.resolve()
  return {
    source,
    address: source.address!,
    dataDirectory,
    events,
    lines: () => events.flatMap(event => linesIn(event.bytes)),
    async close() {
      await source.close()
      await reading
      removeFolder()
    },
  }
}

function linesIn(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes).toString()
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last record has no line feed')
  return text.split('\n').slice(0, -1)
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many forms.
  readonly json: any
}

/** One POST with `node:http`, on a connection of its own: nothing of the request is tidied on the way. */
export function post(
  address: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
  { method = 'POST', path }: { method?: string; path?: string } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = send(
      address,
      { method, headers, agent: false, ...(path === undefined ? {} : { path }) },
      response => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(pieces).toString()
          const isJson = String(response.headers['content-type']).startsWith('application/json')
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            text,
            json: isJson && text !== '' ? JSON.parse(text) : null,
          })
        })
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}
