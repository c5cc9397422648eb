/** What the app exports, as readings in the form in which it pushes them. */

import { type CsvRow, cellAsJson } from '../../formats/csv/cells.ts'
import type { Column, ColumnType } from '../../plan/schema.ts'
import type { SensorLoggerOptions } from './describe.ts'

/** What all readings of an export share. */
export interface Envelope {
  readonly sessionId: string
  readonly deviceId: string
  readonly userId: string | null
}

/** One reading as a line of JSON with its line feed; `time` (ns, rounded) is for ordering only. */
export interface Reading {
  readonly time: number
  readonly line: string
}

/** Options first, then Metadata.csv, then the export's own name. */
export function envelopeOf(
  options: SensorLoggerOptions,
  metadata: ReadonlyMap<string, string>,
  exportName: string,
): Envelope {
  const lookup = (...names: string[]) => names.map(name => metadata.get(name)).find(value => value !== undefined)
  return {
    sessionId: options.sessionId ?? lookup('session id', 'sessionid', 'recording time') ?? exportName,
    deviceId: options.deviceId ?? lookup('device id', 'deviceid', 'device name') ?? 'unknown',
    userId: options.userId ?? null,
  }
}

/** `Accelerometer` is pushed as `accelerometer`, `WristMotion` as `wrist motion`. */
export function pushedName(exported: string): string {
  const name = exported.toLowerCase().replace(/[_ ]/g, '')
  return name === 'wristmotion' ? 'wrist motion' : name
}

/** Makes lines of one sensor's readings; `fields` are the names of the cells in the order in which they will come. */
export function readingWriter(
  envelope: Envelope,
  sensor: string,
  fields: readonly string[],
  columns: readonly Column[],
): (cells: CsvRow) => Reading {
  const types = new Map<string, ColumnType>(columns.map(column => [column.name, column.type]))
  const user = envelope.userId === null ? '' : `"userId":${JSON.stringify(envelope.userId)},`
  const head = `{"sessionId":${JSON.stringify(envelope.sessionId)},"deviceId":${JSON.stringify(envelope.deviceId)},${user}"name":${JSON.stringify(pushedName(sensor))},"time":`
  const timeIndex = fields.indexOf('time')
  const accuracyIndex = fields.indexOf('accuracy')
  const values = fields.flatMap((field, index) =>
    field === 'time' || field === 'seconds_elapsed' || field === 'sensor' || field === 'accuracy'
      ? []
      : [{ index, name: JSON.stringify(field), type: types.get(`values.${field}`) ?? null }],
  )
  return cells => {
    const time = timeIndex < 0 ? null : (cells[timeIndex] ?? null)
    let line = head + cellAsJson(time, 'number')
    const accuracy = accuracyIndex < 0 ? null : (cells[accuracyIndex] ?? null)
    if (accuracy !== null) line += `,"accuracy":${cellAsJson(accuracy, types.get('accuracy') ?? null)}`
    line += ',"values":{'
    let first = true
    for (const { index, name, type } of values) {
      const cell = cells[index] ?? null
      // The app leaves out what the phone does not have, rather than pushing a null.
      if (cell === null && type === null) continue
      line += `${first ? '' : ','}${name}:${cellAsJson(cell, type)}`
      first = false
    }
    return { time: Number(time ?? Number.NaN), line: `${line}}}\n` }
  }
}
