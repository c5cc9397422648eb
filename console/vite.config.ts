import preact from '@preact/preset-vite'
import { defineConfig } from 'vite'

export default defineConfig({
  root: import.meta.dirname,
  // Assets are files of their own: the page's policy allows no data: addresses.
  build: { target: 'esnext', assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
  plugins: [preact({ devToolsEnabled: false, prefreshEnabled: false })],
  // `npx vite console` beside a run with its console at the usual place.
  server: { proxy: { '/session': 'http://127.0.0.1:4400', '/live': { target: 'ws://127.0.0.1:4400', ws: true } } },
})
