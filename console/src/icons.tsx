/** Small drawings, in the colour of the text around them. */
const PATHS = {
  source: 'M3 8h8M8 4.5 11.5 8 8 11.5M13.5 3v10',
  topic: 'M2.500 4.500h11M2.500 8h11M2.500 11.500h11',
  step: 'M8 2.500v2M8 11.500v2M2.500 8h2M11.500 8h2M8 5.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5',
  sink: 'M3 4.500c0-1 2.200-1.800 5-1.800s5 .8 5 1.800v7c0 1-2.200 1.800-5 1.800s-5-.8-5-1.800zM3 4.500c0 1 2.200 1.800 5 1.800s5-.8 5-1.800',
  close: 'm4 4 8 8M12 4l-8 8',
  sun: 'M8 5.200a2.800 2.800 0 1 0 0 5.600 2.800 2.800 0 0 0 0-5.600M8 1v1.600M8 13.400V15M1 8h1.600M13.400 8H15M3 3l1.200 1.200M11.800 11.800 13 13M13 3l-1.200 1.200M4.200 11.800 3 13',
  moon: 'M13.200 9.800A5.600 5.600 0 0 1 6.200 2.800a5.600 5.600 0 1 0 7 7',
  copy: 'M5.500 5.500v-3h8v8h-3M2.500 5.500h8v8h-8z',
  done: 'm3 8.500 3.200 3.200L13 4.800',
  warning: 'M8 2.200 14.400 13.500H1.600zM8 6.500v3.200M8 11.600v.2',
  offline: 'M2 6.500a9 9 0 0 1 12 0M4.300 9a5.600 5.600 0 0 1 7.400 0M8 12.400v.2M2.500 2l11 12',
  key: 'M5.200 7.800a2.900 2.900 0 1 0 0 .1M8 7.800h6M12 7.800v2.700',
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
        <path d="M16 5v16M8 13h16M10.300 7.300l11.400 11.400M21.700 7.300 10.300 18.700" />
      </g>
      <path class="mark-water" d="M3 26c3.200 0 3.200-2 6.500-2s3.300 2 6.500 2 3.200-2 6.500-2 3.300 2 6.500 2" />
    </svg>
  )
}
