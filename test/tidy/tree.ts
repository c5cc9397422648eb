/** The files of the repository as the tidy tests see them: what is committed, without what is installed or made by runs. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

/** Folders of .gitignore, and those that only tools write. */
const SKIPPED = new Set(['.git', 'node_modules', '.millrace', 'coverage', 'bench/data', 'bench/out', 'console/dist'])

/** Paths relative to the root, sorted. */
export function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap(entry => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (SKIPPED.has(entry.name) || SKIPPED.has(path) || entry.name.endsWith('.log')) return []
      if (!entry.isDirectory()) return [path]
      // A data directory that somebody's run left behind.
      return existsSync(join(root, path, 'run.json')) ? [] : filesUnder(path)
    })
    .sort()
}

export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** The TypeScript files of src/, without declarations. */
export const sources: readonly string[] = filesUnder('src').filter(path => /\.ts$/.test(path) && !/\.d\.ts$/.test(path))

export interface Import {
  readonly file: string
  readonly line: number
  readonly specifier: string
}

/** All that a file imports, types too, at the top or lazily. Biome keeps to this one way of writing it. */
export function importsOf(path: string): Import[] {
  const text = textOf(path)
  const top = /^(?:import|export|\})[^'\n]*?\bfrom '([^']+)'|^import '([^']+)'/gm
  // Lazily, or as the entry of a thread.
  const inside = /\bimport\('([^']+)'\)|\bnew URL\('(\.[^']+\.ts)', import\.meta\.url\)/g
  return [...text.matchAll(top), ...text.matchAll(inside)].map(match => ({
    file: path,
    line: text.slice(0, match.index).split('\n').length,
    specifier: match[1] ?? match[2]!,
  }))
}
