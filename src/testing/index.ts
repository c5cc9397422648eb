/** What tests of pipelines import. */
export { pause, type TestOptions, type TestRecord, type TestRun, testPipeline } from './test-pipeline.ts'
