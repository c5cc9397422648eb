/**
 * What compiles, what does not, and in which words: the compiler runs once over `fixtures/`. `accepted.ts` must have no
 * error; each line of `refused.ts` that has one must give just the message kept here beside it.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'

const folder = fileURLToPath(new URL('./fixtures/', import.meta.url))
const root = fileURLToPath(new URL('../../', import.meta.url))

interface Diagnostic {
  readonly file: string
  readonly line: number
  readonly message: string
}

const rows =
  'type \'{ sessionId: string; name: "accelerometer" | "gyroscope"; time: Timestamp; battery: number | null; values: { x: number; }; }\''
const columns = '"battery" | "name" | "sessionId" | "time" | "values.x"'
const durations = ['d', 'h', 'm', 'ms', 's'].map(unit => `\`$\{number} ${unit}\``).join(' | ')
const fromRows = `Aggregate<${rows.slice(6, -1)}, number>`

/** The source line and the first line of what the compiler says about it. */
const REFUSED: readonly (readonly [source: string, message: string])[] = [
  [
    "topic('a', schema, { key: 'ident' })",
    `Type '"ident"' is not assignable to type '"at" | "id" | "level" | readonly ("at" | "id" | "level")[] | undefined'.`,
  ],
  ["topic('b', schema, { eventTime: { field: 'level' } })", `Type '"level"' is not assignable to type '"at"'.`],
  [
    "topic('c', schema, { eventTime: { field: 'at', progress: 'keys' } })",
    `Type '"keys"' is not assignable to type 'Progress | undefined'. Did you mean '"key"'?`,
  ],
  [
    "topic('d', schema, { eventTime: { field: 'at', disorder: '5 sec' } })",
    `Type '"5 sec"' is not assignable to type '${durations} | undefined'.`,
  ],
  [
    "topic('e', schema, { partition: 4 })",
    "Object literal may only specify known properties, but 'partition' does not exist in type 'TopicOptions<{ id: string; at: Timestamp; level: number; }>'. Did you mean to write 'partitions'?",
  ],
  ["tumbling('15m')", `Argument of type '"15m"' is not assignable to parameter of type '${durations}'.`],
  ["hopping({ size: '10 s', every: '2 seconds' })", `Type '"2 seconds"' is not assignable to type '${durations}'.`],
  ["rows.filter(r => r.nam === 'accelerometer')", `Property 'nam' does not exist on ${rows}. Did you mean 'name'?`],
  [
    "rows.filter(r => r.name === 'magnetometer')",
    `This comparison appears to be unintentional because the types '"accelerometer" | "gyroscope"' and '"magnetometer"' have no overlap.`,
  ],
  ['rows.filter(r => r.battery > 0.5)', "'r.battery' is possibly 'null'."],
  [
    'rows.filter((r, $) => r.values.x > $.limt, { limit: 3 })',
    "Property 'limt' does not exist on type '{ formatTime: (time: number, pattern: string, options?: TimeFormatOptions | undefined) => string; limit: number; }'. Did you mean 'limit'?",
  ],
  ['rows.derive({ half: r => r.battery / 2 })', "'r.battery' is possibly 'null'."],
  ['rows.derive({ list: r => [r.time] })', "Type 'Timestamp[]' is not assignable to type 'Cell | undefined'."],
  ["rows.select('sesionId')", `Argument of type '"sesionId"' is not assignable to parameter of type '${columns}'.`],
  ["rows.require('name')", `Argument of type '"name"' is not assignable to parameter of type '"battery"'.`],
  ["rows.rename({ nam: 'kind' })", `Type '"kind"' is not assignable to type '"there is no column 'nam'"'.`],
  [
    "rows.rename({ name: 'battery' })",
    `Type '"battery"' is not assignable to type '"'battery' is already a column of the result"'.`,
  ],
  [
    "rows.dedupe({ key: 'sessionID', within: '1 h' })",
    `Type '"sessionID"' is not assignable to type '${columns} | readonly (${columns})[]'. Did you mean '"sessionId"'?`,
  ],
  ["rows.groupBy('values')", `Argument of type '"values"' is not assignable to parameter of type '${columns}'.`],
  [
    "grouped.aggregate({ total: sum('name') })",
    `Argument of type '"name"' is not assignable to parameter of type '"battery" | "values.x"'.`,
  ],
  [
    "grouped.aggregate({ mean: average('time') })",
    `Argument of type '"time"' is not assignable to parameter of type '"battery" | "values.x"'.`,
  ],
  [
    "grouped.aggregate({ mean: average('values.z') })",
    `Argument of type '"values.z"' is not assignable to parameter of type '"battery" | "values.x"'.`,
  ],
  [
    'grouped.aggregate({ sessionId: count() })',
    `Type '${fromRows}' is not assignable to type '"'sessionId' is already a column of the result"'.`,
  ],
  [
    'grouped.aggregate({ window_end: count() })',
    `Type '${fromRows}' is not assignable to type '"'window_end' is already a column of the result"'.`,
  ],
  [
    "rows.groupBy('sessionId').window(tumbling('1 m'), { late: 'restate' })",
    `Argument of type '{ late: "restate"; }' is not assignable to parameter of type 'WindowOptions | undefined'.`,
  ],
  [
    "rows.groupBy('sessionId').window(tumbling('1 m'), { late: 'keep' })",
    `Type '"keep"' is not assignable to type '"drop" | "quarantine" | "restate" | undefined'.`,
  ],
  [
    "from(readings).explode('tags')",
    `Argument of type '"tags"' is not assignable to parameter of type '"parts" | "twins"'.`,
  ],
  [
    "from(readings).explode('twins')",
    `Argument of type '"twins"' is not assignable to parameter of type '"'name' is already a column of the result"'.`,
  ],
  [
    "windows.to(topic('misfit', z.object({ sessionId: z.string(), n: z.string() })))",
    `Argument of type 'Topic<{ sessionId: string; n: string; }>' is not assignable to parameter of type '"column 'n' is number, the topic declares text" | UntypedTopic'.`,
  ],
  [
    "windows.to(topic('lacking', z.object({ sessionId: z.string(), average: z.number() })))",
    `Argument of type 'Topic<{ sessionId: string; average: number; }>' is not assignable to parameter of type '"the topic declares column 'average', the stream has none" | UntypedTopic'.`,
  ],
  [
    "rows.to(topic('nullable', z.object({ battery: z.number() })))",
    `Argument of type 'Topic<{ battery: number; }>' is not assignable to parameter of type '"column 'battery' is nullable number, the topic declares number" | UntypedTopic'.`,
  ],
  [
    "from(topic('untyped'))",
    "Property '[ROW]' is missing in type 'UntypedTopic' but required in type 'Topic<unknown>'.",
  ],
  [
    "warehouse.table('A').upserts(windows, { key: ['sessionId', 'start'] })",
    `Type '("sessionId" | "start")[]' is not assignable to type '"n" | "sessionId" | "window_end" | "window_start" | readonly ("n" | "sessionId" | "window_end" | "window_start")[]'.`,
  ],
  ["show.timeSeries('a', windows, { value: 'm', by: 'sessionId' }),", `Type '"m"' is not assignable to type '"n"'.`],
  [
    "show.timeSeries('b', rows, { value: 'time' }),",
    `Type '"time"' is not assignable to type '"battery" | "values.x"'.`,
  ],
  [
    "show.timeSeries('c', rows, { value: 'values.x', by: 'sesionId' }),",
    `Type '"sesionId"' is not assignable to type '${columns}'. Did you mean '"sessionId"'?`,
  ],
  [
    "show.timeSeries('d', windows, { value: 'n', time: 'n' }),",
    `Type '"n"' is not assignable to type '"window_end" | "window_start"'.`,
  ],
  [
    "show.stateTimeline('e', rows, { state: 'kind', by: 'sessionId' }),",
    `Type '"kind"' is not assignable to type '${columns}'.`,
  ],
  [
    "show.stat('f', windows, { value: 'n', aggregate: 'mean' }),",
    `Type '"mean"' is not assignable to type 'PanelAggregate'.`,
  ],
  [
    "show.bars('g', windows, { category: 'window', over: '5 m' }),",
    `Type '"window"' is not assignable to type '"n" | "sessionId" | "window_end" | "window_start"'.`,
  ],
  [
    "show.table('h', windows, { columns: ['sessionId', 'count'] }),",
    `Type '"count"' is not assignable to type '"n" | "sessionId" | "window_end" | "window_start"'.`,
  ],
  [
    "show.table('i', windows, { latestBy: ['session'] }),",
    `Type '"session"' is not assignable to type '"n" | "sessionId" | "window_end" | "window_start"'. Did you mean '"sessionId"'?`,
  ],
  [
    "show.map('j', rows, { latitude: 'name', longitude: 'values.x' }),",
    `Type '"name"' is not assignable to type '"battery" | "values.x"'.`,
  ],
  ["'k',", `Type 'string' is not assignable to type 'Panel'.`],
]

let diagnostics: readonly Diagnostic[]

beforeAll(() => {
  const project = `${folder}tsconfig.json`
  const compiler = fileURLToPath(new URL('../../node_modules/.bin/tsc', import.meta.url))
  const { stdout } = spawnSync(compiler, ['--noEmit', '--pretty', 'false', '-p', project], {
    cwd: root,
    encoding: 'utf8',
  })
  diagnostics = stdout.split('\n').flatMap(line => {
    const match = /^(?:.*\/)?fixtures\/([\w-]+\.ts)\((\d+),\d+\): error TS\d+: (.*)$/.exec(line)
    return match === null ? [] : [{ file: match[1]!, line: Number(match[2]), message: match[3]! }]
  })
  expect(diagnostics.length, stdout).toBeGreaterThan(0)
}, 60_000)

test('what is right compiles, with the exact row types', () => {
  expect(diagnostics.filter(({ file }) => file !== 'refused.ts')).toEqual([])
})

describe('refused, in these words', () => {
  const source = readFileSync(`${folder}refused.ts`, 'utf8')
    .split('\n')
    .map(line => line.trim())
  for (const [line, message] of REFUSED) {
    test(line, () => {
      const number = source.indexOf(line) + 1
      expect(number).toBeGreaterThan(0)
      const said = diagnostics.filter(({ file, line }) => file === 'refused.ts' && line === number)
      expect(said.map(diagnostic => diagnostic.message)).toEqual([message])
    })
  }

  test('and nothing else is', () => {
    const lines = REFUSED.map(([line]) => source.indexOf(line) + 1)
    expect(diagnostics.filter(({ file, line }) => file === 'refused.ts' && !lines.includes(line))).toEqual([])
  })
})
