/** The box of a state on a canvas, as `stateStyle` has it in elements. */
import { STRIPE } from '../colours.ts'
import { stateLook } from '../palette.ts'

interface Box {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

const RADIUS = 4
/** Narrower boxes have an edge above and below only. */
const EDGED_MIN = 4

export function drawState(context: CanvasRenderingContext2D, state: string, box: Box): void {
  const { fill, edge, stripes, stripe } = stateLook(state)
  fillBox(context, box, 0, edge)
  if (edge !== fill) fillBox(context, box, 1, fill)
  if (stripes !== null) strokeStripes(context, box, stripes, stripe)
}

function fillBox(context: CanvasRenderingContext2D, box: Box, inset: number, colour: string): void {
  const aside = box.width < EDGED_MIN ? 0 : inset
  const [width, height] = [box.width - 2 * aside, box.height - 2 * inset]
  context.fillStyle = colour
  context.beginPath()
  context.roundRect(box.left + aside, box.top + inset, width, height, Math.min(RADIUS, width / 3))
  context.fill()
}

/** Inside of the path that was filled last. */
function strokeStripes(context: CanvasRenderingContext2D, box: Box, angle: number, colour: string): void {
  const { left, top, width, height } = box
  context.save()
  context.clip()
  context.strokeStyle = colour
  context.lineWidth = STRIPE.width
  context.beginPath()
  // A gradient runs across its stripes.
  const radians = (angle * Math.PI) / 180
  const lean = -height / Math.tan(radians)
  const distance = STRIPE.distance / Math.abs(Math.sin(radians))
  for (let x = left - Math.abs(lean); x < left + width + Math.abs(lean); x += distance) {
    context.moveTo(x, top + height)
    context.lineTo(x + lean, top)
  }
  context.stroke()
  context.restore()
}
