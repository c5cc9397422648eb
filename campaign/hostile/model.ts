/** What messages hold, said plainly: the other opinion, which what was answered and stored is held against. */
import { isUtf8 } from 'node:buffer'
import type { HttpMessage } from './mutations.ts'

const LINE_TYPE = 'application/x-ndjson'

/** How many records a body holds; null where it is no JSON, and only its receiver can say. */
export function recordsIn({ plain, headers }: HttpMessage): number | null {
  const text = textOf(plain)
  if (text === null) return null
  if (isBlank(text)) return 0
  if (headers['content-type'] === LINE_TYPE && !/^[ \t\r\n]*\[/.test(text)) {
    return text.split('\n').filter(line => !isBlank(line)).length
  }
  const value = parsed(text)
  return value === undefined ? null : Array.isArray(value) ? value.length : 1
}

/** How many readings a message of the app holds; one that is JSON and no message is one record, which is rejected. */
export function readingsIn({ plain }: HttpMessage): number | null {
  const text = textOf(plain)
  if (text === null) return null
  if (isBlank(text)) return 0
  const value = parsed(text)
  if (value === undefined) return null
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 1
  const { payload } = value as { payload?: unknown }
  return Array.isArray(payload) ? payload.length : 1
}

function textOf(plain: Buffer | null): string | null {
  if (plain === null || !isUtf8(plain)) return null
  const text = plain.toString()
  return text.startsWith('\uFEFF') ? text.slice(1) : text
}

const isBlank = (text: string) => /^[ \t\r\n]*$/.test(text)

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
