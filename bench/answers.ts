/** Holds what a program answered against the batch answer: an answer that differs does not count. */
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { BATCH } from './batch.ts'

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`
const quoted = (name: string) => `"${name}"`

export interface Answers {
  /** Throws unless the NDJSON file holds every row of the batch answer, and no other, with its columns in their order. */
  check(lane: string, input: string, results: string): Promise<void>
  /** The same for a relation of an attached database; the query gives the columns of the batch answer. */
  checkTable(lane: string, input: string, database: string, select: string): Promise<void>
  /** One number from a database file. */
  number(database: string, sql: string): Promise<number>
  close(): void
}

export async function openAnswers(): Promise<Answers> {
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '4GB' })
  const connection = await instance.connect()
  const batches = new Map<string, string>()
  const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowObjectsJS()

  async function batchOf(lane: string, input: string): Promise<string> {
    const known = batches.get(`${lane} ${input}`)
    if (known !== undefined) return known
    const table = `batch${batches.size}`
    await connection.run(`CREATE TABLE ${table} AS ${BATCH[lane]!.sql(input)}`)
    batches.set(`${lane} ${input}`, table)
    return table
  }

  async function compare(lane: string, table: string, results: string): Promise<void> {
    const columns = (await rows(`DESCRIBE ${table}`)) as { column_name: string; column_type: string }[]
    const { key } = BATCH[lane]!
    const differs = columns.map(({ column_name, column_type }) => {
      const [b, r] = [`b.${quoted(column_name)}`, `r.${quoted(column_name)}`]
      return column_type === 'DOUBLE'
        ? `NOT coalesce(abs(${b} - ${r}) <= 1e-9::DOUBLE * greatest(abs(${b}), abs(${r})), false)`
        : `${b} IS DISTINCT FROM ${r}`
    })
    const on = key.map(name => `b.${quoted(name)} = r.${quoted(name)}`).join(' AND ')
    const wrong = await rows(
      `SELECT b, r FROM ${table} b FULL OUTER JOIN (${results}) r ON ${on} WHERE ${differs.join(' OR ')}`,
    )
    const [counts] = await rows(
      `SELECT (SELECT count(*) FROM ${table}) AS batch, (SELECT count(*) FROM (${results})) AS answered`,
    )
    if (wrong.length > 0 || counts!.batch !== counts!.answered) {
      const text = JSON.stringify(wrong[0], (_, value) => (typeof value === 'bigint' ? Number(value) : value))
      throw new Error(
        `${lane}: ${wrong.length} rows differ from the batch answer (${counts!.answered} of ${counts!.batch} rows); the first: ${text}`,
      )
    }
  }

  return {
    async check(lane, input, results) {
      const table = await batchOf(lane, input)
      const columns = (await rows(`DESCRIBE ${table}`)) as { column_name: string; column_type: string }[]
      const types = columns.map(({ column_name, column_type }) => `${quoted(column_name)}: ${literal(column_type)}`)
      await checkNames(
        connection,
        results,
        columns.map(column => column.column_name),
      )
      await compare(lane, table, `SELECT * FROM read_ndjson(${literal(results)}, columns = {${types.join(', ')}})`)
    },
    async checkTable(lane, input, database, select) {
      const table = await batchOf(lane, input)
      await connection.run(`ATTACH ${literal(database)} AS warehouse (READ_ONLY)`)
      try {
        await compare(lane, table, select)
      } finally {
        await connection.run('DETACH warehouse')
      }
    },
    async number(database, sql) {
      await connection.run(`ATTACH ${literal(database)} AS warehouse (READ_ONLY)`)
      try {
        return Number(Object.values((await rows(sql))[0]!)[0])
      } finally {
        await connection.run('DETACH warehouse')
      }
    },
    close() {
      connection.closeSync()
      instance.closeSync()
    },
  }
}

async function checkNames(connection: DuckDBConnection, results: string, names: readonly string[]): Promise<void> {
  const first = await connection.runAndReadAll(
    `SELECT json_keys(json) AS names FROM read_ndjson_objects(${literal(results)}) LIMIT 1`,
  )
  const answered = (first.getRowObjectsJS()[0]?.names ?? []) as readonly string[]
  if (answered.join() !== names.join()) {
    throw new Error(`${results} has the columns ${answered.join(', ')}; expected ${names.join(', ')}`)
  }
}
