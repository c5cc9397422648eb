/** Power is lost at every sync: what was acknowledged is there, nothing twice, in order. Planted faults must be found. */
import { describe, expect, test } from 'vitest'
import type { Storage, StorageFile } from '../../src/system/storage.ts'
import { violations } from './power-loss.ts'

const SEEDS = Array.from({ length: 12 }, (_, index) => index + 1)

test('power lost at every sync of a run: nothing acknowledged is lost, nothing is there twice', async () => {
  expect(await violations(storage => storage, SEEDS)).toEqual([])
}, 60_000)

/** A storage whose files are changed. */
function withFiles(storage: Storage, change: (file: StorageFile) => Partial<StorageFile>): Storage {
  const changed = (file: StorageFile): StorageFile => ({ ...file, ...change(file) })
  return {
    open: path => changed(storage.open(path)),
    openForReading: path => storage.openForReading(path),
    lengthOf: path => storage.lengthOf(path),
    list: path => storage.list(path),
    makeFolder: path => storage.makeFolder(path),
    syncFolder: path => storage.syncFolder(path),
    rename: (from, to) => storage.rename(from, to),
    remove: path => storage.remove(path),
  }
}

describe('planted faults are found', () => {
  test('appends acknowledged before they are synced', async () => {
    const lying = (storage: Storage) => withFiles(storage, () => ({ sync: () => Promise.resolve() }))
    expect(await violations(lying, SEEDS, 1)).toEqual([expect.stringMatching(/lost|gap|damage/)])
  })

  test('names of new segments that are not synced', async () => {
    const forgetful = (storage: Storage) => ({ ...withFiles(storage, () => ({})), syncFolder: () => {} })
    expect(await violations(forgetful, SEEDS, 1)).toEqual([expect.stringMatching(/lost|gap|damage/)])
  })

  test('what a crash left behind is not cut off at the start', async () => {
    const lazy = (storage: Storage) => withFiles(storage, () => ({ truncate: () => {} }))
    expect(await violations(lazy, SEEDS, 1)).toEqual([expect.stringMatching(/twice|lost|gap|damage|never/)])
  })

  test('what was written before a kill is taken for synced', async () => {
    const trusting = (storage: Storage) =>
      withFiles(storage, file => ({ syncNow: () => (file.path.endsWith('.log') ? undefined : file.syncNow()) }))
    expect(await violations(trusting, SEEDS, 1)).toEqual([expect.stringMatching(/twice|lost|gap|damage|never/)])
  })
})
