/** Activity tracker: what people do, from the accelerations that their phones send. */
import { average, count, hopping, pipeline, timestamp, topic } from 'millrace'
import { sensorLogger } from 'millrace/sensor-logger'
import { z } from 'zod'

/** One reading of one sensor. Other sensors than those with three axes send other values, so each axis may be missing. */
const readings = topic(
  'raw_sensor_data',
  z.object({
    messageId: z.number().nullish(),
    sessionId: z.string(),
    deviceId: z.string(),
    userId: z.string().nullish(),
    name: z.string(),
    time: timestamp('ns'),
    values: z.object({ x: z.number().nullish(), y: z.number().nullish(), z: z.number().nullish() }),
  }),
  // Each recording is judged by its own time alone: a phone that was offline, a clock that is astray, a file from
  // last week spoil nobody else's windows.
  { key: ['sessionId', 'deviceId'], eventTime: { field: 'time', disorder: '5 s', progress: 'key' } },
)

/** Average magnitudes (m/s², without gravity) from which each activity begins. */
const thresholds = { walking: 0.5, running: 2, sprinting: 5 }

export default pipeline('activity-tracker', ({ ingest, from, warehouse, dashboard }) => {
  ingest(sensorLogger({ path: '/sensor-logger' }), readings)

  const activity = from(readings)
    .filter(r => r.name === 'accelerometer')
    .require('values.x', 'values.y', 'values.z')
    .derive({ magnitude: r => Math.sqrt(r.values.x ** 2 + r.values.y ** 2 + r.values.z ** 2) })
    .groupBy('sessionId', 'deviceId')
    .window(hopping({ size: '10 s', every: '2 s' }))
    .aggregate({ avg_magnitude: average('magnitude'), readings: count() })
    .derive(
      {
        activity_type: (r, $) =>
          r.avg_magnitude < $.walking
            ? 'Stationary'
            : r.avg_magnitude < $.running
              ? 'Walking'
              : r.avg_magnitude < $.sprinting
                ? 'Running'
                : 'Sprinting',
        // 0 at a threshold, 1 in the middle of the class: see README.md.
        confidence: (r, $) =>
          r.avg_magnitude < $.walking
            ? ($.walking - r.avg_magnitude) / $.walking
            : r.avg_magnitude < $.running
              ? Math.min(r.avg_magnitude - $.walking, $.running - r.avg_magnitude) / (($.running - $.walking) / 2)
              : r.avg_magnitude < $.sprinting
                ? Math.min(r.avg_magnitude - $.running, $.sprinting - r.avg_magnitude) / (($.sprinting - $.running) / 2)
                : Math.min((r.avg_magnitude - $.sprinting) / $.sprinting, 1),
      },
      thresholds,
    )
    .to(topic('processed_activity'))

  warehouse.table('RAW_DATA.ACTIVITY_RECORDS').appends(readings)
  warehouse
    .table('PROCESSED_DATA.USER_ACTIVITY_PROCESSED')
    .upserts(activity, { key: ['sessionId', 'deviceId', 'window_start'] })

  dashboard('Activities', show => [
    show.table('Phones now', activity, {
      latestBy: 'deviceId',
      columns: ['deviceId', 'activity_type', 'confidence', 'avg_magnitude', 'window_end'],
    }),
    show.bars('Windows by activity, last 5 minutes', activity, { category: 'activity_type', over: '5 m' }),
    show.stateTimeline('Activity', activity, { state: 'activity_type', by: 'deviceId' }),
    show.timeSeries('Magnitude', activity, { value: 'avg_magnitude', by: 'deviceId', unit: 'm/s²' }),
  ])
})
