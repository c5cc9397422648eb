/**
 * A campaign: many random cases of one claim, more of them than tests have time for.
 *
 * A file in `campaigns/` is a campaign, named as the file is, and its default export is this. `run.ts` finds it by its
 * file, says what failed, and decides the exit code; `npm test` in CI runs each with `ciCases`.
 *
 * Case `index` of a run with seed S is drawn from `seed + index` alone, where that can be: then `--cases 1 --seed` with
 * that number is the same case again. A campaign stops at a case that failed only when nothing can be said after it.
 * What it makes (folders, processes) it removes, but for what a failed case says where to look.
 */
export interface Campaign {
  /** What holds in every case, in one sentence. */
  readonly proves: string
  /** Cases where nobody says how many. */
  readonly cases: number
  /** Cases in CI: about a minute. */
  readonly ciCases: number
  /** Faults that this campaign, or a test, must find. */
  readonly plants: readonly PlantedFault[]
  run(context: CampaignContext): Promise<readonly FailedCase[]>
}

export interface CampaignContext {
  readonly cases: number
  readonly seed: number
  /** Says how far it has come: so many cases done, and what there is to say about them. */
  readonly report: (done: number, text?: string) => void
}

export interface FailedCase {
  readonly seed: number
  /** With so many cases of this seed it fails again; more than one where each case goes on from the one before. */
  readonly cases: number
  /** What was wrong, a line each: the smallest input that shows it, what was expected, what was found. */
  readonly lines: readonly string[]
}

/**
 * A fault that must be found, a replacement in the source that matches exactly once: a campaign that finds nothing proves
 * nothing until it has found these.
 */
export interface PlantedFault {
  /** Words with hyphens, unlike any other's. */
  readonly name: string
  /** From the root of the source tree. */
  readonly file: string
  readonly from: string
  readonly to: string
  /** How many cases the campaign is given to find it. */
  readonly cases: number
  /** The test that must fail instead of the campaign: for what a campaign cannot see. */
  readonly test?: string
}
