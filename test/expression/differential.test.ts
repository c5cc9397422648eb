import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { batchOf, rowsOf } from '../../src/engine/batch.ts'
import { compileChain, plainChain } from '../../src/engine/chain.ts'
import type { StatelessNode } from '../../src/engine/steps.ts'
import { inexact, reasonWithoutDuckDb, toDuckDb } from '../../src/plan/expression/duckdb.ts'
import { numberLiteral, textLiteral } from '../../src/plan/expression/duckdb-text.ts'
import { FUNCTIONS, type FunctionName } from '../../src/plan/expression/functions.ts'
import type { Lambda } from '../../src/plan/expression/lambda.ts'
import { argumentOf } from '../../src/plan/expression/library.ts'
import { readLambda } from '../../src/plan/expression/read.ts'
import type { Column } from '../../src/plan/schema.ts'
import { seededRandom } from '../../src/system/random.ts'
import {
  anyLambda,
  booleanLambda,
  COLUMNS,
  functionOf,
  inexactLambda,
  numberLambda,
  PARAMETERS,
  textLambda,
  trickyRows,
} from './random-lambdas.ts'

const rows = trickyRows(150)
const base = { stream: { kind: 'append' }, identity: 'test', location: null } as const

function read(source: string, columns: readonly Column[] = COLUMNS, use: 'filter' | 'derive' = 'derive'): Lambda {
  const lambda = readLambda(functionOf(source), { columns, parameters: PARAMETERS, use })
  if (lambda.expression === null) throw new Error(`opaque: ${source}: ${lambda.opaque?.reason}`)
  return lambda
}

/** -0 and 0 are one: neither SQL nor grouping keeps them apart. */
const plainNumber = (value: unknown) => (value === 0 ? 0 : value)

describe('fused loop = plain JavaScript', () => {
  test('each lambda as a derived column', () => {
    fc.assert(
      fc.property(fc.array(anyLambda, { minLength: 10, maxLength: 10 }), sources => {
        const derived = sources.map((source, index) => ({ name: `d${index}`, lambda: read(source) }))
        const columns = derived.map(({ name, lambda }) => ({ name, ...lambda.result }))
        const steps: StatelessNode[] = [
          { ...base, kind: 'derive', input: null as never, derived, columns: [...COLUMNS, ...columns] },
        ]
        const result = rowsOf(compileChain(steps, COLUMNS, null).run(batchOf(COLUMNS, rows)))
        expect(result).toEqual(plainChain(steps, COLUMNS)(rows))
      }),
      { numRuns: 60 },
    )
  })

  test('filter, derive, require, filter on what was derived, project', () => {
    fc.assert(
      fc.property(
        booleanLambda,
        numberLambda,
        textLambda,
        anyLambda,
        booleanLambda,
        textLambda,
        fc.subarray(['x', 'y', 'z', 'w', 's', 'm', 'p', 'u', 't'], { minLength: 1 }),
        (keep, x, y, z, second, last, needed) => {
          const onDerived = (source: string) => source.replaceAll('r.n', 'r.x').replaceAll('r.s', 'r.y')
          const steps: StatelessNode[] = []
          let columns: readonly Column[] = COLUMNS
          const add = (step: object, next: readonly Column[] = columns) => {
            columns = next
            steps.push({ ...base, ...step, input: null, columns } as never)
          }
          const filter = (source: string) => add({ kind: 'filter', predicate: read(source, columns, 'filter') })
          const derive = (sources: { [name: string]: string }) => {
            const derived = Object.entries(sources).map(([name, source]) => ({ name, lambda: read(source, columns) }))
            add({ kind: 'derive', derived }, [
              ...columns.filter(({ name }) => !(name in sources)),
              ...derived.map(({ name, lambda }) => ({ name, ...lambda.result })),
            ])
          }
          filter(keep)
          derive({ x: `${x} + 0`, y, z })
          add(
            { kind: 'require', required: ['z'] },
            columns.map(column => (column.name === 'z' ? { ...column, nullable: false } : column)),
          )
          filter(onDerived(second))
          derive({ w: onDerived(last), x: '(r) => r.x + 1' })
          const projected = ['y', 'x', 'z', 'w', 's', 'm', 'p', 'u', 't'].map(name => ({ name, from: name }))
          add(
            { kind: 'project', projected },
            projected.map(({ name }) => columns.find(column => column.name === name)!),
          )
          const input = batchOf(COLUMNS, rows)
          const chain = compileChain(steps, COLUMNS, new Set(needed))
          const read_ = {
            ...input,
            data: input.data.map((data, index) => (chain.reads.has(COLUMNS[index]!.name) ? data : null)),
          }
          const output = chain.run(read_)
          const expected = plainChain(steps, COLUMNS)(rows)
          expect(rowsOf(output)).toEqual(
            expected.map(row => Object.fromEntries(Object.entries(row).filter(([name]) => needed.includes(name)))),
          )
          // The origin names the rows that the first columns came from.
          const kept = Array.from({ length: output.length }, (_, row) => output.origin?.[row] ?? row)
          expect(kept.map(row => rows[row]!.t)).toEqual(expected.map(row => row.t))
        },
      ),
      { numRuns: 200 },
    )
  })

  test('however the rows are cut into batches', () => {
    fc.assert(
      fc.property(
        booleanLambda,
        textLambda,
        fc.array(fc.integer({ min: 0, max: rows.length }), { maxLength: 5 }),
        (keep, text, cuts) => {
          const derived = [{ name: 'd', lambda: read(text) }]
          const columns = [...COLUMNS, { name: 'd', ...derived[0]!.lambda.result }]
          const steps = [
            { ...base, kind: 'filter', predicate: read(keep, COLUMNS, 'filter'), columns: COLUMNS },
            { ...base, kind: 'derive', derived, columns },
          ] as unknown as StatelessNode[]
          const chain = compileChain(steps, COLUMNS, null)
          const bounds = [0, ...cuts.toSorted((a, b) => a - b), rows.length]
          const pieces = bounds
            .slice(1)
            .flatMap((end, index) => rowsOf(chain.run(batchOf(COLUMNS, rows.slice(bounds[index], end)))))
          expect(pieces).toEqual(plainChain(steps, COLUMNS)(rows))
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('DuckDB = JavaScript', () => {
  let instance: DuckDBInstance
  let connection: DuckDBConnection

  beforeAll(async () => {
    instance = await DuckDBInstance.create(':memory:', { threads: '1' })
    connection = await instance.connect()
    const sqlType = {
      number: 'DOUBLE',
      int64: 'BIGINT',
      decimal: 'DECIMAL(9, 2)',
      text: 'VARCHAR',
      boolean: 'BOOLEAN',
      timestamp: 'BIGINT',
      json: 'JSON',
    } as const
    await connection.run(
      `CREATE TABLE input (id INTEGER, ${COLUMNS.map(column => `"${column.name}" ${sqlType[column.type]}`).join(', ')})`,
    )
    const cell = (value: unknown, column: Column) => {
      if (value === null) return 'NULL'
      if (column.type === 'timestamp') return String(value)
      return typeof value === 'number'
        ? numberLiteral(value)
        : typeof value === 'string'
          ? textLiteral(value)
          : String(value)
    }
    const values = rows.map(
      (row, id) => `(${[id, ...COLUMNS.map(column => cell(row[column.name], column))].join(', ')})`,
    )
    await connection.run(`INSERT INTO input VALUES ${values.join(', ')}`)
  })

  afterAll(() => {
    connection.closeSync()
    instance.closeSync()
  })

  /** Texts come back as hexadecimal UTF-8: the client drops a leading U+FEFF. */
  async function query(lambdas: readonly Lambda[]): Promise<unknown[][]> {
    const selected = lambdas.map(({ expression, result }, index) => {
      const sql = toDuckDb(expression!, name => `"${name}"`)
      return result.type === 'text' ? `hex(encode(${sql})) AS c${index}` : `${sql} AS c${index}`
    })
    const reader = await connection.runAndReadAll(`SELECT ${selected.join(', ')} FROM input ORDER BY id`)
    return reader.getColumnsJS() as unknown[][]
  }

  const hexadecimal = (value: unknown) =>
    typeof value === 'string' ? Buffer.from(value, 'utf8').toString('hex').toUpperCase() : value

  /** Rows on which a text function is known to differ. */
  function isOutside(lambda: Lambda, row: (typeof rows)[number]): boolean {
    const kinds = inexact(lambda.expression!).map(name => FUNCTIONS[name as FunctionName]?.inexact)
    if (!kinds.includes('characters above U+FFFF')) return false
    return /[\u{10000}-\u{10ffff}]/u.test(`${row.s}${row.u}${lambda.text}`)
  }

  async function agree(sources: readonly string[], same: (sql: unknown, js: unknown) => boolean) {
    const lambdas = sources
      .map(source => read(source))
      .filter(lambda => reasonWithoutDuckDb(lambda.expression!) === null)
    if (lambdas.length === 0) return
    const columns = await query(lambdas)
    const argument = argumentOf(PARAMETERS)
    lambdas.forEach((lambda, index) => {
      rows.forEach((row, id) => {
        if (isOutside(lambda, row)) return
        const nested = { ...row, o: { n: row['o.n'] } }
        const js = hexadecimal(lambda.function(nested as never, argument as never) ?? null)
        const sql = columns[index]![id]
        if (!same(sql, js)) {
          expect.fail(
            `${lambda.text} on ${JSON.stringify(row)}: JavaScript ${String(js)}, SQL ${String(sql)}\n${toDuckDb(lambda.expression!, name => name)}`,
          )
        }
      })
    })
  }

  test('exact lambdas, to the last bit', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyLambda, { minLength: 10, maxLength: 10 }), sources =>
        agree(sources, (sql, js) => Object.is(plainNumber(sql), plainNumber(js))),
      ),
      { numRuns: 60 },
    )
  }, 120_000)

  test('exact arithmetic on many random doubles', async () => {
    const random = seededRandom(11)
    const double = () => random.normal() * 10 ** (random.integer(40) - 20)
    const pairs = Array.from({ length: 8000 }, () => ({ n: double(), 'o.n': double() }))
    const lambdas = [
      '(r) => r.n ** 2',
      '(r) => r.n * r.o.n',
      '(r) => r.n / r.o.n',
      '(r) => r.n % r.o.n',
      '(r) => Math.sqrt(r.n)',
      '(r) => Math.round(r.n)',
      '(r) => Math.sqrt(r.n ** 2 + r.o.n ** 2)',
      '(r) => String(r.n)',
      '(r) => r.n.toFixed(3)',
    ].map(source => read(source))
    const selected = lambdas.map(({ expression }) => toDuckDb(expression!, name => `"${name}"`))
    const values = pairs.map((pair, id) => `(${id}, '${pair.n}', '${pair['o.n']}')`)
    const reader = await connection.runAndReadAll(
      `SELECT ${selected.join(', ')} FROM (SELECT id, n::DOUBLE AS n, o::DOUBLE AS "o.n" FROM (VALUES ${values.join(', ')}) AS given (id, n, o)) ORDER BY id`,
    )
    const columns = reader.getColumnsJS()
    lambdas.forEach((lambda, index) => {
      const js = pairs.map(pair => lambda.function({ n: pair.n, o: { n: pair['o.n'] } } as never, {} as never))
      expect(columns[index]!.map(plainNumber), lambda.text).toEqual(js.map(plainNumber))
    })
  })

  test('inexact functions, within 1e-12', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(inexactLambda, { minLength: 20, maxLength: 20 }), sources =>
        agree(sources, (sql, js) => {
          if (typeof sql !== 'number' || typeof js !== 'number' || !Number.isFinite(js))
            return Object.is(plainNumber(sql), plainNumber(js))
          return Math.abs(sql - js) <= 1e-12 * Math.abs(js)
        }),
      ),
      { numRuns: 10 },
    )
  }, 120_000)
})
