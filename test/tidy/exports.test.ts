/** What users can import, by name and kind: a change of it is a decision, not an accident. */
import { describe, expect, test } from 'vitest'
import { filesUnder, textOf } from './tree.ts'

interface Package {
  readonly name: string
  readonly exports: Readonly<Record<string, string>>
}

const { name, exports } = JSON.parse(textOf('package.json')) as Package
const doors = Object.entries(exports).filter(([, path]) => path.endsWith('.ts'))

/** Names that an entry file exports as types; these are gone when it runs. */
function typesOf(path: string): string[] {
  const text = textOf(path).replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  const named = [...text.matchAll(/export (type )?\{([^}]*)\}/g)].flatMap(([, all, list]) =>
    list!
      .split(',')
      .map(item => item.trim())
      .filter(item => item !== '' && (all !== undefined || item.startsWith('type ')))
      .map(item => item.replace(/^type /, '').replace(/^.* as /, '')),
  )
  const declared = [...text.matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, declaredName]) => declaredName!)
  return [...named, ...declared]
}

function kindOf(value: unknown): string {
  if (typeof value !== 'function') return typeof value
  return /^class\b/.test(Function.prototype.toString.call(value)) ? 'class' : 'function'
}

describe('the exported names', () => {
  test('are those of the snapshot', async () => {
    const lines: string[] = []
    for (const [door, path] of doors) {
      const module = (await import(/* @vite-ignore */ new URL(`../../${path}`, import.meta.url).href)) as Record<
        string,
        unknown
      >
      lines.push(door.replace('.', name))
      const names = [
        ...Object.entries(module).map(([exported, value]) => [exported, kindOf(value)] as const),
        ...typesOf(path).map(exported => [exported, 'type'] as const),
      ]
      for (const [exported, kind] of names.sort(([a], [b]) => (a < b ? -1 : 1))) lines.push(`  ${exported}: ${kind}`)
    }
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('exported-names.txt')
  })

  test('each door is the index of its folder', () => {
    expect(doors.length).toBeGreaterThanOrEqual(3)
    for (const [, path] of doors) expect(filesUnder('src')).toContain(path.replace('./', ''))
    expect(doors.filter(([, path]) => !/\/index\.ts$/.test(path))).toEqual([])
  })
})
