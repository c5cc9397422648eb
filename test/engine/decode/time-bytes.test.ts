/** Times read from bytes: the same as from texts, or not sure. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { byteTimeReader } from '../../../src/engine/decode/time-bytes.ts'
import { timeFormatter } from '../../../src/plan/times/format.ts'
import { timeReader } from '../../../src/plan/times/text-time.ts'

const FORMS = [
  { pattern: 'iso', zone: null, written: "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX" },
  { pattern: 'iso', zone: 'Europe/Madrid', written: 'yyyy-MM-dd HH:mm:ss.SSS' },
  { pattern: 'yyyy-MM-dd HH:mm:ss', zone: 'Europe/Madrid', written: 'yyyy-MM-dd HH:mm:ss' },
  { pattern: 'dd/MM/yyyy HH:mm', zone: '+05:30', written: 'dd/MM/yyyy HH:mm' },
  { pattern: 'yyyyMMddHHmmssSSS', zone: 'UTC', written: 'yyyyMMddHHmmssSSS' },
  { pattern: 'yyyy-MM-dd HH:mm:ss.SSSSSSSSS', zone: 'America/St_Johns', written: 'yyyy-MM-dd HH:mm:ss.SSSSSSSSS' },
] as const

const edits = fc.array(
  fc.tuple(
    fc.nat(40),
    fc.constantFrom('', '0', '9', '1', ':', '-', '+', 'T', ' ', 'Z', 'z', '.', '.5', ',', '12345678', '-31'),
  ),
  { maxLength: 2 },
)

test('law: what bytes say the text says, also of texts that are almost times', () => {
  const answers = { same: 0, unsure: 0 }
  fc.assert(
    fc.property(
      fc.constantFrom(...FORMS),
      fc.integer({ min: -2e15, max: 6e15 }),
      fc.constantFrom('UTC', 'Europe/Madrid', 'Asia/Kathmandu'),
      edits,
      (form, time_us, writtenIn, changes) => {
        let text = timeFormatter(form.written, form.zone ?? writtenIn)(time_us)
        for (const [at, put] of changes)
          text = text.slice(0, at) + put + text.slice(put === '' ? at + 1 : at + put.length)
        const bytes = Buffer.from(`"${text}"`)
        const found = byteTimeReader(form)!(bytes, 1, text.length)
        const expected = timeReader(form)(text)
        if (Number.isNaN(found)) answers.unsure++
        else {
          expect(found).toBe(expected)
          answers.same++
        }
        // A plain time is not left to the slower way.
        if (changes.length === 0) expect(found).toBe(expected)
      },
    ),
    { numRuns: 5000 },
  )
  expect(answers.same).toBeGreaterThan(1500)
})

test.each(['MMM d yyyy', 'd/M/yyyy', 'yyyy-MM-dd[ HH:mm]', "yyyy-MM-dd'T'HH:mm", 'yyyy年MM月dd日'])(
  '%s is left to the reader of texts',
  pattern => {
    expect(byteTimeReader({ pattern, zone: 'UTC' })).toBeNull()
  },
)
