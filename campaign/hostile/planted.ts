/** Faults that the campaign must find. */
import type { PlantedFault } from '../contract.ts'

export const PLANTED: readonly PlantedFault[] = [
  {
    name: 'blank-messages-are-stored',
    file: 'src/connectors/sensor-logger/push.ts',
    from: 'if (isBlank(withoutByteOrderMark(body)))',
    to: 'if (isBlank(body))',
    cases: 2500,
  },
  {
    name: 'rejected-records-without-letters',
    file: 'src/runtime/ingest/ingestion.ts',
    from: 'for (const share of shares) await this.#addLetters(share, taking)',
    to: 'for (const share of shares.slice(1)) await this.#addLetters(share, taking)',
    cases: 500,
  },
  {
    name: 'any-number-of-records',
    file: 'src/formats/json-scan.ts',
    from: 'if (this.count >= this.#most) throw new TooMany()',
    to: '',
    cases: 2500,
  },
]
