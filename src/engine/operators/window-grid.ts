/** Where windows and panes lie on the axis of time: arithmetic only. All times in microseconds. */

export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

/** Windows [k * every, k * every + size); panes [n * pane, (n + 1) * pane), each wholly inside or outside a window. */
export class WindowGrid {
  readonly size: number
  readonly every: number
  readonly pane: number

  constructor(size_us: number, every_us: number, pane_us: number) {
    this.size = size_us
    this.every = every_us
    this.pane = pane_us
  }

  paneOf(time: number): number {
    return Math.floor(time / this.pane)
  }

  /** End of the first window that holds the pane. */
  earliestEnd(pane: number): number {
    const start = pane * this.pane
    return (Math.floor((start - this.size) / this.every) + 1) * this.every + this.size
  }

  /** End of the last window that holds the pane. */
  latestEnd(pane: number): number {
    return Math.floor((pane * this.pane) / this.every) * this.every + this.size
  }

  /** The first window end after a time. */
  endAfter(time: number): number {
    return (Math.floor((time - this.size) / this.every) + 1) * this.every + this.size
  }

  /** The first pane that a window ending after `time` holds: those before it are done with. */
  firstPaneAfter(time: number): number {
    if (time === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY
    return this.paneOf(this.endAfter(time) - this.size)
  }

  /** Changes whenever `time` passes the end of a window. */
  step(time: number): number {
    return Math.floor((time - this.size) / this.every)
  }
}
