/** Where a run takes connections, from the words of the command line. */
import type { Listen } from '../connectors/contract.ts'
import { MillraceError } from '../system/errors.ts'
import { readText, unreadable } from '../system/files.ts'
import { type Arguments, HOST_AND_PORT } from './arguments.ts'

const DEFAULT = { host: '127.0.0.1', port: 4401 }

/** `--listen` and what goes with it. Throws OPTION_INVALID, and FILE_UNREADABLE for a certificate. */
export function listenOf(values: Arguments): Listen {
  const at = values.text('listen')
  return {
    ...(at === null ? DEFAULT : addressOf(at)),
    tls: tlsOf(values),
    trustedProxies: values.list('trusted-proxy').map(networkOf),
    keys: values.flag('require-key') ? 'required' : 'when-made',
  }
}

function addressOf(text: string): { host: string; port: number } {
  const match = HOST_AND_PORT.exec(text)
  const port = Number(match?.[3])
  if (match !== null && port <= 65_535) return { host: match[1] ?? match[2]!, port }
  throw new MillraceError('OPTION_INVALID', `--listen needs a host and a port, not '${text}'.`, {
    next: `Write for example --listen 127.0.0.1:4401; 0.0.0.0 stands for all of this machine's addresses.`,
  })
}

function tlsOf(values: Arguments): Listen['tls'] {
  const [certificate, key] = [values.text('tls-cert'), values.text('tls-key')]
  if (certificate === null && key === null) return null
  if (certificate === null || key === null) {
    throw new MillraceError('OPTION_INVALID', '--tls-cert and --tls-key belong together.')
  }
  return { certificate: pemOf('tls-cert', certificate), key: pemOf('tls-key', key) }
}

function pemOf(option: string, path: string): string {
  const text = readText(path)
  if (text === null) throw unreadable(path, { code: 'ENOENT' })
  if (/-----BEGIN [A-Z ]+-----/.test(text)) return text
  throw new MillraceError('OPTION_INVALID', `--${option}: ${path} is not in PEM form.`, {
    next: "A PEM file begins with '-----BEGIN'.",
  })
}

function networkOf(text: string): string {
  const match = /^([0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(?:\/(\d{1,3}))?$/.exec(text)
  const bits = match?.[1]?.includes(':') ? 128 : 32
  if (match !== null && Number(match[2] ?? 0) <= bits) return text
  throw new MillraceError('OPTION_INVALID', `--trusted-proxy needs an address or a network, not '${text}'.`, {
    next: 'Write for example --trusted-proxy 10.0.0.0/8.',
  })
}
