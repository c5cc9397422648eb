/** A process that tries to own data directories as its parent says, for test/runtime/owner.test.ts. */
import { appendFileSync } from 'node:fs'
import { type Owner, takeOwnership } from '../../src/runtime/owner/owner.ts'

/** Tries at the same time. */
export interface Race {
  readonly directory: string
  readonly tries: number
}

/** Owns the directory again and again, and notes in the file when it begins and ends. */
export interface Turns {
  readonly directory: string
  readonly notes: string
}

const held: Owner[] = []

async function race({ directory, tries }: Race): Promise<void> {
  const outcomes = await Promise.allSettled(Array.from({ length: tries }, () => takeOwnership(directory)))
  for (const outcome of outcomes) if (outcome.status === 'fulfilled') held.push(outcome.value)
  const other = outcomes.find(({ status, reason }: { status: string; reason?: { code?: string } }) => {
    return status === 'rejected' && reason?.code !== 'DATA_DIR_BUSY'
  })
  process.send!({
    owners: held.length,
    failure: other === undefined ? null : String(other.status === 'rejected' && other.reason),
  })
}

async function takeTurns({ directory, notes }: Turns): Promise<void> {
  for (;;) {
    try {
      const owner = await takeOwnership(directory)
      appendFileSync(notes, `begins ${process.pid}\n`)
      await new Promise(resolve => setTimeout(resolve, 5))
      appendFileSync(notes, `ends ${process.pid}\n`)
      owner.release()
    } catch (error) {
      if ((error as { code?: string }).code !== 'DATA_DIR_BUSY') appendFileSync(notes, `fails ${String(error)}\n`)
    }
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

process.on('message', (message: Race | Turns | 'release') => {
  if (message === 'release') {
    for (const owner of held.splice(0)) owner.release()
    process.send!('released')
  } else if ('tries' in message) void race(message)
  else void takeTurns(message)
})
