import fc from 'fast-check'
import { expect, test } from 'vitest'
import { messageLines } from '../../src/connectors/sensor-logger/envelope.ts'
import { parses } from './parses.ts'

const MANY = { bytes: 1 << 24, records: 1 << 24 }
const lines = (text: string, userId: string | null = null) => {
  const found = messageLines(Buffer.from(text), userId, MANY)!
  const each = Buffer.from(found.bytes).toString().split('\n')
  expect(each.pop()).toBe('')
  expect(each).toHaveLength(found.records)
  return { lines: each, key: found.idempotencyKey, fault: found.fault }
}

const SHARED = ['messageId', 'sessionId', 'deviceId', 'userId']

/** The same with JSON.parse: slow, and times lose their digits. */
function plain(text: string): unknown[] {
  const message = JSON.parse(text) as Record<string, unknown>
  const shared = Object.fromEntries(
    SHARED.filter(name => Object.hasOwn(message, name)).map(name => [name, message[name]]),
  )
  return (message.payload as unknown[]).map(reading =>
    typeof reading === 'object' && reading !== null && !Array.isArray(reading) ? { ...shared, ...reading } : reading,
  )
}

const blank = fc.stringMatching(/^[ \t\r\n]{0,2}$/)
const name = fc.constantFrom('x', 'time', 'sessionId', 'payload', 'a"b', '\\', '{', 'é\n')
const values = fc.jsonValue({ maxDepth: 3 })
const reading = fc.oneof(
  { weight: 5, arbitrary: fc.dictionary(name, values, { maxKeys: 5 }).map(each => JSON.stringify(each)) },
  {
    weight: 1,
    arbitrary: fc
      .record({ name: fc.string(), time: fc.nat(), values: fc.array(values) })
      .map(each => JSON.stringify(each, null, 1)),
  },
  { weight: 1, arbitrary: fc.constantFrom('{}', '{ }', '{\n}', '7', 'null', '"},{"', '[{}]') },
)
const payload = fc
  .tuple(fc.array(reading, { maxLength: 6 }), blank)
  .map(([each, white]) => `[${white}${each.join(`${white},${white}`)}${white}]`)
/** Names are sometimes written with escapes; the same name may come twice. */
const written = (text: string, escaped: boolean) =>
  escaped ? `"\\u${text.charCodeAt(0).toString(16).padStart(4, '0')}${text.slice(1)}"` : JSON.stringify(text)
const member = fc.oneof(
  fc.tuple(
    fc.constantFrom(...SHARED, 'other', 'payload2'),
    fc.boolean(),
    values.map(each => JSON.stringify(each, null, 1)),
  ),
  fc.tuple(fc.constant('payload'), fc.boolean(), payload),
)
const message = fc
  .tuple(fc.array(member, { maxLength: 7 }), payload, fc.nat(), blank)
  .map(([members, last, at, white]) => {
    const place = at % (members.length + 1)
    const all = [...members.slice(0, place), ['payload', false, last] as const, ...members.slice(place)]
    const each = all.map(
      ([named, escaped, value]) => `${white}${written(named, escaped)}${white}:${white}${value}${white}`,
    )
    return `${white}{${each.join(',')}}${white}`
  })

test('lines are what JSON.parse and its own words would make of the message', () => {
  fc.assert(
    fc.property(message, text => {
      const found = lines(text)
      expect(found.fault).toBeNull()
      expect(found.lines.map(line => JSON.parse(line))).toEqual(plain(text))
    }),
    { numRuns: 1000 },
  )
})

const broken = fc.record({
  at: fc.nat(),
  character: fc.constantFrom('', '"', '\\', '{', '}', '[', ']', ',', ':', '\n', 'x'),
})
/** Each member once, none that no reading gets, and a reading that gets them. */
const strict = fc
  .tuple(
    fc.record({ messageId: values, sessionId: values, deviceId: values }),
    fc.array(reading, { maxLength: 3 }),
    blank,
    fc.boolean(),
  )
  .map(([shared, readings, white, isFirst]) => {
    const members = Object.entries(shared).map(
      ([named, value]) => `"${named}":${white}${JSON.stringify(value, null, 1)}`,
    )
    const last = `"payload":${white}[{"time":1}${readings.map(each => `,${white}${each}`).join('')}]`
    return `{${(isFirst ? [last, ...members] : [...members, last]).join(`${white},`)}}`
  })
test('a message that is cut or broken is one line that is no JSON, or some line of it is none', () => {
  fc.assert(
    fc.property(strict, broken, fc.boolean(), (whole, { at, character }, isCut) => {
      const place = at % whole.length
      const changed = isCut ? whole.slice(0, place) : whole.slice(0, place) + character + whole.slice(place + 1)
      const text = changed.toWellFormed()
      fc.pre(!parses(text))
      const { lines: found, fault, key } = lines(text)
      expect(found.every(parses)).toBe(false)
      if (fault !== null) {
        expect(found).toHaveLength(1)
        expect(key).toBeNull()
      }
    }),
    { numRuns: 3000 },
  )
})

const MESSAGE = {
  messageId: 7,
  sessionId: 'session',
  deviceId: 'device',
  payload: [{ name: 'accelerometer', time: 0, values: { x: 1 } }],
}

test('times keep all their digits, and the members come in one order', () => {
  const text =
    '{"payload":[{"name":"a","time":1698501145514000123,"accuracy":3}],"userId":"u","deviceId":"d","messageId":1,"sessionId":"s"}'
  expect(lines(text).lines).toEqual([
    '{"messageId":1,"sessionId":"s","deviceId":"d","userId":"u","name":"a","time":1698501145514000123,"accuracy":3}',
  ])
})

test('a message is known again by its device, its session and its number', () => {
  expect(lines(JSON.stringify(MESSAGE)).key).toEqual(['sensor-logger', 'device', 'session', '7'])
  // Two large numbers may be one as a double; a text is no number.
  for (const [written, key] of [
    ['9007199254740993', '9007199254740993'],
    [' -1.50 ', '-1.50'],
    ['"7"', '"7"'],
    ['"\\u0037"', '"7"'],
  ]) {
    const text = JSON.stringify(MESSAGE).replace(':7', `:${written}`)
    expect(lines(text).key).toEqual(['sensor-logger', 'device', 'session', key])
  }
  for (const other of [
    { messageId: undefined },
    { messageId: true },
    { messageId: null },
    { messageId: [7] },
    { deviceId: 3 },
    { sessionId: null },
  ])
    expect(lines(JSON.stringify({ ...MESSAGE, ...other })).key).toBeNull()
})

test('the option userId is for messages without one', () => {
  expect(lines(JSON.stringify(MESSAGE), 'ann').lines[0]).toContain('"userId":"ann"')
  expect(lines(JSON.stringify({ ...MESSAGE, userId: 'bob' }), 'ann').lines[0]).toContain('"userId":"bob"')
})

test.each([
  ['[]', 'it is not a JSON object'],
  ['', 'it is not a JSON object'],
  ['{}', 'it has no payload'],
  ['{"name":"a","time":1}', 'it has no payload'],
  ['{"payload":{}}', 'its payload is not an array'],
  ['{"payload":[]', 'it is not JSON'],
  ['{"payload":[],}', 'it is not JSON'],
  ['{"payload":[]}}', 'it is not JSON'],
  ['{"payload":[{}{}]}', 'it is not JSON'],
  [JSON.stringify({ ...MESSAGE, sessionId: 'x'.repeat(3000) }), 'its sessionId, deviceId or userId is too long'],
])('%j: %s', (text, fault) => {
  expect(lines(text)).toMatchObject({ fault, key: null })
})

test('a small message never becomes lines without bound', () => {
  const text = JSON.stringify({ deviceId: 'x'.repeat(1000), payload: new Array(100_000).fill({}) })
  expect(messageLines(Buffer.from(text), null, { ...MANY, bytes: 1 << 20 })).toBeNull()
})
