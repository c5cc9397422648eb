/**
 * The claims to a data directory: the file owner.lock, and behind each claim at most one that follows it.
 *
 * Whoever finds the last claim's process gone links its own behind it, as owner.after-TOKEN. A link is made once, so one
 * process alone follows each claim, and the last one in the row has the directory. It then moves its claim to owner.lock,
 * in place of the first, and removes those between. A claim that was linked behind one that is no longer in the row (its
 * process was slow) is found by nobody, its own process included. Tokens never come again.
 */
import { join } from 'node:path'
import { createText } from '../../system/file-names.ts'
import { remove, replaceFile } from '../../system/files.ts'
import { type Claim, claimText, type ReadClaim, readClaim, socketOf } from './claim.ts'

export const lockIn = (dataDirectory: string) => join(dataDirectory, 'owner.lock')
const afterIn = (dataDirectory: string, token: string) => join(dataDirectory, `owner.after-${token}`)

/** All claims in their order; empty: nobody has the directory. */
export function readClaims(dataDirectory: string): ReadClaim[] {
  const claims: ReadClaim[] = []
  let claim = readClaim(lockIn(dataDirectory))
  while (claim !== null) {
    claims.push(claim)
    claim = readClaim(afterIn(dataDirectory, claim.token))
  }
  return claims
}

/** Puts a claim behind the last one (null: there is none); false when another is there, or that one no longer counts. */
export function follow(dataDirectory: string, last: ReadClaim | null, claim: Claim): boolean {
  const path = last === null ? lockIn(dataDirectory) : afterIn(dataDirectory, last.token)
  if (!createText(path, claimText(claim))) return false
  const claims = readClaims(dataDirectory)
  // Behind a claim that is no longer in the row nobody finds it.
  if (claims.every(({ token }) => token !== claim.token)) remove(path)
  return claims.at(-1)?.token === claim.token
}

/** Has the last claim stand alone, in owner.lock. Its process alone may call this. */
export function standAlone(dataDirectory: string): void {
  const claims = readClaims(dataDirectory)
  const own = claims.pop()!
  if (claims.length > 0) replaceFile(own.path, lockIn(dataDirectory))
  for (const { token } of claims) {
    remove(afterIn(dataDirectory, token))
    remove(join(dataDirectory, socketOf(token)))
  }
}
