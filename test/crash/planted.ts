/**
 * Faults that the harnesses must find, each a replacement in the source that must match exactly once: a harness that finds
 * nothing proves nothing until it has found these.
 */
export interface PlantedFault {
  readonly name: string
  /** From the root of the source tree. */
  readonly file: string
  readonly from: string
  readonly to: string
  /**
   * `kill`: the crash harness must fail. `power`: a test on the storage that loses power must fail, because what a killed
   * process wrote is still with the operating system.
   */
  readonly foundBy: 'kill' | 'power'
}

export const PLANTED: readonly PlantedFault[] = []
