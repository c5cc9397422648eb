/**
 * Builds the page into console/dist when that is missing or older than its sources: `node console/build.ts [--force]`.
 * What counts is a hash of the sources, kept beside what was built: times of files mean nothing after a checkout.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('.', import.meta.url))

/** Folder of the built page: index.html and assets/. */
export const pageFolder = join(root, 'dist')

const HASH = 'sources.sha256'
const SOURCES = [
  'src',
  'public',
  'index.html',
  'vite.config.ts',
  '../src/dashboard/protocol.ts',
  '../package-lock.json',
]

/** Makes sure that the page is built. Answers whether it had to be. Throws what Vite throws. */
export async function buildPage(force = false): Promise<boolean> {
  const wanted = sourcesHash()
  if (!force && isCurrent(wanted)) return false
  const { build } = await import('vite')
  // Beside, and put in place when it is whole: another process may be reading, or building too.
  const outDir = join(root, `.dist-${process.pid}`)
  // Under a test runner Vite would build for development, with the paths of this machine inside.
  const environment = process.env.NODE_ENV
  process.env.NODE_ENV = 'production'
  try {
    await build({ configFile: join(root, 'vite.config.ts'), logLevel: 'warn', build: { outDir, emptyOutDir: true } })
    writeFileSync(join(outDir, HASH), wanted)
    rmSync(pageFolder, { recursive: true, force: true })
    renameSync(outDir, pageFolder)
  } catch (error) {
    if (!isCurrent(wanted)) throw error
  } finally {
    if (environment === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = environment
    rmSync(outDir, { recursive: true, force: true })
  }
  return true
}

function isCurrent(wanted: string): boolean {
  const path = join(pageFolder, HASH)
  return existsSync(path) && readFileSync(path, 'utf8') === wanted
}

function sourcesHash(): string {
  const hash = createHash('sha256')
  for (const file of SOURCES.flatMap(source => filesOf(join(root, source)))) {
    const bytes = readFileSync(file)
    hash.update(`${relative(root, file)} ${bytes.length}\n`).update(bytes)
  }
  return hash.digest('hex')
}

function filesOf(path: string): string[] {
  if (!existsSync(path)) return []
  try {
    return readdirSync(path)
      .sort()
      .flatMap(name => filesOf(join(path, name)))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return [path]
    throw error
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const started = performance.now()
  const made = await buildPage(process.argv.includes('--force'))
  console.log(made ? `built in ${Math.round(performance.now() - started)} ms` : 'up to date')
}
