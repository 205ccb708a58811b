import { findStopped } from '../found-packets.ts';
import { readPacketOption } from '../packet-option.ts';
import type { Predicate } from './predicate.ts';

/** All of the packets are stopped. */
export const blocksAllOf: Predicate = {
  name: 'blocks-all-of',
  kind: 'packets',
  description: 'It stops all of these packets: not one of them gets through',
  takes: 'the packets; see below',
  scopes: ['host'],
  examples: [
    {
      yaml: '{ protocol: tcp, dport: 22, from: { admin-networks: true } }',
      means: 'nobody of the admin networks can log in',
    },
  ],
  read: (value, path, decoder) => {
    const option = readPacketOption(value, path, decoder);
    return {
      kind: 'packets',
      roles: option.namedRoles,
      find: (subject) => findStopped(subject, option, 'all'),
    };
  },
};
