/** The part of the WebAssembly JavaScript interface that the decoder uses; Node's types do not carry it. */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number })
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }
  type ImportValue = Memory | ((...operands: number[]) => number)
  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer>)
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, ImportValue>>)
    readonly exports: Record<string, unknown>
  }
}
