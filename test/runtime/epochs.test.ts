/** An epoch ends where it was staged, whatever is written while it becomes safe. */
import { expect, test } from 'vitest'
import { batchOf } from '../../src/engine/batch.ts'
import { FORM } from '../../src/log/block.ts'
import { Journal } from '../../src/log/journal.ts'
import { openTopic } from '../../src/log/open-topic.ts'
import type { TopicLog } from '../../src/log/topic-log.ts'
import { readChunks } from '../../src/log/topic-reader.ts'
import { Epochs } from '../../src/runtime/checkpoint/epochs.ts'
import { DeadLetters } from '../../src/runtime/rejects/dead-letters.ts'
import { StoredLog } from '../../src/runtime/streams/stored-log.ts'
import { systemClock } from '../../src/system/clock.ts'
import type { Storage } from '../../src/system/storage.ts'
import { INCARNATION } from '../log/logs.ts'
import { MemoryStorage } from '../log/memory-storage.ts'
import { living } from './living.ts'

const DATA = '/data'
const { stream } = living.plan.produces[0]!
const batch = batchOf(
  stream.columns,
  [1, 2, 3].map(n => ({ device: 'a', window_start: n, window_end: n + 1, readings: n, total: n })),
)

const openLog = (storage: Storage, topic: string, cutTo?: number): TopicLog =>
  openTopic(DATA, topic, {
    form: FORM.rows,
    incarnation: INCARNATION,
    storage,
    clock: systemClock,
    ...(cutTo === undefined ? {} : { cutTo }),
  })

const linesOf = (log: TopicLog): number => {
  let lines = 0
  for (const chunk of readChunks(log, 0)) if (!('kind' in chunk)) lines += chunk.records
  return lines
}

const letter = (position: number) => ({
  topic: 'readings',
  source: 'test',
  partition: 0,
  position,
  line: null,
  reason: 'none',
  code: 'RECORD_INVALID',
  bytes: null,
  bytesTotal: 0,
  arrived: null,
})

/** Work goes on in microtasks too, so it may come between any two steps of a commit. */
test.each(['at once', 'while an earlier commit of the log is under way'])(
  'rows that come after it was staged, %s: the log goes back to where it was',
  async when => {
    for (let delay = 0; delay < 40; delay++) {
      const storage = new MemoryStorage()
      const disk = storage.forProcess()
      const rows = openLog(disk, 'windows')
      const letters = openLog(disk, 'letters')
      const refused = new DeadLetters(() => letters, false)
      const output = new StoredLog('windows', stream.columns, rows, 'rows')
      let staged = { rows: 0, letters: 0 }
      const epochs = new Epochs({
        journal: new Journal({ storage: disk, clock: systemClock, dataDirectory: DATA }),
        clock: systemClock,
        members: [output, { staged: () => refused.staged(), sync: () => refused.commit() }],
        stateful: () => [],
        header: () => {
          staged = { rows: output.rows, letters: refused.next }
          return staged
        },
        onSafe: () => {},
        stateWaits_ms: 0,
        rowsWait_ms: 0,
      })
      const work = () => {
        output.append(batch)
        refused.add(letter(refused.next))
      }
      work()
      if (when !== 'at once') {
        void rows.commit()
        void letters.commit()
      }
      const committed = epochs.commit()
      for (let turn = 0; turn < delay; turn++) await null
      work()
      await committed
      storage.kill()
      for (const [topic, count] of [
        ['windows', staged.rows],
        ['letters', staged.letters],
      ] as const) {
        const again = openLog(storage.forProcess(), topic, count)
        expect([delay, topic, again.next, linesOf(again)]).toEqual([delay, topic, count, count])
      }
    }
  },
)
