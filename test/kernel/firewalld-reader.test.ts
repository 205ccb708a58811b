import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type {
  FirewalldConfiguration,
  PortElement,
  ZoneOrPolicy,
} from '../../src/parse/firewalld-xml/configuration.ts';
import { readFirewalldFiles } from '../../src/parse/firewalld-xml/read-files.ts';
import { parsePortRange } from '../../src/parse/firewalld-xml/read-values.ts';
import { stockDefinitions } from '../../src/parse/firewalld-xml/stock.ts';
import { validateConfiguration } from '../../src/parse/firewalld-xml/validate.ts';
import { skipsKernelTests } from './environment.ts';
import { QUIRKS } from './firewalld-quirks.ts';
import { BASE_CONFIGURATIONS, type Files, mutateConfiguration } from './mutate-firewalld.ts';
import { createRandom } from './random.ts';

/** Changed configurations per run. Longer runs say so: `NWAUDIT_FIREWALLD_MUTATIONS=1000:42` (number, seed). */
const [MUTATIONS = 150, SEED = 7] =
  (process.env.NWAUDIT_FIREWALLD_MUTATIONS ?? '').match(/\d+/g)?.map(Number) ?? [];

const SCRIPT = new URL('firewalld-reader.py', import.meta.url).pathname;
const STOCK = stockDefinitions({ file: '', line: 1, column: 1, endLine: 1, endColumn: 1, path: null });

interface RealItem {
  readonly target: string;
  readonly services: readonly string[];
  readonly ports: readonly string[];
  readonly sourcePorts: readonly string[];
  readonly protocols: readonly string[];
  readonly icmpBlocks: readonly string[];
  readonly masquerade: boolean;
  readonly forwardPorts: number;
  readonly rules: readonly string[];
}

/** What firewalld-reader.py prints of one configuration. */
interface Real {
  readonly error: string | null;
  readonly zones: Readonly<
    Record<
      string,
      RealItem & {
        readonly interfaces: readonly string[];
        readonly sources: readonly string[];
        readonly forward: boolean;
        readonly inversion: boolean;
      }
    >
  >;
  readonly policies: Readonly<
    Record<
      string,
      RealItem & {
        readonly priority: number;
        readonly ingressZones: readonly string[];
        readonly egressZones: readonly string[];
      }
    >
  >;
  readonly ipsets: Readonly<Record<string, { readonly type: string; readonly entries: readonly string[] }>>;
  readonly services: Readonly<
    Record<
      string,
      {
        readonly ports: readonly string[];
        readonly protocols: readonly string[];
        readonly sourcePorts: readonly string[];
        readonly includes: readonly string[];
        readonly destination: Readonly<Record<string, string>>;
      }
    >
  >;
  readonly direct: { readonly chains: number; readonly rules: number };
  readonly defaultZone: string;
}

/** Starts the real firewalld with each configuration, in a namespace. */
function askFirewalld(cases: readonly Files[]): readonly Real[] {
  const start = `mount -t tmpfs none /run && ip link set lo up && exec /usr/bin/python3 "$0"`;
  const done = spawnSync('unshare', ['-n', '-m', '--', 'sh', '-c', start, SCRIPT], {
    input: JSON.stringify({ cases }),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (done.status !== 0) throw new Error(`firewalld-reader.py failed: ${done.stderr}`);
  // The script prints exactly this shape.
  return done.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Real);
}

function read(files: Files): FirewalldConfiguration {
  const list = Object.entries(files).map(([path, text]) => ({ path: `etc/firewalld/${path}`, text }));
  return validateConfiguration(readFirewalldFiles(list), STOCK, []);
}

/** Ports one by one, as firewalld joins ranges that touch. */
function portsOf(ports: readonly Pick<PortElement, 'port' | 'protocol'>[]): readonly string[] {
  const all = new Set<string>();
  for (const { port, protocol } of ports) {
    const range = parsePortRange(port);
    if (typeof range === 'object') for (let p = range.lo; p <= range.hi; p++) all.add(`${p}/${protocol}`);
  }
  return [...all].sort();
}

function splitPorts(ports: readonly string[]): readonly Pick<PortElement, 'port' | 'protocol'>[] {
  return ports.map((text) => ({ port: text.split('/')[0]!, protocol: text.split('/')[1]! }));
}

function summaryOf(item: ZoneOrPolicy) {
  return {
    services: item.services.map((x) => x.name),
    ports: portsOf(item.ports),
    sourcePorts: portsOf(item.sourcePorts),
    protocols: item.protocols.map((x) => x.name),
    icmpBlocks: item.icmpBlocks.map((x) => x.name),
    masquerade: item.masquerade !== undefined,
    forwardPorts: item.forwardPorts.length,
    rules: item.richRules.length,
  };
}

function realSummaryOf(item: RealItem): ReturnType<typeof summaryOf> {
  const { services, protocols, icmpBlocks, masquerade, forwardPorts } = item;
  return {
    services: [...services],
    ports: portsOf(splitPorts(item.ports)),
    sourcePorts: portsOf(splitPorts(item.sourcePorts)),
    protocols: [...protocols],
    icmpBlocks: [...icmpBlocks],
    masquerade,
    forwardPorts,
    rules: item.rules.length,
  };
}

/** Fails where firewalld runs with anything else than what was read. */
function compareContents(configuration: FirewalldConfiguration, real: Real): void {
  for (const zone of configuration.zones) {
    const found = real.zones[zone.name]!;
    expect({
      ...summaryOf(zone),
      target: zone.target ?? 'default',
      interfaces: zone.interfaces.map((x) => x.name),
      sources: zone.sources.map((x) => (x.kind === 'ipset' ? `ipset:${x.value}` : x.value)),
      forward: zone.forward !== undefined,
      inversion: zone.icmpBlockInversion !== undefined,
    }).toEqual({
      ...realSummaryOf(found),
      target: found.target === '{chain}_{zone}' ? 'default' : found.target,
      interfaces: found.interfaces,
      sources: found.sources,
      forward: found.forward,
      inversion: found.inversion,
    });
  }
  for (const policy of configuration.policies) {
    const found = real.policies[policy.name]!;
    expect({
      ...summaryOf(policy),
      target: policy.target,
      priority: Number(policy.priority ?? -1),
      ingressZones: policy.ingressZones.map((x) => x.name),
      egressZones: policy.egressZones.map((x) => x.name),
    }).toEqual({
      ...realSummaryOf(found),
      target: found.target,
      priority: found.priority,
      ingressZones: found.ingressZones,
      egressZones: found.egressZones,
    });
  }
  for (const set of configuration.ipsets)
    expect(set.entries.map((e) => e.text)).toEqual(real.ipsets[set.name]!.entries);
  for (const service of configuration.services) {
    const found = real.services[service.name]!;
    expect({
      ports: service.ports.map((p) => `${p.port}/${p.protocol}`),
      sourcePorts: service.sourcePorts.map((p) => `${p.port}/${p.protocol}`),
      protocols: service.protocols.map((x) => x.name),
      includes: service.includes.map((x) => x.name),
      destination: [service.destination?.ipv4, service.destination?.ipv6],
    }).toEqual({
      ...found,
      destination: [found.destination.ipv4, found.destination.ipv6],
    });
  }
  expect(configuration.direct?.chains.length ?? 0).toBe(real.direct.chains);
  expect(configuration.direct?.rules.length ?? 0).toBe(real.direct.rules);
}

/** How the comparison of one configuration went. */
function compare(files: Files, real: Real): 'running' | 'refused' | 'doubted' {
  const configuration = read(files);
  const fatal = configuration.problems.filter((p) => p.consequence === 'fatal').map((p) => p.detail);
  if (fatal.length === 0 && configuration.problems.some((p) => p.uncertain === true)) return 'doubted';
  const detail = JSON.stringify({ files, firewalld: real.error, nwaudit: fatal }, undefined, 1);
  expect(fatal.length > 0, detail).toBe(real.error !== null);
  if (real.error !== null) return 'refused';
  compareContents(configuration, real);
  return 'running';
}

function whyNot(): string | undefined {
  const done = spawnSync('/usr/bin/python3', ['-c', 'import firewall.core.fw']);
  return done.status === 0 ? undefined : 'firewalld is not installed';
}

const reason = skipsKernelTests() ? '' : whyNot();
if (reason !== undefined && reason !== '') {
  if (process.env.NWAUDIT_REQUIRE_KERNEL === '1') throw new Error(`these tests are required here: ${reason}`);
  process.stdout.write(`comparison with the real firewalld skipped: ${reason}\n`);
}

describe.skipIf(reason !== undefined)(
  'firewalld itself refuses what we say it refuses, and reads the same of the rest',
  () => {
    it('in every known trap', () => {
      const names = Object.keys(QUIRKS);
      const real = askFirewalld(Object.values(QUIRKS));
      const wrong: string[] = [];
      names.forEach((name, i) => {
        try {
          if (compare(QUIRKS[name]!, real[i]!) === 'doubted') wrong.push(`${name}: doubted`);
        } catch (error) {
          wrong.push(`${name}: ${String(error)}`);
        }
      });
      expect(wrong).toEqual([]);
    });

    it('in complete configurations and their damaged copies', () => {
      const random = createRandom(SEED);
      const cases = [
        ...BASE_CONFIGURATIONS,
        ...Array.from({ length: MUTATIONS }, () => mutateConfiguration(random)),
      ];
      const real = askFirewalld(cases);
      const counts = { running: 0, refused: 0, doubted: 0 };
      cases.forEach((files, i) => {
        counts[compare(files, real[i]!)]++;
      });
      process.stdout.write(
        `firewalld's reader: ${counts.running} configurations read alike, ${counts.refused} refused by both, ${counts.doubted} doubted\n`,
      );
      expect(counts.running).toBeGreaterThanOrEqual(BASE_CONFIGURATIONS.length);
      expect(counts.doubted).toBeLessThan(cases.length / 5);
    });
  },
);
