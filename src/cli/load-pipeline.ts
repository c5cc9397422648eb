/** Loads the user's file and takes the plan out of it. */
import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Plan } from '../plan/nodes.ts'
import { MillraceError, nearest } from '../system/errors.ts'
import { listFolder, statusOf, unreadable } from '../system/files.ts'
import { placeOf } from './error-text.ts'
import { lazyLocales } from './lazy-locales.ts'

export interface LoadedPipeline {
  readonly plan: Plan
  /** Absolute path of the file. */
  readonly file: string
  /** The data directory: the one given, else `.millrace/<name>` under the working directory. */
  dataDirectory(given: string | null): string
}

/**
 * Imports a pipeline file and returns its plan.
 *
 * Errors: PIPELINE_NOT_FOUND, PIPELINE_INVALID (with the place) for a file that does not parse, throws, or exports no
 * pipeline as its default; a MillraceError of the pipeline's own building passes unchanged.
 */
export async function loadPipeline(path: string): Promise<LoadedPipeline> {
  const file = resolve(path)
  const status = statusOf(file)
  if (status === null) throw new MillraceError('PIPELINE_NOT_FOUND', unreadable(path, { code: 'ENOENT' }).message)
  if (status.kind !== 'file') {
    const near = listFolder(file).filter(name => /\.[cm]?[jt]s$/.test(name))
    const hint = near.includes('pipeline.ts') ? ` Did you mean ${path.replace(/\/$/, '')}/pipeline.ts?` : ''
    throw new MillraceError('PIPELINE_NOT_FOUND', `${path} is a folder, not a pipeline file.${hint}`)
  }
  letOurselvesBeFound()
  const plan = planOf(await importFile(file), path)
  return {
    plan,
    file,
    dataDirectory: given => resolve(given ?? `.millrace/${plan.name}`),
  }
}

async function importFile(file: string): Promise<Record<string, unknown>> {
  const stalled = Promise.withResolvers<never>()
  const onStall = () =>
    stalled.reject(
      new MillraceError('PIPELINE_INVALID', `${file} waits at its top level (await) for something that never comes.`),
    )
  process.once('beforeExit', onStall)
  try {
    const loading: Promise<Record<string, unknown>> = import(pathToFileURL(file).href)
    return await Promise.race([loading, stalled.promise])
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause
    const error = cause as Error
    const place = placeOf(error) ?? placeOfSyntaxError(error) ?? file
    const message = error?.message ?? String(cause)
    throw new MillraceError('PIPELINE_INVALID', `${place}: ${message}${stepHint(message)}`, { cause })
  } finally {
    process.off('beforeExit', onStall)
  }
}

/** The methods of a stream; named here, since a command does not load what a user writes with. */
export const STEPS = 'filter require derive select rename explode dedupe groupBy finals named to'.split(' ')

/** What to write for a step that there is not: the nearest one, or all of them. */
function stepHint(message: string): string {
  const [, name] = /\)\.(\w+) is not a function$/.exec(message) ?? []
  if (name === undefined) return ''
  const near = nearest(name, STEPS)
  return near === null ? `; the steps of a stream are ${STEPS.join(', ')}` : `; did you mean ${near}?`
}

/** Node prints the place of a syntax error as the first line of its stack. */
function placeOfSyntaxError(error: Error): string | null {
  const match = /^(?:file:\/\/)?(\/[^\n]*):(\d+)$/m.exec(error?.stack?.split('\n')[0] ?? '')
  return match ? `${match[1]}:${match[2]}` : null
}

function planOf(exports: Record<string, unknown>, path: string): Plan {
  const pipeline = exports.default as { plan?: Plan } | undefined
  if (pipeline?.plan?.kind === 'plan') return pipeline.plan
  const others = Object.entries(exports)
    .filter(([, value]) => (value as { plan?: Plan } | null)?.plan?.kind === 'plan')
    .map(([name]) => name)
  const hint = others.length > 0 ? ` (it exports the pipeline ${others.join(', ')} by name)` : ''
  throw new MillraceError('PIPELINE_INVALID', `${path} has no pipeline as its default export${hint}.`, {
    next: "Write: export default pipeline('name', ({ from, warehouse }) => { ... })",
  })
}

const OWN = fileURLToPath(new URL('../../', import.meta.url))
let found = false

/**
 * A pipeline file in a folder where nothing is installed still finds `millrace` and `zod`: those of this command. Where
 * the user has installed their own they are used.
 */
function letOurselvesBeFound(): void {
  if (found) return
  found = true
  registerHooks({
    load: lazyLocales,
    resolve(specifier, context, next) {
      if (!/^(millrace|zod)(\/|$)/.test(specifier)) return next(specifier, context)
      try {
        return next(specifier, context)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
        return next(specifier, { ...context, parentURL: pathToFileURL(`${OWN}package.json`).href })
      }
    },
  })
}

/** Answers an unknown name with the nearest known one, or the list of them. */
export function unknownName(kind: string, name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  const list = known.length === 0 ? 'there is none' : `there are: ${known.join(', ')}`
  return `There is no ${kind} '${name}'${near === null ? '' : `; did you mean ${near}?`}${near === null ? '; ' : ' '}${list}.`
}
