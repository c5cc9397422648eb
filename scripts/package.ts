// Makes `npm pack` and `npm publish` give a package that runs: Node does not strip types below node_modules, so what is
// published is JavaScript with declarations in dist/, and the page as it was built. npm calls `before`, packs, and calls
// `after`; in between package.json points to dist/. A call that was cut off is put right by the next one.
import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildPage } from '../console/build.ts'

interface Manifest {
  exports: Record<string, string | { types: string; default: string }>
}

const root = fileURLToPath(new URL('..', import.meta.url))
const manifestPath = join(root, 'package.json')
const dist = join(root, 'dist')

switch (process.argv[2]) {
  case 'before':
    compile()
    await buildPage()
    rewriteExports(source => {
      const built = source.replace(/^\.\/src\//, './dist/').replace(/\.ts$/, '')
      return { types: `${built}.d.ts`, default: `${built}.js` }
    })
    break
  case 'after':
    rewriteExports(source => source)
    rmSync(dist, { recursive: true, force: true })
    break
  default:
    console.error('scripts/package.ts knows: before, after; run: npm pack')
    process.exitCode = 2
}

function compile(): void {
  rmSync(dist, { recursive: true, force: true })
  const words = [join(root, 'node_modules/typescript/bin/tsc'), '--project', 'tsconfig.package.json']
  // npm prints the name of the package on stdout; nothing else belongs there.
  const { status } = spawnSync(process.execPath, words, { cwd: root, stdio: ['ignore', 2, 2] })
  if (status !== 0) process.exit(status ?? 1)
  copyFileSync(join(root, 'src/package.json'), join(dist, 'package.json'))
}

/** Puts each export of TypeScript into the form that `of` gives it, from whichever form it has. */
function rewriteExports(of: (source: string) => string | { types: string; default: string }): void {
  const manifest = JSON.parse(readFileSync(manifestPath, 'utf8')) as Manifest
  for (const [name, target] of Object.entries(manifest.exports)) {
    const source =
      typeof target === 'string' ? target : target.default.replace(/^\.\/dist\//, './src/').replace(/\.js$/, '.ts')
    if (source.endsWith('.ts')) manifest.exports[name] = of(source)
  }
  writeFileSync(manifestPath, `${JSON.stringify(manifest, null, 2)}\n`)
}
