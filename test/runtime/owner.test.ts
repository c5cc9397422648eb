import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { takeOwnership } from '../../src/runtime/owner.ts'
import { processStart } from '../../src/system/process.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-owner-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const lock = () => join(folder, 'owner.lock')

test('a released directory holds no lock', () => {
  takeOwnership(folder).release()
  expect(readdirSync(folder)).toEqual([])
})

test('a directory of another process that runs is refused, one of a process that ended is taken', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  writeFileSync(lock(), `${child.pid} ${processStart(child.pid!)}\n`)
  expect(() => takeOwnership(folder)).toThrow(expect.objectContaining({ code: 'DATA_DIR_BUSY' }))
  child.kill('SIGKILL')
  await new Promise(resolve => child.once('exit', resolve))
  takeOwnership(folder).release()
})

test.runIf(process.platform === 'linux')('a process that was given the number of the owner is not the owner', () => {
  writeFileSync(lock(), `${process.ppid} 1\n`)
  takeOwnership(folder)
  expect(readFileSync(lock(), 'utf8')).toBe(`${process.pid} ${processStart(process.pid)}\n`)
})
