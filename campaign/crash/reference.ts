/**
 * What the pipelines of the harness mean, as plainly as possible: arrays of records in the order of the log, everything
 * computed anew from all of them. Nothing here is shared with what runs it.
 */

/** The numbers of the pipelines, as they write them and as this file reckons with them. */
export const PUSHED = { disorder: '2 s', disorder_ms: 2000, size: '5 s', size_ms: 5000 } as const
export const CASCADE = {
  first: '1 s',
  first_ms: 1000,
  second: '5 s',
  second_ms: 5000,
  third: '20 s',
  third_ms: 20_000,
} as const
export const LINES = {
  disorder: '1 s',
  disorder_ms: 1000,
  size: '2 s',
  size_ms: 2000,
  every: '1 s',
  every_ms: 1000,
  allowedLateness: '10 m',
  allowedLateness_ms: 600_000,
  within: '1 m',
  within_ms: 60_000,
} as const

export interface PushedRecord {
  readonly number: number
  readonly deviceId: string
  readonly time_ms: number
  readonly amount: number
}

export interface LineRecord {
  readonly number: number
  readonly event: number
  readonly room: string
  readonly time_ms: number
  readonly amount: number
}

/** The last word on a window. */
export interface WindowRow {
  readonly key: string
  readonly start_ms: number
  readonly records: number
  readonly total: number
}

/** Each record with how far the event time of its clock had come, with it, less the disorder. */
function framed<Row extends { readonly time_ms: number }>(
  rows: readonly Row[],
  clockOf: (row: Row) => string,
  disorder_ms: number,
): { row: Row; frontier_ms: number }[] {
  const maxima = new Map<string, number>()
  return rows.map(row => {
    const maximum = Math.max(maxima.get(clockOf(row)) ?? Number.NEGATIVE_INFINITY, row.time_ms)
    maxima.set(clockOf(row), maximum)
    return { row, frontier_ms: maximum - disorder_ms }
  })
}

function add(windows: Map<string, WindowRow>, key: string, start_ms: number, amount: number): void {
  const before = windows.get(`${key} ${start_ms}`) ?? { key, start_ms, records: 0, total: 0 }
  windows.set(`${key} ${start_ms}`, { ...before, records: before.records + 1, total: before.total + amount })
}

/** Windows of this size of what was pushed that have closed, and the numbers of the records that came too late for theirs. */
export function sumsOf(records: readonly PushedRecord[], size_ms: number): { windows: WindowRow[]; late: number[] } {
  const windows = new Map<string, WindowRow>()
  const frontiers = new Map<string, number>()
  const late: number[] = []
  for (const { row, frontier_ms } of framed(records, row => row.deviceId, PUSHED.disorder_ms)) {
    frontiers.set(row.deviceId, frontier_ms)
    const start_ms = Math.floor(row.time_ms / size_ms) * size_ms
    if (start_ms + size_ms <= frontier_ms) late.push(row.number)
    else add(windows, row.deviceId, start_ms, row.amount)
  }
  const closed = [...windows.values()].filter(({ key, start_ms }) => start_ms + size_ms <= frontiers.get(key)!)
  return { windows: closed, late }
}

/** The windows of windows that have closed: those that end where event time, by key, has come to. */
export function windowsOf(
  rows: readonly WindowRow[],
  size_ms: number,
  frontierOf: (key: string) => number,
): WindowRow[] {
  const windows = new Map<string, WindowRow>()
  for (const { key, start_ms, records, total } of rows) {
    const start = Math.floor(start_ms / size_ms) * size_ms
    const before = windows.get(`${key} ${start}`) ?? { key, start_ms: start, records: 0, total: 0 }
    windows.set(`${key} ${start}`, { ...before, records: before.records + records, total: before.total + total })
  }
  return [...windows.values()].filter(({ key, start_ms }) => start_ms + size_ms <= frontierOf(key))
}

/** How far event time has come in what was pushed, by device. */
export function frontiersOf(records: readonly PushedRecord[]): ReadonlyMap<string, number> {
  return new Map(
    framed(records, row => row.deviceId, PUSHED.disorder_ms).map(each => [each.row.deviceId, each.frontier_ms]),
  )
}

/** The last revision of every window of the lines; silence has closed them all. */
export function revisedOf(lines: readonly LineRecord[]): WindowRow[] {
  const windows = new Map<string, WindowRow>()
  for (const { row, frontier_ms } of framed(lines, () => '', LINES.disorder_ms)) {
    const latest_ms = Math.floor(row.time_ms / LINES.every_ms) * LINES.every_ms
    for (let start_ms = latest_ms; start_ms > row.time_ms - LINES.size_ms; start_ms -= LINES.every_ms) {
      if (start_ms + LINES.size_ms + LINES.allowedLateness_ms > frontier_ms)
        add(windows, row.room, start_ms, row.amount)
    }
  }
  return [...windows.values()]
}

/** Numbers of the lines whose event was not seen shortly before. */
export function onceOf(lines: readonly LineRecord[]): number[] {
  const kept = new Map<number, number>()
  const numbers: number[] = []
  for (const { row, frontier_ms } of framed(lines, () => '', LINES.disorder_ms)) {
    const before_ms = kept.get(row.event)
    const isKnown =
      before_ms !== undefined &&
      Math.abs(row.time_ms - before_ms) <= LINES.within_ms &&
      frontier_ms <= before_ms + LINES.within_ms
    if (isKnown) continue
    kept.set(row.event, row.time_ms)
    numbers.push(row.number)
  }
  return numbers
}
