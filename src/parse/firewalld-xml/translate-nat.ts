/** Address translation: what masquerading and forward ports do. */
import type { Nat, Verdict } from '../../model/index.ts';
import { parseAddress, single } from '../../net/index.ts';
import type { ForwardPortElement } from './configuration.ts';
import { parsePorts } from './translate-matches.ts';

/** Sources become an address of the interface a packet leaves by. */
export const MASQUERADE: Nat = {
  kind: 'masquerade',
  addresses: undefined,
  version: undefined,
  ports: undefined,
  unknownTarget: false,
};

/** Where a forward port leads. What cannot be read may lead anywhere. */
export function forwardTarget({ toPort, toAddress }: ForwardPortElement): {
  readonly family: 'ipv4' | 'ipv6';
  readonly verdict: Verdict;
  readonly words: string;
} {
  const address = toAddress === undefined ? undefined : parseAddress(toAddress.replace(/[[\]]/g, ''));
  const ports = toPort === undefined || toPort === '' ? undefined : parsePorts(toPort);
  const unread =
    (toAddress !== undefined && toAddress !== '' && address === undefined) ||
    (toPort !== undefined && toPort !== '' && ports === undefined);
  const toHost = toAddress === undefined || toAddress === '';
  const words = `${toHost ? '' : toAddress}${toPort === undefined || toPort === '' ? '' : `:${toPort}`}`;
  return {
    family: address?.version === 6 ? 'ipv6' : 'ipv4',
    words,
    verdict: {
      kind: 'nat',
      nat: {
        kind: toHost ? 'redirect' : 'dnat',
        addresses: address === undefined ? undefined : single(address.value),
        version: address?.version,
        ports,
        unknownTarget: unread,
      },
    },
  };
}
