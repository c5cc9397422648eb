/** Files that rot: each loss is told, no row is false, and the log goes on. */
import { expect, test, vi } from 'vitest'
import { seededRandom } from '../../src/system/random.ts'
import { copyOf, lies, original, rot } from './rot.ts'

/** Planted: checksums that never differ. */
const checksum = vi.hoisted(() => ({ isChecked: true }))
vi.mock('node:zlib', async load => {
  const zlib = await load<typeof import('node:zlib')>()
  return { ...zlib, crc32: (bytes: Uint8Array) => (checksum.isChecked ? zlib.crc32(bytes) : 0) }
})

async function campaign(times: number, options: { marker: boolean; cutMay: number; checkBytes?: number }, enough = 5) {
  const whole = await original(options.marker)
  const found: string[] = []
  for (let seed = 1; seed <= times && found.length < enough; seed++) {
    const storage = copyOf(whole)
    const what = rot(storage, seededRandom(seed))
    for (const lie of await lies(storage, whole, options.cutMay, options.checkBytes))
      found.push(`${seed}, ${what}: ${lie}`)
  }
  return found
}

test('1,000 flips, truncations and losses over all files: each is found or harmless', async () => {
  expect(await campaign(1000, { marker: true, cutMay: 0 })).toEqual([])
})

test('the same when opening looks at the newest segments only', async () => {
  expect(await campaign(500, { marker: true, cutMay: 0, checkBytes: 0 })).toEqual([])
})

test('the same without a marker, but for the last block, which nothing vouches for then', async () => {
  const whole = await original(false)
  const found: string[] = []
  for (let seed = 1; seed <= 500; seed++) {
    const storage = copyOf(whole)
    const path = storage.paths[seed % storage.paths.length]!
    storage.flip(path, (seed * 7919) % storage.lengthOf(path)!, seed % 8)
    for (const lie of await lies(storage, whole, 4)) found.push(`${seed}: ${lie}`)
  }
  expect(found).toEqual([])
})

test('planted: checksums that are not checked are found', async () => {
  checksum.isChecked = false
  try {
    expect(await campaign(1000, { marker: true, cutMay: 0 }, 1)).not.toEqual([])
  } finally {
    checksum.isChecked = true
  }
})
