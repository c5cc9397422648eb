export { type HttpOptions, http } from './describe.ts'
