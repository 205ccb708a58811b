/** Options that all predicates on packets take, as their documentation tells them. */
/** One key below a predicate on packets, or below `from` and the like. */
export interface OptionKey {
  readonly key: string;
  readonly takes: string;
  readonly means: string;
}

/** Keys that say which packets are meant. */
export const PACKET_OPTION_KEYS: readonly OptionKey[] = [
  {
    key: 'protocol',
    takes: '`tcp`, `udp`, `icmp`, a number, or a list',
    means: 'protocol; without it every protocol, or every protocol with ports where a port is named',
  },
  {
    key: 'dport',
    takes: '`22`, `7937-9936`, `service-range`, or a list',
    means: 'destination port as delivered, after DNAT and REDIRECT; `service-range` is the range of the host',
  },
  { key: 'sport', takes: 'a port, a range, or a list', means: 'source port' },
  { key: 'icmp-type', takes: 'a number, a range, or a list', means: 'type of ICMP, or of ICMPv6 in IPv6' },
  { key: 'ip-version', takes: '`4` or `6`', means: 'only this IP version; without it both' },
  {
    key: 'interface',
    takes: 'a name or a list',
    means: 'interface they come in by; on `output` the one they leave by',
  },
  { key: 'from', takes: '`any` or peers', means: 'who sends them; without it anybody' },
  { key: 'except-from', takes: 'peers', means: 'senders that are none of the matter' },
  {
    key: 'to',
    takes: '`any` or peers',
    means: 'where they go, for `forward` and `output`; on `input` one of the addresses of the host',
  },
  { key: 'except-to', takes: 'peers', means: 'destinations that are none of the matter' },
];

/** Keys that say who is meant, below `from`, `except-from`, `to` and `except-to`. */
export const PEER_OPTION_KEYS: readonly OptionKey[] = [
  {
    key: 'addresses',
    takes: '`192.0.2.10`, `192.0.2.0/24`, `192.0.2.10-192.0.2.19`, or a list',
    means: 'these addresses',
  },
  {
    key: 'roles',
    takes: 'a role of the profile, or a list',
    means: 'other hosts of the role and its `role_networks`',
  },
  {
    key: 'hosts',
    takes: 'a name or a pattern such as `db-*`, or a list',
    means: 'other hosts of `nwaudit.yaml`, with their addresses',
  },
  { key: 'admin-networks', takes: '`true`', means: '`admin_networks` of `nwaudit.yaml`' },
  {
    key: 'exceptions',
    takes: '`true` or the id of an exception, or a list',
    means: 'whom exceptions of `nwaudit.yaml` for this host let in, as long as they are in force',
  },
];
