/** Messages of zod in another language: loaded when a pipeline asks for them, and not before. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { millrace } from './support.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-locales-'))
  writeFileSync(join(folder, 'in.ndjson'), '{"n":"x"}\n')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function reasonIn(name: string, configure: string): Promise<string> {
  const path = join(folder, `${name}.ts`)
  writeFileSync(
    path,
    `import { pipeline, topic } from 'millrace'
import { file } from 'millrace/file'
import { z } from 'zod'
${configure}
const readings = topic('readings', z.object({ n: z.number() }))
export default pipeline('${name}', ({ from, deliver }) => deliver(from(readings), file({ path: 'out.ndjson' })))
`,
  )
  const data = ['--data-dir', join(folder, name)]
  await millrace(['run', path, '--input', `readings=${join(folder, 'in.ndjson')}`, '--until-end', ...data])
  const { stdout } = await millrace(['deadletters', 'list', '--json', ...data])
  return (JSON.parse(stdout) as { reason: string }[])[0]!.reason
}

test('reasons are in the language of the pipeline', async () => {
  expect(await reasonIn('english', '')).toBe('n: Invalid input: expected number, received string')
  expect(await reasonIn('german', 'z.config(z.locales.de())')).toBe(
    'n: Ungültige Eingabe: erwartet Zahl, erhalten string',
  )
  expect(await reasonIn('chinese', 'z.config(z.locales.zhCN())')).toMatch(/^n: .*string/)
})

test('the list of languages is whole', async () => {
  const { z } = await import('zod')
  const { lazyLocales } = await import('../../src/cli/lazy-locales.ts')
  const names = Object.keys(z.locales).sort()
  const source = names.map(name => `export { default as ${name} } from "./${name}.js";`).join('\n')
  const list = 'file:///node_modules/zod/v4/locales/index.js'
  const load = (text: string) =>
    lazyLocales(list, {} as never, () => ({ format: 'module', source: text, shortCircuit: true }))
  const written = String(load(source).source)
  expect(
    [...written.matchAll(/^export const (\w+) = \(\) => load\('\.\/\1\.js'\)\.default\(\)$/gm)].map(m => m[1]),
  ).toEqual(names)
  // Another form of list than is known stays what it is.
  expect(load(`${source}\nexport * from "./more.js";`).source).toBe(`${source}\nexport * from "./more.js";`)
})
