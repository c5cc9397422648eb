/** `millrace keys make`: a key with which clients may send records. It is shown once. */
import { resolve } from 'node:path'
import { makeKey } from '../../ingress/keys.ts'
import { MillraceError } from '../../system/errors.ts'
import { makeFolder } from '../../system/files.ts'
import { keepFilesPrivate } from '../../system/process.ts'
import type { Arguments } from '../arguments.ts'
import { storedDataDirectory } from '../data-directory.ts'
import { EXIT } from '../exit-codes.ts'
import { jsonText, processTerminal, timeText } from '../terminal.ts'

export async function run(values: Arguments): Promise<number> {
  const given = values.text('data-dir')
  const topics = values.list('topic')
  const expiresIn_ms = values.duration_ms('expires')
  if (expiresIn_ms === 0) throw new MillraceError('OPTION_INVALID', 'A key that expires at once lets nobody in.')
  keepFilesPrivate()
  // A key may be needed before the first run: where keys are asked for, it would let nobody in.
  if (given !== null) makeFolder(resolve(given))
  const dataDirectory = storedDataDirectory(given)
  const { key, info } = await makeKey(dataDirectory, {
    name: values.required('NAME'),
    topics: topics.length === 0 ? null : topics,
    expiresIn_ms,
  })
  const terminal = processTerminal()
  if (values.flag('json')) {
    const { id, name, created, expires } = info
    const times = { created: timeText(created), expires: expires === null ? null : timeText(expires) }
    await terminal.print(jsonText({ id, name, key, topics: info.topics, ...times }))
    return EXIT.ok
  }
  await terminal.print(key)
  const { dim } = terminal.remarkStyle
  const until = info.expires === null ? '' : `, until ${timeText(info.expires)}`
  terminal.remark(
    dim(`for ${info.topics === null ? 'all topics' : info.topics.join(', ')}${until}; it is shown only now`),
  )
  terminal.remark(dim('send it as Authorization: Bearer KEY, as X-Api-Key: KEY, or put it behind the address:'))
  terminal.remark(dim('  .../sensor-logger/KEY (Sensor Logger), .../events?key=KEY'))
  return EXIT.ok
}
