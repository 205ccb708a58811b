import {
  type Condition,
  type FieldName,
  type Match,
  NEVER,
  type Rule,
  type Statement,
  type Verdict,
} from '../../model/index.ts';
import { type Interval, intervalsContain } from '../../net/index.ts';
import { all, not } from './conditions.ts';
import type { Option, Step } from './steps.ts';

/** One rule of the model. A rule of nft becomes several where its statements take effect before its last match. */
export type Piece = Pick<Rule, 'matches' | 'statements' | 'verdict'>;

/** More rules of the model than this are not made of one rule of nft. */
const MOST_PIECES = 70_000;

type Part =
  | { readonly kind: 'match'; readonly match: Match }
  | { readonly kind: 'effect'; readonly statement: Statement };

interface Sequence {
  readonly parts: readonly Part[];
  readonly verdict: Verdict;
}

const GO_ON: Verdict = { kind: 'continue' };

/**
 * The rules of the model that do what the steps of one rule of nft do. `elsewhere`: fields that other rules of the table
 * assign, which a jump may reach. At most `most` rules are made of a choice. Where the effects of a rule feed back into its own matches in a way that is not
 * modelled, one rule with an unknown verdict stands for it.
 */
export function assemble(
  steps: readonly Step[],
  text: string,
  elsewhere: ReadonlySet<FieldName>,
  most: number,
): readonly Piece[] {
  const sequences = unfold(steps, Math.min(MOST_PIECES, Math.max(most, 1)));
  if (sequences === undefined || feedsBack(sequences, elsewhere)) return [standIn(steps, text)];
  const seen = new Set<Statement>();
  const pieces: Piece[] = [];
  for (const sequence of sequences) {
    const some =
      inOrder(sequence, seen) ?? (sequences.length === 1 ? bySubstitution(sequence, elsewhere) : undefined);
    if (some === undefined) return [standIn(steps, text)];
    for (const piece of some) pieces.push(piece);
  }
  const alive = pieces.filter((p) => !p.matches.some((m) => m.condition === NEVER));
  // A rule that never matches keeps its place.
  return alive.length > 0
    ? alive
    : pieces.length > 0
      ? [pieces[pieces.length - 1]!]
      : [{ matches: [{ text, condition: NEVER }], statements: [], verdict: GO_ON }];
}

/** One sequence for each way through the choices. `undefined` when there are too many, or statements follow a verdict. */
function unfold(steps: readonly Step[], most: number): readonly Sequence[] | undefined {
  let open: Part[][] = [[]];
  const done: Sequence[] = [];
  for (const step of steps) {
    // nft refuses statements after a verdict.
    if (
      done.length > 0 &&
      (step.kind !== 'effect' || step.statement.kind !== 'no-effect') &&
      open.length === 0
    )
      return undefined;
    switch (step.kind) {
      case 'match':
        for (const parts of open) parts.push({ kind: 'match', match: step.match });
        break;
      case 'effect':
        for (const parts of open) parts.push({ kind: 'effect', statement: step.statement });
        break;
      case 'end':
        for (const parts of open) done.push({ parts, verdict: step.verdict });
        open = [];
        break;
      case 'choose': {
        if (open.length * step.options.length > most) return undefined;
        const next: Part[][] = [];
        for (const parts of open) for (const option of step.options) takeOption(parts, option, next, done);
        open = next;
        break;
      }
    }
  }
  for (const parts of open) done.push({ parts, verdict: GO_ON });
  return done;
}

function takeOption(parts: readonly Part[], option: Option, open: Part[][], done: Sequence[]): void {
  const taken: Part[] = [
    ...parts,
    { kind: 'match', match: { text: option.text, condition: option.condition } },
    ...option.effects.map((statement): Part => ({ kind: 'effect', statement })),
  ];
  if (option.verdict === undefined) open.push(taken);
  else done.push({ parts: taken, verdict: option.verdict });
}

function assignedFields(statement: Statement): readonly FieldName[] {
  switch (statement.kind) {
    case 'set-field':
    case 'copy-field':
    case 'unknown-field':
      return [statement.field];
    case 'notrack':
      return ['ct-state'];
    case 'hand-over':
    case 'no-effect':
      return [];
  }
}

/** Fields that a statement assigns. */
export function fieldsAssignedBy(steps: readonly Step[]): readonly FieldName[] {
  return steps.flatMap((step) =>
    step.kind === 'effect'
      ? assignedFields(step.statement)
      : step.kind === 'choose'
        ? step.options.flatMap((o) => o.effects.flatMap(assignedFields))
        : [],
  );
}

function readFields(condition: Condition, out: Set<string>): void {
  switch (condition.kind) {
    case 'all':
    case 'any':
      for (const part of condition.of) readFields(part, out);
      return;
    case 'not':
      readFields(condition.of, out);
      return;
    case 'field':
    case 'address':
    case 'address-type':
      out.add(condition.field);
      return;
    default:
      // Unknown predicates keep their truth, whatever is assigned.
      return;
  }
}

function isVarying(condition: Condition): boolean {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.some(isVarying);
    case 'not':
      return isVarying(condition.of);
    case 'unknown':
      return condition.nature === 'varying';
    default:
      return false;
  }
}

function mayReturn(verdict: Verdict): boolean {
  return verdict.kind === 'continue' || verdict.kind === 'jump' || verdict.kind === 'unknown';
}

/** Whether what one branch assigns could make a later branch of the same rule match, although the rule has had its turn. */
function feedsBack(sequences: readonly Sequence[], elsewhere: ReadonlySet<FieldName>): boolean {
  if (sequences.length < 2) return false;
  const assigned = new Set<string>();
  const read = new Set<string>();
  for (const { parts, verdict } of sequences) {
    for (const part of parts) {
      if (part.kind === 'match') readFields(part.match.condition, read);
      else if (mayReturn(verdict)) for (const field of assignedFields(part.statement)) assigned.add(field);
    }
    if (verdict.kind === 'jump') for (const field of elsewhere) assigned.add(field);
  }
  for (const field of assigned) if (read.has(field)) return true;
  return false;
}

/**
 * A rule for each run of effects, then one with the verdict. Exact where no effect changes what an earlier match of the rule
 * sees, since those are asked again. `seen` holds effects that an earlier branch of the same rule has produced.
 */
function inOrder({ parts, verdict }: Sequence, seen: Set<Statement>): readonly Piece[] | undefined {
  const pieces: Piece[] = [];
  const matches: Match[] = [];
  let pending: Statement[] = [];
  const read = new Set<string>();
  let varying = false;
  for (const part of parts) {
    if (part.kind === 'effect') {
      pending.push(part.statement);
      continue;
    }
    const effective = pending.filter((s) => s.kind !== 'no-effect');
    if (effective.length > 0) {
      if (varying || effective.some((s) => assignedFields(s).some((field) => read.has(field))))
        return undefined;
      const fresh = effective.filter((s) => !seen.has(s));
      for (const statement of fresh) seen.add(statement);
      if (fresh.length > 0) pieces.push({ matches: [...matches], statements: fresh, verdict: GO_ON });
      pending = pending.filter((s) => s.kind === 'no-effect');
    }
    if (part.match.condition.kind === 'all' && part.match.condition.of.length === 0 && part.match.text === '')
      continue;
    matches.push(part.match);
    readFields(part.match.condition, read);
    varying ||= isVarying(part.match.condition);
  }
  return [...pieces, { matches, statements: pending, verdict }];
}

/** Two rules, split by what the second half matches once the effects of the first have happened. */
function bySubstitution(
  { parts, verdict }: Sequence,
  elsewhere: ReadonlySet<FieldName>,
): readonly Piece[] | undefined {
  const first: Match[] = [];
  const effects: Statement[] = [];
  const second: Match[] = [];
  const last: Statement[] = [];
  for (const part of parts) {
    if (part.kind === 'effect') (second.length === 0 ? effects : last).push(part.statement);
    else if (effects.length === 0) first.push(part.match);
    else if (last.some((s) => s.kind !== 'no-effect')) return undefined;
    else second.push(part.match);
  }
  const changed = second.map(({ text, condition }) => ({
    text,
    condition: substituteAll(condition, effects),
  }));
  if (changed.some((m) => m.condition === undefined || isVarying(m.condition))) return undefined;
  // Filtered above.
  const before = changed as readonly Match[];
  if (mayReturn(verdict)) {
    if (verdict.kind === 'jump' && elsewhere.size > 0) return undefined;
    const again = substituteAll(all(...first.map((m) => m.condition)), [...effects, ...last]);
    if (again === undefined || !isNever(again)) return undefined;
  }
  const whole: Piece = { matches: [...first, ...before], statements: [...effects, ...last], verdict };
  const rest = not(all(...before.map((m) => m.condition)));
  if (rest === NEVER) return [whole];
  return [whole, { matches: [...first, { text: '', condition: rest }], statements: effects, verdict: GO_ON }];
}

function isNever(condition: Condition): boolean {
  switch (condition.kind) {
    case 'any':
      return condition.of.every(isNever);
    case 'all':
      return condition.of.some(isNever);
    default:
      return false;
  }
}

function substituteAll(condition: Condition, effects: readonly Statement[]): Condition | undefined {
  let result: Condition | undefined = condition;
  // The last assignment is undone first.
  for (const statement of [...effects].reverse())
    result = result === undefined ? undefined : substitute(result, statement);
  return result;
}

/** The condition on the packet before a statement that equals `condition` after it; `undefined` when it cannot be said. */
function substitute(condition: Condition, statement: Statement): Condition | undefined {
  const read = new Set<string>();
  readFields(condition, read);
  if (!assignedFields(statement).some((field) => read.has(field))) return condition;
  switch (condition.kind) {
    case 'all':
    case 'any': {
      const parts = condition.of.map((part) => substitute(part, statement));
      // Checked by the first alternative.
      return parts.includes(undefined)
        ? undefined
        : { kind: condition.kind, of: parts as readonly Condition[] };
    }
    case 'not': {
      const inner = substitute(condition.of, statement);
      return inner === undefined ? undefined : not(inner);
    }
    case 'field':
    case 'address': {
      if (statement.kind !== 'set-field') return undefined;
      const mask = condition.mask;
      const kept = mask === undefined ? statement.and : statement.and & mask;
      if (kept !== 0n) return undefined;
      const value = mask === undefined ? statement.xor : statement.xor & mask;
      return constant(condition.values, value);
    }
    default:
      return undefined;
  }
}

function constant(values: readonly Interval[], value: bigint): Condition {
  return intervalsContain(values, value) ? { kind: 'all', of: [] } : { kind: 'any', of: [] };
}

/** One rule for a rule whose parts cannot be told apart: whatever it may assign is unknown, and so is the verdict. */
function standIn(steps: readonly Step[], text: string): Piece {
  const matches: Match[] = [];
  for (const step of steps) {
    if (step.kind === 'effect' && step.statement.kind !== 'no-effect') break;
    if (step.kind === 'choose' || step.kind === 'end') break;
    if (step.kind === 'match') matches.push(step.match);
  }
  const fields = [...new Set(fieldsAssignedBy(steps))].filter((field) => field !== 'ct-state');
  return {
    matches,
    statements: fields.map((field) => ({ kind: 'unknown-field', field, text })),
    verdict: { kind: 'unknown', text },
  };
}
