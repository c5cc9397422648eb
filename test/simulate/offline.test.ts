import { expect, test } from 'vitest'
import { inFolder, millrace, ROOT } from '../cli/support.ts'

test('a phone that was offline sends its readings in their order: none is late', () =>
  inFolder(async folder => {
    const output = `${folder}/phones.ndjson`
    await millrace(['simulate', 'phones', '--people', '3', '--for', '2m', '--faults', 'offline=2', '--output', output])
    const words = ['examples/activity-tracker/pipeline.ts', '--input', `raw_sensor_data=${output}`, '--until-end']
    const { stdout } = await millrace(['run', ...words, '--data-dir', `${folder}/data`, '--json'], { cwd: ROOT })
    const [topic] = (JSON.parse(stdout) as { topics: object[] }).topics
    expect(topic).toMatchObject({ topic: 'raw_sensor_data', records: 3 * 120 * 50 * 3, late: 0 })
  }))
