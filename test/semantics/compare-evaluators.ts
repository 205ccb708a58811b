import {
  type Evaluation,
  evaluatePacket,
  MAX_STATES,
  MAX_STEPS,
  prepareRuleset,
} from '../../src/evaluate/index.ts';
import type { Packet, Ruleset } from '../../src/model/index.ts';
import { PacketSetBudgetError } from '../../src/packet-set/index.ts';
import {
  analysePath,
  answerPacket,
  HostSpace,
  type PathAnalysis,
  type SetAnswer,
} from '../../src/semantics/index.ts';

/** What both evaluators say about one packet. */
export interface Comparison {
  readonly packet: Packet;
  readonly bySets: SetAnswer;
  readonly byWalk: Evaluation;
}

/** How the packets of a case were answered. */
export interface CaseResult {
  readonly disagreement: Comparison | undefined;
  readonly compared: readonly Comparison['bySets']['verdict'][];
  /** Packets for which one side ran into its budget. */
  readonly uncompared: number;
}

/** Nodes of one case's packet sets. */
const NODE_BUDGET = 500_000;

/** Asks both evaluators about each packet. Stops at the first difference. `mostUnknowns`: that the packet sets keep apart. */
export function compareEvaluators(
  ruleset: Ruleset,
  packets: readonly Packet[],
  mostUnknowns?: number,
): CaseResult {
  const host = new HostSpace(ruleset, NODE_BUDGET, undefined, mostUnknowns);
  const prepared = prepareRuleset(ruleset);
  const analyses = new Map<string, PathAnalysis>();
  const compared: SetAnswer['verdict'][] = [];
  let uncompared = 0;
  for (const packet of packets) {
    try {
      const way = `${packet.hook} ${packet.version}`;
      const analysis = analyses.get(way) ?? analysePath(host, packet.hook, packet.version);
      analyses.set(way, analysis);
      const bySets = answerPacket(host, analysis, packet);
      const byWalk = evaluatePacket(prepared, packet);
      if (gaveUp(byWalk)) uncompared++;
      else if (agree(bySets, byWalk)) compared.push(bySets.verdict);
      else return { disagreement: { packet, bySets, byWalk }, compared, uncompared };
    } catch (error) {
      if (!(error instanceof PacketSetBudgetError)) throw error;
      uncompared++;
    }
  }
  return { disagreement: undefined, compared, uncompared };
}

function gaveUp({ unknown }: Evaluation): boolean {
  return [`more than ${MAX_STATES} states`, `more than ${MAX_STEPS} rules`].some((limit) =>
    (unknown[0] ?? '').startsWith(limit),
  );
}

/** Same verdict and certainty; for accepted packets the same delivery; and what is unknown is named by both. */
function agree(bySets: SetAnswer, byWalk: Evaluation): boolean {
  if (bySets.verdict !== byWalk.verdict) return false;
  if (bySets.verdict === 'unknown') {
    return byWalk.unknown.length > 0 && bySets.unknowns.length + bySets.missingFields.length > 0;
  }
  if (bySets.verdict !== 'accept') return true;
  const { daddr, dport } = bySets.delivered;
  return daddr === byWalk.delivered.daddr && dport === byWalk.delivered.dport;
}
