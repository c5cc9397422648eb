/** What the runtime asks of the operating system about processes. */

import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'

/** Memory of this process that is in use, in bytes. Throws when no file descriptor is left: the system is asked by one. */
export function residentBytes(): number {
  return process.memoryUsage.rss()
}

export function ownProcessId(): number {
  return process.pid
}

/**
 * When a process began, in a form that is only good for comparing: a number that is given again after a restart names
 * another process. Empty where the system does not say, and for a process that has ended.
 */
export function processStart(id: number): string {
  try {
    // After the name, which may hold anything, stand the state and, 19 fields on, the ticks since the system's start.
    const fields = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '')
  } catch {
    return ''
  }
}

/** Names the running system, the same in all its containers until it is started again. Empty where it does not say. */
export function startOfSystem(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

/** Whether a process with this id runs; one of another user counts as running. */
export function processIsAlive(id: number): boolean {
  try {
    process.kill(id, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The user's mask for the rights of new files; null: it is still the process's own. */
let userMask: number | null = null

/** Files that this process makes from now on are for its user alone: 0600, in folders of 0700. */
export function keepFilesPrivate(): void {
  userMask ??= process.umask(0o077)
}

/** Does something that makes files or folders with the rights that the user wants for theirs. */
export function withUserMask<T>(action: () => T): T {
  if (userMask === null) return action()
  process.umask(userMask)
  try {
    return action()
  } finally {
    process.umask(0o077)
  }
}

/** The rights that the user wants for a file of theirs. */
export function userFileMode(): number {
  return 0o666 & ~(userMask ?? process.umask())
}

/**
 * Has the engine keep its space for new objects small. It grows to 50 MB under a steady load, for fewer collections that
 * take longer: right for a file that is read to its end, not for a process that runs for weeks and answers at once.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

/**
 * node:http. An import of it would read each of its exports, and one of them is a client that takes 15 ms to load and is
 * not used.
 */
export function nodeHttp(): typeof import('node:http') {
  return process.getBuiltinModule('node:http')
}
