/** `millrace keys revoke`: a key lets nobody in any more; a run at work sees it within a second. */
import { revokeKey } from '../../ingress/keys.ts'
import type { Arguments } from '../arguments.ts'
import { storedDataDirectory } from '../data-directory.ts'
import { EXIT } from '../exit-codes.ts'
import { jsonText, processTerminal, timeText } from '../terminal.ts'

export async function run(values: Arguments): Promise<number> {
  const dataDirectory = storedDataDirectory(values.text('data-dir'))
  const { id, name, revoked } = await revokeKey(dataDirectory, values.required('NAME|ID'))
  const terminal = processTerminal()
  if (values.flag('json')) await terminal.print(jsonText({ id, name, revoked: timeText(revoked!) }))
  else await terminal.print(`revoked ${name} (${id})`)
  return EXIT.ok
}
