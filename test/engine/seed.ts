/** The seed of a file's laws: each says it in a test of that name, and SEED=n gives the same cases again. */
export const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 0x7fffffff))

/** RUNS=20 looks twenty times as long. */
const RUNS = Number(process.env.RUNS ?? 1)

/** What fast-check runs a law with. */
export const options = (numRuns: number) => ({ numRuns: numRuns * RUNS, seed: SEED })
