/** Clients that send what nobody should, to the listener and to the page. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Campaign, CampaignContext, FailedCase } from '../contract.ts'
import { PLANTED } from '../hostile/planted.ts'
import { Siege } from '../hostile/siege.ts'
import { Victim } from '../hostile/victim.ts'

/** Cases with one data directory, whose contents are then counted. */
const CASES_A_RUN = 2500

async function besiege({ cases, seed, report }: CampaignContext): Promise<FailedCase[]> {
  const failed: FailedCase[] = []
  for (let first = 0; first < cases; first += CASES_A_RUN) {
    const count = Math.min(CASES_A_RUN, cases - first)
    const folder = mkdtempSync(join(tmpdir(), 'millrace-hostile-'))
    const victim = new Victim(folder)
    const lines: string[] = []
    try {
      const siege = new Siege(victim)
      lines.push(...(await siege.run(seed + first, count, done => report(first + done))))
      const fault = await victim.stop()
      if (fault !== null) lines.push(fault)
      lines.push(...(await siege.compare()))
    } catch (error) {
      lines.push((error as Error).message)
    } finally {
      victim.kill()
    }
    if (lines.length === 0) rmSync(folder, { recursive: true, force: true })
    else failed.push({ seed: seed + first, cases: count, lines: [...lines, `what was stored: ${folder}`] })
  }
  return failed
}

const hostile: Campaign = {
  proves:
    'Whatever is sent (three mutated requests and a page message a case): nothing crashes, sent = accepted + dead letters + refused, exactly, and no request under 1 MB costs more than 100 MB or a second.',
  cases: 1_000_000,
  ciCases: 10_000,
  plants: PLANTED,
  run: besiege,
}

export default hostile
