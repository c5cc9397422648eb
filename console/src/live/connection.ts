/**
 * The connection to the server, kept up: asks whether the key will do, opens the WebSocket, takes messages in, and tries
 * again with growing pauses when it is lost. What was shown stays until the next `hello`.
 */
import type { ServerMessage } from '../../../src/dashboard/protocol.ts'
import { onNextFrame } from './frames.ts'
import { link, take } from './model.ts'

const KEY_NAME = 'millrace.key'
const PAUSE_MS_FIRST = 500
const PAUSE_MS_MAX = 10_000
/** The server speaks twice a second; silence as long as this is a broken connection that nobody told us of. */
const SILENCE_MS = 8_000
const SESSION_MS = 5_000
const KEY_REFUSED = 4401
/** Messages wait for the next frame; more than this many are taken in at once. */
const WAITING_MAX = 2_000

let socket: WebSocket | null = null
let pause_ms = PAUSE_MS_FIRST
let retry: ReturnType<typeof setTimeout> | undefined
let waiting: string[] = []
let heard_ms = 0

/** Takes the key out of the address, where it would be seen and kept, and connects. Call once. */
export function start(): void {
  const key = new URLSearchParams(location.hash.slice(1)).get('key')
  if (key !== null) {
    keepKey(key)
    history.replaceState(null, '', location.pathname + location.search)
  }
  setInterval(() => {
    if (socket?.readyState === WebSocket.OPEN && performance.now() - heard_ms > SILENCE_MS) lose()
  }, 1_000)
  addEventListener('online', retryNow)
  void connect()
}

export function useKey(key: string): void {
  keepKey(key)
  link.value = { state: 'connecting' }
  void connect()
}

export function retryNow(): void {
  if (link.value.state !== 'lost') return
  clearTimeout(retry)
  void connect()
}

async function connect(): Promise<void> {
  clearTimeout(retry)
  const key = keptKey()
  const headers: HeadersInit = key === null ? {} : { authorization: `Bearer ${key}` }
  try {
    const answer = await fetch('/session', { headers, cache: 'no-store', signal: AbortSignal.timeout(SESSION_MS) })
    if (answer.status === 401 || answer.status === 403) {
      link.value = { state: 'key', wrong: key !== null }
      return
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`)
  } catch {
    later()
    return
  }
  open(key)
}

function open(key: string | null): void {
  const protocols = key === null ? ['millrace.v1'] : ['millrace.v1', `millrace.key.${key}`]
  const opened = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/live`, protocols)
  socket = opened
  waiting = []
  heard_ms = performance.now()
  opened.onmessage = ({ data }) => {
    if (socket !== opened) return
    heard_ms = performance.now()
    waiting.push(data as string)
    // A page in the background gets no frames: it takes in at once, so that nothing piles up.
    if (document.hidden || waiting.length > WAITING_MAX) takeWaiting()
    else onNextFrame(takeWaiting)
  }
  opened.onclose = ({ code }) => {
    if (socket !== opened) return
    if (code === KEY_REFUSED) {
      socket = null
      link.value = { state: 'key', wrong: true }
    } else lose()
  }
}

function takeWaiting(): void {
  const texts = waiting
  waiting = []
  for (const text of texts) {
    const message = JSON.parse(text) as ServerMessage
    if (message.kind === 'hello') pause_ms = PAUSE_MS_FIRST
    take(message)
  }
}

function lose(): void {
  const lost = socket
  socket = null
  waiting = []
  lost?.close()
  later()
}

/** Pauses double, and differ from page to page, so that a server that comes back is not met by all at once. */
function later(): void {
  const wait_ms = pause_ms * (0.75 + Math.random() / 2)
  pause_ms = Math.min(pause_ms * 2, PAUSE_MS_MAX)
  link.value = { state: 'lost', again_ms: Date.now() + wait_ms }
  retry = setTimeout(connect, wait_ms)
}

function keepKey(key: string): void {
  // Only characters that a subprotocol may have: anything else is no key of ours.
  sessionStorage.setItem(KEY_NAME, key.trim().replace(/[^\w.~+-]/g, ''))
}

function keptKey(): string | null {
  return sessionStorage.getItem(KEY_NAME) || null
}
