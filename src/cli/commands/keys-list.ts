/** `millrace keys list`: the API keys of a data directory, without what they are. */
import { type KeyInfo, listKeys } from '../../ingress/keys.ts'
import { systemClock } from '../../system/clock.ts'
import type { Arguments } from '../arguments.ts'
import { storedDataDirectory } from '../data-directory.ts'
import { EXIT } from '../exit-codes.ts'
import { jsonText, processTerminal, tableLines, timeText } from '../terminal.ts'

export async function run(values: Arguments): Promise<number> {
  const keys = listKeys(storedDataDirectory(values.text('data-dir')))
  const terminal = processTerminal()
  const now = systemClock.now()
  if (values.flag('json')) {
    const told = keys.map(key => ({ ...key, ...timesOf(key), state: stateOf(key, now) }))
    await terminal.print(jsonText(told))
    return EXIT.ok
  }
  if (keys.length === 0) {
    terminal.remark("there are no keys; 'millrace keys make NAME' makes one")
    return EXIT.ok
  }
  const titles = ['name', 'id', 'topics', 'state', 'created', 'expires', 'last used'].map(title => ({ title }))
  const rows = keys.map(key => {
    const { created, expires, lastUsed } = timesOf(key)
    const topics = key.topics === null ? 'all' : key.topics.join(', ')
    return [key.name, key.id, topics, stateOf(key, now), created ?? '', expires ?? 'never', lastUsed ?? 'never']
  })
  for (const line of tableLines(titles, rows, terminal.style)) await terminal.print(line)
  return EXIT.ok
}

function timesOf({ created, expires, revoked, lastUsed }: KeyInfo) {
  const text = (time: number | null) => (time === null ? null : timeText(time))
  return { created: text(created), expires: text(expires), revoked: text(revoked), lastUsed: text(lastUsed) }
}

function stateOf({ expires, revoked }: KeyInfo, now: number): 'in use' | 'expired' | 'revoked' {
  if (revoked !== null) return 'revoked'
  return expires !== null && expires <= now ? 'expired' : 'in use'
}
