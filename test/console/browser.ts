/** Chromium without a screen, for tests of the page; they are skipped, and say so, where there is none. */
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** null: it is there. Without it tests of the page are skipped for this reason; in CI they fail instead. */
export const missing: string | null = existsSync(CHROMIUM) || process.env.CI ? null : `no Chromium at ${CHROMIUM}`

export function launch(): Promise<Browser> {
  const args = '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking'
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [...args.split(' '), '--disable-component-update', '--disable-sync'],
  })
}

export interface Opened {
  readonly page: Page
  /** Requests to anywhere but the page's own server. */
  readonly strangers: string[]
  /** Errors, and what the page's policy forbade. */
  readonly complaints: string[]
  close(): Promise<void>
}

export async function openPage(
  browser: Browser,
  address: string,
  options: BrowserContextOptions = {},
): Promise<Opened> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 1000 },
    timezoneId: 'Europe/Berlin',
    ...options,
  })
  const page = await context.newPage()
  const strangers: string[] = []
  const complaints: string[] = []
  const own = new URL(address).host
  page.on('request', request => {
    if (new URL(request.url()).host !== own) strangers.push(request.url())
  })
  page.on('websocket', socket => {
    if (new URL(socket.url()).host !== own) strangers.push(socket.url())
  })
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('console', message => {
    const text = message.text()
    if (/content security policy/i.test(text)) complaints.push(text)
  })
  await page.goto(address)
  return { page, strangers, complaints, close: () => context.close() }
}
