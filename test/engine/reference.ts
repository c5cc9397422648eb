/**
 * What a pipeline means, said as plainly as possible: row objects in arrays, every window computed anew from all of its
 * records. Nothing here is shared with the engine but the plan and the user's lambdas.
 */
import { plainChain } from '../../src/engine/chain.ts'
import type { AggregateNode, DedupeNode, StreamNode, TopicNode, WindowNode } from '../../src/plan/nodes.ts'

export type Cells = Record<string, unknown>

/** One record of the log: the log is an array of these, in the order in which they came. */
export interface LogRecord {
  readonly partition: number
  readonly cells: Cells
}

/** A row with what the log says of it. */
interface Row {
  readonly cells: Cells
  readonly time: number
  readonly frontier: number
  /** The frontier in groups that hold rows of several topic keys. */
  readonly joint: number
  readonly partition: number
  readonly position: number
  /** The row's topic key, where time goes by key. */
  readonly key: string
}

const text = (cells: Cells, names: readonly string[]) => names.map(name => identityOf(cells[name])).join('|')

/** A cell as a text that equal cells share: -0 is 0, NaN is NaN. */
export function identityOf(cell: unknown): string {
  if (typeof cell === 'number') return `n${cell + 0}`
  return typeof cell === 'string' ? `s${JSON.stringify(cell)}` : `${cell}`
}

/**
 * Each record with its frontier: the running maximum of its partition (and key) up to itself, minus the disorder. Where keys
 * are scattered over partitions, a key that is new in one starts at the maximum of that partition; where they are not, it
 * starts, for groups of several keys, at the lowest maximum of the keys before it.
 */
export function framed(topic: TopicNode, log: readonly LogRecord[], isScattered = false): Row[] {
  const { column, disorder_us, progress } = topic.eventTime!
  const counts = new Map<number, number>()
  const reached = new Map<number, number>()
  const own = new Map<string, number>()
  const together = new Map<string, number>()
  return log.map(({ partition, cells }) => {
    const time = cells[column] as number
    const key = progress === 'key' ? text(cells, topic.key) : ''
    const clock = `${partition}:${key}`
    if (!own.has(clock)) {
      const ofPartition = reached.get(partition) ?? Number.NEGATIVE_INFINITY
      const others = [...together].filter(([name]) => name.startsWith(`${partition}:`)).map(([, maximum]) => maximum)
      const lowest = others.length === 0 ? Number.NEGATIVE_INFINITY : Math.min(...others)
      own.set(clock, isScattered ? ofPartition : Number.NEGATIVE_INFINITY)
      together.set(clock, isScattered ? ofPartition : lowest)
    }
    for (const maxima of [own, together]) maxima.set(clock, Math.max(maxima.get(clock)!, time))
    reached.set(partition, Math.max(reached.get(partition) ?? time, time))
    const position = counts.get(partition) ?? 0
    counts.set(partition, position + 1)
    const frontier = own.get(clock)! - disorder_us
    return { cells, time, frontier, joint: together.get(clock)! - disorder_us, partition, position, key }
  })
}

const topicOf = (node: StreamNode): TopicNode => (node.kind === 'read' ? node.topic : topicOf(node.input))

/** The frontier by which a step with these keys judges a row; in these tests no step renames the topic's key. */
function frontierOf(node: WindowNode | DedupeNode, row: Pick<Row, 'frontier' | 'joint'>): number {
  const keys = node.kind === 'window' ? node.keys : node.key
  return topicOf(node).key.every(name => keys.includes(name)) ? row.frontier : row.joint
}

/** The rows that leave a stream after the whole log: of windows the last word on each. */
export function lastWords(node: StreamNode, log: readonly Row[]): Row[] {
  switch (node.kind) {
    case 'read':
      return [...log]
    case 'filter':
    case 'require':
    case 'derive':
    case 'project': {
      const step = plainChain([node], node.input.columns)
      return lastWords(node.input, log).flatMap(row => step([row.cells]).map(cells => ({ ...row, cells })))
    }
    case 'dedupe':
      return deduplicated(node, lastWords(node.input, log))
    case 'window':
      return windows(node, lastWords(node.input, log))
    case 'finals':
      return lastWords(node.input, log).map(row => {
        const { revision, is_final, ...cells } = row.cells
        return { ...row, cells }
      })
    case 'explode':
      throw new Error('not in these tests')
  }
}

function deduplicated(node: DedupeNode, rows: readonly Row[]): Row[] {
  const kept = new Map<string, number>()
  return rows.filter(row => {
    const key = text(row.cells, node.key)
    const before = kept.get(key)
    const isKnown =
      before !== undefined &&
      Math.abs(row.time - before) <= node.within_us &&
      frontierOf(node, row) <= before + node.within_us
    if (!isKnown) kept.set(key, row.time)
    return !isKnown
  })
}

function startsOf({ size_us, every_us }: WindowNode, time: number): number[] {
  const starts: number[] = []
  for (let start = Math.floor(time / every_us) * every_us; start > time - size_us; start -= every_us) starts.push(start)
  return starts.reverse()
}

const allowedOf = (node: WindowNode) => (node.late === 'restate' ? node.allowedLateness_us : 0)

/** The windows in which a row counts. */
const countsIn = (node: WindowNode, row: Row) =>
  startsOf(node, row.time).filter(start => start + node.size_us + allowedOf(node) > frontierOf(node, row))

function windows(node: WindowNode, rows: readonly Row[]): Row[] {
  const found = new Map<string, { start: number; rows: Row[] }>()
  for (const row of rows) {
    for (const start of countsIn(node, row)) {
      const id = `${text(row.cells, node.keys)}@${start}`
      const window = found.get(id) ?? { start, rows: [] }
      found.set(id, window)
      window.rows.push(row)
    }
  }
  return [...found.values()].map(({ start, rows }) => resultRow(node, start, rows))
}

function resultRow(node: WindowNode, start: number, rows: readonly Row[]): Row {
  const cells: Cells = {}
  for (const key of node.keys) cells[key] = rows[0]!.cells[key]
  for (const aggregate of node.aggregates) cells[aggregate.name] = aggregateOf(aggregate, rows)
  cells.window_start = start
  cells.window_end = start + node.size_us
  const time = start + node.size_us - 1
  const never = Number.NEGATIVE_INFINITY
  return { cells, time, frontier: never, joint: never, partition: 0, position: 0, key: rows[0]!.key }
}

function aggregateOf({ function: name, column, fraction }: AggregateNode, rows: readonly Row[]): unknown {
  if (column === null) return rows.length
  const ordered = rows.toSorted((a, b) => a.time - b.time || a.partition - b.partition || a.position - b.position)
  const cells = ordered.map(row => row.cells[column]).filter(cell => cell !== null)
  const numbers = cells as number[]
  const none = cells.length === 0
  const sum = () => numbers.reduce((a, b) => a + b, 0)
  const mean = () => sum() / numbers.length
  const variance = () =>
    cells.length < 2 ? null : numbers.reduce((a, b) => a + (b - mean()) ** 2, 0) / (numbers.length - 1)
  const extreme = (picks: (a: number, b: number) => boolean) => {
    if (cells.some(cell => Number.isNaN(cell))) return Number.NaN
    return cells.reduce((a, b) => (picks(b as number, a as number) ? b : a))
  }
  switch (name) {
    case 'count':
      return cells.length
    case 'distinct':
      return new Set(cells.map(identityOf)).size
    case 'sum':
      return none ? null : sum()
    case 'average':
      return none ? null : mean()
    case 'variance':
      return variance()
    case 'deviation': {
      const value = variance()
      return value === null ? null : Math.sqrt(value)
    }
    case 'min':
      return none ? null : extreme((a, b) => a < b)
    case 'max':
      return none ? null : extreme((a, b) => a > b)
    case 'first':
      return none ? null : cells[0]
    case 'last':
      return none ? null : cells.at(-1)
    case 'quantile': {
      if (none) return null
      const sorted = numbers.toSorted((a, b) => (Number.isNaN(a) ? 1 : Number.isNaN(b) ? -1 : a - b))
      const place = (sorted.length - 1) * fraction!
      const low = sorted[Math.floor(place)]!
      return place === Math.floor(place) ? low : low + (sorted[Math.ceil(place)]! - low) * (place - Math.floor(place))
    }
  }
}

/** How many rows of a window step's input count in no window (late), or not in all that hold their time (partly late). */
export function lateRows(
  node: WindowNode,
  log: readonly Row[],
): { readonly late: number; readonly partlyLate: number } {
  const rows = lastWords(node.input, log).map(row => [countsIn(node, row).length, startsOf(node, row.time).length])
  return {
    late: rows.filter(([counts]) => counts === 0).length,
    partlyLate: rows.filter(([counts, all]) => counts! > 0 && counts! < all!).length,
  }
}

/**
 * Every revision of a window step over records of one partition, or by key where groups have their own key: the log is
 * played record by record, and each window that comes out is computed anew from the records so far.
 */
export function revisions(node: WindowNode, log: readonly Row[]): Cells[] {
  const out: Cells[] = []
  const allowed = allowedOf(node)
  const counted = new Map<string, { start: number; key: string; group: string; rows: Row[] }>()
  const revision = new Map<string, number>()
  const emitted = new Set<string>()
  const closed = new Set<string>()
  const nextEarly = new Map<string, number>()
  const dirty = new Set<string>()
  const give = (id: string, isFinal: boolean) => {
    const { start, rows } = counted.get(id)!
    const number = revision.has(id) ? revision.get(id)! + 1 : 0
    revision.set(id, number)
    out.push({ ...resultRow(node, start, rows).cells, revision: number, is_final: isFinal })
  }
  const advance = (key: string, frontier: number) => {
    const own = [...counted].filter(([id, window]) => window.key === key && !closed.has(id))
    for (const [id, { start }] of own) {
      const end = start + node.size_us
      if (emitted.has(id) && end + allowed <= frontier) {
        closed.add(id)
        give(id, true)
      }
    }
    for (const [id, { start }] of own.filter(([id]) => !emitted.has(id))) {
      const end = start + node.size_us
      if (end > frontier) continue
      emitted.add(id)
      if (end + allowed <= frontier) closed.add(id)
      give(id, closed.has(id))
    }
    const early = nextEarly.get(key)
    if (node.early_us === null || early === undefined || early > frontier) return
    nextEarly.set(key, Math.floor(frontier / node.early_us) * node.early_us + node.early_us)
    for (const [id, { group }] of own) if (!emitted.has(id) && dirty.has(group)) give(id, false)
    for (const [, { group }] of own) dirty.delete(group)
  }
  const survivors = new Set(lastWords(node.input, log).map(row => `${row.partition}:${row.position}`))
  const rowsIn = new Map(lastWords(node.input, log).map(row => [`${row.partition}:${row.position}`, row]))
  for (const record of log) {
    advance(record.key, record.frontier)
    const id = `${record.partition}:${record.position}`
    if (!survivors.has(id)) continue
    const row = rowsIn.get(id)!
    const starts = countsIn(node, row)
    if (starts.length === 0) continue
    const group = text(row.cells, node.keys)
    for (const start of starts) {
      const window = `${group}@${start}`
      if (!counted.has(window)) counted.set(window, { start, key: row.key, group, rows: [] })
      counted.get(window)!.rows.push(row)
    }
    if (node.early_us !== null) {
      dirty.add(group)
      if (!nextEarly.has(row.key))
        nextEarly.set(row.key, Math.floor(row.frontier / node.early_us) * node.early_us + node.early_us)
    }
    for (const start of starts) {
      const window = `${group}@${start}`
      if (emitted.has(window)) give(window, false)
      else if (start + node.size_us <= row.frontier) {
        emitted.add(window)
        give(window, false)
      }
    }
  }
  for (const [id] of counted) {
    if (closed.has(id)) continue
    give(id, true)
  }
  return out
}
