import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { inFolder, millrace } from './support.ts'

describe('millrace keys', () => {
  test(
    'a key is made, listed without being shown, and revoked',
    () =>
      inFolder(async folder => {
        const run = (...words: string[]) => millrace([...words, '--data-dir', join(folder, 'data')])
        const made = await run(
          'keys',
          'make',
          'ann-phone',
          '--topic',
          'readings',
          '--topic',
          'others',
          '--expires',
          '90d',
        )
        expect(made.code).toBe(0)
        expect(made.stdout).toMatch(/^mk_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}\n$/)
        expect(made.stderr).toContain('for readings, others, until ')
        expect(made.stderr).not.toContain(made.stdout.trim())

        const json = await run('keys', 'make', 'gateway', '--json')
        const { id, key, topics, expires } = JSON.parse(json.stdout) as Record<string, string | null>
        expect({ topics, expires, stderr: json.stderr }).toEqual({ topics: null, expires: null, stderr: '' })

        const list = await run('keys', 'list')
        expect(list.stdout).toMatch(/^ann-phone +\w{8} +readings, others +in use +20\S+ +20\S+ +never$/m)
        expect(list.stdout).not.toContain(key)

        expect(await run('keys', 'revoke', 'ann-phone')).toMatchObject({
          code: 0,
          stdout: expect.stringMatching(/^revoked ann-phone \(/),
        })
        expect(JSON.parse((await run('keys', 'revoke', id!, '--json')).stdout)).toMatchObject({ id, name: 'gateway' })
        const states = JSON.parse((await run('keys', 'list', '--json')).stdout) as { name: string; state: string }[]
        expect(states.map(({ name, state }) => [name, state])).toEqual([
          ['ann-phone', 'revoked'],
          ['gateway', 'revoked'],
        ])
        expect(readFileSync(join(folder, 'data/keys.json'), 'utf8')).not.toContain(key!.slice(-43))
      }),
    30_000,
  )

  test(
    'what cannot be done says what can',
    () =>
      inFolder(async folder => {
        const run = (...words: string[]) => millrace([...words, '--data-dir', folder])
        expect(await run('keys', 'list')).toMatchObject({
          code: 0,
          stdout: '',
          stderr: expect.stringContaining('millrace keys make NAME'),
        })
        await run('keys', 'make', 'ann')
        expect(await run('keys', 'make', 'ann')).toMatchObject({
          code: 2,
          stderr: expect.stringContaining('millrace keys revoke'),
        })
        expect(await run('keys', 'revoke', 'bob')).toMatchObject({ code: 2, stderr: expect.stringContaining('ann (') })
        expect((await run('keys', 'make', 'x', '--expires', '0s')).code).toBe(2)
        expect((await run('keys', 'make')).code).toBe(2)
        expect((await millrace(['keys', 'list', '--data-dir', join(folder, 'none')])).code).toBe(2)
        expect(existsSync(join(folder, 'none'))).toBe(false)
      }),
    30_000,
  )
})
