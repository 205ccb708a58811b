import { evaluatePacket, prepareRuleset } from '../../src/evaluate/index.ts';
import type { Packet, Ruleset } from '../../src/model/index.ts';
import { formatAddress } from '../../src/net/index.ts';
import { parseFirewalld } from '../../src/parse/firewalld-xml/index.ts';
import { readHostExports } from '../../src/parse/index.ts';
import { decodePacketObject, TraceDisagreement, traceHost } from '../../src/trace/index.ts';
import type { NwauditAnswer } from './ask-nwaudit.ts';
import type { FirewalldFiles } from './firewalld-run.ts';
import type { KernelExports } from './run-kernel-case.ts';
import { protocolOf, type TracePacket } from './trace-packet.ts';

/** nwaudit's answers from what `nft -j` and, with direct rules, `iptables-save` print on the running host. */
export function askAboutExports(exports: KernelExports, packets: readonly TracePacket[]): NwauditAnswer[] {
  const names = {
    'nft-json': 'ruleset.json',
    'iptables-save': 'iptables.txt',
    'ip6tables-save': 'ip6tables.txt',
    'ipset-save': 'ipset.txt',
  } as const;
  // The names are the keys of the object above.
  const files = (Object.keys(names) as (keyof typeof names)[])
    .filter((name) => /^(-A|:|create|\{)/m.test(exports[name] ?? ''))
    .map((name) => ({ path: `host/${names[name]}`, bytes: new TextEncoder().encode(exports[name]) }));
  const { ruleset, diagnostics } = readHostExports(files);
  const unread = diagnostics.filter((diagnostic) => diagnostic.incomplete);
  if (unread.length > 0) throw new Error(`export not read whole: ${unread.map((d) => d.detail).join('; ')}`);
  return answersOf(ruleset, packets);
}

/** What the harness knows beside the files: Debian's package is upstream's, and nothing else binds interfaces here. */
const KNOWN = { distribution: 'upstream', interfaces: [] } as const;

/** nwaudit's answers from the configuration alone. */
export function askAboutXml(files: FirewalldFiles, packets: readonly TracePacket[]): NwauditAnswer[] {
  const given = Object.entries(files).map(([path, text]) => ({ path: `host/etc/firewalld/${path}`, text }));
  const { ruleset } = parseFirewalld(given, KNOWN);
  return answersOf(ruleset, packets);
}

/** Both evaluators' answers; throws, with the packet, where they differ. */
function answersOf(ruleset: Ruleset, packets: readonly TracePacket[]): NwauditAnswer[] {
  const prepared = prepareRuleset(ruleset);
  const asked = packets.map(toPacket);
  return trace(ruleset, asked).map((answer, index) => {
    const packet = asked[index]!;
    const { daddr, dport } = answer.delivered;
    return {
      verdict: answer.verdict,
      mayReject: evaluatePacket(prepared, packet).possible.reject,
      daddr: daddr === undefined ? undefined : formatAddress(packet.version, daddr),
      dport,
      path: answer.path.map(
        (step) => `${step.family} ${step.table} ${step.chain}: ${step.rule ?? 'policy'} => ${step.verdict}`,
      ),
      unknown: answer.unknown,
    };
  });
}

function trace(ruleset: Ruleset, packets: readonly Packet[]): ReturnType<typeof traceHost> {
  try {
    return traceHost(ruleset, packets);
  } catch (error) {
    if (!(error instanceof TraceDisagreement)) throw error;
    const text = (value: unknown): string =>
      JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `0x${v.toString(16)}` : v));
    const { message, packet, bySets, byWalk } = error;
    throw new Error(`${message}\n  packet ${text(packet)}\n  sets ${text(bySets)}\n  walk ${byWalk.verdict}`);
  }
}

function toPacket(packet: TracePacket): Packet {
  const decoded = decodePacketObject({ ...packet, proto: protocolOf(packet) });
  if (decoded.packet === undefined)
    throw new Error(`trace refuses ${JSON.stringify(packet)}: ${decoded.problems.join('; ')}`);
  return decoded.packet;
}
