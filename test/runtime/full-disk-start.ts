/**
 * A start on a disk that is completely full, for reserve.test.ts: FOLDER, in a process that may mount a small disk there.
 * Prints what happened as JSON.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { requestBody } from '../fixtures/directories/readings.ts'
import { fedTo } from '../fixtures/directories/scenarios.ts'
import { PlacedRun, push, unpack, until } from '../fixtures/place.ts'

const place = process.argv[2]!
const ROOT = join(import.meta.dirname, '../..')
const FIXTURES = join(ROOT, 'test/fixtures/directories')
const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', place], { encoding: 'utf8' })
if (status !== 0) throw new Error(stderr)
unpack(readFileSync(join(FIXTURES, 'archives/stopped.zip')), place)

const start = () => new PlacedRun(ROOT, join(FIXTURES, 'pipelines/live.ts'), place, ['--listen', '127.0.0.1:0'])
const RESERVE_BYTES = 4 * 1024 * 1024
const reserve = join(place, 'data/reserve')
const reserveBytes = () => (existsSync(reserve) ? statSync(reserve).size : 0)

async function pushed(run: PlacedRun, request: number): Promise<boolean> {
  const address = (await run.addresses()).get('events')!
  return await push(address, requestBody(request), `fixture:${request}`).then(
    () => true,
    () => false,
  )
}

function fillDisk(): void {
  const file = openSync(join(place, 'ballast'), 'w')
  for (let length = 1024 * 1024; length >= 1; ) {
    try {
      if (writeSync(file, Buffer.alloc(length)) < length) length = Math.floor(length / 2)
    } catch {
      length = Math.floor(length / 2)
    }
  }
  closeSync(file)
}

const { requests } = fedTo(place)
const first = start()
await first.addresses()
await until('the reserve is there', first, () => reserveBytes() === RESERVE_BYTES)
const firstCode = await first.stop()
fillDisk()
const second = start()
await second.addresses()
// Kept or refused: the disk may have no room for it.
await pushed(second, requests)
rmSync(join(place, 'ballast'))
await until('there is room again', second, () => reserveBytes() === RESERVE_BYTES)
let afterwards = await pushed(second, requests)
for (let attempt = 0; attempt < 50 && !afterwards; attempt++) {
  await new Promise(resolve => setTimeout(resolve, 200))
  afterwards = await pushed(second, requests)
}
const secondCode = await second.stop()
console.log(JSON.stringify({ firstCode, afterwards, secondCode, said: second.said.slice(-500) }))
