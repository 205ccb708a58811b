import { evaluatePacket, prepareRuleset } from '../../src/evaluate/index.ts';
import type { Packet, PathStep, Ruleset } from '../../src/model/index.ts';
import { formatAddress } from '../../src/net/index.ts';
import { readHostExports } from '../../src/parse/index.ts';
import { decodePacketObject, TraceDisagreement, traceHost } from '../../src/trace/index.ts';
import type { KernelExports } from './run-kernel-case.ts';
import { protocolOf, type TracePacket } from './trace-packet.ts';

/** What nwaudit says about one packet, in the words of the `trace` contract. */
export interface NwauditAnswer {
  readonly verdict: 'accept' | 'drop' | 'reject' | 'unknown';
  /** The packet may be rejected: for `drop` that is so when it is stopped either way, by unknown predicates. */
  readonly mayReject: boolean;
  /** Destination after NAT; absent where nwaudit cannot tell. */
  readonly daddr: string | undefined;
  readonly dport: number | undefined;
  /** Matched rules and the deciding policy, one line each. */
  readonly path: readonly string[];
  readonly unknown: readonly string[];
}

/** The exports that iptables knows of, and all of them. */
export const WITHOUT_NFT = ['iptables-save', 'ip6tables-save', 'ipset-save'] as const;
export const ALL_EXPORTS = [...WITHOUT_NFT, 'nft-json'] as const;

/**
 * nwaudit's answers about packets, from what the real tools exported. The only place where the kernel tests touch
 * the product, besides address and protocol texts.
 */
export function askNwaudit(
  exports: KernelExports,
  packets: readonly TracePacket[],
  given: readonly (keyof KernelExports)[] = WITHOUT_NFT,
): NwauditAnswer[] {
  return answersOf(readExports(exports, given), packets);
}

/** Both evaluators' answers; throws, with the packet, where they differ. */
export function answersOf(ruleset: Ruleset, packets: readonly TracePacket[]): NwauditAnswer[] {
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
      path: answer.path.map(describeStep),
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
    const path = byWalk.path.map((step) => `    ${describeStep(step)}`);
    throw new Error(
      [
        message,
        `  packet ${text(packet)}`,
        `  sets   ${text(bySets)}`,
        `  walk   ${byWalk.verdict}`,
        ...path,
      ].join('\n'),
    );
  }
}

function describeStep(step: PathStep): string {
  return `${step.family} ${step.table} ${step.chain}: ${step.rule ?? 'policy'} => ${step.verdict}`;
}

/** The exports as a person would save them: what a tool printed, one file each, nothing where it printed nothing. */
function readExports(exports: KernelExports, given: readonly (keyof KernelExports)[]): Ruleset {
  const files = given
    .filter((name) => (exports[name] ?? '') !== '')
    .map((name) => ({ path: `host/${name}.txt`, bytes: new TextEncoder().encode(exports[name]) }));
  return readWhole(files);
}

/** What the files of a host say. Throws where they are not read whole. */
export function readWhole(files: Parameters<typeof readHostExports>[0]): Ruleset {
  const { ruleset, diagnostics } = readHostExports(files);
  // What the real tools print must be read whole: a gap here would hide behind unknown answers.
  const unread = diagnostics.filter((diagnostic) => diagnostic.incomplete);
  if (unread.length > 0) throw new Error(`export not read whole: ${unread.map((d) => d.detail).join('; ')}`);
  return ruleset;
}

/** The packet as `trace` reads it. Throws where it refuses one: these packets are written by us. */
function toPacket(packet: TracePacket): Packet {
  const decoded = decodePacketObject({ ...packet, proto: protocolOf(packet) });
  if (decoded.packet === undefined) {
    throw new Error(`trace refuses ${JSON.stringify(packet)}: ${decoded.problems.join('; ')}`);
  }
  return decoded.packet;
}
