/** Faults of the kinds that cost rows once, each for the test that says what is right. */
import type { PlantedFault } from '../contract.ts'

const fault = (name: string, test: string, file: string, from: string, to: string): PlantedFault => ({
  name,
  file,
  from,
  to,
  cases: 1,
  test,
})

const SLOW_SINK = 'test/runtime/slow-sink.test.ts'
const CONSUMERS = 'src/runtime/consumers'

export const PLANTED: readonly PlantedFault[] = [
  fault(
    'retention-takes-what-a-sink-lacks',
    SLOW_SINK,
    'src/runtime/streams/output-stream.ts',
    'history?.pin(() => this.#committed())',
    'history?.pin(() => this.#end)',
  ),
  fault(
    'logs-opened-without-pins',
    SLOW_SINK,
    'src/runtime/ingest/inputs.ts',
    'ingestion?.log.pin(() => Math.min(...needed()))',
    'ingestion?.log.pin(() => Number.POSITIVE_INFINITY)',
  ),
  fault(
    'no-call-has-a-deadline',
    SLOW_SINK,
    `${CONSUMERS}/deadline.ts`,
    'call.left_ms -= passed_ms',
    'call.left_ms -= passed_ms * 0',
  ),
  fault(
    'close-of-a-sink-swallowed',
    'test/runtime/giving-up.test.ts',
    `${CONSUMERS}/sink-group.ts`,
    'await this.#guarded(consumer, () => consumer.close())',
    'await consumer.close().catch(() => {})',
  ),
  fault(
    'gap-passed-over',
    'test/runtime/ledger-back.test.ts',
    `${CONSUMERS}/sink-consumer.ts`,
    'if (isUncounted || held < start) throw this.#tooFarBehind(held, start)',
    'if (isUncounted) throw this.#tooFarBehind(held, start)',
  ),
  fault(
    'half-a-surrogate-pair-taken',
    'test/runtime/unicode.test.ts',
    'src/plan/unicode.ts',
    'return value.isWellFormed() ? null : path',
    'return path.length < 0 ? path : null',
  ),
  fault(
    'quote-opens-anywhere',
    'test/formats/csv-rows.test.ts',
    'src/formats/csv/row-splitter.ts',
    '} else if (byte === QUOTE && state === CELL_START) {',
    '} else if (byte === QUOTE) {',
  ),
  fault(
    'one-value-loses-the-parquet-file',
    'test/formats/parquet.test.ts',
    'src/formats/parquet/pieces.ts',
    'if (!ABOUT_A_VALUE.test(duckdbMessage(error)) || this.#unreadable >= UNREADABLE_ROWS_MAX) throw error',
    'if (this.#unreadable >= 0) throw error',
  ),
  fault(
    'new-message-called-a-repeat',
    'test/engine/recent-keys.test.ts',
    'src/engine/state/recent-keys.ts',
    'if (this.#digests[slot * WORDS + word] !== digest.readUInt32LE(word * 4)) return false',
    'if (word === 0 && this.#digests[slot * WORDS + word] !== digest.readUInt32LE(0)) return false',
  ),
  fault(
    'new-files-never-read',
    'test/runtime/new-files.test.ts',
    'src/connectors/file/source.ts',
    '(this.#gone.size > 0 || isPattern(this.#options.path))',
    'this.#gone.size > 0',
  ),
  fault(
    'far-behind-sink-never-commits',
    SLOW_SINK,
    `${CONSUMERS}/sink-consumer.ts`,
    'const isFull = this.#position - this.#committed >= this.#commitRows && this.#position <= stream.safe',
    'const isFull = false',
  ),
  fault(
    'points-never-thinned',
    'test/runtime/tail.test.ts',
    'src/runtime/streams/replayed.ts',
    'if (this.#points.length > POINTS_MAX)',
    'if (this.#points.length > POINTS_MAX * 1e6)',
  ),
  fault(
    'rows-in-memory-without-bound',
    'test/runtime/tail.test.ts',
    'src/runtime/streams/output-stream.ts',
    'this.#tail.shrinkTo(this.#tailBytesMax)',
    'this.#tail.shrinkTo(this.#tailBytesMax * 1e6)',
  ),
  fault(
    'bounded-run-never-waits-for-its-sinks',
    'test/runtime/giving-up.test.ts',
    'src/runtime/streams/streams.ts',
    'if (!this.#options.untilEnd || this.#tailBytes <= AHEAD_BYTES_MAX) return null',
    'if (!this.#options.untilEnd || this.#tailBytes >= 0) return null',
  ),
]
