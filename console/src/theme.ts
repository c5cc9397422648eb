/** Dark or light: the system's choice, until the reader makes one of his own, which this browser keeps. */
import { computed, effect, signal } from '@preact/signals'
import { redrawAll } from './live/frames.ts'

export type Theme = 'dark' | 'light'
const NAME = 'millrace.theme'

const system = matchMedia('(prefers-color-scheme: light)')
const systemTheme = signal<Theme>(system.matches ? 'light' : 'dark')
const chosen = signal<Theme | null>(keptTheme())

export const theme = computed<Theme>(() => chosen.value ?? systemTheme.value)

system.addEventListener('change', () => {
  systemTheme.value = system.matches ? 'light' : 'dark'
})

effect(() => {
  if (chosen.value !== null) document.documentElement.dataset.theme = chosen.value
  theme.value
  redrawAll()
})

export function toggleTheme(): void {
  chosen.value = theme.value === 'dark' ? 'light' : 'dark'
  keep(NAME, chosen.value)
}

function keptTheme(): Theme | null {
  const kept = keptText(NAME)
  return kept === 'dark' || kept === 'light' ? kept : null
}

/** Storage may be forbidden: then nothing is kept. */
export function keptText(name: string): string | null {
  try {
    return localStorage.getItem(name)
  } catch {
    return null
  }
}

export function keep(name: string, text: string): void {
  try {
    localStorage.setItem(name, text)
  } catch {}
}
