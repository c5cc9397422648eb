/** Importing the library does nothing, and loads nothing heavy: a pipeline file is read by editors, checks and every command. */
import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { root } from './tree.ts'

/** Prints the module that Node loads for each import, then what still keeps the process alive. */
const script = (specifier: string) => `
  import { registerHooks } from 'node:module'
  const loaded = []
  registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context) } })
  const before = new Set(Object.keys(globalThis))
  await import('${specifier}')
  console.log(JSON.stringify({ loaded, globals: Object.keys(globalThis).filter(name => !before.has(name)), active: process.getActiveResourcesInfo() }))`

interface Loading {
  readonly loaded: readonly string[]
  readonly globals: readonly string[]
  readonly active: readonly string[]
}

function load(specifier: string): Loading {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script(specifier)], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  expect(stderr.replaceAll(/.*ExperimentalWarning.*\n|.*--trace-warnings.*\n/g, '')).toBe('')
  expect(status).toBe(0)
  return JSON.parse(stdout) as Loading
}

const HEAVY = /@duckdb|csv-parse|fflate|commander|node:zlib|node:worker_threads/

describe.each([
  ['millrace', /\/src\/(?!index\.ts|pipeline\/|plan\/|system\/)/],
  [
    'millrace/file',
    /\/src\/(?!connectors\/file\/(index|describe)\.ts|connectors\/support\/options\.ts|plan\/|system\/)/,
  ],
  [
    'millrace/http',
    /\/src\/(?!connectors\/http\/(index|describe)\.ts|connectors\/support\/options\.ts|plan\/|system\/)/,
  ],
  [
    'millrace/sensor-logger',
    /\/src\/(?!connectors\/sensor-logger\/(index|describe)\.ts|connectors\/support\/options\.ts|plan\/|system\/)/,
  ],
])('importing %s', (specifier, others) => {
  const { loaded, globals, active } = load(specifier)

  test('loads no heavy package', () => {
    expect(loaded.some(url => url.includes('/src/'))).toBe(true)
    expect(loaded.filter(url => HEAVY.test(url))).toEqual([])
  })

  test('loads only what describes', () => {
    expect(loaded.filter(url => others.test(url))).toEqual([])
  })

  test('leaves nothing behind', () => {
    // zod keeps its registry there, so that two copies of it share one.
    expect(globals.filter(name => !name.startsWith('__zod_'))).toEqual([])
    // Standard output of the process itself is a pipe here.
    expect(active.filter(name => name !== 'PipeWrap')).toEqual([])
  })
})
