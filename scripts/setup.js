// The way in for a fresh clone: installs what is missing, then starts or tests with the Node among the dependencies.
// Plain JavaScript for any Node from 20 on, with nothing installed.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const lock = join(root, 'package-lock.json')
const installed = join(root, 'node_modules/.package-lock.json')
const stamp = join(root, 'node_modules/.millrace-installed')
const node24 = join(root, 'node_modules/node/bin/node')

const TASKS = { start: 'scripts/start.ts', test: 'scripts/test.ts', campaign: 'campaign/run.ts' }

const [task = '', ...words] = process.argv.slice(2)
if (!Object.hasOwn(TASKS, task)) {
  console.error(`scripts/setup.js knows: ${Object.keys(TASKS).join(', ')}`)
  process.exit(2)
}
install()
handOver(join(root, TASKS[task]), words)

function install() {
  if (isFresh()) return
  // A registry that lacks the packages of other platforms leaves holes in the lock, which `npm ci` refuses and
  // `npm install` does not mind; it must not rewrite the lock on the way.
  // All of them, whatever the environment says: the page is built with those for development.
  const all = '--include=dev'
  const ways = existsSync(lock)
    ? [
        ['ci', all],
        ['install', '--no-save', all],
      ]
    : [['install', all]]
  let failure = ''
  for (const words of ways) {
    console.error(`Installing the dependencies (npm ${words.join(' ')}) ...`)
    failure = npm([...words, '--no-audit', '--no-fund', '--loglevel=error'])
    if (failure === '') return writeFileSync(stamp, lockHash())
  }
  console.error(failure)
  process.exit(4)
}

/** What npm says when it fails; empty when all is well. */
function npm(words) {
  const windows = process.platform === 'win32'
  const { status, error, stderr } = spawnSync(windows ? 'npm.cmd' : 'npm', words, {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    shell: windows,
  })
  return status === 0 ? '' : `npm ${words[0]} failed: ${error?.message ?? stderr}`
}

/** The lock file's time decides; a lock that only looks newer (a checkout touched it) is known by its content. */
function isFresh() {
  if (!existsSync(installed) || !existsSync(node24)) return false
  // npm would empty the folder of another checkout through the link.
  if (lstatSync(join(root, 'node_modules')).isSymbolicLink()) return true
  if (!existsSync(lock)) return true
  if (statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return true
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash()
}

function lockHash() {
  return existsSync(lock) ? createHash('sha256').update(readFileSync(lock)).digest('hex') : ''
}

function handOver(file, rest) {
  const newEnough = Number(process.versions.node.split('.')[0]) >= 24
  const node = existsSync(node24) ? node24 : newEnough ? process.execPath : null
  if (node === null) {
    console.error(`Node 24 is needed and did not install; this is ${process.version}.`)
    process.exit(4)
  }
  const child = spawn(node, [file, ...rest], { cwd: root, stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}
