import type { FirewalldFixtureOptions } from './firewalld-fixtures.ts';
import type { FirewalldFiles } from './firewalld-run.ts';
import { createRandom, type Random } from './random.ts';

/** A random firewalld configuration, and how to aim packets at it. */
export interface GeneratedFirewalld {
  readonly files: FirewalldFiles;
  readonly options: FirewalldFixtureOptions;
}

const FOUR = [
  '192.0.2.0/24',
  '192.0.2.0/25',
  '192.0.2.64/26',
  '192.0.2.1',
  '192.0.2.9',
  '192.0.2.5/28',
  '198.51.100.0/24',
  '198.51.100.128/25',
  '198.51.100.0/255.255.255.128',
  '198.51.100.7',
  '203.0.113.0/28',
  '203.0.113.5',
  '0.0.0.0/0',
];
const SIX = [
  '2001:db8::/32',
  '2001:db8:1::/64',
  '2001:db8:1::7',
  '2001:db8:2::/64',
  '2001:DB8::5',
  '2001:db8:1::9/126',
  '::/0',
];
const MACS = ['02:00:00:00:00:0a', '02:00:00:00:00:0B', '02:00:00:00:00:0c'];
const INTERFACES = ['eth0', 'eth1', 'eth2', 'eth+', 'bond0', 'bond+', 'lo'];
/** Names of firewalld's own zones, of others, and two that sort unlike the dictionary. */
const ZONES = [
  'public',
  'work',
  'trusted',
  'drop',
  'block',
  'internal',
  'dmz',
  'Zulu',
  '_mid',
  'alpha',
  'backup',
  'zzz',
];
/** Ports as people write them; touching and overlapping ones, and one turned round. */
const PORTS = [
  '22',
  '80',
  '443',
  '7937',
  '7938',
  '7937-9936',
  '7938-7999',
  '8000-8100',
  '8101-8200',
  '9000-9001',
  '9090',
  '53',
  '9010-9005',
];
const SERVICES = [
  'ssh',
  'ssh',
  'https',
  'cockpit',
  'dns',
  'nfs',
  'dhcpv6-client',
  'rpc-bind',
  'ntp',
  'mdns',
  'samba',
  'freeipa-4',
  'ipsec',
  'dhcp',
];
/** Stock services with a destination of their own: a rule with another one is refused with the whole configuration. */
const BOUND_SERVICES = ['dhcpv6-client', 'mdns'];
const ICMP_TYPES = [
  'echo-request',
  'echo-request',
  'echo-reply',
  'timestamp-request',
  'neighbour-solicitation',
  'destination-unreachable',
  'host-unreachable',
  'packet-too-big',
  'router-advertisement',
];
/** Of those: in one IP version only. A rule of the other one is refused with the whole configuration. */
const ICMP_VERSION: Readonly<Record<string, 4 | 6>> = {
  'timestamp-request': 4,
  'host-unreachable': 4,
  'neighbour-solicitation': 6,
  'packet-too-big': 6,
};

/** What of a configuration other parts of it may name. */
interface Names {
  readonly services: readonly string[];
  /** Services that must not stand beside a destination. */
  readonly bound: readonly string[];
  readonly sets: readonly GeneratedSet[];
  /** Zones with what the generator bound to them. */
  readonly zones: readonly GeneratedZone[];
}

interface GeneratedZone {
  readonly name: string;
  readonly interfaces: readonly string[];
}

interface GeneratedSet {
  readonly name: string;
  readonly type: string;
  readonly version: 4 | 6 | undefined;
}

/**
 * The same configuration for the same seed. About one in twenty-five has something that makes firewalld refuse all of
 * it, on purpose; nearly all others are accepted.
 */
export function generateFirewalld(seed: number): GeneratedFirewalld {
  const random = createRandom(seed);
  const files: Record<string, string> = {};
  const sets = some(random, Object.keys(SETS), 0.22).map((name) => ipset(random, name, files));
  const own = some(random, ['networker', 'other', 'agent'], 0.4);
  const bound = [...BOUND_SERVICES];
  for (const name of own) files[`services/${name}.xml`] = service(random, name, own, bound);
  // A stock service that the host redefines.
  if (random.chance(0.1)) files['services/https.xml'] = service(random, 'https', own, bound);
  const names: Names = { services: [...SERVICES, ...own, ...own, ...own], bound, sets, zones: [] };
  const free = {
    // Few MAC addresses: `<forward/>` and policies ask for them as destinations too, which no packet here tells.
    sources: [
      ...FOUR,
      ...FOUR,
      ...SIX,
      ...SIX,
      ...some(random, MACS, 0.3),
      ...sources(sets),
      ...sources(sets),
    ],
    interfaces: [...INTERFACES],
  };
  const zones = some(random, ZONES, 0.28).map((name) => {
    const made = zone(random, names, free);
    files[`zones/${name}.xml`] = made.text;
    return { name, interfaces: made.interfaces };
  });
  for (const name of some(random, ['first', 'second', 'third', 'Fourth'], 0.33))
    files[`policies/${name}.xml`] = policy(random, { ...names, zones });
  const iptables = random.chance(0.1);
  // firewalld makes these sets for ipset too, and the kernel may lack hash:mac, or refuse the same value twice.
  const ipsetFits = sets.every(({ type }) => type === 'hash:ip' || type === 'hash:net');
  if (random.chance(0.15) && ipsetFits) files['direct.xml'] = direct(random);
  files['firewalld.conf'] = conf(
    random,
    zones.map(({ name }) => name),
  );
  if (iptables && ipsetFits) files['firewalld.conf'] += 'FirewallBackend=iptables\n';
  if (random.chance(0.04)) refuse(random, files);
  return { files, options: {} };
}

const HEAD = '<?xml version="1.0" encoding="utf-8"?>\n';

function some(random: Random, values: readonly string[], probability: number): string[] {
  return values.filter(() => random.chance(probability));
}

function repeat(random: Random, most: number, make: () => string): string {
  return Array.from({ length: random.integer(most + 1) }, make).join('');
}

/** Takes a value out of a list, so that no two zones share it: firewalld refuses that. */
function take(random: Random, values: string[]): string | undefined {
  const taken = values.splice(random.integer(Math.max(1, values.length)), 1)[0];
  for (let again = values.indexOf(taken ?? ''); again >= 0; again = values.indexOf(taken ?? ''))
    values.splice(again, 1);
  return taken;
}

function conf(random: Random, zones: readonly string[]): string {
  const lines = [`DefaultZone=${random.pick([...zones, ...zones, 'public', 'public', 'nowhere'])}`];
  if (random.chance(0.3)) lines.push('IPv6_rpfilter=no');
  if (random.chance(0.15)) lines.push(`LogDenied=${random.pick(['all', 'unicast', 'off'])}`);
  if (random.chance(0.15)) lines.push('RFC3964_IPv4=no');
  if (random.chance(0.1)) lines.push('IndividualCalls=yes');
  if (random.chance(0.1)) lines.push('AllowZoneDrifting=yes');
  if (random.chance(0.05)) lines.push('# FirewallBackend=iptables', 'garbage');
  return `${lines.join('\n')}\n`;
}

// ---- sets and services

const INET6 = '  <option name="family" value="inet6"/>\n';

/** Named sets: type, version, entries of which some are chosen, none of which overlap. */
const SETS: Readonly<
  Record<string, readonly [type: string, version: 4 | 6 | undefined, entries: readonly string[]]>
> = {
  hosts: ['hash:ip', 4, ['192.0.2.1', '192.0.2.9', '198.51.100.7', '203.0.113.5']],
  nets: ['hash:net', 4, ['192.0.2.64/26', '192.0.2.0/28', '198.51.100.0/25', '203.0.113.5']],
  pairs: [
    'hash:ip,port',
    4,
    ['192.0.2.1,tcp:22', '192.0.2.9,udp:53', '198.51.100.7,tcp:9090', '192.0.2.9,8000'],
  ],
  netports: [
    'hash:net,port',
    4,
    ['192.0.2.0/26,tcp:7937-7999', '198.51.100.0/25,udp:53', '203.0.113.0/28,443'],
  ],
  marked: ['hash:ip,mark', 4, ['192.0.2.1,0x10', '192.0.2.9,0', '198.51.100.7,5']],
  ways: ['hash:net,iface', 4, ['192.0.2.0/25,eth0', '198.51.100.0/24,eth1']],
  six: ['hash:net', 6, ['2001:db8:1::/64', '2001:db8:2::5']],
  sixhosts: ['hash:ip', 6, ['2001:db8:1::7', '2001:db8::5']],
  sixpairs: ['hash:ip,port', 6, ['2001:db8:1::7,tcp:22', '2001:db8::5,udp:53']],
  cards: ['hash:mac', undefined, ['02:00:00:00:00:0a', '02:00:00:00:00:0c']],
};

function ipset(random: Random, name: string, files: Record<string, string>): GeneratedSet {
  const [type, version, entries] = SETS[name]!;
  const chosen = entries.filter(() => random.chance(0.7)).map((entry) => `  <entry>${entry}</entry>\n`);
  files[`ipsets/${name}.xml`] =
    `${HEAD}<ipset type="${type}">\n${version === 6 ? INET6 : ''}${chosen.join('')}</ipset>\n`;
  return { name, type, version };
}

function sources(sets: readonly GeneratedSet[]): string[] {
  return sets.map(({ name }) => `ipset:${name}`);
}

/** A service; adds its name to `bound` where it has a destination. */
function service(random: Random, name: string, all: readonly string[], bound: string[]): string {
  const body =
    `  ${port(random, 'port')}\n` +
    repeat(random, 2, () => `  ${port(random, 'port')}\n`) +
    (random.chance(0.2) ? `  ${port(random, 'source-port')}\n` : '') +
    (random.chance(0.2) ? `  <protocol value="${random.pick(['gre', 'esp', 'icmp'])}"/>\n` : '') +
    (random.chance(0.1) ? '  <port port="" protocol="sctp"/>\n' : '') +
    repeat(random, 1, () => `  <include service="${random.pick([...SERVICES, ...all])}"/>\n`);
  const destination = random.pick([
    '',
    '',
    '',
    '',
    ' ipv4="192.0.2.0/28"',
    ' ipv6="2001:db8:1::/64"',
    ' ipv4="198.51.100.7" ipv6="2001:db8::7"',
  ]);
  // What includes one with a destination has none itself, but the rule made of it does.
  if (destination !== '' || body.includes('<include')) bound.push(name);
  return `${HEAD}<service>\n${body}${destination === '' ? '' : `  <destination${destination}/>\n`}</service>\n`;
}

function port(random: Random, element: 'port' | 'source-port'): string {
  const protocol = random.pick(['tcp', 'tcp', 'tcp', 'tcp', 'udp', 'udp', 'sctp', 'dccp']);
  return `<${element} port="${random.pick(PORTS)}" protocol="${protocol}"/>`;
}

// ---- zones

function zone(
  random: Random,
  names: Names,
  free: { readonly sources: string[]; readonly interfaces: string[] },
): { readonly text: string; readonly interfaces: readonly string[] } {
  const lines: string[] = [];
  const count = random.pick([0, 1, 1, 2, 3, 4]);
  for (let i = 0; i < count; i++) {
    const source = take(random, free.sources);
    if (source?.startsWith('ipset:') === true) lines.push(`<source ipset="${source.slice(6)}"/>`);
    else if (source !== undefined) lines.push(`<source address="${source}"/>`);
  }
  const interfaces: string[] = [];
  for (let i = random.pick([0, 0, 1, 1, 2]); i > 0; i--) {
    const name = take(random, free.interfaces);
    if (name !== undefined) interfaces.push(name);
  }
  lines.push(...interfaces.map((name) => `<interface name="${name}"/>`));
  if (random.chance(0.4)) lines.push('<forward/>');
  if (random.chance(0.15)) lines.push('<icmp-block-inversion/>');
  if (random.chance(0.1)) lines.push('<masquerade/>');
  lines.push(...contents(random, names, ZONE));
  const target = random.pick(['', '', '', 'default', 'ACCEPT', 'DROP', '%%REJECT%%']);
  const text = lines.map((line) => `  ${line}\n`).join('');
  return { text: `${HEAD}<zone${target === '' ? '' : ` target="${target}"`}>\n${text}</zone>\n`, interfaces };
}

/** What firewalld has chains for in a zone or policy; anything else makes it refuse the whole configuration. */
interface Holder {
  /** Where forwarded ports may lead: to a port of the host, to another host, either, or nowhere. */
  readonly forwards: 'here' | 'away' | 'either' | undefined;
  readonly marks: boolean;
}

const ZONE: Holder = { forwards: 'either', marks: true };

function contents(random: Random, names: Names, holder: Holder): string[] {
  const choices: (() => string)[] = [
    () => `<service name="${random.pick(names.services)}"/>`,
    () => `<service name="${random.pick(names.services)}"/>`,
    () => port(random, 'port'),
    () => port(random, 'port'),
    () => port(random, 'source-port'),
    () => `<protocol value="${random.pick(['gre', 'icmp', 'ipv6-icmp', 'udp', 'esp', 'ah'])}"/>`,
    () => `<icmp-block name="${random.pick(ICMP_TYPES)}"/>`,
    () => forwardPort(random, 4, holder),
    ...Array.from({ length: 6 }, () => () => rich(random, names, holder)),
  ];
  return Array.from({ length: random.integer(7) }, () => random.pick(choices)());
}

function forwardPort(random: Random, version: 4 | 6 | undefined, { forwards }: Holder): string {
  if (version === undefined || forwards === undefined) return port(random, 'port');
  const [from, to] = random.pick([
    ['443', '9090'],
    ['80', '8080'],
    ['8000-8100', '7000'],
    ['9090', '443'],
    ['7937-7940', '7938'],
    ['53', '5353'],
  ]);
  const address = version === 6 ? '2001:db8:3::5' : random.pick(['203.0.113.77', '192.0.2.9']);
  const away = forwards === 'away' || (forwards === 'either' && random.chance(0.4));
  const target = away && random.chance(0.3) ? '' : ` to-port="${to}"`;
  const protocol = random.pick(['tcp', 'tcp', 'tcp', 'udp']);
  return `<forward-port port="${from}" protocol="${protocol}"${target}${away ? ` to-addr="${address}"` : ''}/>`;
}

// ---- rich rules

function rich(random: Random, names: Names, holder: Holder): string {
  const version = random.chance(0.3) ? 6 : 4;
  const anyFamily = random.chance(0.2);
  const not = (probability: number): string => (random.chance(probability) ? ' invert="True"' : '');
  const parts: string[] = [];
  const fitting = names.sets.filter((set) => set.version === undefined || set.version === version);
  const address = (): string => random.pick(version === 6 ? SIX : FOUR);
  const from = random.integer(10);
  if (from < 4 && !anyFamily) parts.push(`<source address="${address()}"${not(0.15)}/>`);
  else if (from < 6 && fitting.length > 0)
    parts.push(`<source ipset="${random.pick(fitting).name}"${not(0.2)}/>`);
  else if (from === 6) parts.push(`<source mac="${random.pick(MACS)}"${not(0.15)}/>`);
  const targets = fitting.filter(({ type }) => ['hash:ip', 'hash:net', 'hash:ip,port'].includes(type));
  const destined = random.chance(0.18) && !anyFamily;
  if (destined && targets.length > 0 && random.chance(0.3))
    parts.push(`<destination ipset="${random.pick(targets).name}"${not(0.2)}/>`);
  else if (destined) parts.push(`<destination address="${address()}"${not(0.2)}/>`);
  const element = richElement(random, names, anyFamily ? undefined : version, holder, destined);
  parts.push(element);
  parts.push(random.pick(LOGS));
  // A forwarded port, masquerading and a blocked ICMP type are actions themselves, and need something to match.
  const isAction = /^<(forward-port|icmp-block|masquerade|tcp-mss-clamp)/.test(element);
  if (!isAction) parts.push(richAction(random, anyFamily ? undefined : version, holder, element));
  const sided = parts[0]!.startsWith('<source') || destined || element !== '';
  // Without an element and an address only a rule with a priority stands.
  const priority = random.chance(0.35) || (!sided && random.chance(0.8));
  const order = priority ? ` priority="${random.pick([-100, -10, -10, -1, 1, 10, 10, 100])}"` : '';
  const family = anyFamily ? '' : ` family="ipv${version}"`;
  return `<rule${family}${order}>${parts.join('')}</rule>`;
}

/** What is written beside the action now and then. A limit on the log stops no packet. */
const LOGS = [
  ...Array<string>(12).fill(''),
  '<log prefix="x"/>',
  '<log prefix="denied: " level="info"><limit value="3/m"/></log>',
  '<nflog group="2"/>',
  '<audit/>',
];

function richAction(random: Random, version: 4 | 6 | undefined, holder: Holder, element: string): string {
  const reject =
    version === undefined
      ? '<reject/>'
      : `<reject type="${version === 4 ? 'icmp-host-prohibited' : 'icmp6-adm-prohibited'}"/>`;
  const tcp = version !== undefined && /protocol="tcp"|value="tcp"/.test(element);
  const mark = holder.marks ? '<mark set="0x5"/>' : '<accept/>';
  return random.pick([
    ...Array<string>(9).fill('<accept/>'),
    ...Array<string>(4).fill('<drop/>'),
    '<reject/>',
    '<reject/>',
    reject,
    tcp ? '<reject type="tcp-reset"/>' : '<reject/>',
    mark,
    // How fast packets come is in no export: seldom.
    random.chance(0.1) ? '<accept><limit value="100/s"/></accept>' : '<accept/>',
    random.chance(0.5) ? '' : '<drop/>',
  ]);
}

function richElement(
  random: Random,
  names: Names,
  version: 4 | 6 | undefined,
  holder: Holder,
  destined: boolean,
): string {
  const services = destined ? names.services.filter((name) => !names.bound.includes(name)) : names.services;
  const types = ICMP_TYPES.filter(
    (name) => (ICMP_VERSION[name] ?? version ?? 4) === (version ?? ICMP_VERSION[name] ?? 4),
  );
  return random.pick([
    () => port(random, 'port'),
    () => port(random, 'port'),
    () => port(random, 'port'),
    () => port(random, 'source-port'),
    () => `<service name="${random.pick(services)}"/>`,
    () => `<service name="${random.pick(services)}"/>`,
    () => `<service name="${random.pick(services)}"/>`,
    () => `<protocol value="${random.pick(['gre', 'tcp', 'icmp', 'ipv6-icmp', 'esp'])}"/>`,
    () => `<icmp-type name="${random.pick(types)}"/>`,
    () => `<icmp-block name="${random.pick(types)}"/>`,
    () => forwardPort(random, version, holder),
    () => forwardPort(random, version, holder),
    () => (holder === ZONE && random.chance(0.3) ? '<masquerade/>' : port(random, 'port')),
    () => (holder === ZONE && random.chance(0.3) ? '<tcp-mss-clamp value="1400"/>' : ''),
    () => '',
    () => '',
  ])();
}

// ---- policies

function policy(random: Random, names: Names): string {
  const side = (element: string, bound: readonly string[]): string =>
    bound.map((name) => `  <${element} name="${name}"/>\n`).join('');
  const zones = names.zones.length > 0 ? names.zones.map(({ name }) => name) : ['public'];
  const real = (): string[] => [
    ...new Set([random.pick(zones), ...(random.chance(0.3) ? [random.pick(zones)] : [])]),
  ];
  const [ingress, egress] = random.pick<() => readonly (readonly string[])[]>([
    () => [['ANY'], ['HOST']],
    () => [real(), ['HOST']],
    () => [real(), ['HOST']],
    () => [['HOST'], random.chance(0.5) ? ['ANY'] : real()],
    () => [['ANY'], ['ANY']],
    () => [real(), real()],
    () => [real(), real()],
    () => [['ANY'], real()],
    () => [real(), ['ANY']],
    // One side missing: it never acts.
    () => (random.chance(0.2) ? [real(), []] : [['ANY'], ['HOST']]),
  ])();
  const held = names.zones.filter(({ name }) => egress!.includes(name));
  const toHost = egress![0] === 'HOST';
  const prerouting = toHost
    ? ingress![0] === 'ANY'
    : ingress![0] !== 'HOST' && held.every(({ interfaces }) => interfaces.length === 0);
  const holder: Holder = {
    forwards: prerouting ? (toHost ? 'here' : 'away') : undefined,
    marks: prerouting,
  };
  const lines = contents(random, names, holder);
  if (!toHost && prerouting && ingress![0] === 'ANY' && random.chance(0.15)) lines.push('<masquerade/>');
  const target = random.pick(['CONTINUE', 'CONTINUE', 'CONTINUE', 'ACCEPT', 'REJECT', 'DROP']);
  // -1 is the priority of a policy that names none.
  const priority = random.pick([undefined, undefined, -100, -5, -1, 5, 5, 100]);
  const order = priority === undefined ? '' : ` priority="${priority}"`;
  return `${HEAD}<policy target="${target}"${order}>\n${side('ingress-zone', ingress!)}${side('egress-zone', egress!)}${lines.map((line) => `  ${line}\n`).join('')}</policy>\n`;
}

// ---- direct rules, and what firewalld refuses

function direct(random: Random): string {
  const rule = (): string => {
    const version = random.chance(0.25) ? 6 : 4;
    const chain = random.pick(['INPUT', 'INPUT', 'FORWARD', 'OUTPUT', 'own']);
    const match = random.pick([
      version === 4 ? '-s 192.0.2.0/25' : '-s 2001:db8:1::/64',
      '-p tcp --dport 9090',
      '-p tcp --dport 7937:9936',
      '-p udp',
      '-m conntrack --ctstate NEW -p tcp --dport 80',
      `-s ${version === 4 ? '198.51.100.7' : '2001:db8::5'} -p tcp --dport 22`,
    ]);
    const verdict = random.pick([
      'ACCEPT',
      'ACCEPT',
      'DROP',
      'DROP',
      'REJECT',
      ...(chain === 'own' ? ['RETURN'] : ['own']),
    ]);
    return `  <rule ipv="ipv${version}" table="filter" chain="${chain}" priority="${random.integer(4) - 2}">${match} -j ${verdict}</rule>\n`;
  };
  const chains = '46'.replace(/./g, '  <chain ipv="ipv$&" table="filter" chain="own"/>\n');
  const passthrough = random.chance(0.3)
    ? '  <passthrough ipv="ipv4">-A INPUT -p tcp --dport 7938 -j DROP</passthrough>\n'
    : '';
  return `${HEAD}<direct>\n${chains}${rule()}${repeat(random, 3, rule)}${passthrough}</direct>\n`;
}

/** Puts something into a configuration that makes firewalld run its stock one instead. */
function refuse(random: Random, files: Record<string, string>): void {
  const [path, text] = random.pick([
    ['zones/late.xml', '<zone><service name="missing"/></zone>'],
    ['zones/late.xml', '<zone target="REJECT"/>'],
    ['zones/late.xml', '<zone><port port="70000" protocol="tcp"/></zone>'],
    ['zones/late.xml', '<zone><source address="192.0.2.300"/></zone>'],
    ['zones/a-name-of-18-bytes.xml', '<zone/>'],
    ['zones/late.xml', '<zone>'],
    ['services/unused.xml', '<service><port port="1" protocol="tcp"/></service'],
    [
      'policies/late.xml',
      '<policy target="CONTINUE"><ingress-zone name="nowhere"/><egress-zone name="HOST"/></policy>',
    ],
    [
      'policies/late.xml',
      '<policy target="CONTINUE"><ingress-zone name="public"/><egress-zone name="HOST"/><forward-port port="80" protocol="tcp" to-port="81"/></policy>',
    ],
    [
      'ipsets/late.xml',
      '<ipset type="hash:net"><entry>192.0.2.0/24</entry><entry>192.0.2.0/25</entry></ipset>',
    ],
  ] as const);
  files[path] = text;
}
