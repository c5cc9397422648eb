/** The log against a plain array: appends, commits, kills, retention and reads in any order. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { contentsOf, HandClock, openLog, records, recordText } from './logs.ts'
import { MemoryStorage } from './memory-storage.ts'

type Operation =
  | { readonly kind: 'append' | 'put'; readonly count: number }
  | { readonly kind: 'commit' | 'reopen' | 'kill' | 'age' }
  | { readonly kind: 'retain'; readonly bytes: number }
  | { readonly kind: 'read'; readonly from: number; readonly visible: boolean }

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('append' as const, 'put' as const), count: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('commit', 'reopen', 'kill', 'age' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('retain' as const), bytes: fc.nat(4000) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), from: fc.nat(120), visible: fc.boolean() }) },
)

test('the log is the array of its records, from where retention left it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { maxLength: 60 }),
      fc.constantFrom(300, 1000, 1_000_000),
      fc.constantFrom(0, 1_000_000),
      async (operations, segmentBytes, checkBytes) => {
        const storage = new MemoryStorage()
        const clock = new HandClock()
        let retention = { bytes: 1_000_000, time_us: null as number | null }
        const open = () =>
          openLog(storage.forProcess(), {
            clock,
            segmentBytes,
            checkBytes,
            blockBytes: 200,
            segmentAge_us: 1_000_000,
            retention: {
              get bytes() {
                return retention.bytes
              },
              time_us: null,
            },
          })
        let log = open()
        /** All that the log holds or held; below `durable` it must stay. */
        let model: string[] = []
        let durable = 0
        const hand = (count: number) => {
          const bytes = records(model.length, count)
          for (let index = 0; index < count; index++) model.push(recordText(model.length))
          return bytes
        }
        for (const step of operations) {
          switch (step.kind) {
            case 'append': {
              const first = model.length
              expect(await log.append(hand(step.count))).toBe(first)
              durable = model.length
              break
            }
            case 'put': {
              const first = model.length
              expect(log.put(hand(step.count), () => {})).toBe(first)
              break
            }
            case 'commit':
              await log.commit()
              durable = model.length
              break
            case 'reopen':
              await log.close()
              durable = model.length
              log = open()
              break
            case 'kill':
              storage.kill()
              log = open()
              // What was written and not acknowledged may be there; it is a beginning of what was handed over.
              expect(log.next).toBeGreaterThanOrEqual(durable)
              model = model.slice(0, log.next)
              durable = log.next
              break
            case 'age':
              clock.time += 2_000_000
              break
            case 'retain': {
              retention = { ...retention, bytes: step.bytes }
              const { start } = log
              log.retain()
              expect(log.start).toBeGreaterThanOrEqual(start)
              expect(log.segments.length <= 1 || log.bytes <= step.bytes || log.durable < log.next).toBe(true)
              break
            }
            case 'read': {
              const end = step.visible ? model.length : durable
              const from = Math.max(step.from, log.start)
              const { texts, gaps } =
                step.from > end ? { texts: new Map(), gaps: [] } : contentsOf(log, step.from, step.visible)
              expect(gaps).toEqual(step.from < log.start ? [{ from: step.from, to: log.start }] : [])
              if (step.from <= end) expect([...texts.values()]).toEqual(model.slice(from, end))
            }
          }
          expect([log.next, log.durable, log.damage]).toEqual([model.length, durable, []])
        }
        await log.close()
        expect([...contentsOf(open(), log.start).texts.values()]).toEqual(model.slice(log.start))
      },
    ),
    { numRuns: 300 },
  )
})
