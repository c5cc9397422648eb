import { expect, test } from 'vitest'
import { z } from 'zod'
import { decoderOf } from './plain.ts'

const LOAD_BYTES = 1 << 20

/** Decodes the lines in loads of 1 MB; answers the most memory that the decoder had, and its longest dictionary. */
function decodeAll(schema: z.ZodObject, lines: Iterable<string>, check: (text: string, row: number) => void) {
  const { decoder } = decoderOf(schema, null, LOAD_BYTES)
  let [rows, refused, textsMost] = [0, 0, 0]
  let load: string[] = []
  let bytes = 0
  const flush = () => {
    decoder.load(Buffer.from(load.join('')))
    for (let batch = decoder.next(); batch !== null; batch = decoder.next()) {
      const data = batch.data[0]!
      if (data.type !== 'text') throw new Error('the first column is no text')
      for (let row = 0; row < batch.length; row++) check(data.dictionary.values[data.codes[row]!]!, rows + row)
      rows += batch.length
      refused += batch.refused.length
      textsMost = Math.max(textsMost, data.dictionary.values.length)
    }
    load = []
    bytes = 0
  }
  for (const line of lines) {
    if (bytes + line.length > LOAD_BYTES) flush()
    load.push(line)
    bytes += line.length
  }
  flush()
  return { rows, refused, textsMost, memoryBytes: decoder.input.buffer.byteLength }
}

function* lines(count: number, text: (index: number) => string) {
  for (let index = 0; index < count; index++) yield `{"t":"${text(index)}"}\n`
}

const count = 700_000

test('many distinct texts: dictionaries are renewed, each text stays what it is', { timeout: 60_000 }, () => {
  const wrong: string[] = []
  const text = (index: number) => (index % 2 === 0 ? `id-${index}` : `a longer identity, ${index}`)
  const result = decodeAll(z.object({ t: z.string() }), lines(count, text), (found, row) => {
    if (found !== text(row)) wrong.push(found)
  })
  expect(wrong).toEqual([])
  expect(result).toMatchObject({ rows: count, refused: 0 })
  expect(result.textsMost).toBeLessThan(350_000)
  expect(result.memoryBytes).toBeLessThan(96 << 20)
})

test('texts that come again after a renewal have their value', { timeout: 60_000 }, () => {
  const wrong: string[] = []
  const text = (index: number) =>
    index % 3 === 0
      ? ['accelerometer', 'gravity', 'a text of forty bytes, or nearly so'][(index % 9) / 3]!
      : `id-${index}`
  decodeAll(z.object({ t: z.string() }), lines(count, text), (found, row) => {
    if (found !== text(row)) wrong.push(found)
  })
  expect(wrong).toEqual([])
})

test('many distinct texts that the schema refuses keep no memory', { timeout: 60_000 }, () => {
  const bad = (index: number) => (index % 50 === 0 ? 'on' : `no ${index}`)
  const result = decodeAll(z.object({ t: z.literal('on') }), lines(300_000, bad), () => {})
  expect(result).toMatchObject({ rows: 6_000, refused: 294_000, textsMost: 1 })
  expect(result.memoryBytes).toBeLessThan(16 << 20)
})

test('long texts: kept up to a limit, the longest not at all', { timeout: 60_000 }, () => {
  const wrong: number[] = []
  const text = (index: number) => `${index} `.padEnd([4000, 4096, 4097, 20_000][index % 4]!, 'abcdefgh')
  const result = decodeAll(z.object({ t: z.string() }), lines(16_000, text), (found, row) => {
    if (found !== text(row)) wrong.push(row)
  })
  expect(wrong).toEqual([])
  expect(result.rows).toBe(16_000)
  expect(result.memoryBytes).toBeLessThan(64 << 20)
})

test('more rows than one batch holds: lines are counted across batches', () => {
  const schema = z.object({ t: z.string() })
  const { decoder } = decoderOf(schema, null, LOAD_BYTES)
  const input = Array.from({ length: 70_000 }, (_, index) => (index % 10_000 === 9_999 ? 'no\n' : '{"t":"a"}\n'))
  decoder.load(Buffer.from(input.join('')))
  const batches = []
  const refused: number[] = []
  for (let batch = decoder.next(); batch !== null; batch = decoder.next()) {
    batches.push({ length: batch.length, linesEnd: batch.linesEnd })
    refused.push(...batch.refused.map(line => line.line))
  }
  expect(refused).toEqual([9_999, 19_999, 29_999, 39_999, 49_999, 59_999, 69_999])
  expect(batches.map(batch => batch.length)).toEqual([32_768, 32_768, 70_000 - 7 - 2 * 32_768])
  expect(batches.at(-1)!.linesEnd).toBe(70_000)
})

test('after many lines in vain a shape is still learned, and one more when there are shapes already', () => {
  const schema = z.object({ t: z.string(), n: z.number() })
  const { decoder, slowLines } = decoderOf(schema, null, LOAD_BYTES)
  const decode = (line: string, times: number) => {
    decoder.load(Buffer.from(`${line}\n`.repeat(times)))
    while (decoder.next() !== null);
    return slowLines()
  }
  expect(decode('bad', 600)).toBe(600)
  expect(decode('{"t":"a","n":1}', 5_000)).toBeLessThan(2_000)
  const before = decode('bad', 600)
  expect(decode('{"n":1,"t":"a"}', 5_000) - before).toBeLessThan(1_100)
})
