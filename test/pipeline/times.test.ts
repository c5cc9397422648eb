/** Times in the forms that people write them, by pattern and zone. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { timestamp } from '../../src/index.ts'
import { slowDecoder } from '../../src/plan/slow.ts'
import { timeFormatter } from '../../src/plan/times/format.ts'
import { zoneNamed } from '../../src/plan/times/zone.ts'

/** The moment that a text is, in ISO; the reason where it is refused. */
function read(pattern: string, text: string, zone?: string): string {
  const schema = z.object({ at: timestamp(pattern, zone === undefined ? {} : { zone }) })
  const answer = slowDecoder(schema)(JSON.stringify({ at: text }))
  return answer.ok ? new Date((answer.cells[0] as number) / 1000).toISOString() : answer.reason
}

describe('read', () => {
  test.each([
    ['yyyy-MM-dd HH:mm:ss', 'Europe/Madrid', '2026-07-01 12:00:00', '2026-07-01T10:00:00.000Z'],
    ['yyyy-MM-dd HH:mm:ss', 'Europe/Madrid', '2026-01-01 12:00:00', '2026-01-01T11:00:00.000Z'],
    ['yyyy-MM-dd HH:mm:ss', '-03:30', '2026-01-01 12:00:00', '2026-01-01T15:30:00.000Z'],
    ['dd/MM/yyyy HH:mm', 'UTC', '22/11/2026 05:01', '2026-11-22T05:01:00.000Z'],
    ['d.M.yyyy H:mm', 'UTC', '2.1.2026 5:01', '2026-01-02T05:01:00.000Z'],
    ['d.M.yyyy H:mm', 'UTC', '22.11.2026 15:01', '2026-11-22T15:01:00.000Z'],
    ['M/d/yy h:mm a', 'America/New_York', '7/4/26 12:05 PM', '2026-07-04T16:05:00.000Z'],
    ['M/d/yy h:mm a', 'UTC', '7/4/26 12:05 am', '2026-07-04T00:05:00.000Z'],
    ['yyyyMMddHHmmssSSS', 'UTC', '20261122050129123', '2026-11-22T05:01:29.123Z'],
    ['yyyy-MM-dd HH:mm:ss.SSSSSSSSS', 'UTC', '2026-11-22 05:01:29.123999999', '2026-11-22T05:01:29.123Z'],
    ['yyyy-MM-dd HH:mm:ss[.SSSSSS]', 'UTC', '2026-11-22 05:01:29', '2026-11-22T05:01:29.000Z'],
    ['yyyy-MM-dd HH:mm:ss[.SSSSSS]', 'UTC', '2026-11-22 05:01:29.250000', '2026-11-22T05:01:29.250Z'],
    ['dd MMM yyyy', 'UTC', '22 nov 2026', '2026-11-22T00:00:00.000Z'],
    ['EEE, dd MMM yyyy HH:mm:ss Z', undefined, 'Sun, 22 Nov 2026 05:01:29 +0130', '2026-11-22T03:31:29.000Z'],
    ['EEEE d MMMM yyyy', 'UTC', 'Sunday 22 November 2026', '2026-11-22T00:00:00.000Z'],
    ["yyyy-MM-dd'T'HH:mm:ssXXX", undefined, '2026-11-22T05:01:29Z', '2026-11-22T05:01:29.000Z'],
    ["yyyy-MM-dd'T'HH:mm:ssX", undefined, '2026-11-22T05:01:29-03', '2026-11-22T08:01:29.000Z'],
    ["yyyy-MM-dd'T'HH:mm:ss[XXX]", 'Asia/Tokyo', '2026-11-22T05:01:29', '2026-11-21T20:01:29.000Z'],
    ["yyyy-MM-dd'T'HH:mm:ss[XXX]", 'Asia/Tokyo', '2026-11-22T05:01:29+00:00', '2026-11-22T05:01:29.000Z'],
    ["yyyy年MM月dd日 HH'時'", 'Asia/Tokyo', '2026年11月22日 09時', '2026-11-22T00:00:00.000Z'],
    ['iso', 'Europe/Madrid', '2026-07-01 12:00:00.5', '2026-07-01T10:00:00.500Z'],
    ['iso', 'Europe/Madrid', '2026-07-01T12:00:00Z', '2026-07-01T12:00:00.000Z'],
    ['iso', undefined, '2026-07-01 12:00:00+0200', '2026-07-01T10:00:00.000Z'],
    ['iso', undefined, '2026-07-01 12:00:00+02', '2026-07-01T10:00:00.000Z'],
  ] as const)('%s in %s: %s', (pattern, zone, text, expected) => {
    expect(read(pattern, text, zone)).toBe(expected)
  })

  test.each([
    ['2026-02-29 12:00:00', 'no such day'],
    ['2026-13-01 12:00:00', 'no such month'],
    ['2026-01-01 24:00:00', 'no such hour'],
    ['2026-01-01 12:60:00', 'no such minute'],
    ['2026-01-01 12:00:60', 'no such second'],
    ['2026-1-1 12:00:00', 'too few digits'],
    ['2026-01-01 12:00:00.5', 'more than the pattern says'],
    [' 2026-01-01 12:00:00', 'a blank before it'],
    ['1600-01-01 12:00:00', 'too long ago'],
    ['', 'nothing'],
  ])('%s is refused: %s', text => {
    const shown = JSON.stringify(text)
    expect(read('yyyy-MM-dd HH:mm:ss', text, 'UTC')).toBe(
      `Invalid input: expected a time such as 'yyyy-MM-dd HH:mm:ss', received ${shown}`,
    )
  })

  test('a weekday that is not the date’s is refused, and an offset that is none', () => {
    expect(read('EEE dd MMM yyyy', 'Mon 22 Nov 2026', 'UTC')).toContain('Invalid input')
    expect(read('dd MM yyyy XXX', '22 11 2026 +24:00')).toContain('Invalid input')
    expect(read('dd/MM/yyyy hh:mm a', '22/11/2026 13:00 PM', 'UTC')).toContain('Invalid input')
  })

  test('a local time that exists twice is the first of the two; one that does not exist is later by the gap', () => {
    const local = (text: string, zone: string) => read('yyyy-MM-dd HH:mm', text, zone)
    expect(local('2026-10-25 01:59', 'Europe/Madrid')).toBe('2026-10-24T23:59:00.000Z')
    expect(local('2026-10-25 02:30', 'Europe/Madrid')).toBe('2026-10-25T00:30:00.000Z')
    expect(local('2026-10-25 03:00', 'Europe/Madrid')).toBe('2026-10-25T02:00:00.000Z')
    expect(local('2026-03-29 01:59', 'Europe/Madrid')).toBe('2026-03-29T00:59:00.000Z')
    // 02:30 does not exist: it is what 03:30 is.
    expect(local('2026-03-29 02:30', 'Europe/Madrid')).toBe('2026-03-29T01:30:00.000Z')
    expect(local('2026-03-29 03:30', 'Europe/Madrid')).toBe('2026-03-29T01:30:00.000Z')
    expect(local('2026-04-05 01:45', 'Australia/Lord_Howe')).toBe('2026-04-04T14:45:00.000Z')
    // Samoa left out a whole day.
    expect(local('2011-12-30 12:00', 'Pacific/Apia')).toBe('2011-12-30T22:00:00.000Z')
    expect(local('2011-12-31 12:00', 'Pacific/Apia')).toBe('2011-12-30T22:00:00.000Z')
  })
})

test.each([
  ['min', {}, 'timestamp("min"): it is no unit, and as a pattern there is no field \'i\''],
  ['YYYY-MM-DD', { zone: 'UTC' }, "there is no field 'YYYY' (write yyyy); the fields are yyyy yy M MM MMM"],
  ['yyyy-MM-ddTHH:mm', { zone: 'UTC' }, "there is no field 'T' (write 'T')"],
  ['yyyy-MM-dd HH:mm', {}, 'it does not say in which time zone the times are'],
  ['yyyy-MM-dd HH:mm[XXX]', {}, 'it does not say in which time zone the times are'],
  ['yyyy-MM-dd HH:mm XXX', { zone: 'UTC' }, 'its times have their own offset, so the zone would not be used'],
  ['yyyy-MM-dd HH:mm', { zone: 'Europe/Madird' }, 'there is no time zone "Europe/Madird"'],
  ['iso', { zone: '+25:00' }, 'there is no time zone "+25:00"'],
  ['HH:mm:ss', { zone: 'UTC' }, 'it does not say the year of every time'],
  ['yyyy-MM[-dd]', { zone: 'UTC' }, 'it does not say the day of every time'],
  ['yyyy-MM-dd mm', { zone: 'UTC' }, 'it says the minute without the hour'],
  ['yyyy-MM-dd hh:mm', { zone: 'UTC' }, 'hours from 1 to 12 need their half of the day'],
  ['yyyy-MM-dd MMM', { zone: 'UTC' }, 'it says the month twice'],
  ['yyyy-MM-dd [HH:mm', { zone: 'UTC' }, 'brackets stand in pairs'],
  ["yyyy-MM-dd 'at", { zone: 'UTC' }, 'a single quote is not closed'],
  ['s', { zone: 'UTC' }, 'a number since 1970 has no time zone'],
] as const)('%s, %o is refused when the pipeline is read', (pattern, options, message) => {
  expect(() => timestamp(pattern, options)).toThrow(message)
})

test('an unknown zone is answered with the one that was meant', () => {
  let next: unknown
  try {
    timestamp('iso', { zone: 'Europe/Madird' })
  } catch (error) {
    next = (error as { next?: unknown }).next
  }
  expect(next).toBe("Use a name such as 'Europe/Madrid', 'UTC' or an offset such as '+02:00'.")
})

describe('zones', () => {
  const names = [
    ...[
      'Europe/Madrid',
      'America/New_York',
      'America/St_Johns',
      'Australia/Lord_Howe',
      'Pacific/Apia',
      'Africa/Casablanca',
    ],
    ...['Asia/Kathmandu', 'Antarctica/Troll', 'America/Caracas', 'Europe/Dublin', 'Asia/Pyongyang', 'Africa/Monrovia'],
  ]
  const zones = fc.constantFrom(...names)
  const seconds = fc.oneof(
    fc.integer({ min: -9_000_000_000, max: 9_000_000_000 }),
    fc.integer({ min: 0, max: 1_900_000_000 }),
  )
  const formats = new Map(
    names.map(name => [
      name,
      new Intl.DateTimeFormat('sv-SE', { timeZone: name, dateStyle: 'short', timeStyle: 'medium' }),
    ]),
  )
  const localByIntl = (name: string, utc_s: number) =>
    Date.parse(
      `${formats
        .get(name)!
        .format(utc_s * 1000)
        .replace(' ', 'T')}Z`,
    ) / 1000

  test('law: offsets are those of Intl', () => {
    fc.assert(
      fc.property(zones, seconds, (name, utc_s) => {
        expect(utc_s + zoneNamed(name)!.offset_s(utc_s)).toBe(localByIntl(name, utc_s))
      }),
      { numRuns: 2000 },
    )
  })

  test('law: a local time that exists is read as a moment that shows it, the first of two', () => {
    fc.assert(
      fc.property(zones, seconds, (name, utc_s) => {
        const zone = zoneNamed(name)!
        const local_s = utc_s + zone.offset_s(utc_s)
        const read_s = local_s - zone.offsetAtLocal_s(local_s)
        expect(read_s + zone.offset_s(read_s)).toBe(local_s)
        expect(read_s).toBeLessThanOrEqual(utc_s)
      }),
      { numRuns: 2000 },
    )
  })

  test('law: around each change of a year, second by second, in the order of the clock', () => {
    for (const name of names) {
      const zone = zoneNamed(name)!
      for (let day = 0; day < 366; day++) {
        const start_s = 1_767_225_600 + day * 86_400
        if (zone.offset_s(start_s) === zone.offset_s(start_s + 86_400)) continue
        for (let utc_s = start_s; utc_s < start_s + 86_400; utc_s += 450) {
          expect(utc_s + zone.offset_s(utc_s)).toBe(localByIntl(name, utc_s))
        }
      }
    }
  })
})

test('law: what a pattern writes it reads', () => {
  const patterns = fc.constantFrom(
    'yyyy-MM-dd HH:mm:ss.SSSSSSXXX',
    "EEEE, d MMMM yyyy 'at' h:mm:ss.SSSSSS a Z",
    'yyyyMMddHHmmssSSSSSSSSSX',
    'dd/MMM/yyyy:H:m:s.SSSSSS xx',
  )
  const zones = fc.constantFrom('UTC', 'Europe/Madrid', 'America/St_Johns', '+05:45')
  fc.assert(
    fc.property(patterns, zones, fc.integer({ min: -2e15, max: 8e15 }), (pattern, zone, time_us) => {
      const schema = z.object({ at: timestamp(pattern) })
      const text = timeFormatter(pattern, zone)(time_us)
      // Before 1912 offsets had seconds, which no pattern writes.
      if (time_us < -1e15) return
      expect(slowDecoder(schema)(JSON.stringify({ at: text }))).toMatchObject({ ok: true, cells: [time_us] })
    }),
  )
})

test('a transform may make the text that a time is read from', () => {
  const schema = z.object({
    iso: z
      .string()
      .transform(text => `${text}Z`)
      .pipe(timestamp('iso')),
    day: z
      .number()
      .transform(String)
      .pipe(timestamp('yyyyMMdd', { zone: 'UTC' })),
    seconds: z.string().transform(Number).pipe(timestamp('s')),
  })
  const answer = slowDecoder(schema)('{"iso":"2026-11-22T05:01:29","day":20261122,"seconds":"1.5"}')
  expect(answer).toMatchObject({ ok: true, cells: [1795323689000000, 1795305600000000, 1500000] })
})
