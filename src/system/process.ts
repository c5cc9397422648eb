/** What the runtime asks of the operating system about processes. */

export function ownProcessId(): number {
  return process.pid
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
