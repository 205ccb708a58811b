import type { NwauditAnswer } from './ask-nwaudit.ts';
import type { KernelOutcome, KernelRules } from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

/** How many packets, and how nwaudit's answers compare with the kernel's verdicts. */
export interface Tally {
  packets: number;
  agree: number;
  /** nwaudit says `unknown`: no claim, so neither right nor wrong. */
  unknown: number;
  wrong: number;
  /** Packets that prove nothing: see `KernelOutcome`. */
  untestable: number;
}

export const EMPTY_TALLY: Tally = { packets: 0, agree: 0, unknown: 0, wrong: 0, untestable: 0 };

/** The line that every run prints. */
export function tallyLine(tally: Tally): string {
  const { packets, agree, unknown, wrong, untestable } = tally;
  const rest = untestable === 0 ? '' : `, untestable ${untestable}`;
  return `packets ${packets}, agree ${agree}, unknown ${unknown}, wrong ${wrong}${rest}`;
}

export function addTally(total: Tally, more: Tally): void {
  total.packets += more.packets;
  total.agree += more.agree;
  total.unknown += more.unknown;
  total.wrong += more.wrong;
  total.untestable += more.untestable;
}

/** Compares the answers about one rule set, packet by packet. `reports` explains every disagreement. */
export function compare(
  rules: KernelRules,
  packets: readonly TracePacket[],
  outcomes: readonly KernelOutcome[],
  answers: readonly NwauditAnswer[],
): { readonly tally: Tally; readonly reports: readonly string[] } {
  const tally = { ...EMPTY_TALLY, packets: packets.length };
  const reports: string[] = [];
  for (const [index, packet] of packets.entries()) {
    const outcome = outcomes[index]!;
    const answer = answers[index]!;
    const judgement = judge(outcome, answer);
    tally[judgement.kind]++;
    if (judgement.kind === 'wrong') reports.push(describe(packet, outcome, answer, judgement.why));
  }
  if (reports.length > 0) reports.push(describeRules(rules));
  return { tally, reports };
}

type Judgement =
  | { readonly kind: 'agree' | 'unknown' | 'untestable' }
  | { readonly kind: 'wrong'; readonly why: string };

function judge(outcome: KernelOutcome, answer: NwauditAnswer): Judgement {
  if (outcome.verdict === 'untestable' || outcome.verdict === 'strayed') return { kind: 'untestable' };
  if (answer.verdict === 'unknown') return { kind: 'unknown' };
  const accepted = outcome.verdict === 'accept';
  if (accepted !== (answer.verdict === 'accept')) return { kind: 'wrong', why: 'verdict' };
  // An answer seen on the wire is proof of a reject; silence is not proof of a drop (see KernelOutcome).
  if (outcome.verdict === 'reject' && !answer.mayReject) return { kind: 'wrong', why: 'reject, not drop' };
  if (!accepted) return { kind: 'agree' };
  if (answer.dport !== undefined && answer.dport !== outcome.dport)
    return { kind: 'wrong', why: 'delivered port' };
  if (answer.daddr !== undefined && answer.daddr !== outcome.daddr && outcome.daddr !== undefined) {
    return { kind: 'wrong', why: 'delivered address' };
  }
  return { kind: 'agree' };
}

function describe(packet: TracePacket, outcome: KernelOutcome, answer: NwauditAnswer, why: string): string {
  const { path, unknown, ...said } = answer;
  return [
    `WRONG (${why})`,
    `  packet  ${JSON.stringify(packet)}`,
    `  kernel  ${JSON.stringify(outcome)}`,
    `  nwaudit ${JSON.stringify(said)}${unknown.length === 0 ? '' : ` unknown: ${unknown.join('; ')}`}`,
    ...path.map((step) => `    ${step}`),
  ].join('\n');
}

function describeRules(rules: KernelRules): string {
  const parts = Object.entries(rules).map(([name, text]) => `---- ${name}\n${text}`);
  return parts.join('\n');
}
