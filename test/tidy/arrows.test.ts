/** Folders are layers: imports run downwards only. The reasons are in docs/decisions/0012-folders-are-layers.md. */
import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Import, importsOf, sources } from './tree.ts'

/** From the top down. A folder may import itself and what stands below it. */
const LAYERS = [
  'cli',
  'dashboard',
  'control',
  'simulate',
  'testing',
  'verify',
  'spark',
  'models',
  'runtime',
  'connectors',
  'ingress',
  'contract',
  'formats',
  'log',
  'engine',
  'pipeline',
  'plan',
  'system',
] as const

/** What no file may import although it stands below, and why. */
const NEVER: readonly { readonly from: RegExp; readonly to: RegExp; readonly reason: string }[] = [
  {
    from: /^src\/(?!index\.ts$|testing\/|pipeline\/)/,
    to: /^src\/pipeline\//,
    reason: 'what a user writes becomes a plan; every layer reads the plan alone',
  },
  {
    from: /^src\/(connectors|ingress|formats)\//,
    to: /^src\/engine\/(?!batch\.ts$|row-layout\.ts$|rows-json\.ts$)/,
    reason: 'a connector gets batches, and writes their rows; it knows nothing of operators and decoding',
  },
  {
    from: /^src\/(connectors|ingress|formats)\//,
    to: /^src\/log\//,
    reason: 'a sink keeps its position in the system that it writes to',
  },
  {
    from: /^src\/simulate\//,
    to: /^src\/(?!simulate\/|system\/)/,
    reason: 'a simulator is a device: it knows nothing of what reads it',
  },
  {
    from: /^src\/verify\/oracle\//,
    to: /^src\/(?!verify\/oracle\/|plan\/|system\/)/,
    reason: 'the oracle shares no code with what it is held against',
  },
]

/** What the rules above would forbid; each with its reason. */
const EXCEPTIONS: readonly { readonly from: string; readonly to: string; readonly reason: string }[] = []

interface Arrow extends Import {
  /** The path imported, from the root. */
  readonly to: string
}

const arrows: readonly Arrow[] = sources.flatMap(importsOf).flatMap(found => {
  if (!found.specifier.startsWith('.')) return []
  return [{ ...found, to: posix.join(posix.dirname(found.file), found.specifier) }]
})

/** The contract of connectors is a layer of its own, below what serves connectors. */
const layerOf = (path: string) => (path === 'src/connectors/contract.ts' ? 'contract' : path.split('/')[1]!)
const show = ({ file, line, to }: Arrow) => `${file}:${line} imports ${to}`
const isExcepted = ({ file, to }: Arrow) => EXCEPTIONS.some(exception => exception.from === file && exception.to === to)

/** A connector's folder, `file` or `support` (which all may use, and which uses none); null outside of them. */
function connectorOf(path: string): string | null {
  return /^src\/connectors\/([^/]+)\//.exec(path)?.[1] ?? null
}

describe('folders are layers', () => {
  test('each folder of src/ is a layer', () => {
    const folders = new Set(sources.map(layerOf))
    folders.delete('index.ts')
    expect([...folders].filter(folder => !(LAYERS as readonly string[]).includes(folder))).toEqual([])
  })

  test('the imports are seen', () => {
    expect(arrows.length).toBeGreaterThan(sources.length)
    expect(arrows.filter(({ to }) => !/\.ts$/.test(to)).map(show)).toEqual([])
  })

  test('imports run downwards', () => {
    const upwards = arrows.filter(arrow => {
      const from = (LAYERS as readonly string[]).indexOf(layerOf(arrow.file))
      return from > (LAYERS as readonly string[]).indexOf(layerOf(arrow.to)) && !isExcepted(arrow)
    })
    expect(upwards.map(show)).toEqual([])
  })

  test.each(NEVER)('$from does not import $to: $reason', ({ from, to }) => {
    expect(arrows.filter(arrow => from.test(arrow.file) && to.test(arrow.to) && !isExcepted(arrow)).map(show)).toEqual(
      [],
    )
  })

  test('no connector imports another one', () => {
    const crossing = arrows.filter(({ file, to }) => {
      const [own, other] = [connectorOf(file), connectorOf(to)]
      return own !== null && other !== null && own !== other && other !== 'support'
    })
    expect(crossing.map(show)).toEqual([])
  })

  test('a connector is described without being opened', () => {
    const heavy = arrows.filter(
      ({ file, to }) =>
        /^src\/connectors\/[^/]+\/(describe|index)\.ts$/.test(file) &&
        !/\/describe\.ts$|\/open\.ts$|\/support\/options\.ts$|^src\/plan\//.test(to),
    )
    expect(heavy.map(show)).toEqual([])
  })

  test('each exception is still needed', () => {
    const stale = EXCEPTIONS.filter(({ from, to }) => !arrows.some(arrow => arrow.file === from && arrow.to === to))
    expect(stale).toEqual([])
  })
})
