import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { inFolder, ROOT } from './support.ts'

/** What a pack needs; copied, since package.json changes while npm packs. */
const PARTS = [
  ...['bin', 'src', 'console', 'examples', 'scripts', 'package.json', 'package-lock.json', 'LICENSE', 'README.md'],
  ...['tsconfig.json', 'tsconfig.package.json'],
]
/** What npm would install with it, and what a compiler of the user's needs. */
const PACKAGES = [...Object.keys(dependencies()), '@types', 'undici-types']

/** As in a clone: the page is built here. */
function filter(path: string): boolean {
  return !path.startsWith(join(ROOT, 'console/dist')) && !path.startsWith(join(ROOT, 'console/.dist-'))
}

function dependencies(): Record<string, string> {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  return manifest.dependencies
}

function call(command: string, words: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, words, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '', PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
  })
  expect({ words, status, failure: status === 0 ? '' : stdout + stderr }).toEqual({ words, status: 0, failure: '' })
  return stdout
}

test('what npm packs runs below node_modules, on threads too, and brings its types', { timeout: 60_000 }, () =>
  inFolder(async folder => {
    const tree = join(folder, 'tree')
    for (const part of PARTS) cpSync(join(ROOT, part), join(tree, part), { recursive: true, filter })
    symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
    saysThatThePageIsMissing(tree)
    const manifest = readFileSync(join(tree, 'package.json'), 'utf8')
    call('npm', ['pack', '--loglevel=error', '--pack-destination', folder], tree)
    expect(readFileSync(join(tree, 'package.json'), 'utf8')).toBe(manifest)
    expect(existsSync(join(tree, 'dist'))).toBe(false)
    expect(existsSync(join(tree, 'console/dist/index.html'))).toBe(true)

    const modules = join(folder, 'project', 'node_modules')
    mkdirSync(modules, { recursive: true })
    const archive = readdirSync(folder).find(name => name.endsWith('.tgz'))!
    call('tar', ['-xzf', join(folder, archive), '-C', modules], folder)
    cpSync(join(modules, 'package'), join(modules, 'millrace'), { recursive: true })
    for (const name of PACKAGES) {
      mkdirSync(dirname(join(modules, name)), { recursive: true })
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
    }

    const project = join(folder, 'project')
    writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }\n')
    const millrace = (...words: string[]) =>
      call(process.execPath, [join(modules, 'millrace/bin/millrace.js'), ...words], project)
    expect(millrace('init')).toMatch(/^package\.json +yours, left as it is$/m)
    expect(millrace('run', 'pipeline.ts', '--until-end', '--workers', '2')).toMatch(/^quarters +12$/m)
    expect(millrace('verify', 'pipeline.ts')).toContain('agree in every column: 12 rows')

    await servesThePage(join(modules, 'millrace/bin/millrace.js'), project)

    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
    call(process.execPath, [compiler], project)
    const pipeline = readFileSync(join(project, 'pipeline.ts'), 'utf8')
    writeFileSync(join(project, 'pipeline.ts'), pipeline.replace("average('temperature')", "average('sensor')"))
    expect(spawnSync(process.execPath, [compiler], { cwd: project, encoding: 'utf8' }).stdout).toContain('"sensor"')
  }),
)

/** A clone in which nobody has built the page yet. */
function saysThatThePageIsMissing(tree: string): void {
  const places = [
    '--console',
    '127.0.0.1:0',
    '--listen',
    '127.0.0.1:0',
    '--data-dir',
    join(tree, 'out'),
    '--for',
    '1ms',
  ]
  const words = [join(tree, 'bin/millrace.js'), 'run', 'examples/activity-tracker/pipeline.ts', ...places]
  const { stderr } = spawnSync(process.execPath, words, { cwd: tree, encoding: 'utf8' })
  expect(stderr).toContain('it is not built yet: npm start builds it')
}

/** The page and all that it names come out of the package. */
async function servesThePage(command: string, cwd: string): Promise<void> {
  const words = ['run', 'pipeline.ts', '--console', '127.0.0.1:0', '--events', '--data-dir', 'live']
  const child = spawn(process.execPath, [command, ...words], { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise(resolve => child.on('close', resolve))
  try {
    let said = ''
    // Read on to the end: a run whose reader goes away ends.
    const first = await new Promise<string>((resolve, reject) => {
      child.stdout.on('data', bytes => {
        said += bytes
        if (said.includes('\n')) resolve(said.split('\n')[0]!)
      })
      child.on('close', code => reject(new Error(`it ended with ${code}: ${said}`)))
    })
    const { event, page } = JSON.parse(first) as { event: string; page: string }
    expect(event).toBe('ready')
    const html = await textOf(page)
    expect(html).toContain('<div id="page">')
    const named = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path!)
    expect(named.some(path => path.startsWith('/assets/'))).toBe(true)
    for (const path of named) expect((await textOf(new URL(path, page).href)).length).toBeGreaterThan(0)
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

async function textOf(address: string): Promise<string> {
  const answer = await fetch(address)
  const text = await answer.text()
  expect({ address, status: answer.status, text }).toMatchObject({ status: 200 })
  return text
}
