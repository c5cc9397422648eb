/**
 * The key with which phones push where one is needed: made once for a data directory and kept beside it in a file that
 * its owner alone may read, so that an address that was typed into a phone stays good after a restart.
 */
import { join } from 'node:path'
import type { Listen } from '../../src/connectors/contract.ts'
import { areKeysNeeded } from '../../src/ingress/access.ts'
import { hashOf, makeKey, readKeys, revokeKey } from '../../src/ingress/keys.ts'
import { readText, replaceText } from '../../src/system/files.ts'

const NAME = 'npm-start'

/** null: none is needed. */
export async function phoneKeyOf(dataDirectory: string, listen: Listen): Promise<string | null> {
  if (!areKeysNeeded(listen, dataDirectory)) return null
  const path = join(dataDirectory, 'phone.key')
  const known = readText(path)?.trim() ?? ''
  const hash = hashOf(known)
  const inUse = readKeys(dataDirectory).filter(key => key.revoked === null)
  if (inUse.some(key => key.hash === hash)) return known
  // Its file was lost: nobody can say it any more.
  if (inUse.some(key => key.name === NAME)) await revokeKey(dataDirectory, NAME)
  const { key } = await makeKey(dataDirectory, { name: NAME, topics: null, expiresIn_ms: null })
  replaceText(path, `${key}\n`, { isPrivate: true })
  return key
}
