/** `millrace plan`: what a pipeline means, before anything runs. */
import { explain } from '../../plan/explain.ts'
import type { Lambda } from '../../plan/expression/lambda.ts'
import type { Plan } from '../../plan/nodes.ts'
import type { Arguments } from '../arguments.ts'
import { EXIT } from '../exit-codes.ts'
import { loadPipeline } from '../load-pipeline.ts'
import { processTerminal } from '../terminal.ts'

export async function run(values: Arguments): Promise<number> {
  const { plan } = await loadPipeline(values.required('FILE'))
  const terminal = processTerminal()
  await terminal.print(values.flag('json') ? planJson(plan) : explain(plan).trimEnd())
  return EXIT.ok
}

/** The plan as one JSON document: schemas are told by their columns, lambdas by their text and what they read. */
function planJson(plan: Plan): string {
  return JSON.stringify(
    plan,
    (key, value: unknown) => {
      if (key === 'schema') return undefined
      if (isLambda(value)) {
        const { text, parameters, reads, result, opaque, location } = value
        return { text, parameters, reads, result, opaque, location }
      }
      // A topic is told in full once, among the topics.
      if (key === 'topic' && isNamed(value)) return value.name
      return value
    },
    2,
  )
}

function isLambda(value: unknown): value is Lambda {
  return typeof value === 'object' && value !== null && 'reads' in value && 'opaque' in value
}

function isNamed(value: unknown): value is { readonly name: string } {
  return typeof value === 'object' && value !== null && 'name' in value
}
