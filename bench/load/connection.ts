/** One kept HTTP/1.1 connection, one request at a time: a socket and as much of a parser as an answer needs. */
import { connect, type Socket } from 'node:net'

/** `status` 0: the connection failed before the answer. */
export type OnAnswer = (status: number) => void

const HEAD_END = Buffer.from('\r\n\r\n')
const CHUNKS_END = Buffer.from('0\r\n\r\n')

export class Connection {
  readonly #host: string
  readonly #port: number
  #socket: Socket | null = null
  #received: Buffer = Buffer.alloc(0)
  #onAnswer: OnAnswer | null = null

  constructor(url: URL) {
    this.#host = url.hostname.replace(/^\[|\]$/g, '')
    this.#port = Number(url.port || 80)
  }

  get isBusy(): boolean {
    return this.#onAnswer !== null
  }

  /** Sends a whole request; its bytes may change as soon as the answer is there. */
  send(bytes: Buffer, onAnswer: OnAnswer): void {
    this.#onAnswer = onAnswer
    this.#socket ??= this.#open()
    this.#socket.write(bytes)
  }

  close(): void {
    this.#socket?.destroy()
  }

  #open(): Socket {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true })
    socket.on('data', piece => this.#hear(piece))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = null
      this.#answer(0)
    })
    return socket
  }

  #hear(piece: Buffer): void {
    this.#received = this.#received.length === 0 ? piece : Buffer.concat([this.#received, piece])
    const received = this.#received
    const headEnd = received.indexOf(HEAD_END)
    if (headEnd < 0) return
    const head = received.toString('latin1', 0, headEnd)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    const isWhole =
      length === undefined
        ? !/\r\ntransfer-encoding: *chunked/i.test(head) || received.includes(CHUNKS_END, headEnd)
        : received.length >= headEnd + 4 + Number(length)
    if (!isWhole) return
    if (/\r\nconnection: *close/i.test(head)) {
      this.#socket?.destroy()
      this.#socket = null
    }
    this.#answer(Number(head.slice(9, 12)))
  }

  #answer(status: number): void {
    this.#received = Buffer.alloc(0)
    const onAnswer = this.#onAnswer
    this.#onAnswer = null
    onAnswer?.(status)
  }
}
