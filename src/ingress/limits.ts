/** What a source that is pushed to takes where its options do not say. The page docs/connectors.md holds them too. */
export const BODY_BYTES_MAX = 8 << 20
export const RECORDS_MAX = 100_000
export const REJECTED_PER_MINUTE = 10_000
export const WAITING_BYTES_MAX = 64 << 20
