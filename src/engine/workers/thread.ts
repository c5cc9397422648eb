/** The entry of a worker thread: makes pieces until its job has no range left, then waits for another job. */
import { parentPort } from 'node:worker_threads'
import { transferables } from './piece.ts'
import { PieceMaker } from './piece-maker.ts'
import { claim, SHARED, type ThreadMessage, type ThreadStart } from './pool.ts'

parentPort?.on('message', ({ thread, job, shared, ahead, port, learned }: ThreadStart) => {
  const state = new Int32Array(shared)
  const total = job.ranges.length
  try {
    const maker = new PieceMaker(job, thread, learned)
    for (;;) {
      const applied = Atomics.load(state, SHARED.applied)
      const index = claim(state, total, ahead)
      if (index >= 0) {
        const piece = maker.make(index)
        port.postMessage({ piece } satisfies ThreadMessage, transferables(piece))
        Atomics.add(state, SHARED.handedOver, 1)
        Atomics.notify(state, SHARED.handedOver)
      } else if (Atomics.load(state, SHARED.next) >= total) break
      else Atomics.wait(state, SHARED.applied, applied, 1000)
    }
    maker.close()
  } catch (error) {
    port.postMessage({ error } satisfies ThreadMessage)
    Atomics.add(state, SHARED.handedOver, 1)
    Atomics.notify(state, SHARED.handedOver)
  }
})
