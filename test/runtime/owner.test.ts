import { type ChildProcess, fork, spawn } from 'node:child_process'
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Claim, claimText, newClaim, socketOf } from '../../src/runtime/owner/claim.ts'
import { type Owner, takeOwnership } from '../../src/runtime/owner/owner.ts'
import { systemClock } from '../../src/system/clock.ts'
import { listenIn } from '../../src/system/local-socket.ts'
import { processStart } from '../../src/system/process.ts'
import { newIncarnation, seededRandom } from '../../src/system/random.ts'
import { SEED } from '../engine/seed.ts'
import type { Race, Turns } from './owner-racer.ts'

let folder: string
const owners: Owner[] = []
const children: ChildProcess[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-owner-'))
})
afterEach(() => {
  for (const owner of owners.splice(0)) owner.release()
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

const lock = () => join(folder, 'owner.lock')
const take = async (...options: Parameters<typeof takeOwnership>) => {
  const owner = await takeOwnership(...options)
  owners.push(owner)
  return owner
}
const BUSY = { code: 'DATA_DIR_BUSY' }

/** A claim as a process left it that was killed: its socket is there, and nobody listens. */
async function leaveClaim(directory: string, path: string, changes: Partial<Claim> = {}): Promise<Claim> {
  const claim = { ...newClaim(directory, newIncarnation(), true, systemClock), ...changes }
  const socket = join(directory, socketOf(claim.token))
  const server = await listenIn(directory, socketOf(claim.token))
  linkSync(socket, `${socket}.kept`)
  await new Promise(resolve => server.close(resolve))
  renameSync(`${socket}.kept`, socket)
  writeFileSync(path, claimText(claim))
  return claim
}

/** So many claims, each behind the one before, all of killed processes. */
async function leaveClaims(directory: string, count: number): Promise<void> {
  let path = join(directory, 'owner.lock')
  for (let number = 0; number < count; number++) {
    const { token } = await leaveClaim(directory, path)
    path = join(directory, `owner.after-${token}`)
  }
}

function racer(): ChildProcess {
  const child = fork(new URL('./owner-racer.ts', import.meta.url), { execArgv: [] })
  children.push(child)
  return child
}
const answer = <T>(child: ChildProcess) => new Promise<T>(resolve => child.once('message', resolve as () => void))

describe('a data directory', () => {
  test('that was released holds nothing of its owner', async () => {
    const owner = await takeOwnership(folder)
    expect(statSync(lock()).mode & 0o777).toBe(0o600)
    owner.release()
    expect(readdirSync(folder)).toEqual([])
  })

  test('that is owned is refused, with whose it is and since when; the folder’s name may be long', async () => {
    const long = join(folder, 'long'.repeat(30))
    for (const directory of [folder, long]) {
      await take(directory)
      const since = /"since":"([^"]+)"/.exec(readFileSync(join(directory, 'owner.lock'), 'utf8'))![1]
      await expect(takeOwnership(directory)).rejects.toMatchObject({
        ...BUSY,
        message: expect.stringMatching(new RegExp(`process ${process.pid} on \\S+, since ${since}`)),
      })
    }
  })

  test('of another process is taken when that one was killed, at once', async () => {
    const child = racer()
    child.send({ directory: folder, tries: 1 } satisfies Race)
    expect(await answer(child)).toEqual({ owners: 1, failure: null })
    await expect(takeOwnership(folder)).rejects.toMatchObject(BUSY)
    child.kill('SIGKILL')
    await new Promise(resolve => child.once('exit', resolve))
    const owner = await takeOwnership(folder)
    expect(readdirSync(folder)).toHaveLength(2)
    owner.release()
    expect(readdirSync(folder)).toEqual([])
  })

  test('of a process that was stopped, not ended, is not taken', async () => {
    const child = racer()
    child.send({ directory: folder, tries: 1 } satisfies Race)
    await answer(child)
    child.kill('SIGSTOP')
    await expect(takeOwnership(folder)).rejects.toMatchObject(BUSY)
  })

  test('is free whatever process has the number of its owner by now', async () => {
    await leaveClaim(folder, lock(), { process: process.ppid })
    await take(folder)
  })

  test('is not free when no process here has the number of its owner, as in another container', async () => {
    await take(folder)
    writeFileSync(lock(), readFileSync(lock(), 'utf8').replaceAll(String(process.pid), '4194303'))
    await expect(takeOwnership(folder)).rejects.toMatchObject({ ...BUSY, message: expect.stringContaining('4194303') })
  })

  test('whose owner was killed while it took it over is free', async () => {
    await leaveClaims(folder, 3)
    const owner = await takeOwnership(folder)
    expect(readdirSync(folder).filter(name => name.includes('after'))).toEqual([])
    owner.release()
    expect(readdirSync(folder)).toEqual([])
  })

  test.runIf(process.platform === 'linux')('of the version before is refused while its process runs', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    children.push(child)
    writeFileSync(lock(), `${child.pid} ${processStart(child.pid!)}\n`)
    await expect(takeOwnership(folder)).rejects.toMatchObject(BUSY)
    // The number was given to another process.
    writeFileSync(lock(), `${child.pid} 1\n`)
    ;(await takeOwnership(folder)).release()
    writeFileSync(lock(), `${child.pid} ${processStart(child.pid!)}\n`)
    child.kill('SIGKILL')
    await new Promise(resolve => child.once('exit', resolve))
    await take(folder)
    // The version before finds the number of a process that runs.
    expect(readFileSync(lock(), 'utf8').trim().split(' ').slice(0, 2)).toEqual([String(process.pid), ''])
  })
})

describe('where no socket answers, on another machine or after a power cut', () => {
  const beat = { every_ms: 20, silentFor_ms: 3000 }

  test('a lock that is touched is not taken', async () => {
    await take(folder, systemClock, beat)
    writeFileSync(lock(), readFileSync(lock(), 'utf8').replace('"listens":true', '"listens":false'))
    await expect(takeOwnership(folder, systemClock, beat)).rejects.toMatchObject(BUSY)
  })

  test('a lock that lies still is taken, and one that another process took meanwhile is not', async () => {
    await leaveClaim(folder, lock(), { place: 'another machine' })
    const said: string[] = []
    const onWatch = (watched: string) => said.push(watched)
    const tries = [1, 2, 3].map(() => takeOwnership(folder, systemClock, { every_ms: 20, silentFor_ms: 60 }, onWatch))
    const outcomes = await Promise.allSettled(tries)
    expect(said[0]).toContain('may still have')
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') owners.push(outcome.value)
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected'])
  })

  test('an owner whose directory was taken all the same is told, and leaves it alone', async () => {
    const owner = await takeOwnership(folder, systemClock, beat)
    const { token } = JSON.parse(readFileSync(lock(), 'utf8').replace(/^\d+/, '')) as Claim
    const other = newClaim(folder, newIncarnation(), false, systemClock)
    writeFileSync(join(folder, `owner.after-${token}`), claimText({ ...other, host: 'elsewhere' }))
    await expect(owner.lost).rejects.toMatchObject({ ...BUSY, message: expect.stringContaining('elsewhere') })
    owner.release()
    expect(existsSync(lock())).toBe(true)
  })

  test('a lock that was removed by hand is made again', async () => {
    await take(folder, systemClock, beat)
    rmSync(lock())
    await expect.poll(() => existsSync(lock())).toBe(true)
    await expect(takeOwnership(folder)).rejects.toMatchObject(BUSY)
  })
})

describe(`laws (SEED=${SEED})`, { timeout: 120_000 }, () => {
  test('of processes that race for a directory whose owner is gone, exactly one gets it', async () => {
    const racers = [racer(), racer(), racer(), racer()]
    const random = seededRandom(SEED)
    for (let round = 0; round < 300; round++) {
      const directory = join(folder, String(round))
      mkdirSync(directory)
      const left = random.integer(5)
      if (left === 4) writeFileSync(join(directory, 'owner.lock'), '999999999 1\n')
      else await leaveClaims(directory, left)
      const answers = racers.map(child => answer<{ owners: number; failure: string | null }>(child))
      for (const child of racers) child.send({ directory, tries: 1 + random.integer(3) } satisfies Race)
      const outcomes = await Promise.all(answers)
      expect({
        round,
        left,
        owners: outcomes.reduce((sum, { owners }) => sum + owners, 0),
        failures: outcomes.flatMap(({ failure }) => failure ?? []),
      }).toEqual({ round, left, owners: 1, failures: [] })
      const released = racers.map(child => answer(child))
      for (const child of racers) child.send('release')
      await Promise.all(released)
      expect(readdirSync(directory)).toEqual([])
    }
  })

  test('of processes that take turns and are killed at any moment, no two ever have it', async () => {
    const notes = join(folder, 'notes')
    const directory = join(folder, 'data')
    writeFileSync(notes, '')
    const begin = () => {
      const child = racer()
      child.send({ directory, notes } satisfies Turns)
      return child
    }
    const random = seededRandom(SEED)
    const lines = () => readFileSync(notes, 'utf8').trim().split('\n')
    const running = [begin(), begin(), begin(), begin()]
    for (let kills = 0; kills < 12; kills++) {
      const before = lines().length
      await expect.poll(() => lines().length, { interval: 5 }).toBeGreaterThan(before + 6)
      await systemClock.sleep(random.integer(12))
      const atWork = running.filter(({ pid }) => lines().includes(`begins ${pid}`))
      const victim = atWork[random.integer(atWork.length)]!
      // Noted before: whoever takes the directory from it comes after this.
      writeFileSync(notes, `killed ${victim.pid}\n`, { flag: 'a' })
      victim.kill('SIGKILL')
      running.splice(running.indexOf(victim), 1, begin())
    }
    let owner: string | null = null
    const wrong: string[] = []
    for (const line of lines()) {
      const [what, who] = line.split(' ') as [string, string]
      if (what === 'fails') wrong.push(line)
      if (what === 'begins' && owner !== null) wrong.push(`${who} begins while ${owner} has it`)
      if (what === 'begins') owner = who
      else if (owner === who) owner = null
    }
    expect(wrong).toEqual([])
  })
})
