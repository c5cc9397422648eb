/** Each fault that a campaign must find is still where it can be planted; `npm run campaign -- --plant FAULT` plants it. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { plantedFaults } from '../../campaign/list.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const planted = await plantedFaults()

test.each(planted.map(({ fault }) => fault))('$name', ({ file, from, test: found }) => {
  expect(readFileSync(root + file, 'utf8').split(from).length - 1).toBe(1)
  expect(found === undefined || existsSync(root + found)).toBe(true)
})

test('no two have one name', () => {
  const names = planted.map(({ fault }) => fault.name)
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
})
