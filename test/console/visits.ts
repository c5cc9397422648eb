/** What tests of the page in a browser share: one browser, one server, and a page for each test, held to its policy. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest'
import { buildPage } from '../../console/build.ts'
import type { ServerMessage } from '../../src/dashboard/protocol.ts'
import { launch, missing, type Opened, openPage } from './browser.ts'
import { openPageServer, type PageServer } from './page-server.ts'

export interface Visits {
  readonly server: PageServer
  /** Opens the page, once a test. */
  open(options?: BrowserContextOptions, fragment?: string): Promise<Page>
}

/** Tests of the page; before each the server is as it was and greets so. */
export function describePage(
  name: string,
  greeting: () => readonly ServerMessage[],
  define: (visits: Visits) => void,
): void {
  const title = `${name}${missing === null ? '' : ` (skipped: ${missing})`}`
  describe.skipIf(missing !== null)(title, { timeout: 60_000 }, () => {
    let browser: Browser
    let server: PageServer
    let opened: Opened
    beforeAll(async () => {
      await buildPage()
      browser = await launch()
      server = await openPageServer(greeting)
    }, 120_000)
    afterAll(async () => {
      await browser?.close()
      await server?.close()
    })
    // Whatever a test does: nothing leaves for elsewhere, nothing breaks the policy, nothing throws.
    afterEach(async () => {
      Object.assign(server, { key: null, down: false, greeting })
      const { strangers, complaints } = opened
      await opened.close()
      expect({ strangers, complaints }).toEqual({ strangers: [], complaints: [] })
    })
    define({
      get server() {
        return server
      },
      async open(options = {}, fragment = '') {
        opened = await openPage(browser, server.address + fragment, options)
        return opened.page
      },
    })
  })
}
