/** A canvas with as many pixels as the screen has, in CSS pixels. */
export function prepared(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = devicePixelRatio || 1
  const [columns, rows] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))]
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns
    canvas.height = rows
    canvas.style.height = `${height}px`
  }
  const context = canvas.getContext('2d')!
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.globalAlpha = 1
  context.clearRect(0, 0, width, height)
  return context
}

const widths = new Map<string, string>()
const WIDTHS_MAX = 5_000

/** The text, or as much of it as fits, with an ellipsis; empty when not even three characters do. */
export function fitting(context: CanvasRenderingContext2D, text: string, width: number): string {
  const name = `${context.font} ${Math.floor(width)} ${text}`
  const known = widths.get(name)
  if (known !== undefined) return known
  let fits = text
  while (fits.length > 0 && context.measureText(fits === text ? text : `${fits}…`).width > width) {
    fits = fits.slice(0, -1)
  }
  const result = fits === text ? text : fits.length < 3 ? '' : `${fits}…`
  if (widths.size > WIDTHS_MAX) widths.clear()
  widths.set(name, result)
  return result
}

/** Steps of 1, 2 or 5 times a power of ten. */
export function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough))
  const times = rough / power
  return power * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10)
}

/** Distances of marks on a time axis. */
export const TIME_STEPS_MS: readonly number[] = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
].map(seconds => seconds * 1_000)

/** Marks of a time axis: round times of the reader's zone. */
export function timeMarks(from_ms: number, to_ms: number, step_ms: number): number[] {
  const zone_ms = new Date(to_ms).getTimezoneOffset() * 60_000
  const first = Math.ceil((from_ms - zone_ms) / step_ms) * step_ms + zone_ms
  return Array.from({ length: Math.floor((to_ms - first) / step_ms) + 1 }, (_, mark) => first + mark * step_ms)
}

export function timeStep_ms(rough_ms: number): number {
  return TIME_STEPS_MS.find(step => step >= rough_ms) ?? TIME_STEPS_MS.at(-1)!
}
