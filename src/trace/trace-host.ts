import { type Evaluation, evaluatePacket, MAX_STATES, MAX_STEPS, prepareRuleset } from '../evaluate/index.ts';
import type { Packet, PacketAnswer, PathStep, Ruleset } from '../model/index.ts';
import { PacketSetBudgetError } from '../packet-set/index.ts';
import {
  analysePath,
  answerPacket,
  HostSpace,
  type PathAnalysis,
  type SetAnswer,
} from '../semantics/index.ts';

/** What happens to one packet, on what it depends, and by which rules. */
export interface TraceAnswer extends PacketAnswer {
  /** The matched rules and the deciding chain policies, in order. */
  readonly path: readonly PathStep[];
  /** Texts of what the verdict hangs on; empty exactly when the verdict is not `unknown`. */
  readonly unknown: readonly string[];
}

/** The two ways to the answer differ: a defect of nwaudit. */
export class TraceDisagreement extends Error {
  override readonly name = 'TraceDisagreement';
  readonly packetIndex: number;
  readonly packet: Packet;
  readonly bySets: SetAnswer;
  readonly byWalk: Evaluation;

  constructor(packetIndex: number, packet: Packet, bySets: SetAnswer, byWalk: Evaluation) {
    super(`the packet sets and the plain evaluator differ about packet ${packetIndex}`);
    this.packetIndex = packetIndex;
    this.packet = packet;
    this.bySets = bySets;
    this.byWalk = byWalk;
  }
}

/** The answers do not fit into the heap. */
export class TraceTooLarge extends Error {
  override readonly name = 'TraceTooLarge';
}

export interface TraceOptions {
  /** Size of the JavaScript heap in bytes, which the ways of all packets have to fit into; absent: not limited. */
  readonly heapBytes?: number;
  /** Size limit of the host's packet sets in diagram nodes. */
  readonly nodeBudget?: number;
  /** Called now and then. */
  readonly onProgress?: (done: number, total: number) => void;
  /**
   * Called once for each way through the host whose packet sets are over the budget: its answers then come from the plain
   * evaluator alone. `reason` is one sentence.
   */
  readonly onUncompared?: (reason: string) => void;
}

/** Answers kept for equal packets; captured traffic repeats itself. */
const MAX_REMEMBERED = 100_000;

/** Heap that is set aside for one step of a packet's way in its answer, in bytes. A choice, not a bound that was proved. */
const HEAP_PER_STEP = 400;

/** Packets between two calls of `onProgress`. */
const PROGRESS_STEP = 1000;

/**
 * Answers every packet twice, by the packet sets that the checks use and by the plain evaluator, and compares: verdict,
 * certainty and, for accepted packets, where they are delivered. Answers stand in the order of the packets.
 *
 * @throws TraceDisagreement when the two differ.
 * @throws TraceTooLarge when the ways of the packets do not fit into the heap.
 */
export function traceHost(
  ruleset: Ruleset,
  packets: readonly Packet[],
  options: TraceOptions = {},
): TraceAnswer[] {
  const sets = new SetAnswers(ruleset, options);
  const prepared = prepareRuleset(ruleset);
  const remembered = new Map<string, TraceAnswer>();
  const most = Math.floor((options.heapBytes ?? Number.POSITIVE_INFINITY) / HEAP_PER_STEP);
  let steps = 0;
  return packets.map((packet, index) => {
    if (index % PROGRESS_STEP === 0) options.onProgress?.(index, packets.length);
    const key = packetKey(packet);
    const known = remembered.get(key);
    if (known !== undefined) return known;
    const answer = combine(index, packet, sets.answer(packet), evaluatePacket(prepared, packet));
    steps += answer.path.length + answer.unknown.length;
    if (steps > most)
      throw new TraceTooLarge(
        `the first ${index + 1} of ${packets.length} packets match ${steps} rules, more than the ${most} that the heap is enough for`,
      );
    if (remembered.size < MAX_REMEMBERED) remembered.set(key, answer);
    return answer;
  });
}

/** What the two ways to the answer say about one packet, before one answer is made of them. */
export interface TwoAnswers {
  /** `undefined` when the packet sets are over the budget. */
  readonly bySets: SetAnswer | undefined;
  readonly byWalk: Evaluation;
  /** The plain evaluator ran into a limit of its own and makes no claim. */
  readonly walkGaveUp: boolean;
  /** Both make a claim, and the claims differ: `traceHost` throws here. */
  readonly differ: boolean;
}

/** Both answers about every packet, side by side: for those who compare them with a third, as the kernel tests do. */
export function answerTwice(
  ruleset: Ruleset,
  packets: readonly Packet[],
  options: TraceOptions = {},
): TwoAnswers[] {
  const sets = new SetAnswers(ruleset, options);
  const prepared = prepareRuleset(ruleset);
  return packets.map((packet) => {
    const bySets = sets.answer(packet);
    const byWalk = evaluatePacket(prepared, packet);
    const walkGaveUp = gaveUp(byWalk);
    return {
      bySets,
      byWalk,
      walkGaveUp,
      differ: bySets !== undefined && !walkGaveUp && answersDiffer(bySets, byWalk),
    };
  });
}

/** The packet-set side: each way through the host is analysed once, when the first packet takes it. */
class SetAnswers {
  readonly #host: HostSpace;
  readonly #options: TraceOptions;
  /** By hook and version; `undefined` where the budget did not suffice. */
  readonly #analyses = new Map<string, PathAnalysis | undefined>();

  constructor(ruleset: Ruleset, options: TraceOptions) {
    this.#host = new HostSpace(ruleset, options.nodeBudget);
    this.#options = options;
  }

  /** `undefined` when the packet sets are over the budget. */
  answer(packet: Packet): SetAnswer | undefined {
    const way = `${packet.hook} IPv${packet.version}`;
    const analysis = this.#analyses.has(way)
      ? this.#analyses.get(way)
      : this.#withinBudget(way, () => analysePath(this.#host, packet.hook, packet.version));
    this.#analyses.set(way, analysis);
    if (analysis === undefined) return undefined;
    return this.#withinBudget(way, () => answerPacket(this.#host, analysis, packet));
  }

  #withinBudget<T>(way: string, compute: () => T): T | undefined {
    try {
      return compute();
    } catch (error) {
      // The one outcome of a computation on packet sets that is neither an answer nor a defect.
      if (!(error instanceof PacketSetBudgetError)) throw error;
      this.#analyses.set(way, undefined);
      this.#options.onUncompared?.(`${way}: ${error.message}; answered by the plain evaluator alone`);
      return undefined;
    }
  }
}

/** One answer from two, which have to agree. */
function combine(
  index: number,
  packet: Packet,
  bySets: SetAnswer | undefined,
  byWalk: Evaluation,
): TraceAnswer {
  const walked = { verdict: byWalk.verdict, delivered: byWalk.delivered, path: byWalk.path };
  if (bySets === undefined) return { ...walked, unknown: unknownTexts(byWalk, bySets) };
  if (gaveUp(byWalk)) {
    return {
      ...walked,
      verdict: bySets.verdict,
      delivered: bySets.delivered,
      unknown: unknownTexts(byWalk, bySets),
    };
  }
  if (answersDiffer(bySets, byWalk)) throw new TraceDisagreement(index, packet, bySets, byWalk);
  return { ...walked, unknown: unknownTexts(byWalk, bySets) };
}

/** Whether the verdicts differ or, for an accepted packet, where it is delivered. */
function answersDiffer(bySets: PacketAnswer, byWalk: PacketAnswer): boolean {
  if (bySets.verdict !== byWalk.verdict) return true;
  const [set, walked] = [bySets.delivered, byWalk.delivered];
  return byWalk.verdict === 'accept' && (set.daddr !== walked.daddr || set.dport !== walked.dport);
}

/** Whether the plain evaluator ran into a limit. It then names the limit first among the unknowns. */
function gaveUp(byWalk: Evaluation): boolean {
  const first = byWalk.unknown[0] ?? '';
  return (
    first.startsWith(`more than ${MAX_STEPS} rules`) || first.startsWith(`more than ${MAX_STATES} states`)
  );
}

/** Texts of the unknowns: the plain evaluator's; where it names none, those of the sets, or the fields not given. */
function unknownTexts(byWalk: Evaluation, bySets: SetAnswer | undefined): readonly string[] {
  const verdict = gaveUp(byWalk) && bySets !== undefined ? bySets.verdict : byWalk.verdict;
  if (verdict !== 'unknown') return [];
  if (byWalk.unknown.length > 0) return byWalk.unknown;
  const fields = (bySets?.missingFields ?? []).map((field) => `${field} of the packet, which is not given`);
  return [...(bySets?.unknowns ?? []), ...fields];
}

/** Equal for packets that get the same answer. */
function packetKey(packet: Packet): string {
  const { saddr, daddr, mark, ctMark, smac, iif, oif } = packet;
  // Interface names last: they are the only texts that could contain the separator.
  return [
    packet.hook,
    packet.version,
    saddr.toString(36),
    daddr.toString(36),
    packet.protocol,
    packet.sport,
    packet.dport,
    packet.icmpType,
    packet.icmpCode,
    packet.tcpFlags,
    packet.ctState,
    mark.toString(36),
    ctMark.toString(36),
    smac?.toString(36),
    packet.dscp,
    packet.ecn,
    packet.ttl,
    packet.length,
    packet.pkttype,
    packet.ctDnat,
    packet.ctSnat,
    JSON.stringify([iif, oif]),
  ].join('|');
}
