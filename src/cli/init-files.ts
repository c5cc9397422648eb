/** The files that `millrace init` writes. */
import { fileURLToPath } from 'node:url'
import { readText } from '../system/files.ts'
import { seededRandom } from '../system/random.ts'

interface StartingFile {
  readonly text: string
  /** What the file is for, shown beside its name. */
  readonly help: string
}

/** Name to content, in the order in which they are shown. */
export function startingFiles(): Record<string, StartingFile> {
  return {
    'pipeline.ts': { text: PIPELINE, help: 'the pipeline: from a file of readings to a table' },
    'readings.ndjson': { text: readings(), help: 'an hour of readings of three sensors' },
    'package.json': {
      text: `${JSON.stringify(packageJson(), null, 2)}\n`,
      help: 'for the editor’s types: npm install',
    },
    'tsconfig.json': { text: `${JSON.stringify(TSCONFIG, null, 2)}\n`, help: 'strict, run without a build' },
    'README.md': { text: README, help: 'the commands' },
    '.gitignore': { text: 'node_modules/\n.millrace/\n', help: 'what a run leaves behind' },
  }
}

const PIPELINE = `import { average, count, max, min, pipeline, timestamp, topic, tumbling } from 'millrace'
import { file } from 'millrace/file'
import { z } from 'zod'

const readings = topic(
  'readings',
  z.object({
    sensor: z.string(),
    time: timestamp('iso'),
    temperature: z.number(),
  }),
  { key: 'sensor', eventTime: { field: 'time', disorder: '30 s' } },
)

export default pipeline('first-pipeline', ({ ingest, from, warehouse }) => {
  ingest(file({ path: 'readings.ndjson' }), readings)

  const quarters = from(readings)
    .filter(r => r.temperature > -40)
    .groupBy('sensor')
    .window(tumbling('15 m'))
    .aggregate({
      lowest: min('temperature'),
      highest: max('temperature'),
      mean: average('temperature'),
      readings: count(),
    })
    .derive({ state: (r, $) => (r.highest >= $.hot ? 'hot' : 'normal') }, { hot: 24 })

  warehouse.table('quarters').upserts(quarters, { key: ['sensor', 'window_start'] })
})
`

const README = `# first-pipeline

Temperatures of three sensors, summed up every 15 minutes by event time.

    millrace run pipeline.ts --until-end        # reads readings.ndjson to its end
    millrace query "FROM quarters ORDER BY ALL"  # what was delivered
    millrace verify pipeline.ts                 # recomputed by one SQL query and compared
    millrace plan pipeline.ts                   # what the pipeline does, step by step
    millrace tap pipeline.ts '?'                # the steps whose rows can be looked at

\`millrace run pipeline.ts --data-dir live\` follows the file: append a line and look. What a run stores is under
\`.millrace/\`, or where \`--data-dir\` says. \`npm install\` brings the types for your editor.
`

const TSCONFIG = {
  compilerOptions: {
    target: 'ES2024',
    module: 'NodeNext',
    moduleResolution: 'NodeNext',
    types: ['node'],
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
  },
  include: ['*.ts'],
}

function packageJson() {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const own = JSON.parse(readText(`${root}package.json`) ?? '{}') as {
    version?: string
    dependencies?: Record<string, string>
    devDependencies?: Record<string, string>
  }
  // A checkout is depended on where it lies; an installed package by its version.
  const millrace = root.includes('node_modules') ? `^${own.version}` : `file:${root.replace(/\/$/, '')}`
  return {
    name: 'first-pipeline',
    version: '0.1.0',
    private: true,
    type: 'module',
    scripts: { start: 'millrace run pipeline.ts', verify: 'millrace verify pipeline.ts', typecheck: 'tsc' },
    dependencies: { millrace, zod: own.dependencies?.zod ?? '4' },
    devDependencies: {
      '@types/node': own.devDependencies?.['@types/node'] ?? '24',
      typescript: own.devDependencies?.typescript ?? '7',
    },
  }
}

/** An hour of three sensors, a reading each ten seconds; some arrive out of order. */
function readings(): string {
  const random = seededRandom(4)
  const lines: { readonly arrival: number; readonly line: string }[] = []
  const start_ms = Date.UTC(2026, 0, 5, 8)
  for (let second = 0; second < 3600; second += 10) {
    for (const [index, sensor] of ['cellar', 'kitchen', 'roof'].entries()) {
      const daily = Math.sin((second / 3600) * Math.PI) * (1 + index)
      const temperature = (14 + 4 * index + daily + random.normal() * 0.4).toFixed(1)
      const time = new Date(start_ms + second * 1000).toISOString()
      const delay = random.next() < 0.05 ? random.integer(25) : 0
      lines.push({
        arrival: second + delay,
        line: `{"sensor":"${sensor}","time":"${time}","temperature":${temperature}}\n`,
      })
    }
  }
  // Sorting keeps the order of equal arrivals.
  return lines
    .toSorted((a, b) => a.arrival - b.arrival)
    .map(({ line }) => line)
    .join('')
}
