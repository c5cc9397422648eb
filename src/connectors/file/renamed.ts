/**
 * Files under another name. Positions go by the path, so a file that was renamed is read from its start; two files may
 * begin alike too, so neither is passed over. Where a path is gone and a new one begins as it did, that is said.
 */
import { MillraceError } from '../../system/errors.ts'
import { statusOf } from '../../system/files.ts'
import { fingerprintLength, fingerprintOf } from './fingerprint.ts'

/** Files that have been read and are gone, by how they began; of those that are given the names that were replaced too. */
export function goneFiles(
  known: Iterable<readonly [name: string, { readonly fingerprint?: string | undefined }]>,
): ReadonlyMap<string, string> {
  const gone = new Map<string, string>()
  for (const [name, { fingerprint }] of known) {
    const path = name.replace(/#\d+$/, '')
    if (fingerprint === undefined || fingerprintLength(fingerprint) === 0 || statusOf(path) !== null) continue
    gone.set(fingerprint, path)
  }
  return gone
}

/** FILE_RENAMED when a new file begins as one did that is gone; null: it does not. */
export function renamedWarning(path: string, gone: ReadonlyMap<string, string>): MillraceError | null {
  const lengths = new Set([...gone.keys()].map(fingerprintLength))
  for (const length of lengths) {
    const other = gone.get(fingerprintOf(path, length))
    if (other === undefined) continue
    const message = `${path} begins as ${other} did, which is gone; it is read from its start, as a new file.`
    return new MillraceError('FILE_RENAMED', message)
  }
  return null
}
