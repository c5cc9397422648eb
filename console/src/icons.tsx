/** Small drawings, in the colour of the text around them. */
const PATHS = {
  source: 'M3 8h8M8 4.5 11.5 8 8 11.5M13.5 3v10',
  topic: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  step: 'M8 2.5v2M8 11.5v2M2.5 8h2M11.5 8h2M8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5',
  sink: 'M3 4.5c0-1 2.2-1.8 5-1.8s5 .8 5 1.8v7c0 1-2.2 1.8-5 1.8s-5-.8-5-1.8zM3 4.5c0 1 2.2 1.8 5 1.8s5-.8 5-1.8',
  close: 'm4 4 8 8M12 4l-8 8',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8 13 13M13 3l-1.2 1.2M4.2 11.8 3 13',
  moon: 'M13.2 9.8A5.6 5.6 0 0 1 6.2 2.8a5.6 5.6 0 1 0 7 7',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z',
  done: 'm3 8.5 3.2 3.2L13 4.8',
  warning: 'M8 2.2 14.4 13.5H1.6zM8 6.5v3.2M8 11.6v.2',
  offline: 'M2 6.5a9 9 0 0 1 12 0M4.3 9a5.6 5.6 0 0 1 7.4 0M8 12.4v.2M2.5 2l11 12',
  key: 'M8.1 8a2.9 2.9 0 1 1-5.8 0 2.9 2.9 0 0 1 5.8 0zM8.1 8H14M11.8 8v2.6',
} as const

export function Icon({ name }: { readonly name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}

/** The wheel over its water. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
      <g class="mark-wheel">
        <circle cx="16" cy="13" r="8" />
        <path d="M16 5v16M8 13h16M10.3 7.3l11.4 11.4M21.7 7.3 10.3 18.7" />
      </g>
      <path class="mark-water" d="M3 26c3.2 0 3.2-2 6.5-2s3.3 2 6.5 2 3.2-2 6.5-2 3.3 2 6.5 2" />
    </svg>
  )
}
