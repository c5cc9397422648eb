/**
 * Refuses a pipeline that was changed so that what its data directory keeps would no longer mean what it says: a window
 * that begins empty beside records that were processed without it, a step or an input that means something else, an
 * output whose rows would be of two kinds. Nothing is altered before.
 *
 * What may change: outputs over streams of records, sources and steps of topics that have no records yet, and panels (a
 * warning says that their windows begin now).
 */
import { fingerprint } from '../../plan/fingerprint.ts'
import { meaningOf } from '../../plan/meaning.ts'
import type { DeliverNode, Plan, StreamNode } from '../../plan/nodes.ts'
import { chainOf, outputsOf, readOf } from '../../plan/walk.ts'
import { MillraceError } from '../../system/errors.ts'
import { digest, inputTexts, type Sources } from '../ingest/input-names.ts'
import { type EpochHeader, fingerprintsOf, stepsWithState } from './header.ts'

/** What of a pipeline must stay as it is, by subject: `step NAME`, `output NAME`, `input TOPIC`. */
export type Meanings = ReadonlyMap<string, Meaning>

export interface Meaning {
  readonly digest: string
  /** For people. */
  readonly lines: readonly string[]
}

export function meaningsOf(plan: Plan, sources: Sources, untilEnd: boolean): Meanings {
  const meanings = new Map<string, Meaning>()
  const fingerprints = fingerprintsOf(plan)
  for (const step of stepsWithState(plan)) {
    meanings.set(`step ${step.identity}`, { digest: fingerprints[step.identity]!, lines: meaningOf(step) })
  }
  for (const output of outputsOf(plan)) {
    const name = output.kind === 'produce' ? output.topic.name : output.name
    const mode = output.kind === 'deliver' ? modeOf(output) : []
    const lines = [...meaningOf(output.stream), ...mode]
    meanings.set(`output ${name}`, { digest: digest([fingerprint(output.stream), ...mode].join('\n')), lines })
  }
  for (const [topic, lines] of Object.entries(inputTexts(sources, untilEnd))) {
    meanings.set(`input ${topic}`, { digest: digest(JSON.stringify(lines)), lines })
  }
  return meanings
}

function modeOf({ target }: DeliverNode): readonly string[] {
  if (target.kind === 'sink') return []
  return [target.mode === 'append' ? 'rows are appended' : `rows replace earlier ones by ${target.key.join(', ')}`]
}

/** What a start has in hand to tell whether it goes on where the run before stopped. */
export interface Continuing {
  readonly meanings: Meanings
  /** Of all inputs as they are now. */
  readonly identity: string
  /** What the meanings were, where that is known. */
  readonly textOf: (subject: string, digest: string) => readonly string[] | null
}

interface Continued extends Continuing {
  readonly plan: Plan
  readonly dataDirectory: string
  readonly onWarning: (warning: MillraceError) => void
}

/** What an epoch keeps of it: digests by subject (those of steps are its fingerprints), and steps that only panels show. */
export function keptOf(
  plan: Plan,
  meanings: Meanings,
  header: EpochHeader | null,
): Required<Pick<EpochHeader, 'meanings' | 'shown' | 'absent'>> {
  const kept = [...meanings].filter(([subject]) => !subject.startsWith('step '))
  const lasting = lastingOf(plan)
  const shown = stepsWithState(plan).filter(step => !lasting.has(step))
  return {
    meanings: Object.fromEntries(kept.map(([subject, meaning]) => [subject, meaning.digest])),
    shown: shown.map(({ identity }) => identity),
    absent: header === null ? [] : absentOf(header, meanings),
  }
}

function lastingOf(plan: Plan): ReadonlySet<StreamNode> {
  return new Set(outputsOf(plan).flatMap(({ stream }) => chainOf(stream)))
}

/**
 * Answers the identity of the inputs under which the directory's rows are known. Throws DATA_DIR_MISMATCH for another
 * pipeline, CHANGE_REFUSED for one that was changed.
 */
export function goOn(header: EpochHeader | null, run: Continued): string {
  if (header === null) return run.identity
  const { plan, dataDirectory } = run
  if (header.pipeline !== plan.name || header.namespace !== plan.namespace) {
    throw new MillraceError(
      'DATA_DIR_MISMATCH',
      `${dataDirectory} belongs to the pipeline ${header.namespace}/${header.pipeline}, and this one is ${plan.namespace}/${plan.name}.`,
    )
  }
  const found = [...changedInputs(header, run), ...changedSteps(header, run)]
  if (found.length === 0) found.push(...changedOutputs(header, run), ...returnedOutputs(header, run))
  if (found.length > 0) {
    throw new MillraceError(
      'CHANGE_REFUSED',
      [`${dataDirectory} does not go on with what was changed in the pipeline; nothing was altered.`, ...found].join(
        '\n',
      ),
    )
  }
  return header.identity
}

/**
 * CHANGE_REFUSED for records that come after a run has read its inputs to their end: steps with state have said their last
 * words, and would call all of them late. null: they may come.
 */
export function closedByEnd(header: EpochHeader | null, plan: Plan, dataDirectory: string): MillraceError | null {
  if (header?.ended !== true) return null
  const steps = stepsWithState(plan).map(({ identity }) => identity)
  if (steps.length === 0) return null
  const message = `${dataDirectory} was read to the end of its inputs, which closed ${steps.join(', ')}: new records would all be late. Nothing was altered.`
  return new MillraceError('CHANGE_REFUSED', message, {
    next: 'Run over all inputs, the new ones among them, beside it: with a --data-dir of its own. What is to go on is followed, without --until-end.',
  })
}

function changedInputs(header: EpochHeader, run: Continued): string[] {
  const known = digestsOf(header, 'input')
  const now = namesOf(run.meanings, 'input')
  if (known.size === 0) {
    if (header.identity === run.identity) return []
    const lines = now.flatMap(topic => run.meanings.get(`input ${topic}`)!.lines.map(line => `${topic}: ${line}`))
    return [told('The inputs are not those with which the directory was written.', null, lines)]
  }
  const changed = [...known].flatMap(([topic, before]) => {
    const meaning = run.meanings.get(`input ${topic}`)
    if (meaning?.digest === before) return []
    const what = meaning === undefined ? 'has no source any more' : 'has other sources'
    return told(`The topic ${topic} ${what}.`, run.textOf(`input ${topic}`, before), meaning?.lines ?? null)
  })
  const added = now.filter(topic => !known.has(topic) && hasRecords(header, run.plan, topic))
  return [
    ...changed,
    ...added.map(topic =>
      told(
        `The topic ${topic} has records already, and a source is new.`,
        null,
        run.meanings.get(`input ${topic}`)!.lines,
      ),
    ),
  ]
}

function changedSteps(header: EpochHeader, run: Continued): string[] {
  const { plan, meanings, textOf, onWarning } = run
  const steps = new Map(stepsWithState(plan).map(step => [step.identity, step]))
  const lasting = lastingOf(plan)
  const found: string[] = []
  for (const [name, before] of Object.entries(header.fingerprints)) {
    const step = steps.get(name)
    const old = textOf(`step ${name}`, before)
    if (step === undefined) {
      if (header.shown?.includes(name) || !anyRecords(header)) continue
      found.push(told(`The step ${name} is gone, and with it the state that is kept of it.`, old, null))
    } else if (meanings.get(`step ${name}`)!.digest !== before && hasRecords(header, plan, readOf(step).topic.name)) {
      found.push(told(`The step ${name} means something else.`, old, meanings.get(`step ${name}`)!.lines))
    }
  }
  for (const [name, step] of steps) {
    const topic = readOf(step).topic.name
    if (header.fingerprints[name] !== undefined || !hasRecords(header, plan, topic)) continue
    if (lasting.has(step)) {
      const what = `The step ${name} is new: it would begin empty, behind records of ${topic} that were processed without it.`
      found.push(told(what, null, meanings.get(`step ${name}`)!.lines))
    } else onWarning(beginsNow(step))
  }
  return found
}

function changedOutputs(header: EpochHeader, { meanings, textOf }: Continued): string[] {
  return [...digestsOf(header, 'output')].flatMap(([name, before]) => {
    const meaning = meanings.get(`output ${name}`)
    if (meaning === undefined || meaning.digest === before || rowsIn(header, name) === 0) return []
    return told(
      `${name} holds rows, and new ones would mean something else.`,
      textOf(`output ${name}`, before),
      meaning.lines,
    )
  })
}

/** Outputs that hold rows and are not in the pipeline now. */
function absentOf(header: EpochHeader, meanings: Meanings): readonly string[] {
  const known = [...digestsOf(header, 'output').keys()].filter(name => rowsIn(header, name) > 0)
  return [...new Set([...(header.absent ?? []), ...known])].filter(name => !meanings.has(`output ${name}`))
}

const rowsIn = ({ outputs, lengths }: EpochHeader, name: string) => outputs[name]?.rows ?? lengths[name] ?? 0

/** An output that was away for a while lacks the rows that were made meanwhile, and nobody knows which. */
function returnedOutputs({ absent = [] }: EpochHeader, { meanings }: Continued): string[] {
  return absent
    .filter(name => meanings.has(`output ${name}`))
    .map(
      name =>
        `  ${name} was not in the pipeline for a while: it holds rows, and lacks those of that time. Give it a new name: it then gets all rows that are kept.`,
    )
}

/** One change: what was, as far as it differs, and what is. */
function told(what: string, before: readonly string[] | null, now: readonly string[] | null): string {
  const was = before?.filter(line => !now?.includes(line)) ?? []
  const is = now?.filter(line => !before?.includes(line)) ?? []
  const unknown =
    now !== null && before === null ? [] : was.length + is.length === 0 ? ['    the lines are the same'] : []
  return [`  ${what}`, ...was.map(line => `    was: ${line}`), ...is.map(line => `    is:  ${line}`), ...unknown].join(
    '\n',
  )
}

function beginsNow({ identity }: StreamNode): MillraceError {
  return new MillraceError(
    'STATE_UNVERIFIED',
    `${identity}, which only the page shows, begins now: its first windows lack the records that were processed before.`,
    { next: 'Nothing: the windows that begin from now on are whole.' },
  )
}

/** Whether records of a topic, or of those that it is made of, were processed. */
function hasRecords(header: EpochHeader, plan: Plan, topic: string): boolean {
  if ((header.topics[topic]?.records ?? 0) > 0 || (header.lengths[topic] ?? 0) > 0) return true
  return plan.produces.some(
    ({ topic: made, stream }) => made.name === topic && hasRecords(header, plan, readOf(stream).topic.name),
  )
}

function anyRecords(header: EpochHeader): boolean {
  return Object.values(header.topics).some(({ records }) => records > 0)
}

function digestsOf(header: EpochHeader, kind: 'input' | 'output'): ReadonlyMap<string, string> {
  const start = `${kind} `
  const all = Object.entries(header.meanings ?? {}).filter(([subject]) => subject.startsWith(start))
  return new Map(all.map(([subject, value]) => [subject.slice(start.length), value]))
}

function namesOf(meanings: Meanings, kind: 'input' | 'output'): string[] {
  const start = `${kind} `
  return [...meanings.keys()].filter(subject => subject.startsWith(start)).map(subject => subject.slice(start.length))
}
