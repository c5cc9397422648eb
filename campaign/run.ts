/**
 * Runs a campaign: `npm run campaign -- NAME [--cases N] [--seed S]`. The last line is `NAME: cases N, failed M, seed S`;
 * the exit code is 1 when M > 0, 2 when the command line is wrong, 70 when the campaign itself broke.
 *
 * `--ci`: with the small count of CI. `--list`: the campaigns. `--plants`: the faults that can be planted. `--plant FAULT`:
 * plants one in a copy of the source and runs what must find it; the exit code is 1 then, as it is for any failure.
 */
import { parseArgs } from 'node:util'
import type { FailedCase } from './contract.ts'
import { loadCampaign, NAMES, plantedFaults } from './list.ts'
import { runPlanted } from './plant.ts'

/** Of those that failed. */
const CASES_SHOWN = 10
const USAGE = `npm run campaign -- NAME [--cases N] [--seed S] | --list | --plants | --plant FAULT`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: 'string' },
    seed: { type: 'string' },
    ci: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    plants: { type: 'boolean', default: false },
    plant: { type: 'string' },
  },
})
const seed = wholeOf('seed', values.seed) ?? Math.floor(Math.random() * 1e9)

if (values.list) await list()
else if (values.plants) await listPlants()
else if (values.plant !== undefined) process.exit(await plantOne(values.plant))
else process.exit(await run(positionals))

async function list(): Promise<void> {
  for (const name of NAMES) {
    const { proves, cases, ciCases } = await loadCampaign(name)
    console.log(`${name.padEnd(10)} ${proves} (${cases} cases, ${ciCases} in CI)`)
  }
}

async function listPlants(): Promise<void> {
  for (const { campaign, fault } of await plantedFaults()) {
    console.log(`${fault.name.padEnd(44)} ${fault.test ?? campaign}`)
  }
}

async function plantOne(name: string): Promise<number> {
  const all = await plantedFaults()
  const found = all.find(({ fault }) => fault.name === name)
  if (found === undefined) return wrong(`There is no fault '${name}': --plants lists them.`)
  return runPlanted(found.campaign, found.fault, seed)
}

async function run([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined || rest.length > 0) return wrong(USAGE)
  if (!NAMES.includes(name)) return wrong(`There is no campaign '${name}': ${NAMES.join(', ')}.`)
  const campaign = await loadCampaign(name)
  const cases = wholeOf('cases', values.cases) ?? (values.ci ? campaign.ciCases : campaign.cases)
  const report = progressOf(name, cases)
  console.log(`${name}: ${campaign.proves}`)
  console.log(`seed ${seed}, ${cases} cases`)
  let failed: readonly FailedCase[]
  try {
    failed = await campaign.run({ cases, seed, report })
  } catch (error) {
    console.error((error as Error).stack)
    return 70
  }
  for (const each of failed.slice(0, CASES_SHOWN)) show(name, each)
  if (failed.length > CASES_SHOWN) console.log(`and ${failed.length - CASES_SHOWN} more that failed`)
  console.log(`${name}: cases ${cases}, failed ${failed.length}, seed ${seed}`)
  return failed.length === 0 ? 0 : 1
}

function show(name: string, failed: FailedCase): void {
  console.log(`failed: npm run campaign -- ${name} --cases ${failed.cases} --seed ${failed.seed}`)
  for (const line of failed.lines) console.log(`  ${line}`)
}

function progressOf(name: string, cases: number): (done: number, text?: string) => void {
  let last = 0
  return (done, text = '') => {
    const line = `${name}: ${done} of ${cases}${text === '' ? '' : `, ${text}`}`
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}${done === cases ? '\n' : ''}`)
    else if (done === cases || done - last >= cases / 10) {
      last = done
      process.stderr.write(`${line}\n`)
    }
  }
}

function wholeOf(name: string, text: string | undefined): number | null {
  if (text === undefined) return null
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 0) return number
  process.exit(wrong(`--${name} is a whole number, not '${text}'.`))
}

function wrong(message: string): number {
  console.error(message)
  return 2
}
