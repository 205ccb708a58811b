/** The text of a first `nwaudit.yaml`, for `nwaudit init`. */
import { parseAddress } from '../net/index.ts';
import { compareTexts } from './decode-context.ts';
import { isHostPattern } from './host-name.ts';
import { BUILT_IN_ROLES } from './inventory.ts';
import { guessRolesByName } from './role-by-name.ts';

/** A source address in the rules of a host. */
export interface SeenAddress {
  /** Address, prefix or range as text. */
  readonly address: string;
  /** Number of rules that have it as source. */
  readonly count: number;
  /** Destination ports of these rules, as text. */
  readonly ports?: readonly string[];
}

/** What the exports show of one host. */
export interface SeenHost {
  readonly name: string;
  readonly addressesSeen: readonly SeenAddress[];
  /** Sources that are left out of the list; absent: none. */
  readonly furtherSources?: number;
}

export interface SuggestionInput {
  readonly hosts: readonly SeenHost[];
}

/** Sources listed for one host; the most used ones. */
const MAX_SOURCES = 12;

/** Ports listed for one source. */
const MAX_PORTS = 6;

/**
 * A configuration to start from: every host with the role its name suggests, or the choice as a comment; the
 * sources of its rules as comments; everything else as commented examples. Names come from file names, so they are
 * quoted wherever YAML could read them otherwise. The text always parses without problems, and says nothing that
 * was not said before: unknown parts are comments.
 */
export function suggestInventory(input: SuggestionInput): string {
  const hosts = withoutDuplicates(input.hosts);
  const names = hosts.map((host) => host.name);
  const guesses = guessRolesByName(names, names, false);
  const lines = [
    '# yaml-language-server: $schema=./node_modules/nwaudit/rules/schema/config.schema.json',
    '# A first configuration for nwaudit, from what the exports show. Check the roles, add the addresses.',
    '',
    'profile: guide',
    '',
    '# Where administrators work: the admin subnet and the jump hosts.',
    '# admin_networks: [198.51.100.0/28]',
    '',
    '# Networks of hosts that are not listed one by one.',
    '# role_networks: { client: [192.0.2.128/25] }',
    '',
    ...(hosts.length === 0
      ? ['# hosts:', '#   client-01: { role: client, addresses: [192.0.2.101] }']
      : ['hosts:']),
    ...hosts.flatMap((host) => hostLines(host, guesses.get(host.name) ?? [])),
    '',
    ...EXAMPLES,
  ];
  return `${lines.join('\n')}\n`;
}

const EXAMPLES: readonly string[] = [
  '# A named, justified widening: access that no role needs.',
  '# exceptions:',
  '#   - id: lab-restore',
  '#     to: client-01',
  '#     from: 203.0.113.7',
  '#     ports: tcp/7938-7999',
  '#     reason: why, and the ticket',
  '#     owner: backup-team',
  '#     expires: 2027-03-31',
  '',
  '# A finding accepted as it stands.',
  '# waivers:',
  '#   - check: shadowed-rule',
  '#     host: sn-01',
  '#     reason: why, and until when',
  '#     owner: backup-team',
  '#     expires: 2027-03-31',
];

/** The host with those sources only that a configuration lists: of many hosts, the others take more memory than there is. */
export function withMostUsedSources(host: SeenHost): SeenHost {
  const { name, addressesSeen, furtherSources = 0 } = host;
  const sources = [...addressesSeen].sort((a, b) => b.count - a.count || compareTexts(a.address, b.address));
  const left = sources.slice(0, MAX_SOURCES);
  return { name, addressesSeen: left, furtherSources: furtherSources + sources.length - left.length };
}

/** By name; of names that differ in case only, the first. */
function withoutDuplicates(hosts: readonly SeenHost[]): SeenHost[] {
  const byName = new Map<string, SeenHost>();
  for (const host of hosts) {
    const key = host.name.toLowerCase();
    if (!byName.has(key)) byName.set(key, host);
  }
  return [...byName.values()].sort((a, b) => compareTexts(a.name, b.name));
}

function hostLines(host: SeenHost, roles: readonly string[]): string[] {
  const name = quoteName(host.name);
  if (host.name !== host.name.trim() || host.name === '' || isHostPattern(host.name)) {
    return [`  # ${name}: the exports show this name, but a host cannot be declared by it; see exports:`];
  }
  const lines = [`  ${name}:`];
  const [only] = roles;
  if (roles.length === 1 && only !== undefined) lines.push(`    role: ${only} # guessed from the name`);
  else if (roles.length > 1) lines.push(`    roles: [${roles.join(', ')}] # guessed from the name`);
  else lines.push(`    # role: ? # one of ${BUILT_IN_ROLES.join(', ')}`);
  lines.push('    # addresses: [] # its own addresses, as the other hosts see them');
  const { addressesSeen, furtherSources = 0 } = withMostUsedSources(host);
  for (const seen of addressesSeen) lines.push(`    # ${sourceSentence(host.name, seen, roles)}`);
  if (furtherSources > 0) lines.push(`    # and ${furtherSources} further sources`);
  return lines;
}

function sourceSentence(name: string, seen: SeenAddress, roles: readonly string[]): string {
  const address = /^[0-9a-fA-F.:/-]{1,91}$/.test(seen.address) ? seen.address : quoteName(seen.address);
  const ports = (seen.ports ?? [])
    .slice(0, MAX_PORTS)
    .map((port) => (/^[\w/-]{1,24}$/.test(port) ? port : quoteName(port)));
  const shownPorts = ports.length === 0 ? '' : ` (ports ${ports.join(', ')})`;
  const rules = seen.count === 1 ? '1 rule' : `${seen.count} rules`;
  return `${address} is a source of ${rules} of ${quoteName(name)}${shownPorts}: ${questions(seen, roles)}`;
}

/** Who could have this address, going by the ports and by the role of the host that lets it in. */
function questions(seen: SeenAddress, roles: readonly string[]): string {
  if (seen.address.includes('/') && parseAddress(seen.address) === undefined)
    return 'which hosts live there?';
  const ports = seen.ports ?? [];
  const isAdmin = ports.some((port) => /(?:^|\/)(?:22|443|9000|9090)$/.test(port));
  if (isAdmin && ports.every((port) => /(?:^|\/)(?:22|443|9000|9001|9090)$/.test(port))) return 'admin host?';
  const peers = roles.includes('server') ? 'client? storage node?' : 'server? storage node?';
  return `${peers} admin host?`;
}

/**
 * The name as YAML reads it back unchanged: plain where it is a simple word, else in double quotes, in which everything but printable
 * ASCII is escaped, and the `#` of what a build service would take for a command. Never more than one line.
 */
function quoteName(name: string): string {
  const isWord = /^[a-z](?:[a-z0-9._-]*[a-z0-9])?$/i.test(name);
  if (isWord && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(name)) return name;
  const escaped = name.replace(/["\\]/g, '\\$&').replace(/[^\x20-\x7e]|(?<=#)#/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `"${escaped}"`;
}
