/** Kills pipelines at random moments, under load, and starts them again. */
import type { Campaign, FailedCase } from '../contract.ts'
import { killAgainAndAgain } from '../crash/harness.ts'
import { PIPELINES } from '../crash/pipelines.ts'
import { PLANTED } from '../crash/planted.ts'

const crash: Campaign = {
  proves:
    'What was acknowledged is kept once, and all that is computed of it and delivered is right, although the process, or the one in front of it, is killed at any moment.',
  cases: 300,
  ciCases: 100,
  plants: PLANTED,
  async run({ cases, seed, report }) {
    const failed: FailedCase[] = []
    let kills = 0
    for (const [index, pipeline] of PIPELINES.entries()) {
      const share = Math.floor(cases / PIPELINES.length) + (index < cases % PIPELINES.length ? 1 : 0)
      if (share === 0) continue
      const onKill = () => report(++kills, `the pipeline ${pipeline.name}`)
      const { lost, twice, lines } = await killAgainAndAgain(pipeline, { cases: share, seed, onKill })
      if (lines.length === 0) continue
      failed.push({ seed, cases, lines: [`the pipeline ${pipeline.name}: lost ${lost}, twice ${twice}`, ...lines] })
    }
    return failed
  },
}

export default crash
