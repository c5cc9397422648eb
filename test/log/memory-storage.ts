/**
 * A disk in memory that keeps what was written and what is safe apart, and loses power, fills up and rots on demand.
 *
 * `crash` leaves of each file and of each folder what was synced, and of the changes after it, by the draw of a random
 * stream: none, the first few (the last of them torn), any of them in their order, or all. The same random stream gives
 * the same disk.
 */
import { basename, dirname } from 'node:path'
import { unreadable, unwritable } from '../../src/system/files.ts'
import type { Random } from '../../src/system/random.ts'
import type { Storage, StorageFile } from '../../src/system/storage.ts'
import { type Change, Folder, type Naming, Node, rename, surviving, torn } from './memory-files.ts'

/** What every call throws between the loss of power and `crash`. */
class PowerLoss extends Error {
  constructor() {
    super('the power is gone')
    this.name = 'PowerLoss'
  }
}

export class MemoryStorage implements Storage {
  #folders = new Map<string, Folder>()
  #changes = 0
  /** Rises with each crash: files opened before it are gone. */
  #life = 0
  #isOff = false
  #syncs = 0
  #offAt: { readonly sync: number; readonly moment: 'before' | 'after' } | null = null
  #room = Number.POSITIVE_INFINITY
  #syncsUntilFailure = Number.POSITIVE_INFINITY

  /** Syncs of files and folders so far. */
  get syncs(): number {
    return this.#syncs
  }

  /** Paths of all files, in order. */
  get paths(): readonly string[] {
    return [...this.#folders]
      .flatMap(([path, folder]) => [...folder.names.keys()].map(name => `${path}/${name}`))
      .sort()
  }

  /** The power goes at a sync, counted from 1: before it has made anything safe, or when it has and nobody knows yet. */
  losePowerAt(sync: number, moment: 'before' | 'after' = 'before'): void {
    this.#offAt = { sync, moment }
  }

  get isOff(): boolean {
    return this.#isOff
  }

  /** The disk as one process sees it: after `kill` or `crash` it can do nothing any more, whatever it still has to do. */
  forProcess(): Storage {
    const life = this.#life
    const alive = <A extends unknown[], R>(call: (...words: A) => R) => {
      return (...words: A): R => {
        if (life !== this.#life) throw new PowerLoss()
        return call(...words)
      }
    }
    return {
      open: alive(path => this.open(path)),
      openForReading: alive(path => this.openForReading(path)),
      lengthOf: alive(path => this.lengthOf(path)),
      list: alive(path => this.list(path)),
      makeFolder: alive(path => this.makeFolder(path)),
      syncFolder: alive(path => this.syncFolder(path)),
      rename: alive((from, to) => this.rename(from, to)),
      remove: alive(path => this.remove(path)),
    }
  }

  /** The process is gone, the disk is not: all that was written is there, and open files are closed. */
  kill(): void {
    this.#life++
  }

  /** The disk as it is found after a loss of power. */
  crash(random: Random): void {
    this.#isOff = false
    this.#offAt = null
    this.#life++
    const nodes = new Set<Node>()
    for (const folder of this.#folders.values()) {
      for (const naming of surviving(folder.pending, random)) rename(folder.safe, naming)
      folder.pending = []
      folder.names = new Map(folder.safe)
      for (const node of folder.names.values()) nodes.add(node)
    }
    for (const node of nodes) {
      for (const change of surviving(
        node.pending.map(({ change }) => change),
        random,
        torn,
      )) {
        node.safe.apply(change)
      }
      node.pending = []
      node.now = node.safe.copy()
    }
  }

  /** ENOSPC: only so many bytes more can be written, until some are removed or `mend`. EIO: a sync fails after so many. */
  fail(code: 'ENOSPC' | 'EIO', after: number): void {
    if (code === 'ENOSPC') this.#room = after
    else this.#syncsUntilFailure = after
  }

  /** There is room again, and syncs succeed. */
  mend(): void {
    this.#room = Number.POSITIVE_INFINITY
    this.#syncsUntilFailure = Number.POSITIVE_INFINITY
  }

  /** Turns one bit over. */
  flip(path: string, byte: number, bit: number): void {
    const { now, safe } = this.#node(path)!
    for (const content of [now, safe]) {
      if (byte < content.length) content.bytes[byte] = content.bytes[byte]! ^ (1 << bit)
    }
  }

  /** Cuts a file off, behind everybody's back. */
  cutOff(path: string, length: number): void {
    const { now, safe } = this.#node(path)!
    for (const content of [now, safe]) content.apply({ kind: 'truncate', length: Math.min(length, content.length) })
  }

  /** All the bytes of a file. */
  bytesOf(path: string): Buffer {
    const { now } = this.#node(path)!
    return Buffer.from(now.bytes.subarray(0, now.length))
  }

  open(path: string): StorageFile {
    this.#check()
    const folder = this.#folder(path)
    let node = folder.names.get(basename(path))
    if (node === undefined) {
      if (this.#room <= 0) throw unwritable(path, coded('ENOSPC'))
      node = new Node()
      this.#name(folder, [[basename(path), node]])
    }
    return this.#file(path, node)
  }

  openForReading(path: string): StorageFile {
    this.#check()
    const node = this.#node(path)
    if (node === null) throw unreadable(path, coded('ENOENT'))
    return this.#file(path, node)
  }

  lengthOf(path: string): number | null {
    this.#check()
    return this.#node(path)?.now.length ?? null
  }

  list(path: string): readonly string[] {
    this.#check()
    return [...(this.#folders.get(path)?.names.keys() ?? [])].sort()
  }

  makeFolder(path: string): void {
    this.#check()
    if (!this.#folders.has(path)) this.#folders.set(path, new Folder())
  }

  syncFolder(path: string): void {
    this.#check()
    this.#syncing(path, () => {
      const folder = this.#folders.get(path)!
      for (const naming of folder.pending) rename(folder.safe, naming)
      folder.pending = []
    })
  }

  rename(from: string, to: string): void {
    this.#check()
    const node = this.#node(from)
    if (node === null) throw unwritable(to, coded('ENOENT'))
    if (dirname(from) !== dirname(to)) throw new Error('names move within their folder only')
    this.#name(this.#folder(from), [
      [basename(from), null],
      [basename(to), node],
    ])
  }

  remove(path: string): void {
    this.#check()
    const node = this.#node(path)
    if (node === null) return
    this.#room += node.now.length
    this.#name(this.#folder(path), [[basename(path), null]])
  }

  #file(path: string, node: Node): StorageFile {
    const life = this.#life
    let isOpen = true
    const check = () => {
      this.#check()
      if (life !== this.#life) throw new PowerLoss()
      if (!isOpen) throw new Error(`${path} is closed`)
    }
    const change = (one: Change) => {
      node.now.apply(one)
      node.pending.push({ number: ++this.#changes, change: one })
    }
    const makeSafe = (upTo: number) => {
      while (node.pending.length > 0 && node.pending[0]!.number <= upTo) node.safe.apply(node.pending.shift()!.change)
    }
    return {
      path,
      length: () => {
        check()
        return node.now.length
      },
      read: (target, position) => {
        check()
        const end = Math.min(position + target.length, node.now.length)
        if (end <= position) return 0
        target.set(node.now.bytes.subarray(position, end))
        return end - position
      },
      write: (bytes, position) => {
        check()
        const grown = Math.max(0, position + bytes.length - node.now.length)
        const fits = grown <= this.#room ? bytes.length : Math.max(0, bytes.length - grown + this.#room)
        this.#room -= Math.min(grown, this.#room)
        if (fits > 0) change({ kind: 'write', position, bytes: Uint8Array.from(bytes.subarray(0, fits)) })
        if (fits < bytes.length) throw unwritable(path, coded('ENOSPC'))
      },
      truncate: length => {
        check()
        this.#room += Math.max(0, node.now.length - length)
        change({ kind: 'truncate', length })
      },
      sync: async () => {
        check()
        const upTo = this.#changes
        await Promise.resolve()
        check()
        this.#syncing(path, () => makeSafe(upTo))
      },
      syncNow: () => {
        check()
        this.#syncing(path, () => makeSafe(this.#changes))
      },
      close: () => {
        isOpen = false
      },
    }
  }

  #syncing(path: string, makeSafe: () => void): void {
    this.#syncs++
    const off = this.#offAt !== null && this.#syncs >= this.#offAt.sync
    if (off && this.#offAt!.moment === 'before') this.#lose()
    if (--this.#syncsUntilFailure < 0) throw unwritable(path, coded('EIO'))
    makeSafe()
    if (off) this.#lose()
  }

  #lose(): never {
    this.#isOff = true
    throw new PowerLoss()
  }

  #check(): void {
    if (this.#isOff) throw new PowerLoss()
  }

  #folder(path: string): Folder {
    const folder = this.#folders.get(dirname(path))
    if (folder === undefined) throw unwritable(path, coded('ENOENT'))
    return folder
  }

  #node(path: string): Node | null {
    return this.#folders.get(dirname(path))?.names.get(basename(path)) ?? null
  }

  #name(folder: Folder, naming: Naming): void {
    rename(folder.names, naming)
    folder.pending.push(naming)
  }
}

function coded(code: string): Error {
  return Object.assign(new Error(`${code}: on purpose`), { code })
}
