import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // What a browser or another process does takes as long as the machine is busy; a second is soon over.
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
