import type { Condition, Match, Statement, Verdict } from '../../model/index.ts';
import type { IpVersion } from '../../net/index.ts';

/** A value that cannot be read: the rule becomes unknown as a whole. */
export interface Problem {
  readonly kind: 'problem';
  readonly detail: string;
}

/** Builds a `Problem`. */
export function problem(detail: string): Problem {
  return { kind: 'problem', detail };
}

/** What converters may know about the rule they work on. */
export interface RuleContext {
  readonly version: IpVersion;
  /** The one protocol that `-p` asks for; `undefined` without `-p`, and for `all` or a negated one. */
  readonly protocol: number | undefined;
  readonly table: string;
  readonly chain: string;
  /** Says something once per file and `key`; `incomplete` is false, the matter is modelled as an unknown. */
  readonly remark: (
    key: string,
    kind: 'unsupported' | 'unresolved-reference' | 'note',
    detail: string,
  ) => void;
}

/** Value of one option, negation not applied. `unknown` texts are canonical, so equal tests share a predicate. */
export type OptionConverter = (use: OptionUse, context: RuleContext) => Condition | Problem;

/** One option of a match or target module. */
export interface OptionSpec {
  /** All spellings with their dashes, the one that iptables-save prints first. */
  readonly names: readonly string[];
  /** Number of arguments; `optional`: one if the next word is no option; `rest`: all words up to the next option. */
  readonly arity: 0 | 1 | 2 | 'optional' | 'rest';
  readonly negatable: boolean;
  /** May be given several times. */
  readonly repeats: boolean;
  /** Absent: an option that the module's own converter reads, or one that is kept as an unknown condition. */
  readonly convert: OptionConverter | undefined;
}

/** One use of an option in a rule. */
export interface OptionUse {
  readonly spec: OptionSpec;
  /** `spec.names[0]`. */
  readonly name: string;
  readonly negated: boolean;
  readonly args: readonly string[];
  /** As the author wrote it, negation included. */
  readonly source: string;
}

/** One `-m NAME` with the options that follow it, or a module that an option or protocol brought in. */
export interface ModuleUse {
  readonly name: string;
  readonly spec: MatchModule | undefined;
  /** It was named with `-m`. */
  readonly explicit: boolean;
  readonly options: readonly OptionUse[];
}

/** How a match module is turned into conditions. */
export type MatchMeaning =
  /** Each option by its own converter; options without one become unknown conditions of this nature. */
  | { readonly kind: 'by-option'; readonly nature: 'deterministic' | 'varying' }
  /** The module with all its options is one unknown condition. */
  | { readonly kind: 'opaque'; readonly nature: 'deterministic' | 'varying' }
  /** Options depend on each other. */
  | {
      readonly kind: 'whole';
      readonly convert: (use: ModuleUse, context: RuleContext) => readonly Match[] | Problem;
    };

/** A match extension: `-m NAME`. */
export interface MatchModule {
  readonly name: string;
  /** The protocol that the module tests (its options are of no use without `-p` naming it). */
  readonly protocol: number | undefined;
  readonly meaning: MatchMeaning;
  readonly options: readonly OptionSpec[];
}

/** A target's use in a rule. */
export interface TargetUse {
  readonly name: string;
  readonly options: readonly OptionUse[];
  /** The target with its options, as the author wrote it. */
  readonly text: string;
}

/** What a target does. */
export interface Outcome {
  readonly kind: 'outcome';
  readonly statements: readonly Statement[];
  readonly verdict: Verdict;
}

/** A target extension: `-j NAME`. */
export interface TargetSpec {
  readonly name: string;
  /** One line for the coverage list. */
  readonly summary: string;
  readonly options: readonly OptionSpec[];
  readonly convert: (use: TargetUse, context: RuleContext) => Outcome | Problem;
}

/** An option specification: names separated by blanks, the canonical one first; `!` in `flags` negatable, `+` repeatable. */
export function option(
  names: string,
  arity: OptionSpec['arity'],
  flags: '' | '!' | '+' | '!+' = '',
  convert?: OptionConverter,
): OptionSpec {
  return {
    names: names.split(' '),
    arity,
    negatable: flags.includes('!'),
    repeats: flags.includes('+'),
    convert,
  };
}
