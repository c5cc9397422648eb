/** `millrace topics read`: the records of a stored topic, as they are. */
import { partitionsOf } from '../../log/open-topic.ts'
import { isStored, type TopicGap } from '../../log/topic-store.ts'
import { parseExact } from '../../plan/json-text.ts'
import type { Arguments } from '../arguments.ts'
import { storedDataDirectory } from '../data-directory.ts'
import { EXIT } from '../exit-codes.ts'
import { RowPrinter } from '../row-printer.ts'
import { stopOnSignals } from '../signals.ts'
import { processTerminal } from '../terminal.ts'
import { allRecords } from '../topic-records.ts'

const LIMIT_FOR_PEOPLE = 20
const DEAD_LETTERS = 'dead_letters'

export async function run(values: Arguments): Promise<number> {
  const json = values.flag('json')
  const follow = values.flag('follow')
  const limit = values.whole('limit') ?? (json || follow ? 0 : LIMIT_FOR_PEOPLE)
  const from = values.whole('from') ?? 0
  const topic = values.required('TOPIC')
  const dataDirectory = storedDataDirectory(values.text('data-dir'))
  const terminal = processTerminal()
  if (!isStored(dataDirectory, topic)) {
    // Made with its first record; that there is none is an answer. Any other topic is unknown.
    if (topic !== DEAD_LETTERS) partitionsOf(dataDirectory, topic)
    else if (!follow) {
      if (!json) terminal.remark('no record was refused')
      return EXIT.ok
    }
  }
  const printer = new RowPrinter(terminal)
  let count = 0
  let more = false
  const lost = ({ from, to, reason }: TopicGap) =>
    terminal.remark(`records ${from} to ${to - 1} are not there: ${reason}`)
  for await (const record of allRecords(dataDirectory, topic, from, lost, follow ? stopOnSignals().signal : null)) {
    if (record === 'waiting') {
      await printer.flush()
      continue
    }
    // An earlier version stored a blank line where a message was empty: it is no record.
    if (record.text.trim() === '') continue
    if (limit > 0 && count === limit) {
      more = true
      break
    }
    count++
    if (json) await terminal.print(record.text)
    else await printer.add(parseExact(record.text) as Record<string, unknown>)
    if (follow && count === limit) break
  }
  await printer.flush()
  if (json || follow) return EXIT.ok
  if (count === 0) terminal.remark(from > 0 ? `no record at offset ${from} or after it` : 'the topic is empty')
  if (more) terminal.remark(`there are more: --limit N for N of them, --from ${from + count} to go on`)
  return EXIT.ok
}
