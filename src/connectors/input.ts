/** What an input given on the command line is read with. */
import { join } from 'node:path'
import type { SourceReference } from '../plan/nodes.ts'
import { closeFile, openForReading, readBytes, statusOf } from '../system/files.ts'
import { file } from './file/describe.ts'
import { sensorLogger } from './sensor-logger/describe.ts'

/**
 * A .zip, a folder with a Metadata.csv and a JSON array of objects with a `sensor` are exports of the app Sensor Logger;
 * all else is read as a file, or as a pattern of files, by its extension.
 */
export function sourceForInput(path: string): SourceReference {
  return isSensorLoggerExport(path) ? sensorLogger({ export: path }) : file({ path })
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
