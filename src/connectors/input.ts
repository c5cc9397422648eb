/** What an input given on the command line is read with. */
import { join } from 'node:path'
import type { SourceReference } from '../plan/nodes.ts'
import { MillraceError } from '../system/errors.ts'
import { closeFile, openForReading, readBytes, statusOf } from '../system/files.ts'
import { type FileOptions, file } from './file/describe.ts'
import { type Format, formOf } from './file/format.ts'
import { sensorLogger } from './sensor-logger/describe.ts'

/**
 * A .zip, a folder with a Metadata.csv and a JSON array of objects with a `sensor` are exports of the app Sensor Logger;
 * all else is read as a file, or as a pattern of files, by its extension.
 */
export function sourceForInput(path: string): SourceReference {
  return isSensorLoggerExport(path) ? sensorLogger({ export: path }) : file({ path })
}

/**
 * The source that reads a path given on the command line in place of those that the pipeline declares for the topic. It
 * keeps the options of the first of them that is of the same connector and, for files, of the same format.
 */
export function sourceInPlaceOf(declared: readonly SourceReference[], path: string): SourceReference {
  if (isSensorLoggerExport(path)) {
    const replaced = declared.find(({ connector }) => connector === 'sensor-logger')?.options ?? {}
    return sensorLogger({ ...omit(replaced, 'path', 'export'), export: path })
  }
  const format = formatOf(path)
  for (const { connector, options } of declared) {
    if (connector !== 'file') continue
    const replaced = options as FileOptions
    if (format === null ? replaced.format !== undefined : formatOf(replaced.path, replaced.format) === format) {
      return file({ ...omit(replaced, 'path', 'compression'), path })
    }
  }
  return file({ path })
}

/** null: its name does not say. */
function formatOf(path: string, format?: FileOptions['format']): Format | null {
  try {
    return formOf(path, format === undefined ? { path } : { path, format }).format
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'OPTION_INVALID') return null
    throw error
  }
}

function omit<T extends object>(options: T, ...names: readonly string[]): T {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name))) as T
}

function isSensorLoggerExport(path: string): boolean {
  if (/\.zip$/i.test(path)) return true
  const status = statusOf(path)
  if (status?.kind === 'folder') return statusOf(join(path, 'Metadata.csv')) !== null
  if (status?.kind !== 'file' || !/\.json$/i.test(path)) return false
  const descriptor = openForReading(path)
  try {
    const head = Buffer.alloc(16 * 1024)
    const text = head.toString('utf8', 0, readBytes(descriptor, head, 0, head.length, 0))
    return /^\uFEFF?\s*\[\s*\{[^{}]*"sensor"\s*:\s*"/.test(text)
  } finally {
    closeFile(descriptor)
  }
}
