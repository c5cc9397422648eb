/** What the harness sent, and what it was promised: the only truth that the answers are held against. */

export interface SentMessage {
  readonly deviceId: string
  readonly messageId: number
  readonly body: string
  /** Numbers of the records that the schema takes, and of those that it must refuse. */
  readonly numbers: readonly number[]
  readonly refusedNumbers: readonly number[]
  acknowledged: boolean
}

export class Ledger {
  readonly messages: SentMessage[] = []
  /** Whole lines that were appended to the file. */
  readonly lines: { readonly number: number; readonly text: string; readonly refused: boolean }[] = []
  /** Answers that no client of a pipeline that is well should get. */
  readonly surprises: string[] = []
  #next = 0

  /** A number that no other record has. */
  number(): number {
    return this.#next++
  }

  get acknowledged(): number {
    return this.messages.reduce((count, message) => count + (message.acknowledged ? 1 : 0), 0)
  }
}
