/**
 * zod brings its messages in more than sixty languages and loads them all, a file each: as many as Millrace has itself.
 * A language is loaded here when it is asked for (`z.locales.de()`), which most pipelines never do.
 */
import type { LoadFnOutput, LoadHookContext } from 'node:module'

const INDEX = '/zod/v4/locales/index.js'
const EXPORT = /^export \{ default as (\w+) \} from "(\.\/[\w-]+\.js)";$/

/** A load hook: zod's list of languages with each behind a function; a list of another form stays as it is. */
export function lazyLocales(
  url: string,
  context: LoadHookContext,
  next: (url: string, context?: Partial<LoadHookContext>) => LoadFnOutput,
): LoadFnOutput {
  const loaded = next(url, context)
  if (!url.endsWith(INDEX) || loaded.format !== 'module' || !loaded.source) return loaded
  const text = typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString()
  const lines = text.split('\n').filter(line => line.trim() !== '')
  const locales = lines.map(line => EXPORT.exec(line))
  if (locales.includes(null)) return loaded
  const functions = locales.map(match => `export const ${match![1]} = () => load('${match![2]}').default()`)
  const head = `import { createRequire } from 'node:module'\nconst load = createRequire(import.meta.url)\n`
  return { ...loaded, source: head + functions.join('\n') }
}
