#!/usr/bin/env node
// The way in for any Node: an older one hands over to the Node 24 among the dependencies, if it is there.
// Plain JavaScript on purpose, and no import that an old Node lacks.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const OLDEST = 24
const root = fileURLToPath(new URL('..', import.meta.url))

if (Number(process.versions.node.split('.')[0]) >= OLDEST) await start()
else handOver()

async function start() {
  hushWarnings()
  enableCompileCache()
  // A checkout runs its source; a published package holds what was made of it.
  const isCheckout = existsSync(join(root, 'src'))
  resolveOwnModules(...(isCheckout ? ['src', 'module-typescript'] : ['dist', 'module']))
  const { main } = await (isCheckout ? import('../src/cli/main.ts') : import('../dist/cli/main.js'))
  await main(process.argv.slice(2))
}

/** What Node says about its own unfinished parts, or about a package.json without a type, is no concern of the user. */
function hushWarnings() {
  const listeners = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', warning => {
    if (warning.name === 'ExperimentalWarning' || warning.code === 'MODULE_TYPELESS_PACKAGE_JSON') return
    for (const listener of listeners) listener.call(process, warning)
  })
}

/** Keeps the compiled modules between runs; without a place for them the run is only slower. */
function enableCompileCache() {
  if (process.env.NODE_DISABLE_COMPILE_CACHE) return
  try {
    const modules = join(root, 'node_modules')
    nodeModule.enableCompileCache(existsSync(modules) ? join(modules, '.cache', 'millrace') : undefined)
  } catch {}
}

/**
 * Our modules name each other by whole relative paths, so nothing need be looked up. Node would ask the disk about each of
 * them and its package: a tenth of a short run.
 */
function resolveOwnModules(folder, format) {
  const own = new URL(`../${folder}/`, import.meta.url).href
  nodeModule.registerHooks({
    resolve(specifier, context, next) {
      if (!specifier.startsWith('.') || !context.parentURL?.startsWith(own)) return next(specifier, context)
      return { url: new URL(specifier, context.parentURL).href, format, shortCircuit: true }
    },
  })
}

function handOver() {
  const newer = [join(root, 'node_modules/node/bin/node'), join(root, '../node/bin/node')].find(path =>
    existsSync(path),
  )
  if (newer === undefined) {
    process.stderr.write(
      `NODE_TOO_OLD: millrace needs Node ${OLDEST} or newer; this is ${process.version}\n  next: Install Node ${OLDEST}, or add it here: npm install node@${OLDEST}\n`,
    )
    process.exit(2)
  }
  const child = spawn(newer, [...process.execArgv, ...process.argv.slice(1)], {
    // The channel tells the child when we are killed without a chance to tell it ourselves.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  // The child stops in its own time. From a terminal it gets the signal twice; it takes two at once for one.
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, () => child.kill(signal))
  process.once('disconnect', () => child.connected && child.disconnect())
  child.on('error', error => {
    process.stderr.write(`millrace: cannot start ${newer}: ${error.message}\n`)
    process.exit(70)
  })
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}
