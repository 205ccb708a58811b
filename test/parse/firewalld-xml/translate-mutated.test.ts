import { expect, it } from 'vitest';
import { type Files, parse } from './translate-support.ts';

// A configuration that uses everything, with pieces cut out, doubled and exchanged. What comes out of it is no question here; that
// something comes out is, and that every place lies in one of the files.

const FILES: Files = {
  'firewalld.conf':
    'DefaultZone=work\nLogDenied=unicast\nAllowZoneDrifting=yes\nStrictForwardPorts=yes\nFirewallBackend=iptables\n',
  'zones/work.xml':
    '<zone target="ACCEPT"><interface name="eth+"/><source address="192.0.2.0/24"/><source ipset="peers"/><service name="ssh"/><port port="1-2" protocol="tcp"/><protocol value="gre"/><icmp-block name="redirect"/><icmp-block-inversion/><masquerade/><forward-port port="80" protocol="tcp" to-port="90-91" to-addr="192.0.2.9"/><forward/><rule family="ipv4" priority="-3"><source address="192.0.2.7" invert="true"/><destination ipset="peers"/><service name="mine"/><log prefix="x"><limit value="1/m"/></log><reject type="tcp-reset"/></rule><rule><icmp-type name="echo-request"/><mark set="0x1/0x3"/></rule><rule family="ipv6"><masquerade/></rule></zone>',
  'services/mine.xml':
    '<service><port port="7937-7954" protocol="tcp"/><include service="ftp"/><destination ipv4="192.0.2.1" ipv6="2001:db8::/64"/></service>',
  'ipsets/peers.xml':
    '<ipset type="hash:ip,port"><option name="family" value="inet"/><entry>192.0.2.4,udp:53</entry><entry>192.0.2.5,tcp:1-9</entry></ipset>',
  'policies/p.xml':
    '<policy target="REJECT" priority="-7"><ingress-zone name="work"/><egress-zone name="HOST"/><rule priority="9"><drop/></rule></policy>',
  'direct.xml':
    '<direct><chain ipv="ipv4" table="filter" chain="A"/><rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-m set --match-set peers src,src -j A</rule><passthrough ipv="ipv6">-I FORWARD -j DROP</passthrough></direct>',
};

const SEED = Number(process.env.NWAUDIT_SEED ?? 1);
const ROUNDS = Number(process.env.NWAUDIT_CASES ?? 400);

/** Numbers from 0 to `n - 1` from a seed. Source: mulberry32 (public domain). */
function numbers(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

function mutate(text: string, next: (n: number) => number): string {
  const parts = text.split(/(?=[<" =\n-])/);
  const at = next(parts.length);
  const other = parts[next(parts.length)] ?? '';
  const kind = next(4);
  if (kind === 0) parts.splice(at, 1 + next(4));
  else if (kind === 1) parts.splice(at, 0, other);
  else if (kind === 2) parts.splice(at, 1, other);
  else return text.slice(0, next(text.length));
  return parts.join('');
}

it(`damaged configurations never stop the parser (seed ${SEED})`, () => {
  for (let round = SEED; round < SEED + ROUNDS; round++) {
    const next = numbers(round);
    const names = Object.keys(FILES);
    const damaged = names[next(names.length)]!;
    const files = { ...FILES, [damaged]: mutate(FILES[damaged]!, next) };
    const options = next(2) === 0 ? {} : { interfaces: [] };
    const { ruleset, diagnostics } = parse(files, options);
    expect(ruleset.tables.length, `round ${round}`).toBeGreaterThan(0);
    const places = [
      ...diagnostics.map(({ origin }) => origin),
      ...ruleset.tables.flatMap(({ chains }) => chains.flatMap(({ rules }) => rules.map((r) => r.origin))),
    ];
    for (const { file, line, column } of places)
      if (!file.startsWith('host/etc/firewalld/') || line < 1 || column < 1)
        expect.fail(`round ${round}: ${file}:${line}:${column}`);
  }
});
