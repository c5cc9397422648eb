export { type FileOptions, file } from './describe.ts'
