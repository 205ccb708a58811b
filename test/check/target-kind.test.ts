/**
 * Hosts behind a gateway that are judged together get the findings that each gets by itself: random gateways and estates, once as
 * they are, once with every host a kind of its own.
 */
import { describe, expect, test, vi } from 'vitest';
import type { ResolvedHost } from '../../src/inventory/index.ts';
import { createRandom, type Random } from '../kernel/random.ts';
import { scanTexts } from '../scan-support.ts';

const mode = vi.hoisted(() => ({ apart: false, asked: 0, kinds: new Set<string>() }));

vi.mock('../../src/check/target-kind.ts', async (load) => {
  const real = await load<typeof import('../../src/check/target-kind.ts')>();
  const targetKind: typeof real.targetKind = (estate, target: ResolvedHost) => {
    if (mode.apart) return target.name;
    const kind = real.targetKind(estate, target);
    mode.asked++;
    mode.kinds.add(kind);
    return kind;
  };
  return { targetKind };
});

const HOSTS = 9;
const address = (host: number): string => `198.51.100.${10 + host * 7}`;

/** What hosts may differ in, drawn for each. */
function estate(random: Random): object {
  const hosts: Record<string, object> = {
    'gw-01': { role: 'gateway', addresses: ['192.0.2.1'] },
  };
  for (let host = 0; host < HOSTS; host++) {
    const role =
      host === 0 ? 'server' : random.pick(['client', 'client', 'client', 'storage-node', 'server', 'nmc']);
    hosts[`h-${host}`] = {
      role,
      addresses: [address(host), ...(random.chance(0.5) ? [`2001:db8:0:5::${10 + host}`] : [])],
      ...(role !== 'nmc' && random.chance(0.4)
        ? { service_ports: random.pick(['7937-7954', '7937-7999', '7937-9936']) }
        : {}),
      ...(random.chance(0.2) ? { connection_ports: random.pick(['10001-30000', '0-0']) } : {}),
      ...(random.chance(0.3) ? { datazone: random.pick(['east', 'west']) } : {}),
      ...(role === 'client' && random.chance(0.2) ? { storage_nodes: [] } : {}),
    };
  }
  const exception = (to: string, from: string, ports: string) => ({
    to,
    from,
    ports,
    reason: 'test',
    owner: 'test',
    expires: '2099-01-01',
  });
  return {
    profile: random.pick(['guide', 'vendor']),
    admin_networks: random.chance(0.7) ? ['192.0.2.128/25'] : [],
    ...(random.chance(0.5) ? { role_networks: { client: ['203.0.113.0/25'] } } : {}),
    hosts,
    exceptions: [
      exception(`h-${random.integer(HOSTS)}`, '0.0.0.0/0', 'tcp/443'),
      exception(`h-${random.integer(HOSTS)}`, '192.0.2.64/26', 'tcp/7938-9936'),
    ],
  };
}

function gateway(random: Random): string {
  const destination = () =>
    random.pick([
      '',
      '',
      `-d ${address(random.integer(HOSTS))}/32 `,
      `-d 198.51.100.${random.integer(4) * 64}/26 `,
      `! -d ${address(random.integer(HOSTS))}/32 `,
    ]);
  const source = () =>
    random.pick(['', '', '-s 192.0.2.64/26 ', '-s 0.0.0.0/1 ', `-s ${address(random.integer(HOSTS))}/32 `]);
  const ports = () =>
    random.pick([
      '-p tcp -m tcp --dport 443 ',
      '-p tcp -m tcp --dport 7937:9936 ',
      '-p tcp -m tcp --dport 7938 ',
      '-p tcp -m tcp --dport 22 ',
      '-p tcp -m tcp --dport 9090 ',
      '-p tcp -m tcp --dport 10001:30000 ',
      '-p udp -m udp --dport 161 ',
      '-p udp ',
      '-p icmp ',
      '',
    ]);
  const more = () => random.pick(['', '', '', '-i wan0 ', '-m limit --limit 5/sec ']);
  const rules = Array.from(
    { length: 14 },
    () =>
      `-A FORWARD ${source()}${destination()}${ports()}${more()}-j ${random.pick(['ACCEPT', 'ACCEPT', 'DROP'])}`,
  );
  const nat = [
    '*nat',
    ':PREROUTING ACCEPT [0:0]',
    `-A PREROUTING -d 192.0.2.1/32 -p tcp -m tcp --dport 8443 -j DNAT --to-destination ${address(random.integer(HOSTS))}:443`,
    'COMMIT',
  ];
  const head = ['*filter', ':INPUT DROP [0:0]', `:FORWARD ${random.pick(['DROP', 'ACCEPT'])} [0:0]`];
  return `${[...(random.chance(0.4) ? nat : []), ...head, ...rules, 'COMMIT'].join('\n')}\n`;
}

function findingsOf(seed: number, apart: boolean): unknown {
  mode.apart = apart;
  const random = createRandom(seed);
  const [config, rules] = [estate(random), gateway(random)];
  const { findings } = scanTexts({ 'gw-01.rules': rules }, config);
  return findings;
}

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

describe('hosts of one kind behind a gateway', () => {
  test.each(SEEDS)('seed %i: judged together and apart, the findings are the same', (seed) => {
    expect(findingsOf(seed, false)).toEqual(findingsOf(seed, true));
  });

  test('some hosts were judged together, and not all', () => {
    expect(mode.kinds.size).toBeGreaterThan(SEEDS.length);
    expect(mode.kinds.size).toBeLessThan(mode.asked);
  });
});
