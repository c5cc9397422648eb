/** What a server says of an activity tracker with a few phones, made up but for its shape; the same each time. */
import type {
  Cell,
  Graph,
  Hello,
  NodeStatus,
  Panel,
  PanelRows,
  ServerMessage,
  Status,
} from '../../src/dashboard/protocol.ts'

const SPAN_MS = 900_000
const WINDOW_MS = 2_000
const PART_MS = 2_000
export const STATES = ['Running', 'Sprinting', 'Stationary', 'Walking'] as const
const MAGNITUDES: Readonly<Record<(typeof STATES)[number], number>> = {
  Running: 3.2,
  Sprinting: 6.1,
  Stationary: 0.2,
  Walking: 1.2,
}

const TYPES = {
  deviceId: 'string',
  activity_type: 'string',
  confidence: 'number',
  avg_magnitude: 'number',
  window_end: 'timestamp',
} as const

const columnsOf = (...names: readonly (keyof typeof TYPES)[]) => names.map(name => ({ name, type: TYPES[name] }))

export const PANELS: readonly Panel[] = [
  {
    id: 'activities/phones-now',
    title: 'Phones now',
    unit: null,
    kind: 'table',
    columns: columnsOf('deviceId', 'activity_type', 'confidence', 'avg_magnitude', 'window_end'),
    latestBy: ['deviceId'],
    limit: 100,
  },
  {
    id: 'activities/windows',
    title: 'Windows by activity',
    unit: null,
    kind: 'bars',
    category: 'activity_type',
    value: null,
    over_ms: 300_000,
  },
  {
    id: 'activities/activity',
    title: 'Activity',
    unit: null,
    kind: 'state-timeline',
    time: 'window_end',
    state: 'activity_type',
    by: 'deviceId',
    span_ms: SPAN_MS,
  },
  {
    id: 'activities/magnitude',
    title: 'Magnitude',
    unit: 'm/s²',
    kind: 'time-series',
    time: 'window_end',
    value: 'avg_magnitude',
    by: 'deviceId',
    span_ms: SPAN_MS,
  },
]

/** Beside the example's own: the kinds that it does not use. */
export const MORE_PANELS: readonly Panel[] = [
  {
    id: 'more/readings',
    title: 'Readings',
    unit: null,
    kind: 'stat',
    value: 'readings',
    aggregate: 'sum',
    over_ms: 60_000,
  },
  {
    id: 'more/average',
    title: 'Average magnitude',
    unit: 'm/s²',
    kind: 'stat',
    value: 'avg_magnitude',
    aggregate: 'average',
    over_ms: 60_000,
  },
  {
    id: 'more/largest',
    title: 'Largest magnitude',
    unit: 'm/s²',
    kind: 'stat',
    value: 'avg_magnitude',
    aggregate: 'max',
    over_ms: 300_000,
  },
  { id: 'more/rows', title: 'Windows', unit: null, kind: 'stat', value: null, aggregate: 'count', over_ms: 60_000 },
  {
    id: 'more/places',
    title: 'Where they are',
    unit: null,
    kind: 'map',
    time: 'window_end',
    latitude: 'latitude',
    longitude: 'longitude',
    by: 'deviceId',
    label: 'deviceId',
    span_ms: SPAN_MS,
  },
  {
    id: 'more/latest',
    title: 'Latest windows',
    unit: null,
    kind: 'table',
    columns: columnsOf('window_end', 'deviceId', 'activity_type', 'avg_magnitude'),
    latestBy: [],
    limit: 50,
  },
]

export const GRAPH: Graph = {
  nodes: [
    { id: 'source/0', kind: 'source', title: 'sensor-logger', detail: 'http://127.0.0.1:4401/sensor-logger' },
    { id: 'raw', kind: 'topic', title: 'raw_sensor_data', detail: 'by sessionId, deviceId' },
    { id: 'filter', kind: 'step', title: 'filter', detail: "r.name === 'accelerometer'" },
    { id: 'derive', kind: 'step', title: 'derive', detail: 'magnitude' },
    { id: 'window', kind: 'step', title: 'window', detail: 'hopping 10 s every 2 s by sessionId, deviceId' },
    { id: 'derive-2', kind: 'step', title: 'derive', detail: 'activity_type, confidence' },
    { id: 'processed', kind: 'topic', title: 'processed_activity', detail: '' },
    { id: 'table-raw', kind: 'sink', title: 'ACTIVITY_RECORDS', detail: 'RAW_DATA, appends' },
    { id: 'table-processed', kind: 'sink', title: 'USER_ACTIVITY_PROCESSED', detail: 'PROCESSED_DATA, upserts' },
  ],
  edges: [
    { from: 'source/0', to: 'raw' },
    { from: 'raw', to: 'filter' },
    { from: 'raw', to: 'table-raw' },
    { from: 'filter', to: 'derive' },
    { from: 'derive', to: 'window' },
    { from: 'window', to: 'derive-2' },
    { from: 'derive-2', to: 'processed' },
    { from: 'derive-2', to: 'table-processed' },
  ],
}

export function helloOf(now_ms: number, change: Partial<Hello> = {}): Hello {
  return {
    kind: 'hello',
    protocol: 1,
    pipeline: 'activity-tracker',
    namespace: 'default',
    dataDirectory: '/srv/millrace/activity-tracker',
    addresses: [
      { topic: 'raw_sensor_data', connector: 'sensor-logger', address: 'http://127.0.0.1:4401/sensor-logger' },
    ],
    keysNeeded: false,
    dashboards: [
      { title: 'Activities', panels: PANELS },
      { title: 'More', panels: MORE_PANELS },
    ],
    graph: GRAPH,
    started_ms: now_ms - 4_000_000,
    now_ms,
    ...change,
  }
}

interface Window {
  readonly device: string
  readonly end_ms: number
  readonly state: (typeof STATES)[number]
  readonly magnitude: number
  readonly confidence: number
}

/** Phones whose activity changes now and then; the third is silent for two minutes. */
export class Phones {
  readonly devices: readonly string[]

  constructor(count: number) {
    this.devices = Array.from({ length: count }, (_, number) => `phone-${String(number + 1).padStart(2, '0')}`)
  }

  /** The windows that end in a span of time. */
  between(from_ms: number, to_ms: number, now_ms: number): Window[] {
    const windows: Window[] = []
    for (let end = Math.ceil(from_ms / WINDOW_MS) * WINDOW_MS; end < to_ms; end += WINDOW_MS) {
      const age = now_ms - end
      this.devices.forEach((device, number) => {
        if (number === 2 && age > 300_000 && age < 420_000) return
        windows.push(windowOf(device, number, end))
      })
    }
    return windows
  }
}

/** A number from 0 to 1 that looks drawn by lot and depends on its input alone. */
function lot(...numbers: readonly number[]): number {
  let hash = 2_166_136_261
  for (const number of numbers) hash = Math.imul(hash ^ (number | 0), 16_777_619) + 374_761_393
  hash = Math.imul(hash ^ (hash >>> 15), 2_246_822_519)
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32
}

function windowOf(device: string, number: number, end_ms: number): Window {
  const bout = Math.floor((end_ms + number * 17_000) / (60_000 + number * 11_000))
  const state = STATES[Math.floor(lot(number, bout) * 4)]!
  const step = Math.floor(end_ms / WINDOW_MS)
  const wave = Math.sin(step / 5 + number) * 0.1 + (lot(number, step) - 0.5) * 0.25
  return { device, end_ms, state, magnitude: MAGNITUDES[state] * (1 + wave), confidence: 0.5 + lot(step, number) / 2 }
}

/** The rows of each panel for windows, as the server would say them. */
export function rowsOf(windows: readonly Window[], reset: boolean): PanelRows[] {
  const column = (pick: (window: Window) => Cell) => windows.map(pick)
  const columns: Record<string, Cell[]> = {
    deviceId: column(({ device }) => device),
    activity_type: column(({ state }) => state),
    avg_magnitude: column(({ magnitude }) => magnitude),
    confidence: column(({ confidence }) => confidence),
    window_end: column(({ end_ms }) => end_ms),
    latitude: column(({ device, end_ms }) => 52.515 + place(device, end_ms, 0)),
    longitude: column(({ device, end_ms }) => 13.39 + place(device, end_ms, 1)),
  }
  return [...PANELS, ...MORE_PANELS].map(panel => {
    const rows = { kind: 'rows', panel: panel.id, reset } as const
    if (panel.kind === 'bars') return { ...rows, ...parts(windows, ({ state }) => state) }
    if (panel.kind === 'stat') {
      const value = panel.value === 'readings' ? () => 1_000 : ({ magnitude }: Window) => magnitude
      return { ...rows, ...parts(windows, () => '', value) }
    }
    return { ...rows, length: windows.length, columns }
  })
}

function place(device: string, end_ms: number, axis: number): number {
  const number = Number(device.slice(-2))
  const turn = end_ms / (90_000 + number * 20_000) + number * 2
  return (axis === 0 ? Math.sin(turn) : Math.cos(turn * 0.7) * 1.6) * 0.006 * (1 + (number % 4) * 0.4)
}

/** Whole parts only: the played windows of one part always come together. */
function parts(
  windows: readonly Window[],
  category: (window: Window) => string,
  value: (window: Window) => number = () => 1,
): Pick<PanelRows, 'length' | 'columns'> {
  const groups = new Map<string, { time: number; category: string; values: number[] }>()
  for (const window of windows) {
    const time = Math.floor(window.end_ms / PART_MS) * PART_MS
    const name = `${time} ${category(window)}`
    if (!groups.has(name)) groups.set(name, { time, category: category(window), values: [] })
    groups.get(name)!.values.push(value(window))
  }
  const all = [...groups.values()]
  return {
    length: all.length,
    columns: {
      time: all.map(group => group.time),
      category: all.map(group => group.category),
      count: all.map(({ values }) => values.length),
      sum: all.map(({ values }) => values.reduce((sum, number) => sum + number, 0)),
      min: all.map(({ values }) => Math.min(...values)),
      max: all.map(({ values }) => Math.max(...values)),
      last: all.map(({ values }) => values.at(-1)!),
    },
  }
}

export function statusOf(now_ms: number, change: Partial<Status> = {}): Status {
  const records = Math.floor((now_ms / 1_000) % 100_000) * 600
  const watermark_ms = now_ms - 5_200
  const step: NodeStatus = { records, perSecond: 600 }
  const windows: NodeStatus = { records: Math.floor(records / 200), perSecond: 3 }
  return {
    kind: 'status',
    now_ms,
    uptime_ms: 4_000_000,
    epoch: 123_456,
    held: null,
    warnings: [],
    nodes: {
      'source/0': { records: records * 3, perSecond: 1_800 },
      raw: { records: records * 3, perSecond: 1_800, late: 41, deadLetters: 7, watermark_ms, lag_ms: 12 },
      filter: step,
      derive: step,
      window: { ...windows, watermark_ms, late: 41 },
      'derive-2': windows,
      processed: { ...windows, lag_ms: 4 },
      'table-raw': { records: records * 3, perSecond: 1_800, lag_ms: 38 },
      'table-processed': { ...windows, lag_ms: 22 },
    },
    memory_bytes: 187_400_000,
    logBytes: 1_230_000_000,
    diskFree_bytes: 48_300_000_000,
    ...change,
  }
}

/** What a new connection hears: the past of `past_ms`, then how things stand. */
export function greetingOf(phones: Phones, past_ms = 780_000): readonly ServerMessage[] {
  const now = Date.now()
  return [helloOf(now), ...rowsOf(phones.between(now - past_ms, now, now), true), statusOf(now)]
}

/** A pipeline that nothing has come into yet. */
export function quietGreeting(change: Partial<Hello> = {}): readonly ServerMessage[] {
  const now = Date.now()
  const nodes = Object.fromEntries(GRAPH.nodes.map(({ id }) => [id, { records: 0, perSecond: 0 }]))
  return [helloOf(now, change), ...rowsOf([], true), statusOf(now, { nodes, epoch: 0 })]
}
