import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { FirewalldFiles } from './firewalld-run.ts';
import type { AimOptions } from './packets.ts';
import type { KernelRules } from './run-kernel-case.ts';

/**
 * A configuration as iptables lines that name the same values, only to aim packets with (`aimPackets`): zones and
 * policies are chains, what leads a packet into a zone is a jump. Found by a plain search in the text, so that a value
 * that nwaudit loses is aimed at all the same.
 */
export function firewalldAsRules(files: FirewalldFiles): KernelRules {
  const lines = linesOf(files);
  const sets = Object.entries(files).flatMap(([path, text]) =>
    path.startsWith('ipsets/') ? setLines(nameOf(path), text) : [],
  );
  const textOf = (other: RegExp): string => lines.filter((line) => !other.test(line)).join('\n');
  return {
    iptables: textOf(/ -[sd] \S*:|icmpv6/),
    ip6tables: textOf(/ -[sd] \d+\.|icmp-type/),
    ipset: sets.join('\n'),
  };
}

/** Interfaces that a configuration names, wildcards aside. */
export function interfacesNamed(files: FirewalldFiles): string[] {
  const names = Object.values(files).flatMap((text) =>
    elements(text, 'interface').map((found) => found.name ?? ''),
  );
  return [...new Set(names)].filter((name) => /^[\w.-]{1,12}$/.test(name));
}

/** What to send at a configuration unless its own options say otherwise. */
export function firewalldAimOptions(files: FirewalldFiles, options: AimOptions): AimOptions {
  const named = interfacesNamed(files);
  return {
    hooks: ['input', 'input', 'input', 'forward', 'forward', 'output'],
    interfaces: [...new Set([...named, ...named, 'eth0', 'eth1', 'lo'])],
    states: true,
    ...options,
  };
}

type Attributes = Readonly<Record<string, string>>;

/** Attributes of every start tag of this name, in order. Broken XML gives what a search finds. */
function elements(text: string, name: string): Attributes[] {
  return [...text.matchAll(new RegExp(`<${name}(?=[\\s/>])([^<>]*)`, 'g'))].map((tag) =>
    Object.fromEntries(
      [...tag[1]!.matchAll(/([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)].map((found) => [
        found[1]!,
        found[2] ?? found[3]!,
      ]),
    ),
  );
}

function nameOf(path: string): string {
  return basename(path).replace(/\.xml$/, '');
}

const STOCK = '/usr/lib/firewalld/';

function withStock(files: FirewalldFiles, path: string): string {
  if (Object.hasOwn(files, path)) return files[path]!;
  return existsSync(STOCK + path) ? readFileSync(STOCK + path, 'utf8') : '';
}

function linesOf(files: FirewalldFiles): string[] {
  const out: string[] = [];
  const conf = files['firewalld.conf'] ?? '';
  const defaultZone = /^DefaultZone=(\S+)/m.exec(conf)?.[1] ?? 'public';
  const zones = new Set(['public', defaultZone]);
  for (const path of Object.keys(files)) if (path.startsWith('zones/')) zones.add(nameOf(path));
  for (const zone of zones) {
    const text = withStock(files, `zones/${zone}.xml`);
    for (const way of waysInto(files, zone, defaultZone, false)) out.push(`-A dispatch ${way} -j ${zone}`);
    out.push(...bodyLines(files, zone, text));
  }
  for (const [path, text] of Object.entries(files)) {
    if (path.startsWith('policies/')) out.push(...policyLines(files, nameOf(path), text, defaultZone));
  }
  out.push(...directLines(files['direct.xml'] ?? ''));
  return out;
}

/** Options that lead into a zone, or out by it. */
function waysInto(files: FirewalldFiles, zone: string, defaultZone: string, out: boolean): string[] {
  const text = withStock(files, `zones/${zone}.xml`);
  const zoneLevel = text.replace(/<rule[\s>][\s\S]*?<\/rule>/g, '');
  const ways = elements(zoneLevel, 'interface').map((found) => `${out ? '-o' : '-i'} ${found.name}`);
  for (const source of elements(zoneLevel, 'source'))
    ways.push(...sourceOptions(files, source, out ? '-d' : '-s'));
  return zone === defaultZone || ways.length === 0 ? [...ways, ''] : ways;
}

function sourceOptions(files: FirewalldFiles, source: Attributes, option: '-s' | '-d'): string[] {
  const address = source.address ?? '';
  const not = source.invert === undefined || /^(no|false)$/i.test(source.invert) ? '' : '! ';
  const mac = source.mac ?? (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(address) ? address : undefined);
  if (mac !== undefined) return [`-m mac ${not}--mac-source ${mac}`];
  const set = source.ipset ?? (address.startsWith('ipset:') ? address.slice(6) : undefined);
  if (set !== undefined) return setOptions(files, set, not, option);
  return address === '' ? [''] : [`${not}${option} ${address}`];
}

function setOptions(files: FirewalldFiles, set: string, not: string, option: '-s' | '-d'): string[] {
  const text = files[`ipsets/${set}.xml`] ?? '';
  if (/hash:mac/.test(text)) return entriesOf(text).map((entry) => `-m mac ${not}--mac-source ${entry}`);
  const direction = option === '-s' ? 'src,src,src' : 'dst,dst,dst';
  return [`-m set ${not}--match-set ${set} ${direction}`];
}

function entriesOf(text: string): string[] {
  return [...text.matchAll(/<entry>\s*([^<]*?)\s*<\/entry>/g)].map((found) => found[1]!);
}

function setLines(name: string, text: string): string[] {
  return [`create ${name} hash:ip`, ...entriesOf(text).map((entry) => `add ${name} ${entry}`)];
}

/** Lines of a zone or a policy: one per element, one or more per rich rule. */
function bodyLines(files: FirewalldFiles, chain: string, text: string): string[] {
  const out: string[] = [];
  const rules = [...text.matchAll(/<rule[\s>][\s\S]*?<\/rule>/g)].map((found) => found[0]);
  const plain = text.replace(/<rule[\s>][\s\S]*?<\/rule>/g, '');
  for (const options of elementOptions(files, plain)) out.push(`-A ${chain} ${options}`);
  for (const rule of rules) {
    const sources = elements(rule, 'source').flatMap((source) => sourceOptions(files, source, '-s'));
    const destinations = elements(rule, 'destination').flatMap((to) => sourceOptions(files, to, '-d'));
    const found = elementOptions(files, rule);
    for (const source of orNone(sources))
      for (const to of orNone(destinations))
        for (const options of orNone(found)) out.push(`-A ${chain} ${source} ${to} ${options}`);
  }
  return out;
}

function orNone(values: readonly string[]): readonly string[] {
  return values.length === 0 ? [''] : values;
}

/** Options of ports, protocols, services, ICMP types and forwarded ports in a piece of XML. */
function elementOptions(files: FirewalldFiles, text: string): string[] {
  const out: string[] = [];
  for (const found of elements(text, 'port')) out.push(portOptions(found, '--dport'));
  for (const found of elements(text, 'source-port')) out.push(portOptions(found, '--sport'));
  for (const found of elements(text, 'protocol')) out.push(`-p ${found.value}`);
  for (const name of ['icmp-block', 'icmp-type']) {
    for (const found of elements(text, name)) out.push(...icmpOptions(found.name ?? ''));
  }
  for (const found of elements(text, 'service')) out.push(...serviceOptions(files, found.name ?? '', []));
  for (const found of elements(text, 'forward-port')) {
    const protocol = `-p ${found.protocol}`;
    out.push(portOptions(found, '--dport'));
    if (found['to-port'] !== undefined) out.push(`${protocol} --dport ${found['to-port']}`);
    if (found['to-addr'] !== undefined)
      out.push(`-d ${found['to-addr']} ${protocol} --dport ${found['to-port'] ?? found.port}`);
  }
  return out;
}

function portOptions(found: Attributes, option: string): string {
  return `-p ${found.protocol} ${(found.port ?? '') === '' ? '' : `${option} ${found.port}`}`;
}

function serviceOptions(files: FirewalldFiles, name: string, seen: readonly string[]): string[] {
  if (seen.includes(name) || !/^[\w.-]+$/.test(name)) return [];
  const text = withStock(files, `services/${name}.xml`);
  const destination = elements(text, 'destination')[0];
  const addresses = [destination?.ipv4, destination?.ipv6].filter((address) => address !== undefined);
  const own = elementOptions({}, text.replace(/<(include|destination)[^>]*>/g, ''));
  const out = own.flatMap((options) => [options, ...addresses.map((address) => `-d ${address} ${options}`)]);
  for (const included of elements(text, 'include'))
    out.push(...serviceOptions(files, included.service ?? '', [...seen, name]));
  return out;
}

/** Type and code in IPv4 and in IPv6 of the ICMP types that the configurations here use. */
const ICMP: Readonly<Record<string, readonly [four?: string | undefined, six?: string]>> = {
  'echo-request': ['8', '128'],
  'echo-reply': ['0', '129'],
  'destination-unreachable': ['3', '1'],
  'host-unreachable': ['3/1'],
  'port-unreachable': ['3/3', '1/4'],
  'fragmentation-needed': ['3/4'],
  'time-exceeded': ['11', '3'],
  'timestamp-request': ['13'],
  'timestamp-reply': ['14'],
  'parameter-problem': ['12', '4'],
  redirect: ['5', '137'],
  'router-advertisement': ['9', '134'],
  'router-solicitation': ['10', '133'],
  'neighbour-solicitation': [undefined, '135'],
  'neighbour-advertisement': [undefined, '136'],
  'packet-too-big': [undefined, '2'],
};

function icmpOptions(name: string): string[] {
  const [four, six] = Object.hasOwn(ICMP, name) ? ICMP[name]! : [];
  return [
    ...(four === undefined ? [] : [`-p icmp --icmp-type ${four}`]),
    ...(six === undefined ? [] : [`-p ipv6-icmp --icmpv6-type ${six}`]),
  ];
}

function policyLines(files: FirewalldFiles, name: string, text: string, defaultZone: string): string[] {
  const ways = (element: string, out: boolean): readonly string[] =>
    orNone(
      elements(text, element).flatMap(({ name: zone = '' }) =>
        zone === 'ANY' || zone === 'HOST' ? [''] : waysInto(files, zone, defaultZone, out),
      ),
    );
  const body = `policy-${name}`;
  const into = ways('ingress-zone', false).flatMap((from) =>
    ways('egress-zone', true).map((to) => `-A dispatch ${from} ${to} -j ${body}`),
  );
  return [...into, ...bodyLines(files, body, text)];
}

function directLines(text: string): string[] {
  const bodies = [...text.matchAll(/<(?:rule|passthrough)[^>]*>([^<]*)</g)].map((found) => found[1]!);
  return bodies.map((body) => `-A dispatch ${body.replace(/(^|\s)-[AI] \S+( \d+)?/, ' ')}`);
}
