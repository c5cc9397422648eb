/** `millrace topics read`: the records of a stored topic, as they are. */
import { isStored, readTopic, type TopicGap } from '../../log/topic-store.ts'
import type { Arguments } from '../arguments.ts'
import { storedDataDirectory } from '../data-directory.ts'
import { EXIT } from '../exit-codes.ts'
import { RowPrinter } from '../row-printer.ts'
import { processTerminal } from '../terminal.ts'

const LIMIT_FOR_PEOPLE = 20
const DEAD_LETTERS = 'dead_letters'

export async function run(values: Arguments): Promise<number> {
  const json = values.flag('json')
  const limit = values.whole('limit') ?? (json ? 0 : LIMIT_FOR_PEOPLE)
  const from = values.whole('from') ?? 0
  const topic = values.required('TOPIC')
  const dataDirectory = storedDataDirectory(values.text('data-dir'))
  const terminal = processTerminal()
  // Made with its first record; that there is none is an answer.
  if (topic === DEAD_LETTERS && !isStored(dataDirectory, topic)) {
    if (!json) terminal.remark('no record was refused')
    return EXIT.ok
  }
  const printer = new RowPrinter(terminal)
  let count = 0
  let more = false
  const lost = ({ from, to, reason }: TopicGap) =>
    terminal.remark(`records ${from} to ${to - 1} are not there: ${reason}`)
  for (const line of readTopic(dataDirectory, topic, from, lost)) {
    if (limit > 0 && count === limit) {
      more = true
      break
    }
    count++
    if (json) await terminal.print(line)
    else await printer.add(JSON.parse(line) as Record<string, unknown>)
  }
  await printer.flush()
  if (!json && count === 0) terminal.remark(from > 0 ? `no record at offset ${from} or after it` : 'the topic is empty')
  if (!json && more) terminal.remark(`there are more: --limit N for N of them, --from ${from + count} to go on`)
  return EXIT.ok
}
