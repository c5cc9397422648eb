// All that must hold before a change is good: types, lint, dead code, the page, tests; with CI in the environment also
// each campaign with few cases. A failing part fails the whole.
// The last line is `N passed, N failed, N skipped`: each test counts, and each of the other parts as one.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NAMES } from '../campaign/list.ts'

interface Counts {
  passed: number
  failed: number
  skipped: number
}

const root = fileURLToPath(new URL('..', import.meta.url))
const total: Counts = { passed: 0, failed: 0, skipped: 0 }

for (const [name, script, words] of [
  ['types (tsc)', 'node_modules/typescript/bin/tsc', ['--noEmit']],
  ['types of the page (tsc)', 'node_modules/typescript/bin/tsc', ['--noEmit', '--project', 'console']],
  ['lint (biome)', 'node_modules/@biomejs/biome/bin/biome', ['check', '--max-diagnostics=20', '.']],
  ['dead code (knip)', 'node_modules/knip/bin/knip.js', []],
  ['the page (vite)', 'console/build.ts', []],
] as const) {
  count(name, node(script, words, 'pipe'))
}

const given = process.argv.slice(2)
const tests = runTests(given)
for (const kind of ['passed', 'failed', 'skipped'] as const) total[kind] += tests[kind]
// Minutes long: for a machine that nobody waits for, or `npm run campaign`. After the tests, so that it is alone.
if (process.env.CI && given.length === 0) {
  for (const name of NAMES) count('campaign', node('campaign/run.ts', [name, '--ci'], 'pipe'), true)
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed === 0 ? 0 : 1

/** One part that is not a test; what it said is shown when it failed, its last line where that is the result. */
function count(name: string, { status, stdout, stderr }: ReturnType<typeof node>, hasResult = false): void {
  const result = hasResult ? `: ${stdout.trim().split('\n').at(-1)}` : ''
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name}${result}`)
  if (status !== 0) console.log(`${stdout}${stderr}`)
  total[status === 0 ? 'passed' : 'failed']++
}

/** Vitest with the words given; a file that does not even load counts as one failed test. */
function runTests(words: readonly string[]): Counts {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  const report = join(folder, 'vitest.json')
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const { status } = node('node_modules/vitest/vitest.mjs', ['run', ...reporters, ...words], 'inherit')
    const counts = countsOf(report)
    // An error outside any test still fails.
    if (status !== 0 && counts.failed === 0) counts.failed = 1
    return counts
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function countsOf(report: string): Counts {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
      readFileSync(report, 'utf8'),
    ) as {
      numPassedTests: number
      numFailedTests: number
      numPendingTests: number
      numTodoTests: number
      testResults: { status: string; assertionResults: { status: string }[] }[]
    }
    const broken = testResults.filter(
      file => file.status === 'failed' && !file.assertionResults.some(test => test.status === 'failed'),
    )
    return { passed: numPassedTests, failed: numFailedTests + broken.length, skipped: numPendingTests + numTodoTests }
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
}

function node(script: string, words: readonly string[], output: 'inherit' | 'pipe') {
  return spawnSync(process.execPath, [join(root, script), ...words], {
    cwd: root,
    stdio: ['ignore', output, output],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    // What a test starts as `node` is this one.
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
  })
}
