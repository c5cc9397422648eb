/** The table of limits in docs/connectors.md says what the code does. */
import { expect, test } from 'vitest'
import { KEY_MEMORY } from '../../src/connectors/contract.ts'
import * as page from '../../src/dashboard/limits.ts'
import * as ingress from '../../src/ingress/limits.ts'
import { DEAD_LETTER_BYTES_MAX } from '../../src/log/dead-letter.ts'
import { RECORD_BYTES_MAX } from '../../src/runtime/process/topic-decoder.ts'
import { textOf } from './tree.ts'

const bytes = (count: number) => {
  if (count % (1 << 20) === 0) return `${count / (1 << 20)} MiB`
  return count % 1024 === 0 ? `${count / 1024} KiB` : `${count} bytes`
}
const time = (duration_ms: number) =>
  duration_ms >= 3_600_000 ? `${duration_ms / 3_600_000} h` : `${duration_ms / 1000} s`
const number = (count: number) => count.toLocaleString('en-US')

const { LIMITS } = ingress
const LIMITS_OF_THE_CODE: Readonly<Record<string, string>> = {
  'a body, unpacked': bytes(ingress.BODY_BYTES_MAX),
  'records of one request': number(ingress.RECORDS_MAX),
  'one record': bytes(RECORD_BYTES_MAX),
  'rejected records of one client in a minute': number(ingress.REJECTED_PER_MINUTE),
  'a record in a dead letter': bytes(DEAD_LETTER_BYTES_MAX),
  'dead letters, topics, journal and warehouse together': 'as much as the disk holds',
  'requests of one client in a second': `${number(ingress.REQUESTS_PER_SECOND)}; programs of this machine any number`,
  'bodies that are being received': bytes(LIMITS.receivingBytes),
  'bodies of one client that are being received': bytes(LIMITS.receivingClientBytes),
  'records that wait to be kept, of one source': bytes(ingress.WAITING_BYTES_MAX),
  connections: number(LIMITS.connections),
  headers: bytes(ingress.HEADER_BYTES_MAX),
  'time for the headers': time(LIMITS.headers_ms),
  'time for a request': time(LIMITS.request_ms),
  'time for a TLS handshake': time(ingress.HANDSHAKE_MS),
  'time between two requests of a connection': time(ingress.KEEP_ALIVE_MS),
  'time for reading an answer to an unfinished request': time(LIMITS.lastWords_ms),
  'an `Idempotency-Key`': `${ingress.IDEMPOTENCY_KEY_BYTES_MAX} bytes`,
  'keys that are remembered, by age': time(KEY_MEMORY.duration_us / 1000),
  'keys that are remembered, by memory': bytes(KEY_MEMORY.bytes),
  'connections to the page': number(page.CONNECTIONS_MAX),
  'pages that are open': number(page.CLIENTS_MAX),
  'a message from the page': bytes(page.MESSAGE_BYTES_MAX),
  'time for a request of the page': time(page.REQUEST_MS),
}

test('the table of limits has each limit with its value', () => {
  const section = /^## Limits\n([\s\S]*?)^## /m.exec(textOf('docs/connectors.md'))![1]!
  const rows = [...section.matchAll(/^\| (.+?) \| (.+?) \|/gm)].map(([, limit, value]) => [limit!, value!])
  expect(Object.fromEntries(rows.slice(1))).toEqual(LIMITS_OF_THE_CODE)
})

test('each limit of a listener or the page that has a name is one of the table', () => {
  const checks = ['check_ms']
  const named = [...Object.keys(ingress), ...Object.keys(LIMITS), ...Object.keys(page)]
  const source = textOf('test/tidy/limits.test.ts')
  const missing = named.filter(name => !checks.includes(name) && !new RegExp(`\\.${name}\\b`).test(source))
  expect(missing.filter(name => name !== 'LIMITS')).toEqual([])
})
