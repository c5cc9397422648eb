/** What is on a canvas of the page. */
import type { Locator } from 'playwright-core'

interface Pixels {
  readonly width: number
  readonly height: number
  getContext(kind: '2d'): {
    getImageData(left: number, top: number, width: number, height: number): { readonly data: Uint8ClampedArray }
  }
  firstSeen?: Float64Array
}

/** How many pixels of a canvas have a colour. */
export function paintedPixels(canvas: Locator): Promise<number> {
  return canvas.evaluate(element => {
    const { width, height, getContext } = element as unknown as Pixels
    const { data } = getContext.call(element, '2d').getImageData(0, 0, width, height)
    let count = 0
    for (let at = 3; at < data.length; at += 4) if (data[at]! > 0) count++
    return count
  })
}

/**
 * Where the picture differs from when this was asked first, in squares of four pixels: smoothing of edges is not the
 * same to the last bit when a longer line is drawn at once, a line that is missing is seen in any square.
 */
export function differences(canvas: Locator): Promise<number[]> {
  return canvas.evaluate(element => {
    const kept = element as unknown as Pixels
    const { width, height } = kept
    const { data } = kept.getContext('2d').getImageData(0, 0, width, height)
    const across = Math.ceil(width / 4)
    const squares = new Float64Array(across * Math.ceil(height / 4) * 3)
    for (let at = 0; at < data.length; at++) {
      const pixel = at >> 2
      const square = Math.floor(Math.floor(pixel / width) / 4) * across + Math.floor((pixel % width) / 4)
      // As it is seen: the colour of a pixel that is hardly there is noise.
      if (at % 4 < 3) squares[square * 3 + (at % 4)]! += (data[at]! * data[at | 3]!) / 255 / 16
    }
    const first = kept.firstSeen ?? squares
    kept.firstSeen = first
    return [...squares.keys()].filter(at => Math.abs(squares[at]! - first[at]!) > 24)
  })
}
