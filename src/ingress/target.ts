/**
 * The path that a request names, and the key in it. Nothing is decoded or tidied: a path is one of those that there are,
 * character by character, or it is none.
 */
const KEY_IN_PATH = /^(.+)\/(mk_[^/]*)$/

export class Target {
  readonly path: string
  /** Out of `?key=` or the last segment of the path; null: neither. */
  readonly key: string | null

  /** `isRoute`: whether records can be sent to a path. */
  constructor(url: string, isRoute: (path: string) => boolean) {
    const mark = url.indexOf('?')
    const whole = mark < 0 ? url : url.slice(0, mark)
    const inQuery = mark < 0 ? null : new URLSearchParams(url.slice(mark + 1)).get('key')
    // A slash at the end is what people add when they type an address.
    const path = whole.length > 1 && whole.endsWith('/') ? whole.slice(0, -1) : whole
    const [, parent, inPath] = KEY_IN_PATH.exec(path) ?? []
    if (parent !== undefined && inPath !== undefined && !isRoute(path)) {
      this.path = parent
      this.key = inQuery ?? inPath
    } else {
      this.path = path
      this.key = inQuery
    }
  }
}
