/**
 * White space as JSON has it. What tells records apart (the listener) and what counts them (the decoder) ask the same
 * function which line is blank, or one of them would store a record that the other does not see.
 */
const BLANK = new Uint8Array(256)
for (const byte of [32, 9, 10, 13]) BLANK[byte] = 1

/** The first place from `at` on that holds no white space; the length where there is none. */
export function skipBlank(bytes: Uint8Array, at: number): number {
  while (BLANK[bytes[at]!] === 1) at++
  return at
}

/** Whether the bytes are white space and nothing else. */
export function isBlank(bytes: Uint8Array): boolean {
  return skipBlank(bytes, 0) === bytes.length
}

/** The bytes without the byte-order mark at their beginning. */
export function withoutByteOrderMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes
}
