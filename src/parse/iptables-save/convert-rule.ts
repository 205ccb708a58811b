import { ALWAYS, type Condition, type Match, negateIf, type Rule, type Verdict } from '../../model/index.ts';
import { quote } from '../diagnostic-log.ts';
import { canonicalText, withinProtocol } from './conditions.ts';
import type { Jump, RuleSyntax } from './rule-syntax.ts';
import type { ModuleUse, Outcome, Problem, RuleContext } from './spec.ts';
import { matchText, moduleText, opaqueMatch } from './whole-modules.ts';

/** What a rule line means; the builder adds text, place and number. */
export interface RuleMeaning {
  readonly kind: 'meaning';
  readonly matches: readonly Match[];
  readonly statements: Rule['statements'];
  readonly verdict: Verdict;
  readonly comment: string | undefined;
  /** What the matches do to the packet when they are asked, whether or not the rule matches. */
  readonly sideEffects: Rule['statements'];
  /** How many kernel rules the line makes: `-s a,b -d c,d` makes four. */
  readonly span: number;
}

/** Converts one rule line, or says why it cannot be read. */
export function convertRule(syntax: RuleSyntax, context: RuleContext): RuleMeaning | Problem {
  const matches: Match[] = [];
  const comments: string[] = [];
  let span = 1;
  for (const use of syntax.basics) {
    const condition = use.spec.convert!(use, context);
    if (condition.kind === 'problem') return condition;
    matches.push({ text: use.source, condition: negateIf(use.negated, condition) });
    if (use.name === '-s' || use.name === '-d') span *= use.args[0]!.split(',').length;
  }
  for (const use of syntax.modules) {
    const comment = use.name === 'comment' ? use.options[0]?.args[0] : undefined;
    if (comment !== undefined) {
      comments.push(comment);
      continue;
    }
    const converted = convertModule(use, context);
    if ('kind' in converted) return converted;
    matches.push(...converted);
  }
  const done = convertJump(syntax.jump, context);
  if (done.kind === 'problem') return done;
  const comment = comments.length === 0 ? undefined : comments.join('; ');
  return {
    kind: 'meaning',
    matches,
    statements: done.statements,
    verdict: done.verdict,
    comment,
    sideEffects: syntax.modules.some(restoresMark)
      ? [{ kind: 'unknown-field', field: 'mark', text: '-m socket --restore-skmark' }]
      : [],
    span,
  };
}

/** The packet gets the mark of its socket. Source: linux net/netfilter/xt_socket.c, socket_match. */
function restoresMark(use: ModuleUse): boolean {
  return use.name === 'socket' && use.options.some((o) => o.name === '--restore-skmark');
}

/** Marks are what targets that are not known most often change. */
function marksChanged(text: string): Rule['statements'] {
  return [
    { kind: 'unknown-field', field: 'mark', text },
    { kind: 'unknown-field', field: 'ct-mark', text },
  ];
}

function convertModule(use: ModuleUse, context: RuleContext): readonly Match[] | Problem {
  const { spec } = use;
  if (spec === undefined) return [unknownModule(use, context)];
  const { meaning } = spec;
  if (meaning.kind === 'opaque') return [opaqueMatch(use, meaning.nature)];
  if (meaning.kind === 'whole') return meaning.convert(use, context);
  if (use.options.length === 0) {
    const condition = withinProtocol(spec.protocol, { ...NO_USE }, ALWAYS, context);
    return condition === ALWAYS ? [] : [{ text: moduleText(use), condition }];
  }
  const matches: Match[] = [];
  for (const o of use.options) {
    const condition: Condition | Problem = o.spec.convert?.(o, context) ?? {
      kind: 'unknown',
      nature: meaning.nature,
      text: canonicalText(spec.name, o),
    };
    if (condition.kind === 'problem') return condition;
    const protocol = spec.name === 'ecn' && o.name !== '--ecn-ip-ect' ? 6 : spec.protocol;
    matches.push({ text: matchText(use, o), condition: withinProtocol(protocol, o, condition, context) });
  }
  return matches;
}

const NO_USE = {
  spec: { names: [], arity: 0, negatable: false, repeats: false, convert: undefined },
  name: '',
  negated: false,
  args: [],
  source: '',
} as const;

/** A module or option that is in no table: one unknown condition with its text. */
function unknownModule(use: ModuleUse, context: RuleContext): Match {
  const what =
    use.name === ''
      ? `the option ${quote(use.options[0]?.name ?? '')}`
      : `the match ${quote(`-m ${use.name}`)}`;
  context.remark(
    `unknown ${use.name} ${use.name === '' ? (use.options[0]?.name ?? '') : ''}`,
    'unsupported',
    `${what} is not known; it is kept as an unknown condition`,
  );
  const match = opaqueMatch(use, 'deterministic');
  if (use.name !== '') return match;
  const o = use.options[0]!;
  const text = canonicalText('', o).replace(/^-m {2}/, '');
  return {
    text: match.text,
    condition: negateIf(o.negated, { kind: 'unknown', nature: 'deterministic', text }),
  };
}

function convertJump(jump: Jump | undefined, context: RuleContext): Outcome | Problem {
  if (jump === undefined) return { kind: 'outcome', statements: [], verdict: { kind: 'continue' } };
  if (jump.spec !== undefined) return jump.spec.convert(jump, context);
  if (jump.options.length > 0) {
    context.remark(
      `target ${jump.name}`,
      'unsupported',
      `the target ${quote(jump.name)} is not known; it may accept, drop or go on`,
    );
    return {
      kind: 'outcome',
      statements: marksChanged(jump.text),
      verdict: { kind: 'unknown', text: jump.text },
    };
  }
  return { kind: 'outcome', statements: [], verdict: { kind: jump.kind, chain: jump.name } };
}
