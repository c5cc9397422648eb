/** Numbers of which DuckDB makes an error: the output is named, and the others are compared. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { deviation, pipeline, timestamp, topic, tumbling } from '../../src/index.ts'
import { ran, verdictOf } from './ran.ts'

test('a deviation of doubles whose squares are infinite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-large-'))
  const readings = topic('readings', z.object({ k: z.string(), at: timestamp('s'), x: z.number() }), {
    eventTime: { field: 'at' },
  })
  const built = pipeline('large', ({ from, warehouse }) => {
    warehouse.table('ROWS').appends(from(readings))
    const windows = from(readings)
      .groupBy('k')
      .window(tumbling('1 m'))
      .aggregate({ spread: deviation('x') })
    warehouse.table('SPREADS').appends(windows)
  })
  try {
    const rows = [1e200, -1e200].map(x => ({ k: 'a', at: 1, x }))
    await ran(built, folder, { readings: [rows] })
    const { differing, notCompared, agreed } = await verdictOf(built, folder)
    expect({ differing, agreed }).toEqual({ differing: [], agreed: 2 })
    expect(notCompared).toContain('SPREADS.spread')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
