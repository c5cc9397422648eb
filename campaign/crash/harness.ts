/** One pipeline that is killed at random moments, under load, and started again; then all that it holds is checked. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '../../src/system/random.ts'
import { Child } from './child.ts'
import { GrowingFile } from './growing-file.ts'
import { Ledger } from './ledger.ts'
import type { KilledPipeline } from './pipelines.ts'
import { Sender, sleep } from './senders.ts'

const SENDERS = 4
const DELIVERY_MS = 60_000
/** So many kills, and what it holds is checked. */
const CHECK_EVERY = 100
/** Of each kind. */
const PLACES_SHOWN = 6

export interface Killed {
  readonly kills: number
  readonly lost: number
  readonly twice: number
  /** What is wrong, a line each; empty when all is well. */
  readonly lines: readonly string[]
}

/** Stops at the first check that finds something; what was stored is left for people to look at then. */
export async function killAgainAndAgain(
  pipeline: KilledPipeline,
  { cases, seed, onKill }: { readonly cases: number; readonly seed: number; readonly onKill: () => void },
): Promise<Killed> {
  const folder = mkdtempSync(join(tmpdir(), `millrace-crash-${pipeline.name}-`))
  const killed = new KilledRun(pipeline, folder, seed)
  try {
    const result = await killed.go(cases, onKill)
    if (result.lines.length === 0) rmSync(folder, { recursive: true, force: true })
    return result.lines.length === 0 ? result : { ...result, lines: [...result.lines, `what was stored: ${folder}`] }
  } catch (error) {
    const { kills } = killed
    const message = `after ${kills} kills: ${(error as Error).message}`
    return { kills, lost: 0, twice: 0, lines: [message, `what was stored: ${folder}`] }
  } finally {
    killed.end()
  }
}

class KilledRun {
  kills = 0
  readonly #pipeline: KilledPipeline
  readonly #dataDirectory: string
  readonly #lines: string | null
  readonly #random
  readonly #ledger = new Ledger()
  readonly #file: GrowingFile | null
  readonly #senders: readonly Sender[]
  #address: string | null = null
  #child: Child | null = null
  /** How long the last start took that was waited for. */
  #ready_ms = 800

  constructor(pipeline: KilledPipeline, folder: string, seed: number) {
    this.#pipeline = pipeline
    this.#dataDirectory = join(folder, 'data')
    this.#lines = pipeline.hasLines ? join(folder, 'lines.ndjson') : null
    this.#random = seededRandom(seed)
    this.#file = this.#lines === null ? null : new GrowingFile(this.#lines, this.#ledger, seededRandom(seed + 1))
    this.#senders = Array.from(
      { length: SENDERS },
      (_, index) => new Sender(index, this.#ledger, seededRandom(seed + 2 + index), () => this.#address),
    )
  }

  async go(times: number, onKill: () => void): Promise<Killed> {
    let result: Killed
    do {
      for (const sender of this.#senders) sender.start()
      this.#file?.start()
      const until = Math.min(times, this.kills + CHECK_EVERY)
      while (this.kills < until) {
        await this.#killOnce()
        onKill()
      }
      result = await this.#check()
    } while (this.kills < times && result.lines.length === 0)
    return result
  }

  /** At the end, whatever happened. */
  end(): void {
    for (const sender of this.#senders) void sender.finish().catch(() => {})
    this.#child?.end()
  }

  /** Starts the pipeline; clients find it as soon as it listens. */
  #start(handsOver = false): Child {
    const { file } = this.#pipeline
    const started = new Child({ pipeline: file, dataDirectory: this.#dataDirectory, lines: this.#lines }, handsOver)
    this.#child = started
    const began = performance.now()
    void started.ready().then(
      found => {
        if (!handsOver) this.#ready_ms = performance.now() - began
        if (this.#child === started) this.#address = found
      },
      // Whoever waits for it is told.
      () => {},
    )
    return started
  }

  /** One life of the pipeline: killed while it starts, under load, or while it stops; or only what stands in front of it. */
  async #killOnce(): Promise<void> {
    const random = this.#random
    const handsOver = random.next() < 0.15
    const life = this.#start(handsOver)
    const draw = random.next()
    if (draw < 0.1) await sleep(random.integer(60))
    else if (draw < 0.35) await sleep(random.next() * this.#ready_ms * 1.2)
    else {
      await life.ready()
      await sleep(random.integer(700))
    }
    if (handsOver) await life.killFront()
    else if (draw > 0.9) await life.killWhileStopping(random.integer(120))
    else await life.kill()
    this.#address = null
    this.kills++
  }

  async #check(): Promise<Killed> {
    const life = this.#start()
    await life.ready()
    await Promise.all([...this.#senders.map(sender => sender.finish()), this.#file?.finish()])
    const began = performance.now()
    while (!this.#pipeline.isDelivered(this.#dataDirectory, this.#ledger)) {
      if (performance.now() - began > DELIVERY_MS) break
      if (life.hasEnded) break
      await sleep(200)
    }
    this.#address = null
    await life.stop()
    const { lost, twice, places } = await this.#pipeline.check(this.#dataDirectory, this.#ledger)
    const surprises = [...new Set(this.#ledger.surprises)].slice(0, PLACES_SHOWN)
    const lines = [...shortened(places), ...surprises.map(surprise => `a client was ${surprise}`)]
    return { kills: this.kills, lost, twice, lines }
  }
}

/** Some places of each kind, and how many more there are. */
function shortened(places: readonly string[]): string[] {
  return [...Map.groupBy(places, kindOf).values()].flatMap(kind => {
    const more = kind.length > PLACES_SHOWN ? [`  and ${kind.length - PLACES_SHOWN} more of this kind`] : []
    return [...kind.slice(0, PLACES_SHOWN), ...more]
  })
}

/** `table SUMS`, `message of`: what a place begins with, without its numbers. */
function kindOf(place: string): string {
  const what = place.split(':')[0]!.replaceAll(/[-\w]*\d+/g, '')
  return `${what} ${place.endsWith('missing')}`
}
