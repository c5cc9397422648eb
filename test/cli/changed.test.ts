/** A changed pipeline on the command line: exit code 6, both texts, and a warehouse that is as it was. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inFolder, millrace } from './support.ts'

test('a changed window, a new column of a table: refused before the table is altered', { timeout: 60_000 }, () =>
  inFolder(async folder => {
    await millrace(['init', folder])
    const pipeline = readFileSync(join(folder, 'pipeline.ts'), 'utf8')
    const run = () => millrace(['run', 'pipeline.ts', '--until-end', '--data-dir', 'out'], { cwd: folder })
    const table = async () =>
      (await millrace(['query', 'FROM quarters ORDER BY ALL', '--data-dir', 'out', '--json'], { cwd: folder })).stdout
    expect((await run()).code).toBe(0)
    const before = await table()
    expect(before.split('\n').length).toBeGreaterThan(12)
    const changes = [
      ["tumbling('15 m')", "tumbling('30 m')", 'is:  window of 30 m by sensor, late rows: drop'],
      ['readings: count(),', "readings: count(), hottest: max('temperature'),", 'is:  hottest = max(temperature)'],
      ['{ hot: 24 }', '{ hot: 25 }', 'is:  state = (highest >= 25) ? "hot" : "normal"'],
      ["disorder: '30 s'", "disorder: '1 m'", 'disorder 1 m, progress by partition'],
    ] as const
    for (const [from, to, told] of changes) {
      expect(pipeline).toContain(from)
      writeFileSync(join(folder, 'pipeline.ts'), pipeline.replace(from, to))
      const { code, stderr } = await run()
      expect({ code, stderr }).toEqual({ code: 6, stderr: expect.stringContaining(told) })
      expect(stderr).toMatch(/^CHANGE_REFUSED: out|^CHANGE_REFUSED: .*\/out does not go on/)
      expect(stderr).toContain('next: Put the old name or definition back.')
    }
    expect(await table()).toBe(before)
    writeFileSync(join(folder, 'pipeline.ts'), pipeline)
    expect((await run()).code).toBe(0)
    expect(await table()).toBe(before)
  }),
)
