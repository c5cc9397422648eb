import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseArguments } from '../../src/cli/arguments.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { listenOf } from '../../src/cli/listen.ts'
import { inFolder } from './support.ts'

const run = COMMANDS.find(({ name }) => name === 'run')!
const parsed = (...words: string[]) => parseArguments(run, ['pipeline.ts', ...words])
const listen = (...words: string[]) => listenOf(parsed(...words))

describe('where a run takes connections', () => {
  test('is this machine alone, unless told', () => {
    expect(listen()).toEqual({ host: '127.0.0.1', port: 4401, tls: null, trustedProxies: [], keys: 'when-made' })
    expect(listen('--listen', '0.0.0.0:0')).toMatchObject({ host: '0.0.0.0', port: 0 })
    expect(listen('--listen', '[::1]:80')).toMatchObject({ host: '::1', port: 80 })
    expect(listen('--require-key')).toMatchObject({ keys: 'required' })
    expect(listen('--trusted-proxy', '10.0.0.0/8', '--trusted-proxy', 'fd00::/8').trustedProxies).toEqual([
      '10.0.0.0/8',
      'fd00::/8',
    ])
  })

  test.each([
    ['--listen', '4401'],
    ['--listen', 'localhost'],
    ['--listen', 'host:99999'],
    ['--listen', '::1:80'],
    ['--trusted-proxy', 'everybody'],
    ['--trusted-proxy', '10.0.0.0/33'],
    ['--tls-cert', 'only-one.pem'],
  ])('%s %s is refused', (option, value) => {
    expect(() => listen(option, value)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  })

  test('a certificate is read, and must be one', () =>
    inFolder(async folder => {
      const [certificate, key, other] = ['cert.pem', 'key.pem', 'other'].map(name => join(folder, name)) as [
        string,
        string,
        string,
      ]
      writeFileSync(certificate, '-----BEGIN CERTIFICATE-----\n')
      writeFileSync(key, '-----BEGIN PRIVATE KEY-----\n')
      writeFileSync(other, 'other')
      expect(listen('--tls-cert', certificate, '--tls-key', key).tls).toEqual({
        certificate: '-----BEGIN CERTIFICATE-----\n',
        key: '-----BEGIN PRIVATE KEY-----\n',
      })
      expect(() => listen('--tls-cert', other, '--tls-key', key)).toThrow(/not in PEM form/)
      expect(() => listen('--tls-cert', join(folder, 'cert.pen'), '--tls-key', key)).toThrow(/Did you mean .*cert\.pem/)
    }))
})

describe('--console', () => {
  test('may have an address, which takes no other word with it', () => {
    expect(parsed().flag('console')).toBe(false)
    expect(parsed('--console').text('console')).toBe('')
    expect(parsed('--console', '--json').text('console')).toBe('')
    expect(parsed('--console', '127.0.0.1:0', '--json').text('console')).toBe('127.0.0.1:0')
    expect(parsed('--console=127.0.0.1:0').text('console')).toBe('127.0.0.1:0')
    expect(parseArguments(run, ['--console', 'pipeline.ts']).required('FILE')).toBe('pipeline.ts')
    expect(() => parsed('--console=somewhere')).toThrow(/--console takes HOST:PORT/)
    expect(() => parsed('--console', '--console')).toThrow(/given twice/)
  })
})
