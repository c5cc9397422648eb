/** Fields that a schema does not name: counted by name and told once, or kept in a column. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inFolder, millrace } from './support.ts'

const PIPELINE = `import { pipeline, rest, topic } from 'millrace'
import { z } from 'zod'

const plain = topic('plain', z.object({ k: z.string(), values: z.object({ x: z.number() }).optional() }))
const lists = topic('lists', z.object({ k: z.string(), samples: z.array(z.object({ x: z.number() })) }))
const loose = topic('loose', z.looseObject({ k: z.string(), inner: z.looseObject({ a: z.number(), ...rest('others') }).optional(), ...rest('extra') }))
const strict = topic('strict', z.strictObject({ k: z.string() }))

export default pipeline('undeclared', ({ warehouse }) => {
  for (const one of [plain, lists, loose, strict]) warehouse.table(one.node.name + '_rows').appends(one as never)
})
`

const lines = (...records: unknown[]) => `${records.map(record => JSON.stringify(record)).join('\n')}\n`

const FILES = {
  plain: lines(
    ...Array.from({ length: 1000 }, (_, n) => ({ k: `k${n % 3}`, battery: n, values: { x: n, z: 1, deep: { a: 1 } } })),
    { k: 'x', note: 'é' },
    { k: 1, refused: true },
  ),
  lists: lines(
    {
      k: 'a',
      samples: [
        { x: 1, y: 2 },
        { x: 2, y: 3 },
      ],
      n: 1,
    },
    { k: 'b', samples: [] },
  ),
  loose: lines(
    { k: 'a', n: 1, extra: 'own', inner: { a: 1, b: [2] } },
    { k: 'b' },
    { inner: { a: 2 }, k: 'c', m: null },
  ),
  strict: lines({ k: 'a', n: 1 }, { k: 'b' }),
}

async function runIn(folder: string, ...more: string[]) {
  writeFileSync(join(folder, 'pipeline.ts'), PIPELINE)
  const inputs = Object.entries(FILES).flatMap(([topic, text]) => {
    writeFileSync(join(folder, `${topic}.ndjson`), text)
    return ['--input', `${topic}=${topic}.ndjson`]
  })
  return await millrace(['run', 'pipeline.ts', '--until-end', '--data-dir', 'out', ...inputs, ...more], { cwd: folder })
}

test.each([[], ['--workers', '2']])('counted by name in the summary, once: %j', (...words) =>
  inFolder(async folder => {
    const { code, stdout, stderr } = await runIn(folder, '--json', ...words)
    expect(code, stderr).toBe(0)
    const { topics } = JSON.parse(stdout) as { topics: { topic: string; undeclared_fields: unknown }[] }
    expect(Object.fromEntries(topics.map(({ topic, undeclared_fields }) => [topic, undeclared_fields]))).toEqual({
      plain: [
        { field: 'battery', records: 1000 },
        { field: 'values.deep', records: 1000 },
        { field: 'values.z', records: 1000 },
        { field: 'note', records: 1 },
      ],
      lists: [
        { field: 'n', records: 1 },
        { field: 'samples[].y', records: 1 },
      ],
      loose: [],
      strict: [],
    })
  }),
)

test('said to a person in two lines, with what to do', () =>
  inFolder(async folder => {
    const { stdout } = await runIn(folder)
    expect(stdout).toContain(
      'ignored   plain has fields that its schema does not name: "battery" in 1,000, "values.deep" in 1,000, "values.z" in 1,000, "note" in 1 records\n          they are in no column',
    )
    expect(stdout).not.toContain('ignored   loose')
  }))

test('a loose object keeps them in the column that it names; a strict one refuses the record', () =>
  inFolder(async folder => {
    expect((await runIn(folder)).code).toBe(0)
    const query = async (sql: string) => {
      const { code, stdout, stderr } = await millrace(['query', sql, '--data-dir', 'out', '--json'], { cwd: folder })
      expect(code, stderr).toBe(0)
      return stdout
        .trim()
        .split('\n')
        .map(line => JSON.parse(line))
    }
    expect(
      await query('SELECT k, extra::VARCHAR AS extra, inner_others::VARCHAR AS others FROM loose_rows ORDER BY k'),
    ).toEqual([
      { k: 'a', extra: '{"extra":"own","n":1}', others: '{"b":[2]}' },
      { k: 'b', extra: null, others: null },
      { k: 'c', extra: '{"m":null}', others: null },
    ])
    expect(await query('SELECT k FROM strict_rows')).toEqual([{ k: 'b' }])
    const verified = await millrace(['verify', 'pipeline.ts', '--data-dir', 'out'], { cwd: folder })
    expect(verified.code, verified.stdout + verified.stderr).toBe(0)
  }))

test('check refuses a loose object that keeps them nowhere, with what to write', () =>
  inFolder(async folder => {
    writeFileSync(join(folder, 'pipeline.ts'), PIPELINE.replace(", ...rest('extra') })", ' })'))
    const { code, stderr } = await millrace(['check', 'pipeline.ts'], { cwd: folder })
    expect(code).toBe(3)
    expect(stderr).toContain('SCHEMA_UNSUPPORTED: Schema: a z.looseObject lets fields through that have no column')
    expect(stderr).toContain("z.looseObject({ ..., ...rest('extra') })")
  }))

test('check refuses a sink that a run refuses, and neither leaves a directory', () =>
  inFolder(async folder => {
    const FILE = join(import.meta.dirname, '../../src/connectors/file/index.ts')
    writeFileSync(join(folder, 'plain.ndjson'), FILES.plain)
    const inputsFor = (command: string) => (command === 'run' ? ['--input', 'plain=plain.ndjson', '--until-end'] : [])
    for (const [options, said] of [
      ["path: 'out.foo'", 'The name of out.foo does not say what format it has'],
      ["path: 'out.json'", 'cannot write a JSON array to out.json'],
      ["path: 'out.csv', decimal: ','", 'decimal is for reading; out.csv is written'],
    ]) {
      const text = PIPELINE.replace('{ warehouse }', '{ from, deliver }')
        .replace(/ {2}for .*\n/, `  deliver(from(plain), file({ ${options} }))\n`)
        .replace("'millrace'\n", `'millrace'\nimport { file } from '${FILE}'\n`)
      writeFileSync(join(folder, 'pipeline.ts'), text)
      for (const command of ['check', 'run']) {
        const { code, stderr } = await millrace([command, 'pipeline.ts', ...inputsFor(command)], { cwd: folder })
        expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(said!) })
      }
      expect(existsSync(join(folder, '.millrace'))).toBe(false)
    }
  }))
