/** Which files of an export belong to which recording. */
import { dirname } from 'node:path'

const METADATA = /^(study)?metadata$/i

export interface SensorFile {
  readonly name: string
  /** Where it lies in the export. */
  readonly folder: string
  readonly open: () => AsyncGenerator<Uint8Array, void, undefined>
}

export const sensorOf = (file: SensorFile) => file.name.replace(/\.csv$/i, '')
export const isMetadataName = (name: string) => METADATA.test(name)
export const isMetadata = (file: SensorFile) => isMetadataName(sensorOf(file))

/** A folder with metadata of its own is a recording, with all below it; what is in none of them is one too. */
export function recordingsIn(files: readonly SensorFile[]): { folder: string; files: SensorFile[] }[] {
  const folders = new Set(files.filter(isMetadata).map(({ folder }) => folder))
  const found = new Map<string, SensorFile[]>()
  for (const file of files) {
    let folder = file.folder
    while (!folders.has(folder) && folder !== dirname(folder)) folder = dirname(folder)
    const own = folders.has(folder) && folder !== '.' ? folder : ''
    found.set(own, [...(found.get(own) ?? []), file])
  }
  return [...found].map(([folder, own]) => ({ folder, files: own }))
}
