/** What every source owes the runtime (src/connectors/contract.ts), as tests that each source runs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Damage, loadSource, type SourceContext } from '../../src/connectors/contract.ts'
import type { ResumePoint } from '../../src/formats/lines.ts'
import type { SourceReference } from '../../src/plan/nodes.ts'
import type { Column } from '../../src/plan/schema.ts'

export interface SourceCase {
  readonly name: string
  readonly columns: readonly Column[]
  /** Writes what the source is to read into the folder. */
  prepare(folder: string): Promise<SourceReference> | SourceReference
  /** The records that must come, in order, by partition. */
  readonly expected: readonly (readonly unknown[])[]
  /** Cuts or breaks what was prepared; some records are read before the damage is told. null: it has no form to cut. */
  readonly damage: ((folder: string) => void) | null
  /**
   * Adds two records to what grows, one of them in two steps. `as it stands`: the source does not follow, it reads what is
   * there and ends. null: another case shows it for the same reader.
   */
  readonly follow:
    | 'as it stands'
    | null
    | { readonly steps: readonly ((folder: string) => void)[]; readonly expected: readonly (readonly unknown[])[] }
}

export interface Reading {
  readonly names: readonly string[]
  readonly records: unknown[][]
  readonly bytes: Buffer[]
  readonly damages: Damage[]
  readonly ended: number[]
}

export function contextOf(columns: readonly Column[], changes: Partial<SourceContext> = {}): SourceContext {
  return {
    untilEnd: true,
    columns,
    required: new Set(),
    onWarning: () => {},
    maximumChunkBytes: 64 * 1024,
    signal: new AbortController().signal,
    from: new Map(),
    topic: 'readings',
    dataDirectory: '',
    listen: { host: '127.0.0.1', port: 0, tls: null, trustedProxies: [], keys: 'when-made' },
    ...changes,
  }
}

/** Reads a source to its end and checks what must hold for each thing that it says. */
export async function readAll(reference: SourceReference, context: SourceContext): Promise<Reading> {
  const source = await loadSource(reference)
  const partitions = await source.open(context)
  const reading: Reading = {
    names: partitions.map(partition => partition.name),
    records: partitions.map(() => []),
    bytes: partitions.map(() => Buffer.alloc(0)),
    damages: [],
    ended: [],
  }
  const next = partitions.map(() => 0)
  for (;;) {
    const event = await source.read()
    if (event === null) break
    if (event.kind === 'pushed') throw new Error('a source that is read again pushes nothing')
    if (event.kind === 'idle' || event.kind === 'assigned') throw new Error(`a bounded source said ${event.kind}`)
    expect(reading.ended).not.toContain(event.partition)
    expect(event.partition).toBeGreaterThanOrEqual(0)
    expect(event.partition).toBeLessThan(partitions.length)
    if (event.kind === 'end') reading.ended.push(event.partition)
    else {
      expect(event.position).toBeGreaterThanOrEqual(next[event.partition]!)
      if (event.kind === 'damaged') {
        expect(event.reason).not.toBe('')
        next[event.partition] = event.position
        reading.damages.push({ ...event, bytes: event.bytes === null ? null : Buffer.from(event.bytes) })
      } else {
        expect(event.bytes.length).toBeGreaterThan(0)
        expect(event.bytes.length).toBeLessThanOrEqual(context.maximumChunkBytes)
        next[event.partition] = event.position + event.bytes.length
        const bytes = Buffer.from(event.bytes)
        reading.bytes[event.partition] = Buffer.concat([reading.bytes[event.partition]!, bytes])
        reading.records[event.partition]!.push(...recordsOf(bytes))
      }
    }
  }
  expect(await source.read()).toBeNull()
  await source.close()
  expect(await source.read()).toBeNull()
  expect([...reading.ended].sort((a, b) => a - b)).toEqual(partitions.map((_, index) => index))
  return reading
}

/** What one partition says, with what an epoch would keep in the middle and at the end of it. */
async function eventsOf(reference: SourceReference, context: SourceContext, partition: number) {
  const opened = await loadSource(reference)
  await opened.open(context)
  const events: { text: string; points: ResumePoint[]; texts: number[] }[] = []
  let kept: ResumePoint = { position: 0, lines: 0, anchor: null }
  for (let event = await opened.read(); event !== null; event = await opened.read()) {
    if (event.kind !== 'records' && event.kind !== 'damaged') continue
    if (event.partition !== partition) continue
    const anchor = event.anchor ?? kept.anchor
    const lines = event.anchor?.lines ?? kept.lines
    if (event.kind === 'damaged') {
      const takesRoom = event.anchor === undefined && event.lines !== undefined
      const position = event.position + (takesRoom ? event.bytesTotal! : 0)
      kept = { position, lines: lines + (event.lines ?? 0), anchor }
      // Damage that takes no room and no line cannot be told from what comes behind it.
      const isPassed = takesRoom || (event.lines ?? 0) > 0
      const text = `<${event.reason} ${event.bytes === null ? '' : Buffer.from(event.bytes).toString('base64')}>`
      events.push({ text, points: isPassed ? [kept] : [], texts: isPassed ? [text.length] : [] })
      continue
    }
    const text = Buffer.from(event.bytes).toString('latin1')
    const first = text.indexOf('\n') + 1
    const pointAt = (length: number): ResumePoint => ({
      position: event.position + length,
      lines: lines + text.slice(0, length).split('\n').length - 1,
      anchor,
    })
    kept = pointAt(text.length)
    const isSplit = first > 0 && first < text.length
    events.push({
      text,
      points: [...(isSplit ? [pointAt(first)] : []), kept],
      texts: [...(isSplit ? [first] : []), text.length],
    })
  }
  await opened.close()
  return events
}

/** Records with the digits of their numbers as they came. */
function recordsOf(bytes: Uint8Array): unknown[] {
  return Buffer.from(bytes)
    .toString()
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))
}

export function sourceConformance(source: SourceCase): void {
  describe(`source ${source.name}`, () => {
    let folder: string
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'millrace-source-'))
    })
    afterEach(() => rmSync(folder, { recursive: true, force: true }))

    test('gives every record once, in order, and the end of each partition', async () => {
      const reading = await readAll(await source.prepare(folder), contextOf(source.columns))
      expect(reading.damages).toEqual([])
      expect(reading.records).toEqual(source.expected)
    })

    test('gives the same bytes when it is read again', async () => {
      const reference = await source.prepare(folder)
      const first = await readAll(reference, contextOf(source.columns))
      const second = await readAll(reference, contextOf(source.columns))
      expect(second.bytes.map(String)).toEqual(first.bytes.map(String))
    })

    test('goes on from the end of any record, and from the end of a partition', async () => {
      const reference = await source.prepare(folder)
      const whole = await readAll(reference, contextOf(source.columns))
      const opened = await (await loadSource(reference)).open(contextOf(source.columns))
      for (const [partition, { name }] of opened.entries()) {
        const bytes = whole.bytes[partition]!
        const ends = [...bytes.keys()].filter(at => bytes[at] === 10).map(at => at + 1)
        for (const from of [...ends.slice(0, 2), ...ends.slice(-2), Number.POSITIVE_INFINITY]) {
          const lines = bytes.subarray(0, from).filter(byte => byte === 10).length
          const point = { position: from, lines, anchor: null }
          const rest = await readAll(reference, contextOf(source.columns, { from: new Map([[name, point]]) }))
          expect(String(rest.bytes[partition])).toBe(String(bytes.subarray(Math.min(from, bytes.length))))
        }
      }
    })

    test('goes on from what an epoch keeps of any moment, and says nothing twice', async () => {
      const reference = await source.prepare(folder)
      source.damage?.(folder)
      const contextFrom = (from: ResumePoint | null, name: string) =>
        contextOf(source.columns, {
          maximumChunkBytes: 16 * 1024,
          from: from === null ? new Map() : new Map([[name, from]]),
        })
      const opened = await (await loadSource(reference)).open(contextFrom(null, ''))
      for (const [partition, { name }] of opened.entries()) {
        const whole = await eventsOf(reference, contextFrom(null, name), partition)
        const moments = whole.flatMap(({ points }, index) => points.map(point => ({ point, index })))
        for (const at of new Set(
          moments.length === 0 ? [] : [0, 1, 2, 10, 100].map(n => Math.min(n, moments.length - 1)),
        )) {
          const { point, index } = moments[at]!
          const rest = await eventsOf(reference, contextFrom(point, name), partition)
          const text = (events: typeof whole) => events.map(event => event.text).join('')
          const done = whole.slice(0, index).reduce((sum, event) => sum + event.text.length, 0)
          expect(text(rest)).toBe(text(whole).slice(done + whole[index]!.texts[whole[index]!.points.indexOf(point)]!))
        }
      }
    })

    test('gives the same bytes in smaller chunks', async () => {
      const reference = await source.prepare(folder)
      const whole = await readAll(reference, contextOf(source.columns))
      const longest = Math.max(...whole.bytes.flatMap(bytes => String(bytes).split('\n')).map(line => line.length)) + 1
      const cut = await readAll(reference, contextOf(source.columns, { maximumChunkBytes: longest }))
      expect(cut.damages).toEqual([])
      expect(cut.bytes.map(String)).toEqual(whole.bytes.map(String))
    })

    test('hands a record that is too long over as damage and goes on after it', async () => {
      const reference = await source.prepare(folder)
      const whole = await readAll(reference, contextOf(source.columns))
      const lengths = whole.bytes.flatMap(bytes => String(bytes).split('\n')).map(line => line.length + 1)
      const limit = Math.max(...lengths) - 1
      const cut = await readAll(reference, contextOf(source.columns, { maximumChunkBytes: limit }))
      expect(cut.damages.length).toBeGreaterThan(0)
      const kept = cut.records.flat().length
      expect(kept).toBeGreaterThan(0)
      expect(kept + cut.damages.length).toBe(whole.records.flat().length)
    })

    test('ends when it is closed or told to stop', async () => {
      const stopped = new AbortController()
      const opened = await loadSource(await source.prepare(folder))
      await opened.open(contextOf(source.columns, { signal: stopped.signal }))
      await opened.read()
      stopped.abort()
      expect(await opened.read()).toBeNull()
      await opened.close()
      const other = await loadSource(await source.prepare(folder))
      await other.open(contextOf(source.columns))
      await other.close()
      expect(await other.read()).toBeNull()
    })

    const { damage, follow } = source
    if (damage !== null) {
      test('delivers what can be read, tells the damage with a reason, and ends', async () => {
        const reference = await source.prepare(folder)
        damage(folder)
        const reading = await readAll(reference, contextOf(source.columns))
        expect(reading.damages.length).toBeGreaterThan(0)
        const whole = source.expected.flat().map(record => JSON.stringify(record))
        for (const record of reading.records.flat()) expect(whole).toContain(JSON.stringify(record))
      })
    }

    if (follow === 'as it stands') {
      test('is read as it stands and ends, also where others would follow', async () => {
        const opened = await loadSource(await source.prepare(folder))
        await opened.open(contextOf(source.columns, { untilEnd: false }))
        const records: unknown[] = []
        for (let event = await opened.read(); event !== null; event = await opened.read()) {
          expect(event.kind).not.toBe('idle')
          if (event.kind === 'records') records.push(...recordsOf(event.bytes))
        }
        await opened.close()
        expect(records).toEqual(source.expected.flat())
      })
    } else if (follow !== null) {
      test('follows what grows, whole records only', async () => {
        const reference = await source.prepare(folder)
        const opened = await loadSource(reference)
        await opened.open(contextOf(source.columns, { untilEnd: false }))
        const records: unknown[] = []
        const untilIdle = async () => {
          for (;;) {
            const event = await opened.read()
            if (event === null || event.kind === 'idle') return event
            if (event.kind !== 'records') continue
            expect(event.arrival).not.toBeNull()
            records.push(...recordsOf(event.bytes))
          }
        }
        expect((await untilIdle())?.kind).toBe('idle')
        expect(records).toEqual(source.expected.flat())
        for (const [index, step] of follow.steps.entries()) {
          records.length = 0
          step(folder)
          expect((await untilIdle())?.kind).toBe('idle')
          expect(records).toEqual(follow.expected[index])
        }
        await opened.close()
        expect(await opened.read()).toBeNull()
      })
    }
  })
}
