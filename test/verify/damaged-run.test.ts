import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'millrace-verify-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a damaged run.json is named, and is not a fault of Millrace', () => {
  writeFileSync(join(folder, 'run.json'), '{"pipeline": "golden-nes')
  const pipeline = join(ROOT, 'test/golden/nested/pipeline.ts')
  const words = [join(ROOT, 'bin/millrace.js'), 'verify', pipeline, '--data-dir', folder]
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' })
  expect(stderr).toContain('FILE_UNREADABLE')
  expect(stderr).toContain('run.json is damaged')
  expect(status).toBe(4)
})
