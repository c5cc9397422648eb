/**
 * What the documents show is true: their TypeScript compiles, `millrace check` finds nothing wrong in it, the worked
 * example gives what it says, and each lambda of the lists is read as its list says.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readLambda } from '../../src/plan/expression/read.ts'
import type { Column } from '../../src/plan/schema.ts'
import { MillraceError } from '../../src/system/errors.ts'
import { root, textOf } from './tree.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-documents-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function blocksOf(page: string, language: string): string[] {
  return [...textOf(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    ([, block]) => block!,
  )
}

/**
 * The blocks of a page as pipeline files. One that exports a pipeline is a file; the others together are one, those with
 * imports at its top, each of the rest in a block of its own inside a pipeline.
 */
function filesOf(page: string): string[] {
  const blocks = blocksOf(page, 'ts')
  const files = blocks.filter(block => block.includes('export default '))
  const parts = blocks.filter(block => !block.includes('export default '))
  const steps = parts.filter(block => !/^import /m.test(block))
  if (steps.length === 0) return files
  return [
    ...files,
    [
      ...parts.filter(block => /^import /m.test(block)),
      "export default pipeline('page', ({ ingest, from, deliver, warehouse, dashboard }) => {",
      ...steps.map(block => `{\nconst rows = from(readings)\n${block}}`),
      '})\n',
    ].join('\n'),
  ]
}

const pages = ['README.md', 'docs/language.md', 'docs/time.md', 'docs/connectors.md']
const files = pages.flatMap(page => filesOf(page).map((text, index) => ({ page, index, text })))
const pathOf = ({ page, index }: { page: string; index: number }) =>
  join(folder, `${page.replaceAll(/\W/g, '-')}-${index}.ts`)

/** Runs a program of the repository with the Node that runs this. */
function node(...words: string[]) {
  return spawnSync(process.execPath, words, { cwd: folder, encoding: 'utf8' })
}

const millrace = (...words: string[]) => node(join(root, 'bin/millrace.js'), ...words)

describe('TypeScript in documents', () => {
  beforeAll(() => {
    for (const file of files) writeFileSync(pathOf(file), file.text)
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    const options = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        noUnusedLocals: false,
        noUnusedParameters: false,
        paths: {
          millrace: [join(root, 'src/index.ts')],
          'millrace/*': [join(root, 'src/connectors/*/index.ts')],
        },
      },
      include: ['*.ts'],
      exclude: [],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options))
  })

  test('every page has some', () => {
    expect(pages.filter(page => !files.some(file => file.page === page))).toEqual([])
  })

  test('compiles', () => {
    const { stdout, status } = node(
      join(root, 'node_modules/typescript/bin/tsc'),
      '--project',
      folder,
      '--pretty',
      'false',
    )
    // Errors inside src/ are another test's.
    expect(stdout.split('\n').filter(line => /^[^./\s]/.test(line))).toEqual([])
    expect(status === 0 || stdout.includes('src/')).toBe(true)
  }, 60_000)

  test.each(files)('$page $index is a pipeline in which nothing is wrong', file => {
    const { status, stdout, stderr } = millrace('check', pathOf(file), '--json')
    expect(stderr).toBe('')
    expect(status, stdout).toBe(0)
    const { findings } = JSON.parse(stdout) as { findings: { severity: string; code: string }[] }
    const expected = ['TOPIC_UNBOUND', 'DECODE_SLOW']
    expect(findings.filter(({ code }) => !expected.includes(code))).toEqual([])
  })
})

describe('the worked example of docs/time.md', () => {
  const input = blocksOf('docs/time.md', 'ndjson')[0]!
  const results = blocksOf('docs/time.md', 'json')[0]!
  const pipelineFile = blocksOf('docs/time.md', 'ts')[0]!

  function windowsOf(name: string, text: string): { windows: string; late: readonly string[] } {
    const work = join(folder, name)
    mkdirSync(work)
    writeFileSync(join(work, 'levels.ts'), text)
    writeFileSync(join(work, 'levels.ndjson'), input)
    const words = ['--input', `levels=${join(work, 'levels.ndjson')}`, '--until-end', '--data-dir', join(work, 'out')]
    const { status, stderr } = millrace('run', join(work, 'levels.ts'), ...words)
    expect(status, stderr).toBe(0)
    const letters = millrace('topics', 'read', 'dead_letters', '--data-dir', join(work, 'out'), '--json').stdout
    return {
      windows: readFileSync(join(work, 'out/windows.ndjson'), 'utf8'),
      late: letters.split('\n').flatMap(line => (line === '' ? [] : [(JSON.parse(line) as { code: string }).code])),
    }
  }

  test('gives what the page says', () => {
    expect(windowsOf('partition', pipelineFile)).toEqual({ windows: results, late: ['RECORD_LATE'] })
  })

  test('with progress by key the late record counts', () => {
    const { windows, late } = windowsOf(
      'key',
      pipelineFile.replace("disorder: '5 s'", "disorder: '5 s', progress: 'key'"),
    )
    expect(windows).toContain('{"device":"a","n":4,"mean":28,')
    expect(late).toEqual([])
  })
})

describe('the lambdas of docs/language.md', () => {
  const columns: readonly Column[] = [
    { name: 'device', type: 'text', nullable: false },
    { name: 'name', type: 'text', nullable: false },
    { name: 'time', type: 'timestamp', nullable: false },
    { name: 'battery', type: 'number', nullable: true },
    { name: 'note', type: 'text', nullable: true },
    { name: 'values.x', type: 'number', nullable: false },
    { name: 'values.y', type: 'number', nullable: false },
    { name: 'tags', type: 'json', nullable: true },
    { name: 'id', type: 'int64', nullable: false },
  ]

  function lambdasOf(list: string): string[] {
    const [, table = ''] =
      new RegExp(`<!-- lambdas ${list} -->\\n((?:\\|.*\\n)+)`).exec(textOf('docs/language.md')) ?? []
    return [...table.matchAll(/^\| (?:`` (.*?) ``|``(.*?) ``|`([^`]*)`) \|/gm)].map(([, a, b, c]) =>
      (a ?? b ?? c)!.replaceAll('\\|', '|'),
    )
  }

  function read(text: string): string {
    const make = new Function('captured', 'helper', `return ${text}`) as (
      ...names: unknown[]
    ) => (row: never) => unknown
    try {
      const lambda = readLambda(make(1, Math.abs), { columns, parameters: { limit: 3, names: ['a'] } })
      return lambda.expression === null ? 'opaque' : 'translated'
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      return 'refused'
    }
  }

  test.each([
    ['translated', 17],
    ['opaque', 8],
    ['refused', 10],
  ])('%s', (list, count) => {
    const lambdas = lambdasOf(list)
    expect(lambdas).toHaveLength(count)
    expect(lambdas.map(text => [text, read(text)])).toEqual(lambdas.map(text => [text, list]))
  })
})
