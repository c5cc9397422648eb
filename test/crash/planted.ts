/**
 * Faults that the harnesses must find, each a replacement in the source that must match exactly once: a harness that finds
 * nothing proves nothing until it has found these.
 */
export interface PlantedFault {
  readonly name: string
  /** From the root of the source tree. */
  readonly file: string
  readonly from: string
  readonly to: string
  /**
   * `kill`: the crash harness must fail. `power`: a test on the storage that loses power must fail, because what a killed
   * process wrote is still with the operating system.
   */
  readonly foundBy: 'kill' | 'power'
  /** Of `power`: the test, from the root. */
  readonly test?: string
}

export const PLANTED: readonly PlantedFault[] = [
  {
    name: 'acknowledged before the flush',
    file: 'src/log/topic-log.ts',
    from: 'await this.#files.sync()\n      } catch',
    to: 'await null\n      } catch',
    foundBy: 'power',
    test: 'test/log/power-loss.test.ts',
  },
  {
    name: 'acknowledged before the append',
    file: 'src/runtime/ingest/ingestion.ts',
    from: '    await log.commit().catch(() => {})\n',
    to: '',
    foundBy: 'kill',
  },
  {
    name: 'ledger outside the transaction',
    file: 'src/connectors/duckdb/table.ts',
    from: `          await advanceLedger(connection, consumer, incarnation, this.#position, position)
          await connection.run('COMMIT')
`,
    to: `          await connection.run('COMMIT')
          await advanceLedger(connection, consumer, incarnation, this.#position, position)
`,
    foundBy: 'kill',
  },
  {
    name: 'positions committed before the state',
    file: 'src/runtime/checkpoint/epochs.ts',
    from: 'journal.stage(header(), stateful())',
    to: 'journal.stage(header(), [])',
    foundBy: 'kill',
  },
  {
    name: 'truncation ignored at the start',
    file: 'src/runtime/checkpoint/store.ts',
    from: '      ...(this.header === null ? {} : { cutTo: this.header.lengths[topic.name] ?? 0 }),\n',
    to: '',
    foundBy: 'kill',
  },
  {
    name: 'dedupe forgotten on restart: what the log alone knows',
    file: 'src/runtime/ingest/ingestion.ts',
    from: '    for (const { once, arrival } of numberedAppends(log, position)) numbers.add(once.key, once.number, arrival)\n',
    to: '',
    foundBy: 'kill',
  },
  {
    name: 'dedupe forgotten on restart: what the journal knows',
    file: 'src/runtime/attempt.ts',
    from: '[...topics.tasks.flatMap(task => task.stateful), ...this.#inputs.numbers]',
    to: '[...topics.tasks.flatMap(task => task.stateful)]',
    foundBy: 'kill',
  },
  {
    name: 'a sink commits again while it commits',
    file: 'src/runtime/consumers/delivery.ts',
    from: 'if (rows === null || this.#isCommitting) return',
    to: 'if (rows === null) return',
    foundBy: 'kill',
  },
  {
    name: 'dead letters of a message that comes again',
    file: 'src/runtime/ingest/ingestion.ts',
    from: 'if (once !== null && refusedNumbers.has(once.key, once.number)) return',
    to: '',
    foundBy: 'kill',
  },
]
