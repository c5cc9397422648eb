/** The real clock, timers, files, randomness and processes are touched in src/system/ alone, so that a test can put its own. */
import { stripTypeScriptTypes } from 'node:module'
import { type Node, parse } from 'acorn'
import { describe, expect, test } from 'vitest'
import { sources, textOf } from './tree.ts'

const CLOCK = 'use a Clock of src/system/clock.ts'
const RANDOM = 'use seededRandom of src/system/random.ts'
const FILES = 'use src/system/files.ts'
const PROCESS = 'use src/system/process.ts'

/** Members of globals, by `object.property`. */
const MEMBERS: Readonly<Record<string, string>> = {
  'Date.now': CLOCK,
  'performance.now': CLOCK,
  'process.hrtime': CLOCK,
  'Math.random': RANDOM,
  'crypto.randomUUID': RANDOM,
  'crypto.getRandomValues': RANDOM,
  'process.pid': PROCESS,
  'process.kill': PROCESS,
}

const CALLS: Readonly<Record<string, string>> = {
  setTimeout: CLOCK,
  setInterval: CLOCK,
  setImmediate: CLOCK,
  eval: 'generate code with new Function where it must be',
}

const MODULES: Readonly<Record<string, string>> = {
  'node:fs': FILES,
  'node:fs/promises': FILES,
  fs: FILES,
  'fs/promises': FILES,
  'node:timers': CLOCK,
  'node:timers/promises': CLOCK,
  'node:perf_hooks': CLOCK,
}

/** Of node:crypto only digests are a function of their input. */
const RANDOM_OF_CRYPTO = new Set(['randomUUID', 'randomBytes', 'randomInt', 'randomFillSync', 'webcrypto'])

interface Syntax extends Node {
  readonly [key: string]: unknown
}

/** What the text does that it must not, as `line: what: replacement`. */
function banned(text: string): string[] {
  const javascript = stripTypeScriptTypes(text)
  const root = parse(javascript, { ecmaVersion: 'latest', sourceType: 'module', locations: true }) as unknown as Syntax
  const found: string[] = []
  const report = (node: Syntax, what: string, instead: string) =>
    found.push(`${node.loc?.start.line}: ${what}: ${instead}`)
  const nameOf = (node: unknown): string | null => {
    const { type, name } = (node ?? {}) as { type?: string; name?: string }
    return type === 'Identifier' ? (name ?? null) : null
  }
  const visit = (node: Syntax): void => {
    switch (node.type) {
      case 'MemberExpression': {
        const property = node.computed ? ((node.property as { value?: unknown }).value ?? null) : nameOf(node.property)
        const object = node.object as Syntax
        // `globalThis.setTimeout` and `globalThis.Date.now` too.
        const owner = nameOf(object) ?? (object.type === 'MemberExpression' ? nameOf(object.property) : null)
        const member = `${owner}.${String(property)}`
        if (MEMBERS[member]) report(node, member, MEMBERS[member])
        if (owner === 'globalThis' && CALLS[String(property)]) report(node, member, CALLS[String(property)]!)
        break
      }
      case 'VariableDeclarator': {
        const id = node.id as { type: string; properties?: readonly { key?: unknown }[] }
        if (id.type !== 'ObjectPattern' || node.init == null) break
        for (const { key } of id.properties ?? []) {
          const member = `${nameOf(node.init)}.${nameOf(key)}`
          if (MEMBERS[member]) report(node, member, MEMBERS[member])
        }
        break
      }
      case 'NewExpression':
        if (nameOf(node.callee) === 'Date' && (node.arguments as unknown[]).length === 0)
          report(node, 'new Date()', CLOCK)
        break
      case 'CallExpression': {
        const name = nameOf(node.callee)
        if (name === 'Date') report(node, 'Date()', CLOCK)
        if (name && CALLS[name]) report(node, name, CALLS[name])
        break
      }
      case 'ImportDeclaration':
      case 'ImportExpression':
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration': {
        const module = (node.source as { value?: unknown } | null)?.value
        if (typeof module !== 'string') break
        if (MODULES[module]) report(node, module, MODULES[module])
        if (module !== 'node:crypto') break
        for (const { imported } of (node.specifiers ?? []) as { imported?: unknown }[]) {
          const name = nameOf(imported)
          if (name === null || RANDOM_OF_CRYPTO.has(name)) report(node, `${name ?? 'all'} of node:crypto`, RANDOM)
        }
        break
      }
    }
    for (const value of Object.values(node)) {
      if (Array.isArray(value)) {
        for (const item of value) if (isSyntax(item)) visit(item)
      } else if (isSyntax(value)) visit(value)
    }
  }
  visit(root)
  return found
}

function isSyntax(value: unknown): value is Syntax {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}

describe('bans outside src/system/', () => {
  test('nothing in src/ reads the clock, draws numbers or touches files by itself', () => {
    const outside = sources.filter(path => !path.startsWith('src/system/'))
    expect(outside.length).toBeGreaterThan(100)
    expect(outside.flatMap(path => banned(textOf(path)).map(found => `${path}:${found}`))).toEqual([])
  })

  test.each([
    ['const t: number = Date.now()', 'Date.now'],
    ['const { now } = Date', 'Date.now'],
    ['new Date()', 'new Date()'],
    ['const t = performance.now()', 'performance.now'],
    ["Math['random']()", 'Math.random'],
    ['setTimeout(() => {}, 1)', 'setTimeout'],
    ['globalThis.setInterval(() => {}, 1)', 'globalThis.setInterval'],
    ['process.kill(process.pid)', 'process.kill'],
    ["import { readFileSync } from 'node:fs'", 'node:fs'],
    ["const files = await import('node:fs/promises')", 'node:fs/promises'],
    ["import { randomUUID } from 'node:crypto'", 'randomUUID of node:crypto'],
    ["import * as crypto from 'node:crypto'", 'all of node:crypto'],
  ])('%s is seen', (text, what) => {
    expect(banned(text).join('\n')).toContain(`1: ${what}: use `)
  })

  test.each([
    'const date = new Date(milliseconds)',
    "const words = 'Date.now() and Math.random()'",
    "import { createHash } from 'node:crypto'",
    "import type { Stats } from 'node:fs'",
    'clock.now()',
    'refuse(`Math.random`)',
  ])('%s is allowed', text => {
    expect(banned(text)).toEqual([])
  })
})
