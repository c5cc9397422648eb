/** Records that rotted before a sink had their rows: the sink goes on without them, and says so, or cannot know where it is. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { pipeline, topic } from '../../src/index.ts'
import { openTopic } from '../../src/log/open-topic.ts'
import type { TopicLog } from '../../src/log/topic-log.ts'
import { LOG_PARTITION } from '../../src/runtime/ingest/partitions.ts'
import { OutputStream } from '../../src/runtime/streams/output-stream.ts'
import { ReplayedRows } from '../../src/runtime/streams/replayed.ts'
import { StreamReader } from '../../src/runtime/streams/stream-reader.ts'
import { systemClock } from '../../src/system/clock.ts'
import { MemoryStorage } from '../log/memory-storage.ts'
import { silent } from './pushed-readings.ts'

const numbers = topic('numbers', z.object({ n: z.number() }))
const { plan } = pipeline('gaps', ({ ingest, from, warehouse }) => {
  ingest(silent, numbers)
  warehouse.table('NUMBERS').appends(from(numbers).filter(r => r.n !== 1))
})
const { stream } = plan.delivers[0]!

function open(storage: MemoryStorage): TopicLog {
  const incarnation = '1'.repeat(32)
  return openTopic('/data', 'numbers', { storage, clock: systemClock, incarnation, segmentBytes: 150 })
}

/** Ten records, each a segment of its own, of which some rot or go. */
async function rotten(spoil: (storage: MemoryStorage, paths: readonly string[]) => void): Promise<TopicLog> {
  const storage = new MemoryStorage()
  const log = open(storage)
  for (let n = 0; n < 10; n++) await log.append({ bytes: Buffer.from(`{"n":${n}}\n`) })
  await log.close()
  spoil(
    storage,
    storage.paths.filter(path => path.endsWith('.log')),
  )
  return open(storage)
}

const flipped = (index: number) =>
  rotten((storage, paths) => storage.flip(paths[index]!, storage.lengthOf(paths[index]!)! - 3, 1))

/** What a sink is given that holds so many of the stream's nine rows. */
async function catchUp(log: TopicLog, held: number) {
  const replayed = new ReplayedRows({
    stream,
    clock: systemClock,
    openSources: async () => [],
    log: () => log,
    onTurn: async () => {},
  })
  const partitions = [{ name: LOG_PARTITION, position: 10, lines: 0, ended: false }]
  replayed.resume([
    { rows: 0, at: null },
    { rows: 9, at: { partitions, records: 10, bytes: 0, late: 0, deadLetters: 0 } },
  ])
  const output = new OutputStream({
    node: stream,
    stored: null,
    replayed,
    onRows: () => {},
    tailBytesMax: null,
    onTaken: () => {},
  })
  output.resume(9)
  const warnings: string[] = []
  const reader = new StreamReader(output, 'NUMBERS', ({ message }) => warnings.push(message))
  const rows: number[] = []
  for (let position = held; position < 9; ) {
    const next = (await reader.next(position, 9))!
    const { batch } = next
    if (batch.length > 0) rows.push(...(batch.data[0] as { values: Float64Array }).values.slice(0, batch.length))
    position = next.from + batch.length
  }
  return { rows, warnings, start: output.start }
}

test('what is whole is given from the row on that the sink lacks', async () => {
  const log = await rotten(() => {})
  expect(await catchUp(log, 4)).toEqual({ rows: [5, 6, 7, 8, 9], warnings: [], start: 0 })
})

test('rot behind the rows that the sink holds: it goes on without, and tells', async () => {
  const { rows, warnings } = await catchUp(await flipped(7), 4)
  expect(rows).toEqual([5, 6, 8, 9])
  expect(warnings).toEqual([expect.stringMatching(/^NUMBERS goes on without .* 1 record at offset 7,/)])
})

test('rot among the rows that the sink holds: nobody knows which one it has', async () => {
  const log = await flipped(1)
  await expect(catchUp(log, 4)).rejects.toMatchObject({
    code: 'LOG_DAMAGED',
    message: expect.stringMatching(/lost the records from offset 1 up to 2 /),
  })
})

test('records that retention gave up: the first row that there is comes behind them', async () => {
  const log = await rotten(() => {})
  log.drop(3)
  expect(log.start).toBe(3)
  const { start, warnings } = await catchUp(log, 9)
  expect({ start, warnings }).toEqual({ start: 9, warnings: [] })
})
