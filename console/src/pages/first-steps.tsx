/** What to do while nothing has come yet. */
import type { Hello } from '../../../src/dashboard/protocol.ts'
import { Mark } from '../icons.tsx'
import { Copy } from './copy.tsx'

const PHONES = 'sensor-logger'

export function FirstSteps({ hello }: { readonly hello: Hello }) {
  const { addresses, keysNeeded } = hello
  const phones = addresses.find(({ connector }) => connector === PHONES)
  const onlyHere = addresses.some(({ address }) => /\/\/(127\.|localhost|\[::1\])/.test(address))
  return (
    <section class="first-steps">
      <Mark />
      <h2>No readings yet</h2>
      {addresses.length === 0 && <p>The pipeline waits for its inputs. What they bring appears here as it comes.</p>}
      {addresses.length > 0 && (
        <ul>
          {addresses.map(({ topic, connector, address }) => (
            <li key={address}>
              {connector === PHONES ? 'Point a phone (Sensor Logger, HTTP push) at' : `Send records of ${topic} to`}
              <Copy text={address} name="the address" />
            </li>
          ))}
          {phones !== undefined && (
            <li>
              or run simulated phones
              <Copy text={`millrace simulate phones --to ${phones.address}`} name="the command" />
            </li>
          )}
          {keysNeeded && (
            <li>
              Senders need a key. Make one with
              <Copy text={`millrace keys make NAME --data-dir ${hello.dataDirectory}`} name="the command" />
            </li>
          )}
        </ul>
      )}
      {onlyHere && (
        <p class="aside">
          This address is reached from this machine only. For a real phone start with <code>--listen 0.0.0.0:4401</code>{' '}
          and use this machine's address in your network.
        </p>
      )}
    </section>
  )
}
