/** The flows that the guide lists for each role, and rules for them. */

/** The estate of the guide: one host of each role. */
export const CONFIG = {
  hosts: {
    'nw-server': { role: 'server', addresses: ['192.0.2.10'] },
    'client-01': { role: 'client', addresses: ['192.0.2.101'] },
    'sn-01': { role: 'storage-node', addresses: ['192.0.2.20'] },
    'nmc-01': { role: 'nmc', addresses: ['192.0.2.30'] },
  },
  admin_networks: ['198.51.100.0/28'],
};

const accept = (direction: 'in' | 'out', peer: string, ports: string) =>
  direction === 'in'
    ? `-A INPUT -s ${peer} -p tcp -m tcp --dport ${ports} -j ACCEPT`
    : `-A OUTPUT -d ${peer} -p tcp -m tcp --dport ${ports} -j ACCEPT`;

const SERVER = '192.0.2.10/32';
const CLIENT = '192.0.2.101/32';
const NODE = '192.0.2.20/32';

/** Host, direction, peer and ports, as the guide lists them. */
export const FLOWS: readonly (readonly [string, 'in' | 'out', string, string])[] = [
  ['nw-server', 'in', CLIENT, '7937'],
  ['nw-server', 'in', CLIENT, '7938'],
  ['nw-server', 'in', NODE, '7937'],
  ['nw-server', 'in', NODE, '7938'],
  ['nw-server', 'out', CLIENT, '7937:9936'],
  ['nw-server', 'out', NODE, '7937:9936'],
  ['client-01', 'out', SERVER, '7937:7938'],
  ['client-01', 'in', SERVER, '7938:9936'],
  ['client-01', 'in', NODE, '7938:9936'],
  ['client-01', 'out', NODE, '7938:9936'],
  ['sn-01', 'out', SERVER, '7937:7938'],
  ['sn-01', 'in', SERVER, '7937:9936'],
  ['sn-01', 'in', CLIENT, '7938:9936'],
  ['sn-01', 'out', CLIENT, '7938:9936'],
  ['nmc-01', 'in', '198.51.100.0/28', '9090'],
];

/** Rules of a host that let all its flows through, or all but one. */
export function exportOf(host: string, without?: number): string {
  const rules = FLOWS.flatMap(([of, direction, peer, ports], i) =>
    of === host && i !== without ? [accept(direction, peer, ports)] : [],
  );
  const established = (chain: string) => `-A ${chain} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`;
  return [
    '*filter',
    ':INPUT DROP [0:0]',
    ':FORWARD DROP [0:0]',
    ':OUTPUT DROP [0:0]',
    '-A INPUT -i lo -j ACCEPT',
    '-A OUTPUT -o lo -j ACCEPT',
    established('INPUT'),
    established('OUTPUT'),
    ...rules,
    'COMMIT',
    '',
  ].join('\n');
}
