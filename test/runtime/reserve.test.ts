/** A disk that is completely full does not prevent the start: it uses the reserve, and keeps a new one when there is room. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'millrace-reserve-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A namespace of its own, in which a small disk can be mounted and is gone with the process. */
const APART = ['--user', '--map-root-user', '--mount']
const mayMount = spawnSync('unshare', [...APART, 'mount', '-t', 'tmpfs', 'tmpfs', folder]).status === 0

// Where this user may not mount a disk of its own there is none that could be full.
test.skipIf(!mayMount)('a start on a full disk', { timeout: 120_000 }, () => {
  const life = join(import.meta.dirname, 'full-disk-start.ts')
  const { stdout, stderr } = spawnSync('unshare', [...APART, process.execPath, life, folder], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(JSON.parse(stdout)).toMatchObject({
    firstCode: 0,
    afterwards: true,
    secondCode: 0,
  })
})
