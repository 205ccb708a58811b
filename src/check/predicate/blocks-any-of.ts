import { findStopped } from '../found-packets.ts';
import { readPacketOption } from '../packet-option.ts';
import type { Predicate } from './predicate.ts';

/** Some of the packets are stopped: a path that has to be open is not, or not for everybody. */
export const blocksAnyOf: Predicate = {
  name: 'blocks-any-of',
  kind: 'packets',
  description:
    'It stops some of these packets, although they are first packets of connections that have to work',
  takes: 'the packets; see below',
  scopes: ['host'],
  examples: [
    {
      yaml: '{ protocol: tcp, dport: 9100, from: { admin-networks: true } }',
      means: 'monitoring cannot reach the host from every address of the admin networks',
    },
    {
      yaml: '{ protocol: tcp, dport: 7937, from: { roles: [server] } }',
      means: 'some server cannot reach the host',
    },
    {
      yaml: '{ protocol: udp, dport: 123, to: { hosts: [ntp-01] } }',
      means: 'on the hook output: the host cannot reach its time server',
    },
  ],
  read: (value, path, decoder) => {
    const option = readPacketOption(value, path, decoder);
    return {
      kind: 'packets',
      roles: option.namedRoles,
      find: (subject) => findStopped(subject, option, 'any'),
    };
  },
};
