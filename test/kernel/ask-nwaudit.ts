import type { Packet, PacketAnswer, PathStep, Ruleset } from '../../src/model/index.ts';
import { formatAddress } from '../../src/net/index.ts';
import { readHostExports } from '../../src/parse/index.ts';
import { answerTwice, decodePacketObject, type TwoAnswers } from '../../src/trace/index.ts';
import type { KernelExports } from './run-kernel-case.ts';
import { protocolOf, type TracePacket } from './trace-packet.ts';

/** What one of the two evaluators says about one packet, in the words of the `trace` contract. */
export interface Said {
  readonly verdict: 'accept' | 'drop' | 'reject' | 'unknown';
  /** Destination after NAT; absent where nwaudit cannot tell. */
  readonly daddr: string | undefined;
  readonly dport: number | undefined;
}

/** What nwaudit says about one packet, twice. */
export interface NwauditAnswer {
  /** By the packet sets that the checks use; `undefined` where they are over their budget. */
  readonly sets: Said | undefined;
  /** By the plain evaluator; `undefined` where it ran into a limit of its own. */
  readonly walk: Said | undefined;
  /** `sets` and `walk` differ by the measure of `trace`. */
  readonly differ: boolean;
  /** The packet may be rejected: for `drop` that is so when it is stopped either way, by unknown predicates. */
  readonly mayReject: boolean;
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

/** Both evaluators' answers about each packet, whether they agree or not. */
export function answersOf(ruleset: Ruleset, packets: readonly TracePacket[]): NwauditAnswer[] {
  const asked = packets.map(toPacket);
  return answerTwice(ruleset, asked).map((answers, index) => toAnswer(asked[index]!, answers));
}

function toAnswer(packet: Packet, { bySets, byWalk, walkGaveUp, differ }: TwoAnswers): NwauditAnswer {
  const said = ({ verdict, delivered: { daddr, dport } }: PacketAnswer): Said => ({
    verdict,
    daddr: daddr === undefined ? undefined : formatAddress(packet.version, daddr),
    dport,
  });
  return {
    sets: bySets === undefined ? undefined : said(bySets),
    walk: walkGaveUp ? undefined : said(byWalk),
    differ,
    mayReject: byWalk.possible.reject,
    path: byWalk.path.map(describeStep),
    unknown: byWalk.unknown.length > 0 ? byWalk.unknown : (bySets?.unknowns ?? []),
  };
}

function describeStep(step: PathStep): string {
  return `${step.family} ${step.table} ${step.chain}: ${step.rule ?? 'policy'} => ${step.verdict}`;
}

/** The exports as a person would save them: what a tool printed, one file each, nothing where it printed nothing. */
export function readExports(
  exports: Readonly<Record<string, string>> | KernelExports,
  given: readonly (keyof KernelExports)[],
): Ruleset {
  const files = given
    .map((name) => ({ path: `host/${name}.txt`, text: exports[name] ?? '' }))
    .filter(({ text }) => text !== '')
    .map(({ path, text }) => ({ path, bytes: new TextEncoder().encode(text) }));
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
