import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { endDemonstrations, freePorts, startDemonstration } from '../console/demonstration.ts'
import { inFolder, millrace } from './support.ts'

afterEach(endDemonstrations)

async function ask(sql: string, data: string): Promise<number> {
  const { stdout, stderr } = await millrace(['query', sql, '--data-dir', data, '--json'])
  expect(stderr).toBe('')
  return (JSON.parse(stdout) as { n: number }).n
}

const WINDOWS = 'SELECT count(*)::INT AS n FROM PROCESSED_DATA.USER_ACTIVITY_PROCESSED'
const SESSIONS = 'SELECT count(DISTINCT sessionId)::INT AS n FROM RAW_DATA.ACTIVITY_RECORDS'

test('npm start: phones push, activities are stored, and a second start goes on from there', { timeout: 120_000 }, () =>
  inFolder(async folder => {
    const data = join(folder, 'data')
    const ports = await freePorts()
    const first = await startDemonstration(ports, data, '--people', '3')
    expect(first.page).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#key=\w{32}$/)
    // The two minutes that lie behind have 50 windows of 10 s a phone and more, less what is still open.
    await expect.poll(() => ask(WINDOWS, data), { timeout: 60_000, interval: 500 }).toBeGreaterThan(3 * 40)

    // Another one in the same place is told who is at work there, and changes nothing.
    const other = startDemonstration(await freePorts(), data)
    await expect(other).rejects.toThrow(new RegExp(`DATA_DIR_BUSY: \\S+ is in use by process ${first.child.pid} on `))

    const { code, said } = await first.stop()
    expect(code, said).toBe(0)
    expect(said).toMatch(/new; the next start goes on/)
    expect(said).toMatch(/^stopped after .*; stored in all: [\d,]+ readings, [\d,]+ activities$/m)
    const stored = await ask(WINDOWS, data)

    const second = await startDemonstration(ports, data, '--people', '3', '--for', '4s')
    const closed = new Promise(resolve => second.child.on('close', resolve))
    expect(await closed).toBe(0)
    expect(await ask(WINDOWS, data)).toBeGreaterThanOrEqual(stored)
    expect(await ask(SESSIONS, data)).toBe(6)
    const { stdout, code: verified } = await millrace([
      ...['verify', 'examples/activity-tracker/pipeline.ts', '--data-dir', data],
    ])
    expect({ verified, stdout }).toMatchObject({ verified: 0 })

    const fresh = await startDemonstration(ports, data, '--no-phones', '--fresh')
    expect((await fresh.stop()).said).toContain('no phone pushes yet')
    expect(await ask(SESSIONS, data)).toBe(0)
  }),
)

test('npm start --fresh leaves alone what others made', () =>
  inFolder(async folder => {
    writeFileSync(join(folder, 'thesis.txt'), 'mine')
    const started = startDemonstration(await freePorts(), folder, '--fresh')
    await expect(started).rejects.toThrow(/OPTION_INVALID: .* was not made by npm start/)
    expect(existsSync(join(folder, 'thesis.txt'))).toBe(true)
  }))

test('npm start where others can reach it asks the simulated phones for a key as well', { timeout: 60_000 }, () =>
  inFolder(async data => {
    const [console, push] = await freePorts()
    const run = await startDemonstration([console, `0.0.0.0:${push}`], data, '--people', '1')
    const keyOf = (text: string) => /\/sensor-logger\/(mk_\w+)/.exec(text)?.[1]
    await expect.poll(() => ask(SESSIONS, data), { timeout: 30_000, interval: 500 }).toBe(1)
    const without = await fetch(`http://127.0.0.1:${push}/sensor-logger`, { method: 'POST', body: '{}' })
    expect(without.status).toBe(499)
    const { code, said } = await run.stop()
    expect(code, said).toBe(0)
    expect(said).not.toContain('have ended')
    // The address that was typed into a phone stays good.
    const again = await startDemonstration([console, `0.0.0.0:${push}`], data, '--no-phones')
    expect(keyOf((await again.stop()).said)).toBe(keyOf(said))
    expect(keyOf(said)).toBeDefined()
  }),
)
