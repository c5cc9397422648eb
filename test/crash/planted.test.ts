/** The faults that the harness must find are still where they can be planted; `node test/crash/prove.ts` plants them. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { PLANTED } from './planted.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

test.each(PLANTED)('$name', ({ file, from }) => {
  expect(readFileSync(root + file, 'utf8').split(from).length - 1).toBe(1)
})
