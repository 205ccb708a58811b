/**
 * What a report proposes for firewalld, done: the real firewalld loads the configuration, the proposed commands run through a shell, and
 * both the files and the rules that run are audited again.
 */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Finding, Report } from '../../src/finding/index.ts';
import { scanTexts } from '../scan-support.ts';
import { skipsFirewalldTests } from './environment.ts';
import { type FirewalldFiles, runFirewalldCase } from './firewalld-run.ts';
import { PYTHON, runBounded } from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

const CONFIG = {
  admin_networks: ['198.51.100.0/28'],
  hosts: {
    'nw-server': { role: 'server', addresses: ['192.0.2.10', '2001:db8::10'] },
    'sn-01': { role: 'storage-node', addresses: ['192.0.2.20', '2001:db8::20'] },
    'nmc-01': { role: 'nmc', addresses: ['192.0.2.30'] },
    'client-01': { role: 'client', addresses: ['192.0.2.101', '2001:db8::101'] },
  },
  role_networks: { client: ['192.0.2.112/29', '192.0.2.130-192.0.2.133'] },
};

const MANY_NODES = {
  ...CONFIG,
  hosts: {
    ...CONFIG.hosts,
    ...Object.fromEntries(
      Array.from({ length: 15 }, (_, i) => [
        `sn-${i + 10}`,
        { role: 'storage-node', addresses: [`192.0.2.${2 * i + 151}`, `2001:db8::${i + 10}:1`] },
      ]),
    ),
  },
};

const HEAD = '<?xml version="1.0" encoding="utf-8"?>\n';
const zone = (content: string, attributes = '') => `${HEAD}<zone${attributes}>\n${content}\n</zone>\n`;
const service = (content: string) => `${HEAD}<service>\n${content}\n</service>\n`;
const rich = (content: string, family = ' family="ipv4"') => `<rule${family}>${content}</rule>`;
const SSH = '<service name="ssh"/>';
const RANGE = '<port port="7937-9936" protocol="tcp"/>';

interface Case {
  readonly name: string;
  readonly host: string;
  readonly files: FirewalldFiles;
  /** Checks whose findings have to be there first and gone in the end. */
  readonly checks: readonly string[];
  readonly config?: object;
  /** What is audited besides the files: what runs. Then that is what is judged. */
  readonly withNft?: true | 'alone';
  /** What has to stand in the files in the end. */
  readonly stays?: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: 'a service of firewalld for the port of the console',
    host: 'nmc-01',
    files: { 'zones/public.xml': zone(`${SSH}<service name="cockpit"/>`) },
    checks: ['admin-port-beyond-admin-network', 'admin-port-via-service'],
    stays: ['name="ssh"'],
  },
  {
    name: 'a service of firewalld on the wrong host',
    host: 'client-01',
    files: {
      'zones/public.xml': zone(
        `${SSH}<service name="cockpit"/>${rich(`<source address="192.0.2.10"/>${RANGE}<accept/>`)}${rich(`<source address="192.0.2.20"/>${RANGE}<accept/>`)}`,
      ),
    },
    checks: ['admin-port-on-wrong-host', 'admin-port-via-service'],
  },
  {
    name: 'a service with more than the ports of NetWorker',
    host: 'client-01',
    files: {
      'services/backup.xml': service(
        `<include service="tracker"/><port port="7937-7938" protocol="tcp"/><port port="7939-9936" protocol="tcp"/><port port="10051" protocol="udp"/><protocol value="gre"/>`,
      ),
      'services/tracker.xml': service('<port port="8443" protocol="tcp"/><port port="445" protocol="tcp"/>'),
      'zones/public.xml': zone(`${SSH}<service name="backup"/>`),
    },
    checks: ['client-inbound-unscoped'],
    stays: ['port="445"', 'port="10051"', 'value="gre"'],
  },
  {
    name: 'a service in a rich rule for a whole network',
    host: 'client-01',
    files: {
      'services/backup.xml': service(
        `<port port="7938-9936" protocol="tcp"/><port port="1556" protocol="tcp"/>`,
      ),
      'zones/public.xml': zone(
        `${SSH}${rich('<source address="192.0.2.0/24"/><service name="backup"/><accept/>')}`,
      ),
    },
    checks: ['client-inbound-unscoped'],
    stays: ['port="1556"'],
  },
  {
    name: 'the range for everybody, in both IP versions',
    host: 'client-01',
    files: { 'zones/public.xml': zone(`${SSH}${RANGE}`) },
    checks: ['client-inbound-unscoped'],
  },
  {
    name: 'a whole protocol',
    host: 'client-01',
    files: {
      'firewalld.conf': 'DefaultZone=work\n',
      'zones/work.xml': zone(`${SSH}<protocol value="tcp"/>`),
    },
    checks: ['client-inbound-unscoped'],
  },
  {
    name: 'a default zone that accepts, of which the export has no file',
    host: 'client-01',
    files: { 'firewalld.conf': 'DefaultZone=trusted\n' },
    checks: ['default-accept'],
  },
  {
    name: 'a default zone that accepts',
    host: 'client-01',
    files: { 'zones/public.xml': zone(SSH, ' target="ACCEPT"') },
    checks: ['default-accept'],
  },
  {
    name: 'a policy that accepts',
    host: 'client-01',
    files: {
      'zones/public.xml': zone(`${SSH}<interface name="eth0"/>`),
      'policies/open.xml': `${HEAD}<policy target="ACCEPT"><ingress-zone name="ANY"/><egress-zone name="HOST"/></policy>\n`,
    },
    checks: ['default-accept'],
  },
  {
    name: 'a peer in the trusted zone',
    host: 'client-01',
    files: {
      'zones/trusted.xml': zone('<source address="192.0.2.10"/>', ' target="ACCEPT"'),
      'zones/public.xml': zone(`${SSH}${rich(`<source address="192.0.2.20"/>${RANGE}<accept/>`)}`),
    },
    checks: ['peer-fully-trusted'],
  },
  {
    name: 'a peer accepted altogether by a rich rule',
    host: 'client-01',
    files: {
      'zones/public.xml': zone(
        `${SSH}${rich('<source address="192.0.2.10"/><accept/>')}${rich(`<source address="192.0.2.20"/>${RANGE}<accept/>`)}`,
      ),
    },
    checks: ['peer-fully-trusted'],
  },
  {
    name: 'a forwarded port, and one by a rich rule',
    host: 'nmc-01',
    files: {
      'zones/public.xml': zone(
        `${SSH}<forward-port port="443" protocol="tcp" to-port="9090"/>${rich('<source address="192.0.2.0/24"/><forward-port port="8443" protocol="tcp" to-port="9090"/>')}`,
      ),
    },
    checks: ['admin-port-via-nat'],
  },
  {
    name: 'a source port',
    host: 'client-01',
    files: { 'zones/public.xml': zone(`${SSH}<source-port port="7937-9936" protocol="tcp"/>`) },
    checks: ['connection-port-rule'],
  },
  {
    name: 'an ordinary zone without the peers',
    host: 'nw-server',
    files: { 'zones/public.xml': zone(SSH) },
    checks: ['missing-required-path'],
  },
  {
    name: 'a denial by a rich rule, which comes before what is let in',
    host: 'client-01',
    files: {
      'zones/public.xml': zone(
        `${SSH}${rich('<source address="192.0.2.0/24"/><drop/>')}${rich('<source address="2001:db8::/64"/><reject/>', ' family="ipv6" priority="-5"')}`,
      ),
    },
    checks: ['missing-required-path'],
  },
  {
    name: 'a policy that drops, coming in and going out',
    host: 'client-01',
    files: {
      'zones/public.xml': zone(`${SSH}${rich(`<source address="192.0.2.0/24"/>${RANGE}<accept/>`)}`),
      'policies/in.xml': `${HEAD}<policy target="DROP" priority="-10"><ingress-zone name="ANY"/><egress-zone name="HOST"/></policy>\n`,
      'policies/out.xml': `${HEAD}<policy target="REJECT"><ingress-zone name="HOST"/><egress-zone name="ANY"/></policy>\n`,
    },
    checks: ['missing-required-path'],
  },
  {
    name: 'more peers than rich rules are good for',
    host: 'client-01',
    config: MANY_NODES,
    files: { 'zones/public.xml': zone(`${SSH}${RANGE}`) },
    checks: ['client-inbound-unscoped'],
    stays: ['<ipset type="hash:net">', 'family'],
  },
  {
    name: 'what runs, with the files beside it',
    host: 'client-01',
    withNft: true,
    files: {
      'services/backup.xml': service(
        `<port port="7937-7938" protocol="tcp"/><port port="7939-9936" protocol="tcp"/><port port="1556" protocol="tcp"/>`,
      ),
      'zones/public.xml': zone(`${SSH}<service name="backup"/>`),
    },
    checks: ['client-inbound-unscoped', 'service-port-beyond-peers'],
    stays: ['port="1556"'],
  },
  {
    name: 'what runs alone, with a port',
    host: 'client-01',
    withNft: 'alone',
    files: { 'zones/public.xml': zone(`${SSH}${RANGE}`) },
    checks: ['client-inbound-unscoped'],
  },
  {
    name: 'what runs alone, with a closed zone',
    host: 'client-01',
    withNft: 'alone',
    files: { 'zones/public.xml': zone(SSH) },
    checks: ['missing-required-path'],
  },
];

interface Host {
  readonly state: string;
  readonly log: readonly string[];
  readonly status: number;
  readonly printed: string;
  readonly files: FirewalldFiles;
  readonly nft: string;
}

/** Starts firewalld over the files and runs the commands there. */
async function runOnHost(files: FirewalldFiles, commands: readonly string[]): Promise<Host> {
  const script = fileURLToPath(new URL('./firewalld-commands.py', import.meta.url));
  const unshare = ['unshare', '-n', '-m', '-p', '-f', '--kill-child', '--mount-proc', '--'] as const;
  const input = JSON.stringify({ files, commands, interfaces: ['eth0'] });
  const output = await runBounded([...unshare, PYTHON, '-B', script], input);
  // The script is ours and prints one of these two forms.
  const answer = JSON.parse(output) as { loadError: string } | (Host & { loadError?: undefined });
  if (answer.loadError !== undefined) throw new Error(answer.loadError);
  return answer;
}

function audit(one: Case, { files, nft }: Host): Report {
  const exports: Record<string, string> = {};
  if (one.withNft !== 'alone')
    for (const [name, text] of Object.entries(files)) exports[`${one.host}/${name}`] = text;
  if (one.withNft !== undefined) exports[`${one.host}/nft.json`] = nft;
  return scanTexts(exports, one.config ?? CONFIG);
}

function isMeant(one: Case, finding: Finding): boolean {
  return one.checks.includes(finding.check) && finding.hook !== 'forward';
}

interface Followed {
  readonly commands: readonly string[];
  readonly first: Report;
  readonly last: Report;
  readonly host: Host;
}

/** Runs one proposal after the other, as somebody would who audits again after each. */
async function follow(one: Case): Promise<Followed> {
  const commands: string[] = [];
  let host = await runOnHost(one.files, []);
  const first = audit(one, host);
  let last = first;
  for (let step = 0; step < 8; step++) {
    const proposed = last.findings
      .filter((f) => isMeant(one, f))
      .flatMap((f) => f.remediation?.commands ?? [])
      .find(({ command }) => command !== '');
    if (proposed === undefined) break;
    commands.push(proposed.command);
    host = await runOnHost(host.files, [proposed.command]);
    if (host.status !== 0) throw new Error(`${host.printed}\nafter:\n${proposed.command}`);
    expect(host.printed).not.toMatch(/Warning|Error/);
    last = audit(one, host);
  }
  return { commands, first, last, host };
}

const REQUIRED_PATHS = ['missing-required-path', 'missing-return-path'];

describe.skipIf(skipsFirewalldTests('firewalld remediation tests'))(
  'the commands of a report, given to firewalld',
  () => {
    it.each(CASES)('take the findings away and keep what backups need: $name', async (one) => {
      const { commands, first, last, host } = await follow(one);
      for (const check of one.checks.slice(0, 1))
        expect(
          first.findings.map((f) => f.check),
          'the configuration has its mistakes',
        ).toContain(check);
      expect(commands.length).toBeGreaterThan(0);
      const closedBefore = new Set(
        first.findings.filter((f) => REQUIRED_PATHS.includes(f.check)).map((f) => f.fingerprint),
      );
      const wrong = last.findings.filter(
        (f) => isMeant(one, f) || (REQUIRED_PATHS.includes(f.check) && !closedBefore.has(f.fingerprint)),
      );
      expect(wrong.map((f) => `${f.check}: ${f.message}`)).toEqual([]);
      expect(last.diagnostics.filter((d) => d.incomplete)).toEqual([]);
      expect(host.state).toBe('RUNNING');
      const written = Object.values(host.files).join('\n');
      for (const text of one.stays ?? []) expect(written).toContain(text);
      // What runs is what the files say, and both are audited alike.
      const both = audit({ ...one, withNft: true }, host);
      expect(both.findings.filter((f) => f.check === 'runtime-permanent-drift')).toEqual([]);
      await checkWitnesses(one, host, first);
    });
  },
);

/** The example packets of the findings: what came in before does not any more, and what was stopped gets through. */
async function checkWitnesses(one: Case, host: Host, first: Report): Promise<void> {
  const meant = first.findings.filter((f) => isMeant(one, f) && f.witness !== null);
  // A witness has the fields that `trace` takes.
  const packets = meant.map((f) => ({ ...f.witness! }) as TracePacket);
  const { outcomes } = await runFirewalldCase({ files: host.files, packets, interfaces: ['eth0'] });
  for (const [i, finding] of meant.entries()) {
    const wanted = REQUIRED_PATHS.includes(finding.check) ? ['accept'] : ['drop', 'reject'];
    expect(wanted, `${finding.check}: ${JSON.stringify(finding.witness)}`).toContain(outcomes[i]?.verdict);
  }
}
