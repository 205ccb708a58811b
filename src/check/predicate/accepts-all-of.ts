import { findAccepted } from '../found-packets.ts';
import { readPacketOption } from '../packet-option.ts';
import { ALL_SCOPES, type Predicate } from './predicate.ts';

/** Contains: all of the packets get through by this rule, this chain or this host. */
export const acceptsAllOf: Predicate = {
  name: 'accepts-all-of',
  kind: 'packets',
  description:
    'It accepts all of these packets, in one IP version, on some interface and from some source port',
  takes: 'the packets; see below',
  scopes: ALL_SCOPES,
  examples: [
    {
      yaml: '{ protocol: tcp, dport: 22 }',
      means: 'every address that can arrive is let in to SSH: one that is blocked beforehand makes it false',
    },
    {
      yaml: '{ protocol: [tcp, udp], dport: 1-65535, from: { addresses: 192.0.2.7 } }',
      means: 'this one address may do everything',
    },
  ],
  read: (value, path, decoder) => {
    const option = readPacketOption(value, path, decoder);
    return {
      kind: 'packets',
      roles: option.namedRoles,
      find: (subject) => findAccepted(subject, option, 'all'),
    };
  },
};
