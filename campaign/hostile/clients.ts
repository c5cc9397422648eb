/** Sends messages byte for byte, and hears what is answered. */
import { type Agent, request } from 'node:http'
import { connect } from 'node:net'
import type { HttpMessage } from './mutations.ts'

export interface Reply {
  /** 0: the connection ended without an answer. */
  readonly status: number
  readonly text: string
}

/** What nobody answers within this is a fault. */
const PATIENCE_MS = 60_000

export function post(origin: string, { path, headers, body }: HttpMessage, agent: Agent): Promise<Reply> {
  return new Promise(resolve => {
    const gone = (error: Error) => resolve({ status: 0, text: `${path}: ${error.message}` })
    const sent = request(
      new URL(path, origin),
      { method: 'POST', agent, timeout: PATIENCE_MS, headers: { ...headers, 'content-length': body.length } },
      response => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece)).on('error', gone)
        response.on('end', () => resolve({ status: response.statusCode!, text: Buffer.concat(pieces).toString() }))
      },
    )
    sent.on('error', gone).on('timeout', () => sent.destroy(new Error('no answer')))
    sent.end(body)
  })
}

/** Opens a page's WebSocket, sends bytes behind the handshake, and resolves when the server has closed; else it says why. */
export function sendToPage(page: URL, bytes: Buffer): Promise<string | null> {
  const key = /key=(.+)/.exec(page.hash)?.[1] ?? ''
  const head = [
    'GET /live HTTP/1.1',
    `host: ${page.host}`,
    'connection: Upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
    `sec-websocket-protocol: millrace.v1, millrace.key.${key}`,
  ]
  return new Promise(resolve => {
    const socket = connect(Number(page.port), page.hostname)
    const timer = setTimeout(() => finish('the page was not closed'), PATIENCE_MS)
    let said = ''
    let isSent = false
    const finish = (fault: string | null) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(fault)
    }
    socket.on('error', () => {})
    socket.on('data', (piece: Buffer) => {
      said += piece.toString('latin1')
      if (isSent || !said.includes('\r\n\r\n')) return
      isSent = true
      // On a machine that is busy the server may hear of it too late; that is an answer.
      if (said.startsWith('HTTP/1.1 408 ')) return finish(null)
      if (!said.startsWith('HTTP/1.1 101 ')) return finish(`the page said ${said.slice(0, 100)}`)
      socket.end(bytes)
    })
    socket.on('close', () => finish(isSent ? null : 'the page went away before its handshake'))
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
  })
}
