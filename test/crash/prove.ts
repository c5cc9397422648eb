/**
 * Plants each fault of planted.ts in a copy of the source tree, and sees that a harness finds it:
 * `node test/crash/prove.ts [--times 40] [--only WORDS]`. The exit code is 1 when one was not found.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PLANTED, type PlantedFault } from './planted.ts'

const { values } = parseArgs({
  options: { times: { type: 'string', default: '40' }, only: { type: 'string', default: '' } },
})
const root = join(import.meta.dirname, '../..')
const COPIED = ['bin', 'src', 'test', 'package.json', 'tsconfig.json'] as const
const NOTHING: PlantedFault = { name: 'nothing planted', file: 'package.json', from: '', to: '', foundBy: 'kill' }

/** The command that must fail in the copy. */
function harnessOf({ foundBy, test = '' }: PlantedFault): string[] {
  if (foundBy === 'power') return ['node_modules/vitest/vitest.mjs', 'run', test]
  return ['test/crash/run.ts', '--times', values.times, '--check-every', '10']
}

/** A copy of the tree with the fault in it. Throws when the text to replace is not there exactly once. */
function planted(fault: PlantedFault): string {
  const copy = mkdtempSync(join(tmpdir(), 'millrace-planted-'))
  mkdirSync(join(copy, 'tmp'))
  for (const name of COPIED) cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  if (fault.from === '') return copy
  const path = join(copy, fault.file)
  const text = readFileSync(path, 'utf8')
  const count = text.split(fault.from).length - 1
  if (count !== 1) throw new Error(`'${fault.name}': its text is ${count} times in ${fault.file}, not once`)
  // A function, because a `$` in the text means nothing here.
  writeFileSync(
    path,
    text.replace(fault.from, () => fault.to),
  )
  return copy
}

/** Whether the harness fails, and its last words. */
function isFound(fault: PlantedFault): { found: boolean; words: string } {
  const copy = planted(fault)
  try {
    const { status, stdout, stderr } = spawnSync(process.execPath, harnessOf(fault), {
      cwd: copy,
      encoding: 'utf8',
      // What a failed run leaves for people to look at goes with the copy.
      env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1', TMPDIR: join(copy, 'tmp') },
    })
    const words = `${stdout}${stderr}`.trim().split('\n').slice(-6).join('\n    ')
    return { found: status !== 0, words }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

let missed = 0
for (const fault of [NOTHING, ...PLANTED].filter(({ name }) => name.includes(values.only))) {
  const { found, words } = isFound(fault)
  const isRight = found === (fault !== NOTHING)
  if (!isRight) missed++
  console.log(`${isRight ? 'right' : 'WRONG'}: ${fault.name}: ${found ? 'found' : 'not found'} (${fault.foundBy})`)
  console.log(`    ${words}`)
}
process.exit(missed === 0 ? 0 : 1)
