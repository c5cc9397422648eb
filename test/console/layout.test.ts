/** The drawn plan: edges lead forward, nothing lies on anything else. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { layout, type Size } from '../../console/src/graph/layout.ts'
import type { Graph } from '../../src/dashboard/protocol.ts'
import { GRAPH } from './played.ts'

const SIZE: Size = { length: 140, breadth: 90, gapAlong: 30, gapAcross: 20, centred: false }

/** Edges go from lower to higher numbers only, so there is no cycle. */
const graphs: fc.Arbitrary<Graph> = fc.integer({ min: 1, max: 14 }).chain(count =>
  fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 24 }).map(pairs => ({
    nodes: Array.from({ length: count }, (_, id) => ({ id: `n${id}`, kind: 'step' as const, title: '', detail: '' })),
    edges: pairs
      .filter(([a, b]) => a !== b)
      .map(([a, b]) => ({ from: `n${Math.min(a, b)}`, to: `n${Math.max(a, b)}` })),
  })),
)

test.each([false, true])('no two nodes touch and each edge leads forward (centred: %s)', centred => {
  fc.assert(
    fc.property(graphs, graph => {
      const { places, length, breadth, routes } = layout(graph, { ...SIZE, centred })
      for (const { from, to } of graph.edges) {
        expect(places.get(to)!.along - places.get(from)!.along).toBeGreaterThanOrEqual(SIZE.length + SIZE.gapAlong)
      }
      const all = [...places.values()]
      for (const [at, place] of all.entries()) {
        expect(place.along - SIZE.length / 2).toBeGreaterThanOrEqual(0)
        expect(place.along + SIZE.length / 2).toBeLessThanOrEqual(length)
        expect(place.across - SIZE.breadth / 2).toBeGreaterThanOrEqual(-1e-6)
        expect(place.across + SIZE.breadth / 2).toBeLessThanOrEqual(breadth + 1e-6)
        for (const other of all.slice(at + 1)) {
          if (other.along !== place.along) continue
          expect(Math.abs(other.across - place.across)).toBeGreaterThanOrEqual(SIZE.breadth + SIZE.gapAcross - 1e-6)
        }
      }
      expect(routes.map(route => [route[0], route.at(-1)])).toEqual(
        graph.edges.map(({ from, to }) => [places.get(from), places.get(to)]),
      )
    }),
  )
})

test('the activity tracker runs in a line with its two outputs beside each other', () => {
  const { places } = layout(GRAPH, SIZE)
  const [window, derived, topic, table] = ['window', 'derive-2', 'processed', 'table-processed'].map(
    id => places.get(id)!,
  )
  expect(window!.across).toBeCloseTo(derived!.across)
  expect(topic!.along).toBe(table!.along)
  expect((topic!.across + table!.across) / 2).toBeCloseTo(derived!.across)
})
