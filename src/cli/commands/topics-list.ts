/** `millrace topics list`: what the data directory stores. */
import { listTopics } from '../../log/topic-store.ts'
import type { Arguments } from '../arguments.ts'
import { storedDataDirectory } from '../data-directory.ts'
import { EXIT } from '../exit-codes.ts'
import { bytesText, grouped, jsonText, processTerminal, tableLines } from '../terminal.ts'

export async function run(values: Arguments): Promise<number> {
  const topics = listTopics(storedDataDirectory(values.text('data-dir')))
  const terminal = processTerminal()
  if (values.flag('json')) {
    await terminal.print(jsonText(topics))
    return EXIT.ok
  }
  const rows = topics.map(topic => [topic.name, grouped(topic.stored_records), bytesText(topic.bytes)])
  const columns = [
    { title: 'topic' },
    { title: 'stored records', align: 'right' },
    { title: 'size', align: 'right' },
  ] as const
  for (const line of tableLines(columns, rows, terminal.style)) await terminal.print(line)
  return EXIT.ok
}
