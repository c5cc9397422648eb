/** A copy of the source tree with a fault in it, and what must find it there. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PlantedFault } from './contract.ts'

const ROOT = join(import.meta.dirname, '..')
const COPIED = ['bin', 'campaign', 'src', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts'] as const

/**
 * Runs the campaign, or the test, in a copy of the tree with the fault in it; what it says goes to this terminal. Answers
 * its exit code: 1 when the fault was found. Throws when the text to replace is not there exactly once.
 */
export function runPlanted(campaign: string, fault: PlantedFault, seed: number): number {
  const copy = mkdtempSync(join(tmpdir(), 'millrace-planted-'))
  try {
    for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
    plant(copy, fault)
    // What a failed run leaves for people to look at goes with the copy.
    const temporary = join(copy, 'tmp')
    mkdirSync(temporary)
    const own = ['campaign/run.ts', campaign, '--cases', String(fault.cases), '--seed', String(seed)]
    const words = fault.test === undefined ? own : ['node_modules/vitest/vitest.mjs', 'run', fault.test]
    const { status } = spawnSync(process.execPath, words, {
      cwd: copy,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1', TMPDIR: temporary },
    })
    return status ?? 70
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function plant(root: string, { name, file, from, to }: PlantedFault): void {
  const path = join(root, file)
  const text = readFileSync(path, 'utf8')
  const count = text.split(from).length - 1
  if (count !== 1) throw new Error(`${name}: its text is ${count} times in ${file}, not once`)
  // A function, because a `$` in the text means nothing here.
  writeFileSync(
    path,
    text.replace(from, () => to),
  )
}
