import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inFolder, millrace, ROOT } from './support.ts'

test('npm start: simulated phones are followed and their activities appear', () =>
  inFolder(async folder => {
    const data = join(folder, 'data')
    const words = [join(ROOT, 'scripts/start.ts'), '--for', '3s', '--people', '3', '--data-dir', data]
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', bytes => {
      stdout += bytes
    })
    child.stderr.on('data', bytes => {
      stderr += bytes
    })
    const code = await new Promise(resolve => child.on('close', resolve))
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('3 simulated phones') })
    const seen = stdout.match(
      /^\S+Z {2}[0-9a-f]{12} {2}(Stationary|Walking|Running|Sprinting) +\d+ % {2}\d+\.\d\d m\/s²$/gm,
    )
    // The minute that lies behind has 20 windows of 10 s a phone, less what is still open.
    expect(seen?.length ?? 0).toBeGreaterThan(3 * 15)
    const rows = await millrace([
      'query',
      'SELECT count(*) AS n FROM PROCESSED_DATA.USER_ACTIVITY_PROCESSED',
      '--data-dir',
      data,
      '--json',
    ])
    expect((JSON.parse(rows.stdout) as { n: number }).n).toBeGreaterThan(3 * 15)
  }))
