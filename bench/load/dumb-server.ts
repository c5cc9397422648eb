/**
 * Answers every request with 200 and looks at nothing but its length: what a generator can send against it, it can send at
 * all. A process of its own; the port that it listens at is its only word.
 */
import { createServer } from 'node:net'

const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}')
const HEAD_END = Buffer.from('\r\n\r\n')

const server = createServer(socket => {
  /** Bytes of the request that are still to come; null while its head is. */
  let rest: number | null = null
  let head: Buffer = Buffer.alloc(0)
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', received => {
    let piece: Buffer = received
    while (piece.length > 0) {
      if (rest === null) {
        head = head.length === 0 ? piece : Buffer.concat([head, piece])
        const end = head.indexOf(HEAD_END)
        if (end < 0) return
        rest = Number(/\r\ncontent-length: *(\d+)/i.exec(head.toString('latin1', 0, end))?.[1] ?? 0)
        piece = head.subarray(end + 4)
        head = Buffer.alloc(0)
      }
      const taken = Math.min(rest, piece.length)
      rest -= taken
      piece = piece.subarray(taken)
      if (rest > 0) return
      rest = null
      socket.write(ANSWER)
    }
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  console.log(typeof address === 'object' && address !== null ? address.port : 0)
})
