import { expect, test } from 'vitest'

test('the tests run under the Node that the package names among its dependencies', () => {
  expect(process.version).toMatch(/^v24\./)
})
