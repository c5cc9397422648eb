/** What a file reference loads when the pipeline runs; each side only when it is used. */
import type { Sink, Source } from '../contract.ts'
import type { FileOptions } from './describe.ts'

export async function openSource(options: Readonly<Record<string, unknown>>): Promise<Source> {
  const { FileSource } = await import('./source.ts')
  return new FileSource(options as FileOptions)
}

export async function openSink(options: Readonly<Record<string, unknown>>): Promise<Sink> {
  const { fileSink } = await import('./sink.ts')
  return fileSink(options as FileOptions)
}
