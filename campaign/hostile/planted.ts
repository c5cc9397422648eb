/** Faults that the campaign must find. */
import type { PlantedFault } from '../contract.ts'

export const PLANTED: readonly PlantedFault[] = [
  {
    name: 'a-message-takes-a-row-of-the-next',
    file: 'src/runtime/ingest/shares.ts',
    from: 'starts[row]! < end) row++',
    to: 'starts[row]! <= end) row++',
    cases: 500,
  },
  {
    name: 'rejected-records-without-letters',
    file: 'src/runtime/ingest/ingestion.ts',
    from: 'for (const share of shares) share.letters = await this.#addLetters(share, taking)',
    to: 'for (const share of shares.slice(1)) share.letters = await this.#addLetters(share, taking)',
    cases: 500,
  },
  {
    name: 'any-number-of-records',
    file: 'src/formats/json-scan.ts',
    from: 'if (this.count >= this.#most) throw new TooMany()',
    to: '',
    cases: 0,
    test: 'test/runtime/rejected-pushes.test.ts',
  },
]
