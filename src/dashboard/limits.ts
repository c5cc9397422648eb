/** What clients can make the console's server hold. docs/connectors.md has a table of them. */
export const CONNECTIONS_MAX = 256
/** Pages that are open. */
export const CLIENTS_MAX = 50
/** Of what a page says; it has nothing to say. */
export const MESSAGE_BYTES_MAX = 1_024
export const REQUEST_MS = 10_000
