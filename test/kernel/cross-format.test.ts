/**
 * A rule set loaded as iptables and exported as nft means the same.
 *
 * The JSON of nft leaves out the arguments of some matches and targets of iptables, so it may leave more open than iptables-save, and never
 * something else: whatever may become of a packet by iptables-save may become of it by the JSON, and what the JSON says for sure
 * iptables-save says too. Both exports together leave as much open as iptables-save alone. All packets are compared, of every connection state.
 *
 * What this cannot show: a misreading of a match whose arguments the JSON does not tell. There the kernel is asked (`generated.test.ts`).
 */
import { afterAll, describe, expect, it } from 'vitest';
import { type ForeignOutcome, foreignOutcomes } from '../laws/outcomes.ts';
import { ALL_EXPORTS, readExports, WITHOUT_NFT } from './ask-nwaudit.ts';
import { skipsKernelTests } from './environment.ts';
import { generateIp6tables, generateIptables } from './generate-iptables.ts';
import { type KernelExports, type KernelRules, runKernelCase } from './run-kernel-case.ts';

/** `NWAUDIT_CROSS_SEEDS=1-200` names more. */
const [FIRST_SEED = 1, LAST_SEED = 6] =
  (process.env.NWAUDIT_CROSS_SEEDS ?? '').match(/\d+/g)?.map(Number) ?? [];
const SEEDS = Array.from({ length: LAST_SEED - FIRST_SEED + 1 }, (_, index) => FIRST_SEED + index);
const GENERATORS = { iptables: generateIptables, ip6tables: generateIp6tables };
const CASES = (['iptables', 'ip6tables'] as const).flatMap((kind) =>
  SEEDS.map((seed) => [kind, seed] as const),
);

async function exportsOf(load: KernelRules): Promise<KernelExports> {
  const answer = await runKernelCase({ load, packets: [], interfaces: [] });
  if (answer.kind === 'load-refused') throw new Error(answer.detail);
  return answer.exports;
}

/** The three readings of the exports of one firewall, and what is wrong between them. */
function contradictions(exports: KernelExports): {
  readonly 'iptables-save against JSON': readonly ForeignOutcome[];
  readonly 'both against iptables-save': readonly ForeignOutcome[];
  readonly 'iptables-save against both': readonly ForeignOutcome[];
  /** Whether the JSON leaves nothing more open than iptables-save does. */
  readonly isSame: boolean;
} {
  const [saved, json, both] = [WITHOUT_NFT, ['nft-json'] as const, ALL_EXPORTS].map((given) =>
    readExports(exports, given),
  );
  return {
    'iptables-save against JSON': foreignOutcomes(saved!, json!),
    'both against iptables-save': foreignOutcomes(both!, saved!),
    'iptables-save against both': foreignOutcomes(saved!, both!),
    isSame: foreignOutcomes(json!, saved!).length === 0,
  };
}

const NONE = {
  'iptables-save against JSON': [],
  'both against iptables-save': [],
  'iptables-save against both': [],
};

const skips = skipsKernelTests();

describe.skipIf(skips)('iptables-save and nft JSON of the same loaded rules', () => {
  const totals = { 'rule sets': 0, 'of one meaning': 0, 'less open in iptables-save': 0, contradicting: 0 };
  afterAll(() => {
    const parts = Object.entries(totals).map(([name, count]) => `${name} ${count}`);
    process.stdout.write(`exports of one rule set: ${parts.join(', ')}\n`);
  });

  it.each(CASES)('%s, seed %i: never contradict each other', async (kind, seed) => {
    // Legacy iptables shows nothing to nft.
    const { legacy: _, ...load } = GENERATORS[kind](seed).rules;
    const exports = await exportsOf(load);
    const { isSame, ...found } = contradictions(exports);
    const isGood = Object.values(found).every((outcomes) => outcomes.length === 0);
    totals['rule sets']++;
    totals[isGood ? (isSame ? 'of one meaning' : 'less open in iptables-save') : 'contradicting']++;
    expect(found, JSON.stringify(exports, null, 1)).toEqual(NONE);
  });

  const RULES = `*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p udp -m udp --dport 53 -j MARK --set-xmark 0x1/0xffffffff
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:side - [0:0]
-A INPUT -p tcp -m conntrack --ctstate ESTABLISHED -j ACCEPT
-A INPUT -i eth0 -j side
-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 7937 -j ACCEPT
-A INPUT -m mark --mark 0x1 -j ACCEPT
-A INPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A side -d 192.0.2.9/32 -p udp -m udp --dport 111 -j DROP
-A side -p udp -m udp --dport 111:113 -j ACCEPT
COMMIT
`;

  describe('a mistake in reading one of them is noticed', () => {
    const exports = skips ? undefined : exportsOf({ iptables: RULES });

    it('unless there is none', async () => {
      expect(contradictions((await exports)!)).toEqual({ ...NONE, isSame: false });
    });

    it.each([
      ['a port', '--dport 7937 -j', '--dport 7938 -j'],
      ['the end of a range', '111:113', '111:114'],
      ['an address', '192.0.2.0/24', '192.0.2.0/25'],
      ['a verdict', '7937 -j ACCEPT', '7937 -j REJECT --reject-with icmp-port-unreachable'],
      ['a negation', '-s 192.0.2.0/24', '! -s 192.0.2.0/24'],
      ['an interface', '-i eth0', '-i eth1'],
      ['a protocol', '-p udp -m udp --dport 53', '-p sctp -m sctp --dport 53'],
      ['a jump', '-j side', '-g side'],
      ['a chain policy', ':FORWARD DROP', ':FORWARD ACCEPT'],
      ['a mark', '--mark 0x1', '--mark 0x3/0x3'],
      ['the order of rules', '-A side -d 192.0.2.9/32 -p udp -m udp --dport 111 -j DROP\n', ''],
    ])('%s in iptables-save', async (_, right, wrong) => {
      const given = (await exports)!;
      const mistaken = given['iptables-save'].replace(right, wrong);
      expect(mistaken).not.toBe(given['iptables-save']);
      const found = contradictions({ ...given, 'iptables-save': mistaken });
      expect(found['iptables-save against JSON']).not.toEqual([]);
    });

    it.each([
      ['that an opaque match holds', /\{"xt": \{"type": "match", "name": "conntrack"\}\}, /],
      [
        'that a comparison is not there',
        /\{"match": \{"op": "==", "left": \{"meta": \{"key": "mark"\}\}, "right": 1\}\}, /,
      ],
    ])('%s, in the JSON', async (_, part) => {
      const given = (await exports)!;
      const mistaken = given['nft-json'].replace(part, '');
      expect(mistaken).not.toBe(given['nft-json']);
      const found = contradictions({ ...given, 'nft-json': mistaken });
      expect(found['iptables-save against JSON']).not.toEqual([]);
    });
  });
});
