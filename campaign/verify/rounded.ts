/** A number rounded on its way into each format, or out of it. */
import type { PlantedFault } from '../contract.ts'

const OUTPUTS = 'test/runtime/exact-values.test.ts'

const rounded = (name: string, file: string, from: string, to: string, test = OUTPUTS): PlantedFault => ({
  name,
  file,
  from,
  to,
  cases: 1,
  test,
})

/** JSON of topics, NDJSON and CSV have one writer of cells; Parquet is made of such lines. */
export const ROUNDED: readonly PlantedFault[] = [
  rounded(
    'rounded-integer-in-text',
    'src/engine/number-writers.ts',
    "return position + bytes.write(String(value), position, 'latin1')",
    "return position + bytes.write(String(double), position, 'latin1')",
  ),
  rounded(
    'rounded-decimal-in-text',
    'src/engine/number-writers.ts',
    'const text = shortDecimalText(values[row]!, scale)',
    'const text = String(Number(values[row]!) / 10 ** scale)',
  ),
  rounded(
    'rounded-integer-in-the-warehouse',
    'src/connectors/duckdb/integer-vectors.ts',
    "if (data?.type !== 'int64') throw mismatch(column, data)\n    const { values } = data",
    "if (data?.type !== 'int64') throw mismatch(column, data)\n    const values = data.values.map(value => BigInt(Number(value)))",
  ),
  rounded(
    'rounded-decimal-in-the-warehouse',
    'src/connectors/duckdb/integer-vectors.ts',
    "if (data?.type !== 'decimal') throw mismatch(column, data)\n    const { values } = data",
    "if (data?.type !== 'decimal') throw mismatch(column, data)\n    const values = data.values.map(value => BigInt(Number(value)))",
  ),
  rounded('rounded-decimal-in-parquet', 'src/formats/parquet/write.ts', '::DECIMAL(', '::DOUBLE::DECIMAL('),
  rounded('rounded-integer-in-parquet', 'src/formats/parquet/write.ts', "int64: 'BIGINT'", "int64: 'DOUBLE'"),
  rounded(
    'rounded-integer-in-a-query',
    'src/connectors/duckdb/cells.ts',
    '? Number(value)\n        : String(value)',
    '? Number(value)\n        : Number(value)',
  ),
  rounded(
    'rounded-decimal-on-the-page',
    'src/dashboard/stores/cells.ts',
    'null : decimalText(data.values[row]!, data.scale)',
    'null : String(decimalNumber(data.values[row]!, data.scale))',
    'test/dashboard/cells.test.ts',
  ),
  rounded(
    'rounded-decimal-in-a-tap',
    'src/cli/tapped-rows.ts',
    "if (data?.type === 'decimal' && shown[name] !== null)",
    'if (data === null)',
    'test/cli/tapped-rows.test.ts',
  ),
  rounded(
    'rounded-number-of-csv',
    'src/formats/csv/cells.ts',
    "if (decimal === '.') return JSON_NUMBER.test(trimmed) ? trimmed : ",
    "if (decimal === '.') return JSON_NUMBER.test(trimmed) ? String(Number(trimmed)) : ",
    'test/runtime/csv-files.test.ts',
  ),
]
