/** Faults that the kills must find, or the tests on a storage that loses power: what a killed process wrote is still there. */
import type { PlantedFault } from '../contract.ts'

export const PLANTED: readonly PlantedFault[] = [
  {
    name: 'acknowledged-before-flush',
    file: 'src/log/topic-log.ts',
    from: 'await this.#files.sync()\n      } catch',
    to: 'await null\n      } catch',
    cases: 0,
    test: 'test/log/power-loss.test.ts',
  },
  {
    name: 'acknowledged-before-append',
    file: 'src/runtime/ingest/ingestion.ts',
    from: '    await log.commit().catch(() => {})\n',
    to: '',
    cases: 40,
  },
  {
    name: 'ledger-outside-transaction',
    file: 'src/connectors/duckdb/table.ts',
    from: `          await advanceLedger(connection, consumer, incarnation, this.#position, position)
          await connection.run('COMMIT')
`,
    to: `          await connection.run('COMMIT')
          await advanceLedger(connection, consumer, incarnation, this.#position, position)
`,
    cases: 40,
  },
  {
    name: 'positions-before-state',
    file: 'src/runtime/checkpoint/epochs.ts',
    from: 'journal.stage(header(), stateful())',
    to: 'journal.stage(header(), [])',
    cases: 40,
  },
  {
    name: 'start-without-truncation',
    file: 'src/runtime/checkpoint/store.ts',
    from: '      ...(this.header === null ? {} : { cutTo: this.header.lengths[topic.name] ?? 0 }),\n',
    to: '',
    cases: 40,
  },
  {
    name: 'message-numbers-of-log-forgotten',
    file: 'src/runtime/ingest/ingestion.ts',
    from: "    for (const { headers, arrival } of headersFrom(log, position)) keys.noteStored(headers, 'kept', arrival)\n",
    to: '',
    cases: 40,
  },
  {
    name: 'message-numbers-of-journal-forgotten',
    file: 'src/runtime/attempt.ts',
    from: '[...topics.tasks.flatMap(task => task.stateful), ...this.#inputs.numbers]',
    to: '[...topics.tasks.flatMap(task => task.stateful)]',
    cases: 40,
  },
  {
    name: 'sink-goes-on-behind-its-ledger',
    file: 'src/runtime/consumers/sink-consumer.ts',
    from: 'this.#position = held\n    this.#committed = held',
    to: 'this.#position = Math.max(0, held - 1)\n    this.#committed = this.#position',
    cases: 40,
  },
  {
    name: 'dead-letters-of-repeated-message',
    file: 'src/runtime/ingest/ingestion.ts',
    from: 'if (refused.length === 0 || (key !== null && keys.hasLetters(key))) return 0',
    to: '',
    cases: 40,
  },
]
