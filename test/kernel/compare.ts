import type { NwauditAnswer, Said } from './ask-nwaudit.ts';
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

/** One packet about which the kernel, the packet sets and the plain evaluator are not of one mind. */
export interface Disagreement {
  /** Index of the packet. */
  readonly index: number;
  /**
   * Who differs from whom, and in what: equal texts are the same kind of disagreement. A misreading that both evaluators
   * share differs from the kernel in both, one that only one of them makes is told by that one's name.
   */
  readonly kind: string;
  /** For people, over several lines. */
  readonly report: string;
}

/** Compares the answers about one rule set, packet by packet. */
export function compareAnswers(
  packets: readonly TracePacket[],
  outcomes: readonly KernelOutcome[],
  answers: readonly NwauditAnswer[],
): { readonly tally: Tally; readonly disagreements: readonly Disagreement[] } {
  const tally = { ...EMPTY_TALLY, packets: packets.length };
  const disagreements: Disagreement[] = [];
  for (const [index, packet] of packets.entries()) {
    const outcome = outcomes[index]!;
    const answer = answers[index]!;
    const judgement = judge(outcome, answer);
    tally[judgement.kind]++;
    if (judgement.kind !== 'wrong') continue;
    const { why } = judgement;
    disagreements.push({ index, kind: why, report: describe(packet, outcome, answer, why) });
  }
  return { tally, disagreements };
}

/** `compareAnswers` with texts: `reports` explains every disagreement, and then the rules. */
export function compare(
  rules: KernelRules,
  packets: readonly TracePacket[],
  outcomes: readonly KernelOutcome[],
  answers: readonly NwauditAnswer[],
): { readonly tally: Tally; readonly reports: readonly string[] } {
  const { tally, disagreements } = compareAnswers(packets, outcomes, answers);
  const reports = disagreements.map(({ report }) => report);
  if (reports.length > 0) reports.push(describeRules(rules));
  return { tally, reports };
}

/**
 * Answers that hang on something else than the IP version that nft does not print (src/parse/nft-json/hidden-version.ts): that one
 * makes rules unknown which the kernel knows well.
 */
export function undecidedOtherwise(answers: readonly NwauditAnswer[]): readonly NwauditAnswer[] {
  return answers.filter(
    ({ sets, walk, unknown }) =>
      (sets?.verdict === 'unknown' || walk?.verdict === 'unknown') &&
      !(unknown.length > 0 && unknown.every((text) => / is meant for IPv[46]$/.test(text))),
  );
}

type Judgement =
  | { readonly kind: 'agree' | 'unknown' | 'untestable' }
  | { readonly kind: 'wrong'; readonly why: string };

function judge(outcome: KernelOutcome, answer: NwauditAnswer): Judgement {
  const tested = outcome.verdict !== 'untestable' && outcome.verdict !== 'strayed';
  const problems: string[] = [];
  if (answer.differ) problems.push('packet sets and plain evaluator differ');
  let silent = answer.sets === undefined && answer.walk === undefined;
  for (const [who, said] of [
    ['packet sets', answer.sets],
    ['plain evaluator', answer.walk],
  ] as const) {
    if (said === undefined) continue;
    if (said.verdict === 'unknown') silent = true;
    const why = tested ? differs(outcome, said, answer.mayReject) : undefined;
    if (why !== undefined) problems.push(`${who} and kernel differ in the ${why}`);
  }
  if (problems.length > 0) return { kind: 'wrong', why: problems.join('; ') };
  if (!tested) return { kind: 'untestable' };
  return { kind: silent ? 'unknown' : 'agree' };
}

/** In what a claim is refuted by what the kernel did; `undefined` where it is not. */
function differs(outcome: KernelOutcome, said: Said, mayReject: boolean): string | undefined {
  if (said.verdict === 'unknown') return undefined;
  const accepted = outcome.verdict === 'accept';
  if (accepted !== (said.verdict === 'accept')) return 'verdict';
  // An answer seen on the wire is proof of a reject; silence is not proof of a drop (see KernelOutcome).
  if (outcome.verdict === 'reject' && !mayReject) return 'kind of stop (reject, not drop)';
  if (!accepted) return undefined;
  if (said.dport !== undefined && said.dport !== outcome.dport) return 'delivered port';
  if (said.daddr !== undefined && said.daddr !== outcome.daddr && outcome.daddr !== undefined)
    return 'delivered address';
  return undefined;
}

function describe(packet: TracePacket, outcome: KernelOutcome, answer: NwauditAnswer, why: string): string {
  const { path, unknown, sets, walk } = answer;
  const none = 'no answer, over its limit';
  return [
    `WRONG (${why})`,
    `  packet           ${JSON.stringify(packet)}`,
    `  kernel           ${JSON.stringify(outcome)}`,
    `  packet sets      ${sets === undefined ? none : JSON.stringify(sets)}`,
    `  plain evaluator  ${walk === undefined ? none : JSON.stringify(walk)}${unknown.length === 0 ? '' : ` unknown: ${unknown.join('; ')}`}`,
    ...path.map((step) => `    ${step}`),
  ].join('\n');
}

function describeRules(rules: KernelRules): string {
  const parts = Object.entries(rules).map(([name, text]) => `---- ${name}\n${text}`);
  return parts.join('\n');
}
