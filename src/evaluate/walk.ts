import { CT_STATE, type PathStep, type Statement } from '../model/index.ts';
import { type Answer, isCtState } from './condition.ts';
import { anything, newUnknown, trackConnection, translate } from './nat.ts';
import { type PreparedRule, policyStep, ruleStep, type Stage } from './prepare.ts';
import {
  answer,
  type Context,
  copyState,
  type Frame,
  fieldValue,
  fieldWidth,
  NO_ANSWERS,
  type Question,
  type State,
  UNTOLD_TTL,
  withField,
} from './state.ts';
import { loseHop } from './time-to-live.ts';
import { assignBits, exclusiveOr } from './unknown-value.ts';

/** One step of a walk. `sure` is false for a rule of which it is not known whether it matches. */
export interface WalkStep {
  readonly step: PathStep;
  /** `undefined` for a chain policy. */
  readonly rule: PreparedRule | undefined;
  readonly sure: boolean;
}

/** How a walk comes to a stop: at the end of the way, or where it depends on something that is not known. */
export type Halt =
  | { readonly kind: 'ended'; readonly verdict: 'accept' | 'drop' | 'reject' }
  /** The evaluation has looked at more rules than it may. */
  | { readonly kind: 'exhausted' }
  /** The walk goes on from each of these states, the one in which nothing unknown matches first. */
  | { readonly kind: 'fork'; readonly text: string; readonly states: readonly State[] };

/**
 * Chains may be nested this deep, base chain included; what a deeper jump does is unknown. No real export comes near it:
 * iptables-nft refuses more than 15 below a base chain, iptables-legacy loads and follows 40 and sets no limit
 * (both seen on Linux 6.18 with iptables 1.8.9).
 */
export const MAX_JUMP_DEPTH = 1500;

type ChainStage = Stage & { readonly kind: 'chain' };

/** Walks on from `state`, changing it, rule by rule, until the walk halts. Steps are added to `steps`. */
export function walk(state: State, context: Context, steps: WalkStep[]): Halt {
  for (;;) {
    if (state.ending !== undefined) return { kind: 'ended', verdict: state.ending };
    const stage = context.way.stages[state.stage];
    if (stage === undefined) return { kind: 'ended', verdict: 'accept' };
    if (stage.kind === 'conntrack') {
      trackConnection(state, context.packet);
      state.stage++;
      continue;
    }
    if (stage.kind === 'routing') {
      const question = loseHop(state, context);
      if (question !== undefined) return forkByQuestion(state, context, question);
      state.stage++;
      continue;
    }
    if (state.frames.length === 0) {
      if (!runs(stage, state, context)) {
        state.stage++;
        continue;
      }
      state.frames.push({ chain: stage.chain, next: 0 });
    }
    const fork = walkRule(stage, state, context, steps);
    if (fork !== undefined) return fork;
    if (--context.stepsLeft < 0) return { kind: 'exhausted' };
  }
}

/** Whether a base chain sees the packet. A nat chain sees the first packet of a connection, until one translates it. */
function runs(stage: ChainStage, state: State, context: Context): boolean {
  if (stage.base.type !== 'nat') return true;
  if (!context.way.tracksConnections || state.translatedIn === stage.hook) return false;
  return isCtState(state.header, 'new');
}

/** Does what the next rule of the current chain says. The result is a halt where the walk cannot go on alone. */
function walkRule(stage: ChainStage, state: State, context: Context, steps: WalkStep[]): Halt | undefined {
  const frame = state.frames[state.frames.length - 1]!;
  const rule = frame.chain.rules[frame.next];
  if (rule === undefined) {
    leaveChain(stage, state, steps);
    return undefined;
  }
  const matches: Answer = rule.matches(state, context);
  if (matches === true) return applyRule(rule, frame, { stage, state, context, steps });
  if (matches !== false) {
    steps.push({ step: ruleStep(frame.chain, rule.rule, stage.hook, 'unknown'), rule, sure: false });
    if (!rule.inert) return forkByQuestion(state, context, matches);
  }
  goOn(state, frame);
  return undefined;
}

function goOn(state: State, frame: Frame): void {
  frame.next++;
  state.local = NO_ANSWERS;
}

/** Ends the current chain: back to the caller, or for a base chain to its policy. */
function leaveChain(stage: ChainStage, state: State, steps: WalkStep[]): void {
  state.frames.pop();
  if (state.frames.length > 0) return;
  steps.push({ step: policyStep(stage.chain, stage.base), rule: undefined, sure: true });
  if (stage.base.chainPolicy === 'drop') state.ending = 'drop';
  else leaveBaseChain(state);
}

function leaveBaseChain(state: State): void {
  state.frames = [];
  state.local = NO_ANSWERS;
  state.stage++;
}

function forkByQuestion(state: State, context: Context, question: Question): Halt {
  const states = [question.failsWhen, !question.failsWhen].flatMap((value) => {
    const next = answer(state, context, question, value);
    return next === undefined ? [] : [next];
  });
  return { kind: 'fork', text: question.text, states };
}

/** Where a rule is being applied. */
interface Place {
  readonly stage: ChainStage;
  readonly state: State;
  readonly context: Context;
  readonly steps: WalkStep[];
}

/** Executes a rule that matches. */
function applyRule(prepared: PreparedRule, frame: Frame, place: Place): Halt | undefined {
  const { stage, state, context, steps } = place;
  const { rule } = prepared;
  const { verdict } = rule;
  for (const statement of rule.statements) execute(statement, state, context);
  goOn(state, frame);
  const record = (text: string) =>
    steps.push({ step: ruleStep(frame.chain, rule, stage.hook, text), rule: prepared, sure: true });
  switch (verdict.kind) {
    case 'continue':
      record('continue');
      return undefined;
    case 'accept':
      record('accept');
      leaveBaseChain(state);
      return undefined;
    case 'drop':
    case 'reject':
      record(verdict.kind);
      state.ending = verdict.kind;
      return undefined;
    case 'return':
      record('return');
      frame.next = frame.chain.rules.length;
      return undefined;
    case 'jump':
    case 'goto': {
      const problem = jumpProblem(state, prepared);
      record(problem === undefined ? `${verdict.kind} ${verdict.chain}` : 'unknown');
      if (problem !== undefined || prepared.target === undefined)
        return forkFreely(state, problem ?? rule.text);
      // After a goto the caller has nothing left to do: its end comes next, for a base chain its policy.
      if (verdict.kind === 'goto') frame.next = frame.chain.rules.length;
      state.frames.push({ chain: prepared.target, next: 0 });
      return undefined;
    }
    case 'nat':
      record(verdict.nat.kind);
      return applyNat(prepared, place);
    case 'queue':
      record('queue');
      return { kind: 'fork', text: verdict.text, states: [accepted(state), dropped(state)] };
    case 'unknown':
      record('unknown');
      return forkFreely(state, verdict.text);
    default:
      return assertNever(verdict);
  }
}

function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}

/** Why a jump cannot be followed; `undefined` when it can. */
function jumpProblem(state: State, { target, problem }: PreparedRule): string | undefined {
  if (problem !== undefined || target === undefined) return problem;
  return state.frames.length >= MAX_JUMP_DEPTH ? `jumps nested too deep at ${target.chain.name}` : undefined;
}

/** The walk goes on with the next rule, or ends the base chain, or the packet is dropped or rejected. */
function forkFreely(state: State, text: string): Halt {
  const states = [copyState(state), accepted(state), dropped(state), rejected(state)];
  return { kind: 'fork', text, states };
}

function accepted(state: State): State {
  const next = copyState(state);
  leaveBaseChain(next);
  return next;
}

function dropped(state: State): State {
  return { ...copyState(state), ending: 'drop' };
}

function rejected(state: State): State {
  return { ...copyState(state), ending: 'reject' };
}

/**
 * A translation ends the base chain and the hook's other nat chains. Outside nat chains, where no kernel loads it,
 * what the rule does is unknown.
 */
function applyNat(prepared: PreparedRule, { stage, state, context }: Place): Halt | undefined {
  const { rule } = prepared;
  if (rule.verdict.kind !== 'nat') return undefined;
  const { nat } = rule.verdict;
  if (stage.base.type !== 'nat') return forkFreely(state, rule.text);
  // The address of one IP version says nothing about a packet of the other: the rule does not apply to it.
  if (nat.addresses !== undefined && nat.version !== undefined && nat.version !== context.packet.version) {
    return undefined;
  }
  const states = translate(state, context, nat);
  for (const next of states) {
    leaveBaseChain(next);
    next.translatedIn = stage.hook;
  }
  return states.length > 1 ? { kind: 'fork', text: rule.text, states } : undefined;
}

function execute(statement: Statement, state: State, context: Context): void {
  switch (statement.kind) {
    case 'no-effect':
      return;
    case 'notrack':
      // At once, not only after connection tracking: seen on Linux 6.18 with `-m conntrack` after `-j CT --notrack`.
      // Behind connection tracking it still has one for packets that belong to no connection (linux nft_ct.c `nft_notrack_eval`).
      if (isTracked(state, context) && !isCtState(state.header, 'invalid')) return;
      state.header = withField(state.header, 'ct-state', BigInt(CT_STATE.untracked));
      return;
    case 'set-field': {
      if (statement.field === 'ct-mark' && !hasConnection(state)) return;
      const value = fieldValue(state.header, statement.field);
      const assigned = assignBits(value, statement.and, statement.xor);
      state.header = withField(state.header, statement.field, assigned);
      return;
    }
    case 'copy-field': {
      const ofConnection = statement.field === 'ct-mark' || statement.from === 'ct-mark';
      if (ofConnection && !hasConnection(state)) return;
      const kept = assignBits(fieldValue(state.header, statement.field), statement.and, 0n);
      const copied = assignBits(fieldValue(state.header, statement.from), statement.fromMask, 0n);
      state.header = withField(state.header, statement.field, exclusiveOr(kept, copied));
      return;
    }
    case 'unknown-field': {
      if (statement.field === 'ct-mark' && !hasConnection(state)) return;
      const width = fieldWidth(statement.field, context.packet.version);
      const range = statement.field === 'ttl' ? UNTOLD_TTL : anything(width);
      const value = newUnknown(state, context, width, range);
      state.header = withField(state.header, statement.field, value);
      return;
    }
    case 'hand-over':
      state.handedPort =
        statement.port === 'own'
          ? fieldValue(state.header, 'dport')
          : statement.port === undefined
            ? newUnknown(state, context, 16, anything(16))
            : BigInt(statement.port);
      return;
    default:
      assertNever(statement);
  }
}

/** Whether connection tracking has already seen the packet. */
function isTracked(state: State, context: Context): boolean {
  return context.way.stages.slice(0, state.stage).some((stage) => stage.kind === 'conntrack');
}

function hasConnection(state: State): boolean {
  return !isCtState(state.header, 'invalid', 'untracked');
}
