/**
 * Requests made ahead: each device has one, whole with its headers, and only the digits of its number and times change.
 * So a request costs the generator a few microseconds, and always has the same length.
 */

export const FORMS = ['sensor-logger', 'array', 'ndjson'] as const
export type Form = (typeof FORMS)[number]

export interface BodyOptions {
  readonly url: URL
  readonly form: Form
  readonly devices: number
  /** Readings in a body. */
  readonly batch: number
  /** Tells this run from the others: its messages are no repetitions of theirs. */
  readonly session: string
}

const TIME_DIGITS = 19
/** Whole numbers of one length: `messageId` begins here. */
const FIRST_NUMBER = 1_000_000_000

/** The requests of one device. */
export class Device {
  readonly name: string
  /** The request as it would be sent now. */
  readonly bytes: Buffer
  /** Event time of the last reading, in microseconds since the epoch; that of the first one is after it. */
  last_us: number
  /** Event time before the first reading of all. */
  readonly first_us: number
  readonly #numberAt: number
  readonly #timesAt: readonly number[]
  #number = FIRST_NUMBER

  constructor(name: string, options: BodyOptions, start_us: number) {
    this.name = name
    this.first_us = start_us
    this.last_us = start_us
    const body = bodyOf(name, options)
    const head = headOf(options, Buffer.byteLength(body))
    this.bytes = Buffer.from(head + body, 'latin1')
    const text = head + body
    this.#numberAt = text.indexOf(String(FIRST_NUMBER))
    this.#timesAt = [...text.matchAll(/"time":(\d{19})/g)].map(match => match.index + '"time":'.length)
  }

  /** Puts in the next number, and times spread evenly from the last ones up to `until_us`. */
  renew(until_us: number): void {
    const { bytes } = this
    if (this.#numberAt >= 0) writeDigits(bytes, this.#numberAt, this.#number++, 10)
    const step_us = (until_us - this.last_us) / this.#timesAt.length
    for (let index = 0; index < this.#timesAt.length; index++) {
      const time_us = Math.floor(this.last_us + step_us * (index + 1))
      const upper = Math.floor(time_us / 1e8)
      const at = this.#timesAt[index]!
      writeDigits(bytes, at, upper, 8)
      writeDigits(bytes, at + 8, time_us - upper * 1e8, 8)
    }
    this.last_us = until_us
  }
}

function writeDigits(bytes: Buffer, at: number, value: number, digits: number): void {
  let rest = value
  for (let place = at + digits - 1; place >= at; place--) {
    const tenth = Math.floor(rest / 10)
    bytes[place] = 48 + (rest - tenth * 10)
    rest = tenth
  }
}

/** A gait of two steps a second, so that windows have something to tell. */
function valuesOf(index: number): string {
  const x = 2 * Math.sin(index / 8)
  const y = 1.5 * Math.cos(index / 4)
  return `{"x":${x.toFixed(6)},"y":${y.toFixed(6)},"z":${(0.3 * x * y).toFixed(6)}}`
}

function bodyOf(name: string, { form, batch, session }: BodyOptions): string {
  const time = '0'.repeat(TIME_DIGITS).replace('0', '1')
  const reading = (index: number) => `"name":"accelerometer","time":${time},"values":${valuesOf(index)}}`
  const whole = (index: number) => `{"sessionId":"${session}","deviceId":"${name}",${reading(index)}`
  const numbers = Array.from({ length: batch }, (_, index) => index)
  switch (form) {
    case 'sensor-logger': {
      const head = `{"messageId":${FIRST_NUMBER},"sessionId":"${session}","deviceId":"${name}","payload":[`
      return `${head}${numbers.map(index => `{${reading(index)}`).join(',')}]}`
    }
    case 'array':
      return `[${numbers.map(whole).join(',')}]`
    case 'ndjson':
      return numbers.map(index => `${whole(index)}\n`).join('')
  }
}

function headOf({ url, form }: BodyOptions, bytes: number): string {
  const type = form === 'ndjson' ? 'application/x-ndjson' : 'application/json'
  return [
    `POST ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    `Content-Type: ${type}`,
    `Content-Length: ${bytes}`,
    'Connection: keep-alive',
    '',
    '',
  ].join('\r\n')
}
