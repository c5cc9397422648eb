export { type SensorLoggerOptions, sensorLogger } from './describe.ts'
