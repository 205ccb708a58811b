import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { answersOf, type NwauditAnswer, readWhole } from './ask-nwaudit.ts';
import { addTally, compare, EMPTY_TALLY, tallyLine, undecidedOtherwise } from './compare.ts';
import { skipsKernelTests } from './environment.ts';
import { readFixtures } from './fixtures.ts';
import { type AimOptions, aimPackets, firstPacketState } from './packets.ts';
import { createRandom } from './random.ts';
import { runKernelCase } from './run-kernel-case.ts';
import { protocolOf, type TracePacket } from './trace-packet.ts';

/** Values for fields that the aimed packets do not vary by themselves. */
interface Variation {
  readonly tcp_flags?: readonly (readonly string[])[];
  readonly dscp?: readonly number[];
  readonly ttl?: readonly number[];
  readonly length?: readonly number[];
  readonly smac?: readonly string[];
  readonly pkttype?: readonly ('unicast' | 'broadcast' | 'multicast')[];
}

interface NftFixture {
  readonly name: string;
  readonly nft: string;
  readonly options: AimOptions & { readonly vary?: Variation };
}

const ROOT = fileURLToPath(new URL('../../fixtures/kernel/nft/', import.meta.url));
const PACKETS = 240;

/** Rule sets below `fixtures/kernel/nft`: `ruleset.nft`, and `options.json` with the fields of `AimOptions` and `vary`. */
function readNftFixtures(): NftFixture[] {
  return readdirSync(ROOT)
    .sort()
    .map((name) => {
      const options = join(ROOT, name, 'options.json');
      return {
        name,
        nft: readFileSync(join(ROOT, name, 'ruleset.nft'), 'utf8'),
        // The file is ours; an option that does not exist has no effect and shows in review.
        options: existsSync(options)
          ? (JSON.parse(readFileSync(options, 'utf8')) as NftFixture['options'])
          : {},
      };
    });
}

/** An interface that can be made: names are taken from the rules' text, where they may stand with escapes or be none at all. */
function plainName(name: string): string {
  return /[a-z]/.test(name) ? name.replaceAll('\\', '') : 'eth0';
}

/** The packets with names of interfaces that can be made, and some of the fields taken from `vary`. */
function varied(aimed: readonly TracePacket[], vary: Variation): TracePacket[] {
  const random = createRandom(7);
  return aimed.map((one) => {
    const packet: TracePacket = {
      ...one,
      ...(one.iif === undefined ? {} : { iif: plainName(one.iif) }),
      ...(one.oif === undefined ? {} : { oif: plainName(one.oif) }),
    };
    const proto = protocolOf(packet);
    const version = packet.saddr.includes(':') ? 6 : 4;
    const out: { -readonly [K in keyof TracePacket]: TracePacket[K] } = { ...packet };
    if (vary.dscp !== undefined) out.dscp = random.pick(vary.dscp);
    if (vary.ttl !== undefined) out.ttl = Math.max(packet.hook === 'forward' ? 2 : 1, random.pick(vary.ttl));
    if (vary.length !== undefined) out.length = Math.max(150, random.pick(vary.length));
    if (vary.length !== undefined && proto === 17)
      out.length = Math.max(version === 4 ? 28 : 48, random.pick(vary.length));
    if (vary.smac !== undefined && packet.hook !== 'output') out.smac = random.pick(vary.smac);
    if (vary.pkttype !== undefined && packet.hook === 'input') out.pkttype = random.pick(vary.pkttype);
    if (
      vary.tcp_flags !== undefined &&
      proto === 6 &&
      ['new', 'invalid'].includes(packet.ct_state ?? 'new')
    ) {
      out.tcp_flags = random.pick(vary.tcp_flags);
      out.ct_state = firstPacketState(out, proto, version);
    }
    return out;
  });
}

/** nwaudit's answers from the JSON alone. */
function askAboutJson(json: string, packets: readonly TracePacket[]): NwauditAnswer[] {
  return answersOf(
    readWhole([{ path: 'host/ruleset.json', bytes: new TextEncoder().encode(json) }]),
    packets,
  );
}

/** Rule sets about what no export decides: there, unknown answers are right. */
const MOSTLY_UNKNOWN: ReadonlySet<string> = new Set([
  'limits',
  'ct-status-dnat',
  'timeouts',
  'set-updates',
  'th-without-protocol',
  'ct-direction-and-original',
  'snat-and-masquerade',
  'output',
  'fib-local',
  // The flags that nft 1.0.6 prints do not tell whether a table is dormant.
  'dormant',
  'empty-dynamic-sets',
  'fib-types',
  'ip-options-and-exthdr',
  'iptables-names',
  'named-objects',
  'output-rules',
  'quota-count-limit',
  'redirect-map',
  'shifts',
  'snat-forms',
  'socket-and-cgroup',
  'synproxy',
  'tproxy',
]);

/** Rule sets in which nft does not print for which IP version a rule is; nothing else may be unknown there. */
const HIDING_VERSION: ReadonlySet<string> = new Set(['reject-types', 'reset-in-tcp-chains', 'vmap-ports']);

const skipped = skipsKernelTests();

describe.skipIf(skipped)(
  'nft rule sets get the verdicts that the kernel gives, through the JSON that nft prints',
  () => {
    const total = { ...EMPTY_TALLY };
    afterAll(() => process.stdout.write(`nft, hand-written: ${tallyLine(total)}\n`));

    it.concurrent.each(readNftFixtures())('$name', async ({ name, nft, options }) => {
      const packets = varied(aimPackets({ nft }, options, PACKETS, 1), options.vary ?? {});
      const kernel = await runKernelCase({ load: { nft }, packets, interfaces: options.interfaces ?? [] });
      if (kernel.kind === 'load-refused') throw new Error(`nft refuses the rule set: ${kernel.detail}`);
      const answers = askAboutJson(kernel.exports['nft-json'], packets);
      const { tally, reports } = compare({ nft }, packets, kernel.outcomes, answers);
      addTally(total, tally);
      if (reports.length > 0) throw new Error(reports.join('\n'));
      expect(tally.untestable).toBeLessThan(tally.packets / 4);
      if (HIDING_VERSION.has(name)) expect(undecidedOtherwise(answers)).toEqual([]);
      else if (!MOSTLY_UNKNOWN.has(name)) expect(tally.unknown).toBe(0);
    });
  },
);

describe.skipIf(skipped)(
  'iptables-nft rule sets read from the JSON of nft get no verdict that the kernel does not give',
  () => {
    const total = { ...EMPTY_TALLY };
    afterAll(() => process.stdout.write(`iptables-nft through nft JSON: ${tallyLine(total)}\n`));

    // iptables-legacy is not seen by nft.
    const left = readFixtures('iptables').filter(({ rules }) => rules.legacy !== true);
    it.concurrent.each(left)('$name', async ({ rules, options, packets }) => {
      const sent = [...packets, ...aimPackets(rules, options, 120, 3)];
      const kernel = await runKernelCase({
        load: rules,
        packets: sent,
        interfaces: options.interfaces ?? [],
      });
      if (kernel.kind === 'load-refused') throw new Error(`the tools refuse the rule set: ${kernel.detail}`);
      const { tally, reports } = compare(
        rules,
        sent,
        kernel.outcomes,
        askAboutJson(kernel.exports['nft-json'], sent),
      );
      addTally(total, tally);
      if (reports.length > 0) throw new Error(reports.join('\n'));
    });
  },
);
