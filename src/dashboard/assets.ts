/**
 * The files of the page, read once and held in memory: a request names one of them or nothing, so no path of a request
 * ever reaches the disk.
 *
 * A file with `.br` or `.gz` beside it is sent in that form to whoever takes it; of the others a brotli form is made when
 * it is first asked for. Names that hold a hash of the content may be kept for ever.
 */
import { createHash } from 'node:crypto'
import { extname, join } from 'node:path'
import { listFolder, readWhole, statusOf } from '../system/files.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
}
const TEXT = /^text\/|json$|svg\+xml$/
const HASHED = /[-.][\w-]{8,}\.\w+$/
const SMALL_BYTES = 1_024

type Encoding = 'br' | 'gzip'

interface Asset {
  readonly type: string
  readonly tag: string
  readonly isHashed: boolean
  readonly plain: Uint8Array
  readonly encoded: Map<Encoding, Uint8Array>
}

export interface Answer {
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
}

export class Assets {
  readonly #files = new Map<string, Asset>()

  /** Reads the folder; one that is not there has no files. */
  constructor(folder: string) {
    const paths = new Set(filesUnder(folder, ''))
    for (const path of paths) {
      const type = TYPES[extname(path)]
      if (type === undefined) continue
      const plain = readWhole(join(folder, path))
      const encoded = new Map<Encoding, Uint8Array>()
      if (paths.has(`${path}.br`)) encoded.set('br', readWhole(join(folder, `${path}.br`)))
      if (paths.has(`${path}.gz`)) encoded.set('gzip', readWhole(join(folder, `${path}.gz`)))
      const tag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`
      this.#files.set(`/${path}`, { type, tag, isHashed: HASHED.test(path), plain, encoded })
    }
  }

  get isEmpty(): boolean {
    return !this.#files.has('/index.html')
  }

  /** What to send for the path of a URL, in a form that the client takes; null: there is no such file. */
  async find(path: string, acceptEncoding: string): Promise<Answer | null> {
    const asset = this.#files.get(path === '/' ? '/index.html' : path)
    if (asset === undefined) return null
    const headers: Record<string, string> = {
      'content-type': asset.type,
      'cache-control': asset.isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
      etag: asset.tag,
      vary: 'accept-encoding',
    }
    const taken = new Set(
      acceptEncoding
        .split(',')
        .filter(part => !/;\s*q=0(?:\.0*)?\s*$/.test(part))
        .map(part => part.split(';')[0]!.trim()),
    )
    if (taken.has('br')) {
      const bytes = asset.encoded.get('br') ?? (await compressed(asset))
      if (bytes !== null) return { headers: { ...headers, 'content-encoding': 'br' }, bytes }
    }
    const gzip = taken.has('gzip') ? asset.encoded.get('gzip') : undefined
    if (gzip !== undefined) return { headers: { ...headers, 'content-encoding': 'gzip' }, bytes: gzip }
    return { headers, bytes: asset.plain }
  }
}

/** null: it would not be worth it. */
async function compressed({ type, plain, encoded }: Asset): Promise<Uint8Array | null> {
  if (!TEXT.test(type) || plain.length < SMALL_BYTES) return null
  const { brotliCompress, constants } = await import('node:zlib')
  const bytes = await new Promise<Uint8Array>((resolve, reject) => {
    const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length }
    brotliCompress(plain, { params }, (error, result) => (error === null ? resolve(result) : reject(error)))
  })
  encoded.set('br', bytes)
  return bytes
}

function filesUnder(folder: string, below: string): string[] {
  return listFolder(join(folder, below)).flatMap(name => {
    const path = below === '' ? name : `${below}/${name}`
    const kind = statusOf(join(folder, path))?.kind
    return kind === 'folder' ? filesUnder(folder, path) : kind === 'file' ? [path] : []
  })
}
