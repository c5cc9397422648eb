import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadPipeline } from '../../src/cli/load-pipeline.ts'
import { planUpTo, stagesOf } from '../../src/cli/stages.ts'
import { ROOT } from './support.ts'

test('the plan of a tap computes one step and delivers nothing', async () => {
  const { plan } = await loadPipeline(join(ROOT, 'examples/activity-tracker/pipeline.ts'))
  const stages = stagesOf(plan)
  const window = [...stages.values()].find(stage => stage.kind === 'window')!
  const tapped = planUpTo(plan, window)
  expect(tapped.delivers).toEqual([])
  expect(tapped.produces.map(produce => produce.stream)).toEqual([window])
  expect(tapped.topics.map(topic => topic.name)).toEqual(['raw_sensor_data', 'tap'])
  expect(tapped.topics[0]).toBe(plan.topics.find(topic => topic.name === 'raw_sensor_data'))
  // The steps keep their names, so that the tap is found.
  expect([...stagesOf(tapped).keys()]).toEqual(
    [...stages.keys()].slice(0, [...stages.keys()].indexOf(window.identity) + 1),
  )
})
