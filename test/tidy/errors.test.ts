/** The table of errors, its page, and the code that raises them hold the same codes. */
import { expect, test } from 'vitest'
import { ERRORS } from '../../src/system/errors.ts'
import { filesUnder, textOf } from './tree.ts'

const FAULT = { user: 'you', outside: 'something outside', internal: 'Millrace' } as const

const HEAD = `# Errors

Every error that Millrace raises on purpose has a code that never changes its meaning. The command line prints it as
\`CODE: what is wrong and where\`, then \`next:\` and what to do; a message may say more exactly what to do than this table.
Records that are refused carry a code too, in \`dead_letters\`, and the run goes on. A run that follows its inputs goes on
also behind every error of a sink ([more](connectors.md#when-a-sink-fails-or-is-slow)), and waits while a disk is full. Any
other error ends the run, and one that can pass by itself is worth a second run as it is. Exit codes are in
[cli.md](cli.md#exit-codes).

This page is made from \`src/system/errors.ts\` by \`npx vitest run test/tidy/errors.test.ts -u\`; the same test fails when
they differ.

| code | at fault | can pass by itself | what to do |
|---|---|---|---|
`

test('docs/errors.md is the table', async () => {
  const rows = Object.entries(ERRORS).map(
    ([code, { fault, retried, next }]) => `| \`${code}\` | ${FAULT[fault]} | ${retried ? 'yes' : 'no'} | ${next} |`,
  )
  await expect(`${HEAD}${rows.join('\n')}\n`).toMatchFileSnapshot('../../docs/errors.md')
})

test('every code is raised somewhere', () => {
  const files = [...filesUnder('src'), ...filesUnder('bin')].filter(path => path !== 'src/system/errors.ts')
  const text = files.map(textOf).join('\n')
  const unused = Object.keys(ERRORS).filter(code => !new RegExp(`['"\`]${code}\\b`).test(text))
  expect(unused).toEqual([])
})
