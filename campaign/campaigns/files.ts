/** Damages, misplaces or puts back files of data directories, and goes on with them. */
import type { Campaign, FailedCase } from '../contract.ts'
import { logCase } from '../files/log-case.ts'
import { endRuns, runCase } from '../files/run-case.ts'

/** Of as many cases this one is a whole run, and the others are logs alone. */
const RUN_EVERY = 3

const files: Campaign = {
  proves:
    'One file of a data directory that is damaged, in the wrong place or older than the others is told with what is lost, exactly that, or it does no harm.',
  cases: 10_000,
  ciCases: 300,
  plants: [
    {
      name: 'marker-without-place',
      file: 'src/log/marker.ts',
      from: '    if (!marksAgree(bytes.readUInt32LE(at + MARK_AT), mark)) continue\n',
      to: '',
      cases: 300,
    },
    {
      name: 'blocks-of-any-segment',
      file: 'src/log/segment.ts',
      from: 'if (header.firstOffset >= expected.from && header.firstOffset < expected.to) return null',
      to: 'if (header.firstOffset >= 0) return null',
      cases: 300,
    },
    {
      name: 'blocks-at-any-byte',
      file: 'src/log/segment.ts',
      from: 'if (header.position !== position) return',
      to: 'if (header.position < 0) return',
      cases: 300,
    },
    {
      name: 'stray-files-read',
      file: 'src/log/strays.ts',
      from: '    ;(isOne ? strays : segments).push(segment)\n',
      to: '    ;(isOne && false ? strays : segments).push(segment)\n',
      cases: 1000,
    },
  ],
  async run({ cases, seed, report }) {
    const failed: FailedCase[] = []
    const outcomes = new Map<string, number>()
    for (let index = 0; index < cases; index++) {
      const own = seed + index
      const { outcome, lines } = own % RUN_EVERY === 0 ? await runCase(own) : await logCase(own)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      if (lines.length > 0) failed.push({ seed: own, cases: 1, lines })
      report(index + 1, [...outcomes].map(([name, count]) => `${name} ${count}`).join(', '))
    }
    endRuns()
    return failed
  },
}

export default files
