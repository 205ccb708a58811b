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
  '198.51.100.0/24',
  '198.51.100.128/25',
  '198.51.100.7',
  '203.0.113.0/28',
  '203.0.113.5',
];
const SIX = ['2001:db8::/32', '2001:db8:1::/64', '2001:db8:1::7', '2001:db8:2::/64', '2001:db8::5'];
const MACS = ['02:00:00:00:00:0a', '02:00:00:00:00:0b'];
const INTERFACES = ['eth0', 'eth1', 'eth2', 'eth+', 'bond0', 'bond+'];
const ZONES = ['public', 'Zulu', '_mid', 'alpha', 'work', 'trusted', 'drop', 'internal', 'backup', 'zzz'];
const PORTS = ['22', '80', '443', '7937-9936', '8000-8100', '9000-9001', '9090', '53', '5000'];
const SERVICES = ['ssh', 'https', 'cockpit', 'dns', 'nfs', 'dhcpv6-client', 'rpc-bind', 'ntp'];
const ICMP_TYPES = ['echo-request', 'timestamp-request', 'neighbour-solicitation', 'destination-unreachable'];

/** What of a configuration other parts of it may name. */
interface Names {
  readonly zones: readonly string[];
  readonly services: readonly string[];
  readonly sets: readonly GeneratedSet[];
}

interface GeneratedSet {
  readonly name: string;
  readonly type: string;
  readonly version: 4 | 6 | undefined;
}

/** The same configuration for the same seed. Nearly all of them are accepted by firewalld. */
export function generateFirewalld(seed: number): GeneratedFirewalld {
  const random = createRandom(seed);
  const files: Record<string, string> = {};
  const sets = some(random, ['hosts', 'nets', 'pairs', 'six', 'cards'], 0.3).map((name) =>
    ipset(random, name, files),
  );
  const services = some(random, ['networker', 'other'], 0.5);
  for (const name of services) files[`services/${name}.xml`] = service(random, services);
  const zones = some(random, ZONES, 0.35);
  const names: Names = { zones, services: [...SERVICES, ...services, ...services], sets };
  const free = {
    sources: [...FOUR, ...SIX, ...MACS, ...sets.map(({ name }) => `ipset:${name}`)],
    interfaces: [...INTERFACES],
  };
  for (const name of zones) files[`zones/${name}.xml`] = zone(random, names, free);
  for (const name of some(random, ['first', 'second', 'third'], 0.4))
    files[`policies/${name}.xml`] = policy(random, names);
  // With direct rules firewalld makes the sets for ipset too, and the kernel here has no hash:mac.
  const cards = sets.some(({ type }) => type === 'hash:mac');
  if (random.chance(0.15) && !cards) files['direct.xml'] = direct(random);
  files['firewalld.conf'] = conf(random, zones);
  // By the seed, not by chance: the others stay what they are. firewalld makes these sets for ipset too.
  if (seed % 10 === 0 && !cards) files['firewalld.conf'] += 'FirewallBackend=iptables\n';
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
  return values.splice(random.integer(Math.max(1, values.length)), 1)[0];
}

function conf(random: Random, zones: readonly string[]): string {
  const lines = [`DefaultZone=${random.pick([...zones, 'public', 'public'])}`];
  if (random.chance(0.3)) lines.push('IPv6_rpfilter=no');
  if (random.chance(0.15)) lines.push('LogDenied=all');
  if (random.chance(0.15)) lines.push('RFC3964_IPv4=no');
  if (random.chance(0.1)) lines.push('IndividualCalls=yes');
  return `${lines.join('\n')}\n`;
}

function ipset(random: Random, name: string, files: Record<string, string>): GeneratedSet {
  const of = (type: string, entries: readonly string[], options = ''): void => {
    const chosen = entries.filter(() => random.chance(0.6)).map((entry) => `  <entry>${entry}</entry>\n`);
    files[`ipsets/${name}.xml`] = `${HEAD}<ipset type="${type}">\n${options}${chosen.join('')}</ipset>\n`;
  };
  const inet6 = '  <option name="family" value="inet6"/>\n';
  switch (name) {
    case 'hosts':
      of('hash:ip', ['192.0.2.1', '192.0.2.9', '198.51.100.7']);
      return { name, type: 'hash:ip', version: 4 };
    case 'nets':
      of('hash:net', ['192.0.2.64/26', '198.51.100.0/25', '203.0.113.5']);
      return { name, type: 'hash:net', version: 4 };
    case 'pairs':
      of('hash:ip,port', ['192.0.2.1,tcp:22', '192.0.2.9,udp:53', '198.51.100.7,tcp:9090']);
      return { name, type: 'hash:ip,port', version: 4 };
    case 'six':
      of('hash:net', ['2001:db8:1::/64', '2001:db8:2::5'], inet6);
      return { name, type: 'hash:net', version: 6 };
    default:
      of('hash:mac', ['02:00:00:00:00:0a', '02:00:00:00:00:0c']);
      return { name, type: 'hash:mac', version: undefined };
  }
}

function service(random: Random, all: readonly string[]): string {
  const body =
    repeat(random, 2, () => `  ${port(random, 'port')}\n`) +
    repeat(random, 1, () => `  ${port(random, 'source-port')}\n`) +
    repeat(random, 1, () => `  <protocol value="${random.pick(['gre', 'esp'])}"/>\n`) +
    repeat(random, 1, () => `  <include service="${random.pick([...SERVICES, ...all])}"/>\n`);
  const destination = random.pick([
    '',
    '',
    ' ipv4="192.0.2.0/28"',
    ' ipv6="2001:db8:1::/64"',
    ' ipv4="198.51.100.7" ipv6="2001:db8::7"',
  ]);
  return `${HEAD}<service>\n${body}${destination === '' ? '' : `  <destination${destination}/>\n`}</service>\n`;
}

function port(random: Random, element: 'port' | 'source-port'): string {
  return `<${element} port="${random.pick(PORTS)}" protocol="${random.pick(['tcp', 'tcp', 'tcp', 'udp', 'sctp'])}"/>`;
}

function zone(
  random: Random,
  names: Names,
  free: { readonly sources: string[]; readonly interfaces: string[] },
): string {
  const lines: string[] = [];
  const sources = random.integer(4);
  for (let i = 0; i < sources; i++) {
    const source = take(random, free.sources);
    if (source?.startsWith('ipset:') === true) lines.push(`<source ipset="${source.slice(6)}"/>`);
    else if (source !== undefined) lines.push(`<source address="${source}"/>`);
  }
  const interfaces = random.integer(3);
  for (let i = 0; i < interfaces; i++) {
    const name = take(random, free.interfaces);
    if (name !== undefined) lines.push(`<interface name="${name}"/>`);
  }
  if (random.chance(0.4)) lines.push('<forward/>');
  if (random.chance(0.12)) lines.push('<icmp-block-inversion/>');
  lines.push(...contents(random, names));
  const target = random.pick([
    '',
    '',
    '',
    '',
    ' target="ACCEPT"',
    ' target="DROP"',
    ' target="%%REJECT%%"',
    ' target="default"',
  ]);
  return `${HEAD}<zone${target}>\n${lines.map((line) => `  ${line}\n`).join('')}</zone>\n`;
}

function contents(random: Random, names: Names): string[] {
  const choices: (() => string)[] = [
    () => `<service name="${random.pick(names.services)}"/>`,
    () => `<service name="${random.pick(names.services)}"/>`,
    () => port(random, 'port'),
    () => port(random, 'port'),
    () => port(random, 'source-port'),
    () => `<protocol value="${random.pick(['gre', 'icmp', 'ipv6-icmp', 'udp'])}"/>`,
    () => `<icmp-block name="${random.pick(ICMP_TYPES)}"/>`,
    () => forwardPort(random, false),
    () => rich(random, names),
    () => rich(random, names),
    () => rich(random, names),
    () => rich(random, names),
  ];
  return Array.from({ length: random.integer(7) }, () => random.pick(choices)());
}

function forwardPort(random: Random, six: boolean): string {
  const [from, to] = random.pick([
    ['443', '9090'],
    ['80', '8080'],
    ['8000-8100', '7000'],
    ['9090', '443'],
    ['53', '5353'],
  ]);
  const address =
    random.chance(0.3) || six
      ? ` to-addr="${six ? '2001:db8:3::5' : random.pick(['203.0.113.77', '192.0.2.9'])}"`
      : '';
  return `<forward-port port="${from}" protocol="${random.pick(['tcp', 'tcp', 'udp'])}" to-port="${to}"${address}/>`;
}

function rich(random: Random, names: Names): string {
  const six = random.chance(0.3);
  const anyFamily = random.chance(0.25);
  const address = (): string => random.pick(six ? SIX : FOUR);
  const invert = random.chance(0.15) ? ' invert="True"' : '';
  const parts: string[] = [];
  const fitting = names.sets.filter(({ version }) => version === undefined || version === (six ? 6 : 4));
  const from = random.integer(10);
  if (from < 4 && !anyFamily) parts.push(`<source address="${address()}"${invert}/>`);
  else if (from === 4 && fitting.length > 0)
    parts.push(`<source ipset="${random.pick(fitting).name}"${invert}/>`);
  else if (from === 5) parts.push(`<source mac="${random.pick(MACS)}"${invert}/>`);
  if (random.chance(0.15) && !anyFamily)
    parts.push(`<destination address="${address()}"${random.chance(0.2) ? ' invert="True"' : ''}/>`);
  const element = richElement(random, names, six, anyFamily);
  parts.push(element);
  const ends = element.startsWith('<forward-port') || element.startsWith('<icmp-block');
  if (random.chance(0.15)) parts.push('<log prefix="x"/>');
  if (!ends)
    parts.push(
      random.pick(['<accept/>', '<accept/>', '<accept/>', '<drop/>', '<reject/>', '<mark set="0x5"/>', '']),
    );
  const priority = random.chance(0.35)
    ? ` priority="${random.pick([-100, -10, -10, -1, 1, 10, 10, 100])}"`
    : '';
  const family = anyFamily ? '' : ` family="${six ? 'ipv6' : 'ipv4'}"`;
  return `<rule${family}${priority}>${parts.join('')}</rule>`;
}

function richElement(random: Random, names: Names, six: boolean, anyFamily: boolean): string {
  return random.pick([
    () => port(random, 'port'),
    () => port(random, 'port'),
    () => port(random, 'source-port'),
    () => `<service name="${random.pick(names.services)}"/>`,
    () => `<service name="${random.pick(names.services)}"/>`,
    () => `<protocol value="${random.pick(['gre', 'tcp', 'icmp'])}"/>`,
    () =>
      `<icmp-type name="${random.pick(['echo-request', 'timestamp-request', 'destination-unreachable'])}"/>`,
    () => '<icmp-block name="echo-request"/>',
    () => (anyFamily ? '' : forwardPort(random, six)),
    () => '',
    () => '',
  ])();
}

function policy(random: Random, names: Names): string {
  const side = (element: string, bound: readonly string[]): string =>
    bound.map((name) => `  <${element} name="${name}"/>\n`).join('');
  const zones = names.zones.length > 0 ? names.zones : ['public'];
  const real = (): string[] => [
    ...new Set([random.pick(zones), ...(random.chance(0.3) ? [random.pick(zones)] : [])]),
  ];
  const [ingress, egress] = random.pick([
    () => [['ANY'], ['HOST']],
    () => [real(), ['HOST']],
    () => [['HOST'], random.chance(0.5) ? ['ANY'] : real()],
    () => [['ANY'], ['ANY']],
    () => [real(), real()],
    () => [['ANY'], real()],
    () => [real(), ['ANY']],
  ])();
  const host = ingress![0] === 'HOST' || egress![0] !== 'HOST';
  // firewalld refuses forwarded ports in a policy that does not end at the host (or lacks an address).
  const body = contents(random, names).filter((line) => !(host && line.includes('forward-port')));
  const target = random.pick(['CONTINUE', 'CONTINUE', 'CONTINUE', 'ACCEPT', 'REJECT', 'DROP']);
  const priority = random.pick([
    '',
    ' priority="-100"',
    ' priority="-5"',
    ' priority="5"',
    ' priority="100"',
  ]);
  return `${HEAD}<policy target="${target}"${priority}>\n${side('ingress-zone', ingress!)}${side('egress-zone', egress!)}${body.map((line) => `  ${line}\n`).join('')}</policy>\n`;
}

function direct(random: Random): string {
  const rule = (): string => {
    const chain = random.pick(['INPUT', 'INPUT', 'FORWARD', 'OUTPUT']);
    const match = random.pick([
      '-s 192.0.2.0/25',
      '-p tcp --dport 9090',
      '-p tcp --dport 7937:9936',
      '-p udp',
      '-s 198.51.100.7 -p tcp --dport 22',
    ]);
    return `  <rule ipv="ipv4" table="filter" chain="${chain}" priority="${random.integer(4) - 2}">${match} -j ${random.pick(['ACCEPT', 'DROP', 'DROP', 'REJECT'])}</rule>\n`;
  };
  return `${HEAD}<direct>\n${rule()}${repeat(random, 3, rule)}</direct>\n`;
}
