/** What happens to the files of a disk in memory: rot, blocks and files in the wrong place, older copies put back. */
import { basename, dirname, join } from 'node:path'
import { HEADER_BYTES, headerAt, MAGIC_BYTES } from '../../src/log/block.ts'
import type { Random } from '../../src/system/random.ts'
import type { MemoryStorage } from '../../test/log/memory-storage.ts'
import { rot } from '../../test/log/rot.ts'

export interface Place {
  readonly path: string
  readonly position: number
  readonly length: number
}

/** The whole blocks of a file. */
export function blocksIn(path: string, bytes: Buffer): Place[] {
  const found: Place[] = []
  for (let position = bytes.indexOf(MAGIC_BYTES); position >= 0; ) {
    const header = headerAt(bytes, position)
    const length = header === null ? 1 : HEADER_BYTES + header.header.payloadBytes
    if (header !== null) found.push({ path, position, length })
    position = bytes.indexOf(MAGIC_BYTES, position + length)
  }
  return found
}

/** Does one thing to one file, and says what; `older`: the disk as it was earlier. */
export function damage(storage: MemoryStorage, older: MemoryStorage, random: Random): string {
  const draw = random.integer(20)
  if (draw < 6) return rot(storage, random)
  if (draw < 15) return misplaceBlock(storage, random, draw < 10) ?? rot(storage, random)
  if (draw < 17) return misplaceFile(storage, random)
  return putBack(storage, older, random) ?? rot(storage, random)
}

/** A block is copied to where another one begins, in its own file or in another one. */
function misplaceBlock(storage: MemoryStorage, random: Random, isWithinFile: boolean): string | null {
  const blocks = storage.paths.flatMap(path => blocksIn(path, storage.bytesOf(path)))
  if (blocks.length < 2) return null
  const from = blocks[random.integer(blocks.length)]!
  const others = blocks.filter(
    each => each !== from && (isWithinFile ? each.path === from.path : each.path !== from.path),
  )
  // Where it stands where it would in its own file, only what else it says can give it away.
  const alike = others.filter(each => each.position === from.position)
  const choice = alike.length > 0 && random.integer(2) === 0 ? alike : others
  const to = choice[random.integer(choice.length)]
  if (to === undefined) return null
  const bytes = storage.bytesOf(from.path).subarray(from.position, from.position + from.length)
  write(storage, to.path, bytes, to.position)
  return `the block at byte ${from.position} of ${from.path} copied to byte ${to.position} of ${to.path}`
}

/** A file is copied over another one, or to the name of one that is not there. */
function misplaceFile(storage: MemoryStorage, random: Random): string {
  const { paths } = storage
  const from = paths[random.integer(paths.length)]!
  if (random.integer(4) === 0) {
    const folder = dirname(paths[random.integer(paths.length)]!)
    const to = join(
      folder,
      random.integer(2) === 0 ? basename(from) : `${String(random.integer(90)).padStart(20, '0')}.log`,
    )
    if (storage.lengthOf(to) === null) {
      replace(storage, to, storage.bytesOf(from))
      return `${from} copied to ${to}, where there was none`
    }
  }
  // Segments and markers of another topic are what somebody mistakes for the right ones.
  const namesakes = paths.filter(path => path !== from && basename(path) === basename(from))
  const choice = namesakes.length > 0 && random.integer(4) > 0 ? namesakes : paths.filter(path => path !== from)
  const to = choice[random.integer(choice.length)]!
  replace(storage, to, storage.bytesOf(from))
  return `${from} copied over ${to}`
}

function putBack(storage: MemoryStorage, older: MemoryStorage, random: Random): string | null {
  const changed = older.paths.filter(
    path => storage.lengthOf(path) === null || !storage.bytesOf(path).equals(older.bytesOf(path)),
  )
  const path = changed[random.integer(changed.length)]
  if (path === undefined) return null
  replace(storage, path, older.bytesOf(path))
  return `an older copy of ${path} put back`
}

function replace(storage: MemoryStorage, path: string, bytes: Buffer): void {
  const file = storage.open(path)
  file.truncate(0)
  file.close()
  write(storage, path, bytes, 0)
}

function write(storage: MemoryStorage, path: string, bytes: Buffer, position: number): void {
  const file = storage.open(path)
  file.write(bytes, position)
  file.syncNow()
  file.close()
}
