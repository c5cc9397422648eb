/** Files and blocks that are copied to the wrong place: what is lost is what was overwritten, and nothing else. */
import { beforeEach, describe, expect, test } from 'vitest'
import { contentsOf, HandClock, openLog, records, recordText } from './logs.ts'
import { MemoryStorage } from './memory-storage.ts'

const END = 80
const OTHER = 1000

let storage: MemoryStorage
const open = (topic = 't', adopt = false) =>
  openLog(storage, {
    topic,
    folder: `/data/topics/${topic}/0`,
    incarnation: adopt ? '0'.repeat(32) : topic.repeat(32).replace('t', 'a'),
    adoptIncarnation: true,
    segmentBytes: 1200,
    clock: new HandClock(),
  })

async function fill(topic: string, first: number): Promise<void> {
  const log = open(topic)
  for (let n = 0; n < END; n += 4) await log.append(records(first + n, 4))
  await log.close()
}

const segmentsOf = (topic: string) =>
  storage.paths.filter(path => path.startsWith(`/data/topics/${topic}/0/`) && path.endsWith('.log'))

function copy(from: string, to: string): void {
  const bytes = storage.bytesOf(from)
  const file = storage.open(to)
  file.truncate(0)
  file.write(bytes, 0)
  file.syncNow()
  file.close()
}

/** What the log holds, and what it says is lost. */
function found() {
  const log = open()
  const { texts, gaps } = contentsOf(log)
  for (const [offset, text] of texts) expect(text).toBe(recordText(offset))
  return { next: log.next, held: texts.size, gaps, reasons: log.damage.map(({ reason }) => reason) }
}

beforeEach(async () => {
  storage = new MemoryStorage()
  await fill('t', 0)
  await fill('b', OTHER)
})

describe('the marker', () => {
  test('of another topic says nothing', () => {
    copy('/data/topics/b/0/marker', '/data/topics/t/0/marker')
    expect(found()).toEqual({ next: END, held: END, gaps: [], reasons: [] })
  })
})

describe('a segment', () => {
  test('of another topic in the place of one is told, without a marker too', () => {
    const [, second, third] = segmentsOf('t')
    copy(segmentsOf('b')[1]!, second!)
    storage.remove('/data/topics/t/0/marker')
    const from = Number(second!.slice(-24, -4))
    const to = Number(third!.slice(-24, -4))
    const { gaps, reasons, held } = found()
    expect(gaps).toEqual([{ from, to }])
    expect(held).toBe(END - (to - from))
    expect(reasons).toContain('the file belongs to another place and was renamed')
  })

  test('copied to a name inside another one costs nothing, and is kept under another name', async () => {
    const [first, second] = segmentsOf('t')
    const stray = first!.replace(/\d+\.log$/, '00000000000000000003.log')
    copy(second!, stray)
    expect(found()).toMatchObject({ next: END, held: END, gaps: [] })
    await open().close()
    expect(storage.paths).toContain(`${stray}.stray`)
    expect(storage.paths).not.toContain(stray)
    expect(storage.bytesOf(`${stray}.stray`)).toEqual(storage.bytesOf(second!))
  })

  test('that holds no block, named inside another one, costs nothing', () => {
    const stray = segmentsOf('t')[0]!.replace(/\d+\.log$/, '00000000000000000003.log')
    copy('/data/topics/t/0/marker', stray)
    expect(found()).toMatchObject({ next: END, held: END, gaps: [] })
  })
})

describe('a block', () => {
  test('of a later segment in an earlier one costs what it overwrote', () => {
    const [first, second] = segmentsOf('t')
    const later = storage.bytesOf(second!).subarray(0, 200)
    const file = storage.open(first!)
    file.write(later, 0)
    file.close()
    const { gaps, held, next } = found()
    expect(next).toBe(END)
    expect(gaps).toEqual([{ from: 0, to: 4 }])
    expect(held).toBe(END - 4)
  })
})
