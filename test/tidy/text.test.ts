/** What stands in files: no place of one machine, no link that leads nowhere. */
import { existsSync } from 'node:fs'
import { join, posix } from 'node:path'
import { describe, expect, test } from 'vitest'
import { filesUnder, root, textOf } from './tree.ts'

const BINARY = /\.(zip|gz|zst|parquet|png|jpg|ico|woff2?|wasm|duckdb)$/

/** Patterns, each written so that it does not match itself. */
const MACHINE: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a folder of one machine', /(?<![\w.$}])\/(?:work|home|root|Users)\/[\w.-]/],
  ['a folder of one machine', /\b[A-Z]:\\{1,2}Users\b/],
  ['the address of a registry', /\bhttps?:\/\/[^\s/'"]*registry[^\s/'"]*/i],
  ['the address of a registry', /^\s*(?:@\w+:)?registry\s*=/m],
  ['an address of one network', /\bhttps?:\/\/(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d/],
]

const files = filesUnder('').filter(path => !BINARY.test(path))

describe('no file names a place of one machine', () => {
  test('all files', () => {
    expect(files).toContain('package-lock.json')
    const found = files.flatMap(path => {
      const text = textOf(path)
      return MACHINE.flatMap(([what, pattern]) => {
        const match = pattern.exec(text)
        return match === null ? [] : [`${path}:${text.slice(0, match.index).split('\n').length}: ${what}: ${match[0]}`]
      })
    })
    expect(found).toEqual([])
  })

  test.each([
    'see /ho' + 'me/ann/x',
    'cd /wo' + 'rk/main',
    '"https://npm-regi' + 'stry.example.org/zod"',
    'regi' + 'stry=x',
  ])('%s is seen', text => {
    expect(MACHINE.some(([, pattern]) => pattern.test(text))).toBe(true)
  })
})

const pages = files.filter(path => path.endsWith('.md'))

/** Anchors of a page's headings, as they are made where Markdown is shown. */
function anchorsOf(text: string): Set<string> {
  const headings = [...withoutCode(text).matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading]) => heading!)
  return new Set(
    headings.map(heading =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replaceAll(/\s/g, '-'),
    ),
  )
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '')
}

describe('links in Markdown', () => {
  test('there are pages', () => expect(pages).toContain('README.md'))

  test.each(pages)('%s', page => {
    const text = withoutCode(textOf(page)).replaceAll(/`[^`\n]*`/g, '')
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!)
    const broken = targets.filter(target => {
      if (/^[a-z]+:/i.test(target)) return false
      const [path = '', anchor] = target.split('#') as [string, string?]
      const file = path === '' ? page : posix.join(posix.dirname(page), path)
      if (!existsSync(join(root, file))) return true
      return anchor !== undefined && file.endsWith('.md') && !anchorsOf(textOf(file)).has(anchor)
    })
    expect(broken).toEqual([])
  })
})

/** Decisions that a later one took the place of name files as they were. */
const replaced = new Set(
  [...textOf('docs/decisions/README.md').matchAll(/\]\((\S+\.md)\).*\(replaced by \d+\)$/gm)].map(
    ([, page]) => `docs/decisions/${page}`,
  ),
)

describe('files that pages name', () => {
  test('there are decisions that no longer hold', () =>
    expect(replaced).toContain('docs/decisions/0003-run-again-from-the-inputs.md'))

  test.each(pages.filter(page => !replaced.has(page)))('%s', page => {
    const named = [...textOf(page).matchAll(/`((?:[\w-]+\/)+[\w.-]+\.ts)`/g)].map(([, path]) => path!)
    const folders = ['', 'src', posix.dirname(page)]
    expect(named.filter(path => !folders.some(folder => existsSync(join(root, folder, path))))).toEqual([])
  })
})

test('every page of docs/ can be reached from README.md', () => {
  const reached = new Set(['README.md'])
  for (const page of reached) {
    for (const [, target] of withoutCode(textOf(page)).matchAll(/\]\(([^)\s#:]+)[^)\s]*\)/g)) {
      const file = posix.join(posix.dirname(page), target!)
      if (file.endsWith('.md') && pages.includes(file)) reached.add(file)
    }
  }
  expect(pages.filter(page => page.startsWith('docs/') && !reached.has(page))).toEqual([])
})
