import type { AimOptions } from './packets.ts';
import { createRandom, type Random } from './random.ts';

/** A random nft rule set, and how to aim packets at it. */
export interface GeneratedNft {
  readonly nft: string;
  readonly options: AimOptions;
}

const ADDRESSES = [
  '192.0.2.1',
  '192.0.2.0/25',
  '198.51.100.7',
  '198.51.100.0/24',
  '203.0.113.5-203.0.113.20',
  '192.0.2.128/26',
];
const SINGLES = ['192.0.2.1', '192.0.2.9', '198.51.100.7', '203.0.113.5'];
const SIX = ['2001:db8::1', '2001:db8:1::/64', '2001:db8::5-2001:db8::50', '2001:db8:2::7'];
const PORTS = ['22', '80', '443', '7937-9936', '53', '1024-2000'];
const SINGLE_PORTS = ['22', '80', '443', '53', '9000'];
const STATES = ['new', 'established', 'related', 'invalid', 'untracked'];

/** The same rule set for the same seed. Every table is loadable: chains jump downward only. */
export function generateNft(seed: number): GeneratedNft {
  const random = createRandom(seed);
  const tables = [table(random, 'inet', 'alpha', ['a1', 'a2', 'a3'])];
  if (random.chance(0.5)) tables.push(table(random, random.pick(['ip', 'ip6']), 'beta', ['b1']));
  return {
    nft: tables.join('\n'),
    options: {
      states: random.chance(0.5),
      hooks: random.chance(0.4) ? ['input'] : ['input', 'input', 'forward', 'output'],
      connectionMarks: [0, 0, 1, 5],
      marks: [0, 1, 2, 16, 255],
      interfaces: ['lo', 'eth0', 'eth1', 'bond0'],
    },
  };
}

function table(random: Random, family: string, name: string, regular: readonly string[]): string {
  const bodies = regular.map(
    (chain, index) => `\tchain ${chain} {\n${rules(random, family, regular.slice(index + 1), 4)}\t}`,
  );
  const base = (hook: string, priority: number, targets: readonly string[] = regular): string =>
    `\tchain ${hook}_${priority < 0 ? 'm' : 'p'}${Math.abs(priority)} {\n\t\ttype filter hook ${hook} priority ${priority}; policy ${random.pick(['accept', 'drop'])};\n${rules(random, family, targets, 8)}\t}`;
  const bases = [base('input', 0)];
  if (random.chance(0.4)) bases.push(base('forward', random.pick([0, 0, -150, 10])));
  if (random.chance(0.4)) bases.push(base('output', random.pick([0, 0, -150, 10])));
  if (random.chance(0.2)) {
    // The kernel has no reject there, so nothing that holds one may be reached from it.
    const last = base('postrouting', random.pick([-150, 50]), []).replaceAll(/\breject\b.*$/gm, 'drop');
    bases.push(last.replace('policy drop', 'policy accept'));
  }
  if (random.chance(0.5))
    bases.push(base('prerouting', random.pick([-150, -300, 10])).replace('policy drop', 'policy accept'));
  if (random.chance(0.3))
    bases.push(base('input', random.pick([-10, 0, 10])).replace('input_p0 {', 'input_again {'));
  if (random.chance(0.3)) bases.push(rawChain(random, family));
  if (random.chance(0.3)) bases.push(natChain(random, family));
  if (random.chance(0.2)) bases.push('\tchain unused {\n\t}');
  return `table ${family} ${name} {\n${sets(random, family)}${[...bodies.reverse(), ...bases].join('\n')}\n}`;
}

/** Takes some packets out of connection tracking. */
function rawChain(random: Random, family: string): string {
  const lines = Array.from({ length: 1 + random.integer(2) }, () =>
    compatible([match(random, family), random.pick(['notrack', 'notrack accept', 'meta mark set 0x10'])]),
  );
  return `\tchain raw {\n\t\ttype filter hook prerouting priority raw;\n${lines.map((l) => `\t\t${l}\n`).join('')}\t}`;
}

const DNAT4 = [
  'tcp dport 80 dnat to 192.0.2.9',
  'meta l4proto tcp dnat to 192.0.2.9:8080',
  'dnat to 198.51.100.7',
  'meta l4proto udp dnat to 198.51.100.7:5353',
];
const DNAT6 = ['tcp dport 80 dnat to 2001:db8::9', 'meta l4proto tcp dnat to [2001:db8::9]:8080'];

/** Sends some ports of the host to others of its ports. */
function natChain(random: Random, family: string): string {
  const lines = Array.from({ length: 1 + random.integer(3) }, () => {
    const turn = random.pick([
      'meta l4proto tcp redirect to :8080',
      'meta l4proto udp redirect to :udp dport map { 53 : 5353, 80 : 9000 }',
      'meta l4proto tcp redirect to :tcp dport map { 22 : 2222, 80 : 443, 1024-2000 : 22 }',
      'tcp dport 443 accept',
      'tcp dport 9000 drop',
      'redirect',
      'meta l4proto tcp redirect to :9000-9003',
      ...(family === 'ip'
        ? DNAT4
        : family === 'ip6'
          ? DNAT6
          : [...DNAT4, ...DNAT6].map((text) =>
              text.replace(
                'dnat to',
                text.includes('[') || text.includes('2001:') ? 'dnat ip6 to' : 'dnat ip to',
              ),
            )),
    ]);
    return compatible([random.chance(0.5) ? addressMatch(random, family) : '', turn].filter((p) => p !== ''));
  });
  return `\tchain nat {\n\t\ttype nat hook prerouting priority dstnat;\n${lines.map((l) => `\t\t${l}\n`).join('')}\t}`;
}

function addressMatch(random: Random, family: string): string {
  if (family === 'ip6' || (family === 'inet' && random.chance(0.3)))
    return `ip6 saddr ${operand(random, SIX, ['2001:db8::1', '2001:db8:2::7'])}`;
  return `ip saddr ${operand(random, ADDRESSES, SINGLES)}`;
}

function sets(random: Random, family: string): string {
  const four =
    family !== 'ip6'
      ? `\tset hosts { type ipv4_addr; flags interval; elements = { ${some(random, ['192.0.2.1', '192.0.2.64/26', '198.51.100.0/24', '203.0.113.5-203.0.113.20'])} } }\n\tset pairs { type ipv4_addr . inet_service; flags interval; elements = { ${some(random, ['192.0.2.1 . 22', '198.51.100.0/24 . 80-90', '203.0.113.5 . 1-65535'])} } }\n\tset triples { type ipv4_addr . inet_proto . inet_service; flags interval; elements = { ${some(random, ['192.0.2.1 . tcp . 22', '198.51.100.0/24 . udp . 53-80', '203.0.113.0-203.0.113.20 . tcp . 1-1023'])} } }\n\tmap zones { type ipv4_addr : verdict; flags interval; elements = { ${some(random, ['192.0.2.0/25 : accept', '192.0.2.128/25 : drop', '198.51.100.0/24 : continue', '203.0.113.5-203.0.113.20 : return'])} } }\n`
      : '';
  return `${four}\tset ports { type inet_service; flags interval; elements = { ${some(random, ['22', '80-90', '7937-9936', '53'])} } }\n\tmap verdicts { type inet_service : verdict; elements = { ${some(random, ['22 : accept', '80 : drop', '443 : return', '53 : continue'])} } }\n\tmap marks { type inet_service : mark; elements = { ${some(random, ['22 : 0x1', '80 : 0x2', '53 : 0x10'])} } }\n\tmap spans { type inet_service : mark; flags interval; elements = { ${some(random, ['0-1023 : 0x1', '1024-7936 : 0x2', '7937-9936 : 0xff'])} } }\n`;
}

function some(random: Random, list: readonly string[]): string {
  const picked = list.filter(() => random.chance(0.6));
  return (picked.length > 0 ? picked : [list[0]!]).join(', ');
}

function rules(random: Random, family: string, targets: readonly string[], most: number): string {
  const count = 1 + random.integer(most);
  return Array.from({ length: count }, () => `\t\t${rule(random, family, targets)}\n`).join('');
}

function rule(random: Random, family: string, targets: readonly string[]): string {
  const parts: string[] = [];
  const matches = random.integer(3);
  for (let i = 0; i < matches; i++) parts.push(match(random, family));
  if (random.chance(0.2)) parts.push('counter');
  if (random.chance(0.1)) parts.push('log prefix "x"');
  if (random.chance(0.002)) parts.push('limit rate over 1000000/second burst 5 packets');
  if (random.chance(0.17)) {
    parts.push(effect(random));
    const after = random.chance(0.6) ? match(random, family) : '';
    // What asks for a field that the same rule has assigned is often unknown: now and then only.
    if (!/^(meta|ct) mark/.test(after) || random.chance(0.25)) parts.push(after);
  }
  parts.push(verdict(random, family, targets));
  return compatible(parts.filter((p) => p !== ''));
}

/** The protocols that a part of a rule asks for; `l4` where it asks for the protocol itself. */
function protocolsOf(part: string): readonly string[] {
  if (/^meta l4proto/.test(part) || /^ip(6 nexthdr| protocol)/.test(part)) {
    const only = /^meta l4proto (tcp|udp) /.exec(part);
    return only === null ? ['l4'] : [only[1]!];
  }
  const asked = [...part.matchAll(/\b(tcp|udp|sctp|icmp|icmpv6) (?:dport|sport|flags|type|code)/g)].map(
    (m) => m[1]!,
  );
  return part.includes('meta l4proto .') || part.includes('. meta l4proto') ? [...asked, 'l4'] : asked;
}

/** nft refuses rules that ask for two protocols or versions at once: of such matches the first stays. */
function compatible(parts: readonly string[]): string {
  let protocol = '';
  let version = '';
  const kept = parts.filter((part) => {
    const asked = new Set(protocolsOf(part));
    const v = /^ip6 |^icmpv6|nfproto ipv6/.test(part)
      ? '6'
      : /^ip |^icmp |nfproto (?:!= )?ipv4|^ct original ip /.test(part)
        ? '4'
        : '';
    if ([...asked].some((p) => protocol !== '' && p !== protocol)) return false;
    if (v !== '' && version !== '' && v !== version) return false;
    for (const p of asked) protocol = p;
    version = v === '' ? version : v;
    return true;
  });
  return kept.length > 0 ? kept.join(' ') : 'counter';
}

function set(random: Random, list: readonly string[]): string {
  const picked = [...new Set([random.pick(list), random.pick(list)])];
  return `{ ${picked.join(', ')} }`;
}

function operand(random: Random, list: readonly string[], singles: readonly string[]): string {
  const not = random.chance(0.3) ? '!= ' : '';
  return `${not}${random.chance(0.4) ? set(random, singles) : random.pick(list)}`;
}

function match(random: Random, family: string): string {
  const choices: (() => string)[] = [
    () => `tcp dport ${operand(random, PORTS, SINGLE_PORTS)}`,
    () => `tcp dport ${random.pick(['>=', '<', '!=', '>'])} ${random.pick(SINGLE_PORTS)}`,
    () => `udp dport ${operand(random, PORTS, SINGLE_PORTS)}`,
    () => `tcp sport ${operand(random, PORTS, SINGLE_PORTS)}`,
    () => `tcp dport ${random.pick(['', '!= '])}@ports`,
    () =>
      `meta l4proto ${random.pick(['{ tcp, udp }', 'tcp', 'udp'])} th dport ${operand(random, PORTS, SINGLE_PORTS)}`,
    () =>
      `meta l4proto ${random.pick(['', '!= '])}${random.pick(['tcp', 'udp', 'icmp', '{ tcp, udp }', 'ipv6-icmp'])}`,
    () =>
      `iifname ${random.pick(['', '!= '])}${random.pick(['"lo"', '"eth*"', '"eth0"', '{ "eth1", "bond*" }'])}`,
    () => `meta mark ${random.pick(['1', '!= 0x2', '& 0x10 == 0x10', '{ 1, 2 }', '& 0xf != 0x1'])}`,
    () =>
      `ct state ${random.pick(['new', 'established,related', 'invalid', '{ new, untracked }', '!= { established, related }', '! established,related', `!= ${random.pick(STATES)}`])}`,
    () =>
      `tcp flags ${random.pick(['syn', '! syn', '& (syn|ack) == syn', '== syn', '!= ack', '& (fin|syn|rst) != 0'])}`,
    () => `tcp dport . tcp sport ${random.pick(['', '!= '])}{ 22 . 1024-2000, 80-90 . 1-65535 }`,
    () =>
      family === 'inet' ? `meta nfproto ${random.pick(['ipv4', 'ipv6', '!= ipv4'])}` : 'meta mark != 0x5',
    () => `meta l4proto . th dport ${random.pick(['', '!= '])}{ tcp . 22, udp . 53, tcp . 7937-9936 }`,
    () => `ct state . meta l4proto { new . tcp, established . udp, untracked . tcp }`,
    () => `iifname . tcp dport ${random.pick(['', '!= '])}{ "eth0" . 22, "lo" . 80-90 }`,
    () => `ct mark ${random.pick(['0x5', '!= 0x5', '& 0x1 == 0x1', '{ 0, 5 }'])}`,
    () => `ct status ${random.pick(['dnat', '! dnat'])}`,
    () => `tcp dport & 0xfff0 ${random.pick(['==', '!='])} 0x1f00`,
    () => `meta mark ${random.pick(['^ 0x3 == 0x1', '>= 0x10', '1-16'])}`,
    () => `meta mark & ${random.pick(['0xff == 0x10', '0x3 != 0x0', '0xf0 == { 0x10, 0x20 }'])}`,
    () => `tcp flags { syn, ack, fin }`,
    () =>
      `tcp flags ${random.pick(['!= syn', '& (fin|syn|rst|ack) == syn', 'syn / fin,syn,rst,ack', '& (syn|ack) == (syn|ack)', '== (syn|ack)', 'fin,syn'])}`,
    () => `meta length ${random.pick(['60', '!= 60', '< 100', '40-64', '{ 60, 100-200 }'])}`,
    () => `ether saddr ${random.pick(['', '!= '])}02:00:00:00:00:01`,
    () =>
      `meta l4proto ${random.pick(['tcp', 'udp'])} ct original proto-dst ${random.pick(['22', '!= 22', '80-90'])}`,
    () => `sctp dport ${operand(random, PORTS, SINGLE_PORTS)}`,
    () => `th sport ${random.pick(['1024-65535', '!= 22'])}`,
    () => `udp sport . udp dport ${random.pick(['', '!= '])}{ 53 . 1024-65535, 1024-65535 . 53 }`,
    () => `tcp dport { 22, 80-90, 7937-9936 }`,
    () => `@th,16,16 ${random.pick(['22', '!= 22', '{ 53, 80 }'])}`,
  ];
  if (family !== 'ip6') {
    choices.push(
      () => `ip ${random.pick(['saddr', 'daddr'])} ${operand(random, ADDRESSES, SINGLES)}`,
      () => `ip saddr ${random.pick(['', '!= '])}@hosts`,
      () => `ip saddr . meta l4proto . th dport ${random.pick(['', '!= '])}@triples`,
      () => `ip saddr & 255.255.255.0 ${random.pick(['==', '!='])} 192.0.2.0`,
      () => `ip saddr . ip daddr { 192.0.2.0/24 . 198.51.100.0/24, 203.0.113.5 . 0.0.0.0/0 }`,
      () => `ip saddr . tcp dport ${random.pick(['', '!= '])}@pairs`,
      () => `ip ttl ${random.pick(['64', '< 64', '!= 1', '{ 63, 64, 65 }'])}`,
      () => `ip dscp ${random.pick(['cs1', '!= cs0', '{ af11, ef }', '0x0a'])}`,
      () => `ip saddr & 0.0.0.255 ${random.pick(['== 0.0.0.1', '!= 0.0.0.9', '< 0.0.0.128'])}`,
      () => `ip saddr . ip daddr . meta mark { 192.0.2.1 . 198.51.100.7 . 0x1, 192.0.2.9 . 192.0.2.1 . 0x0 }`,
      () => `ip length ${random.pick(['60', '> 60'])}`,
      () => `ct original ip saddr ${random.pick(['', '!= '])}192.0.2.0/24`,
      () => `icmp code ${random.pick(['0', '!= 1', '{ 1, 3 }'])}`,
      () => `icmp type . icmp code { echo-request . 0, destination-unreachable . 1 }`,
      () => `ip protocol ${random.pick(['tcp', '!= udp', '{ icmp, udp }'])}`,
      () =>
        `icmp type ${random.pick(['echo-request', '{ echo-request, destination-unreachable }', '!= echo-reply'])}`,
    );
  }
  if (family !== 'ip') {
    choices.push(
      () =>
        `ip6 ${random.pick(['saddr', 'daddr'])} ${operand(random, SIX, ['2001:db8::1', '2001:db8:2::7'])}`,
      () => `ip6 hoplimit ${random.pick(['64', '< 64', '!= 1'])}`,
      () => `ip6 saddr & ffff:ffff:ffff:ffff:: ${random.pick(['==', '!='])} 2001:db8:1::`,
      () => `ip6 saddr . tcp dport ${random.pick(['', '!= '])}{ 2001:db8:1::/64 . 22-80, 2001:db8::1 . 443 }`,
      () => `ip6 dscp ${random.pick(['cs1', '!= cs0'])}`,
      () => `icmpv6 code ${random.pick(['0', '!= 0'])}`,
      () => `ip6 nexthdr ${random.pick(['tcp', '!= udp'])}`,
      () =>
        `icmpv6 type ${random.pick(['echo-request', '!= echo-request', '{ nd-neighbor-solicit, echo-reply }'])}`,
    );
  }
  return random.pick(choices)();
}

function effect(random: Random): string {
  return random.pick([
    'meta mark set 0x1',
    'meta mark set 0x2',
    'meta mark set meta mark | 0x10',
    'meta mark set meta mark & 0xf',
    'meta mark set tcp dport map @marks',
    'meta mark set tcp dport map @spans',
    'meta mark set udp dport map { 53 : 0x1, 1024-2000 : 0x2 }',
    'meta mark set ct mark',
    'ct mark set meta mark',
    'meta mark set meta mark ^ 0x3',
    'ct mark set 0x5',
  ]);
}

/** A verdict map over something else than ports. */
function anyVerdictMap(random: Random, family: string, targets: readonly string[]): string {
  const end = (): string =>
    targets.length > 0 && random.chance(0.5)
      ? `${random.pick(['jump', 'goto'])} ${random.pick(targets)}`
      : random.pick(['accept', 'drop', 'continue', 'return']);
  // A branch into a chain that sets what the map asks for makes the whole rule unknown.
  const plain = (): string => random.pick(['accept', 'drop', 'continue', 'return']);
  const rest = (): string => (random.chance(0.4) ? `, * : ${end()}` : '');
  const choices: (() => string)[] = [
    () => `ct state vmap { new : ${end()}, established : ${end()}, untracked : ${end()}${rest()} }`,
    () => `meta l4proto vmap { tcp : ${end()}, udp : ${end()}${rest()} }`,
    () =>
      `meta mark vmap { 0x1 : ${plain()}, 0x2 : ${random.chance(0.03) ? end() : plain()}, * : ${plain()} }`,
    () => `iifname vmap { "lo" : ${end()}, "eth0" : ${end()}${rest()} }`,
    () => `meta l4proto . th dport vmap { tcp . 22 : ${end()}, udp . 53 : ${end()} }`,
  ];
  if (family !== 'ip6')
    choices.push(
      () => 'ip saddr vmap @zones',
      () => `ip saddr vmap { 192.0.2.0/24 : ${end()}, 198.51.100.7 : ${end()}${rest()} }`,
      () => `icmp type vmap { echo-request : ${end()}, echo-reply : ${end()}${rest()} }`,
      () => `ip saddr . tcp dport vmap { 192.0.2.0/24 . 22-80 : ${end()}, 198.51.100.7 . 443 : ${end()} }`,
    );
  if (family !== 'ip')
    choices.push(
      () => `ip6 saddr vmap { 2001:db8::/64 : ${end()}, 2001:db8:2::7 : ${end()}${rest()} }`,
      () => `icmpv6 type vmap { echo-request : ${end()}, 129-132 : ${end()} }`,
    );
  return random.pick(choices)();
}

function verdict(random: Random, family: string, targets: readonly string[]): string {
  const simple = ['accept', 'drop', 'accept', 'drop', 'reject', 'return', 'continue', ''];
  if (targets.length > 0 && random.chance(0.35))
    return `${random.pick(['jump', 'jump', 'goto'])} ${random.pick(targets)}`;
  if (random.chance(0.15)) return 'tcp dport vmap @verdicts';
  if (random.chance(0.12)) return anyVerdictMap(random, family, targets);
  if (random.chance(0.05)) return 'meta l4proto tcp reject with tcp reset';
  if (random.chance(0.04)) return 'accept comment "drop"';
  if (random.chance(0.1) && targets.length > 0)
    return `tcp dport vmap { 22 : accept, 80-90 : jump ${random.pick(targets)}, 443 : goto ${random.pick(targets)}, * : ${random.pick(['drop', 'continue', 'return'])} }`;
  if (random.chance(0.1))
    return `udp dport vmap { 53 : accept, 80 : drop${random.chance(0.5) ? ', * : return' : ''} }`;
  return random.pick(simple);
}
