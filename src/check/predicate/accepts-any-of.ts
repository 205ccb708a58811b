import { findAccepted } from '../found-packets.ts';
import { readPacketOption } from '../packet-option.ts';
import { ALL_SCOPES, type Predicate } from './predicate.ts';

/** Intersects: some of the packets get through by this rule, this chain or this host. */
export const acceptsAnyOf: Predicate = {
  name: 'accepts-any-of',
  kind: 'packets',
  description: 'It accepts some of these packets, on the whole way through the host',
  takes: 'the packets; see below',
  scopes: ALL_SCOPES,
  examples: [
    { yaml: '{ protocol: tcp, dport: 22 }', means: 'SSH is accepted, from whomever' },
    {
      yaml: '{ protocol: tcp, dport: 5432, except-from: { roles: [nmc] } }',
      means: 'PostgreSQL is accepted from somebody who is not an NMC host',
    },
    {
      yaml: '{ dport: service-range, from: { addresses: 203.0.113.0/24 }, except-from: { exceptions: true } }',
      means: 'a NetWorker port is accepted from that network, where no exception allows it',
    },
  ],
  read: (value, path, decoder) => {
    const option = readPacketOption(value, path, decoder);
    return {
      kind: 'packets',
      roles: option.namedRoles,
      find: (subject) => findAccepted(subject, option, 'any'),
    };
  },
};
