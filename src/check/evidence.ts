import type {
  Certainty,
  Exposure,
  ExtentPart,
  FindingOrigin,
  RelatedOrigin,
  RemediationCommand,
  Witness,
} from '../finding/index.ts';
import type { Chain, Family, Origin, Rule, Table } from '../model/index.ts';
import type { Facts } from '../rulepack/index.ts';

/** What an evaluator found at one place. The runner makes a finding of it: sentence, severity and advice come from the check. */
export interface Evidence {
  readonly host: string | null;
  readonly hook: 'input' | 'forward' | 'output' | null;
  readonly origin: FindingOrigin | null;
  readonly related: readonly RelatedOrigin[];
  /** Named facts: what the message quotes and the severity depends on. */
  readonly facts: Facts;
  readonly certainty: Certainty;
  readonly unknowns: readonly string[];
  readonly exposure: Exposure | null;
  /** See `Finding.extent`. */
  readonly extent?: readonly ExtentPart[];
  readonly witness: Witness | null;
  readonly commands: readonly RemediationCommand[];
  /** Why there is no command, or what to look at before running one; see `Remediation.note`. */
  readonly note?: string;
  /** What makes it the same finding in the next run, besides check, host and hook: no lines, counters or handles. */
  readonly meaning: readonly string[];
}

/** Evidence with the parts that most evaluators leave empty. */
export function evidence(
  given: Pick<Evidence, 'host' | 'origin' | 'facts' | 'meaning'> & Partial<Evidence>,
): Evidence {
  return {
    hook: null,
    related: [],
    certainty: 'certain',
    unknowns: [],
    exposure: null,
    witness: null,
    commands: [],
    ...given,
  };
}

/** Place of a rule. */
export function ruleOrigin(table: Table, chain: Chain, rule: Rule): FindingOrigin {
  const handle = rule.handle === undefined ? {} : { handle: rule.handle };
  return {
    ...rule.origin,
    family: table.family,
    table: table.name,
    chain: chain.name,
    rule: rule.text,
    ...handle,
  };
}

/** Place of a chain policy. */
export function chainOrigin(table: Table, chain: Chain): FindingOrigin {
  return { ...chain.origin, family: table.family, table: table.name, chain: chain.name, rule: null };
}

/** A place that is no rule: a file, a line of the configuration. */
export function plainOrigin(origin: Origin, family: Family | null = null): FindingOrigin {
  return { ...origin, family, table: null, chain: null, rule: null };
}

/** The first character of a file, for what concerns it as a whole. */
export function fileOrigin(file: string, family: Family | null = null): FindingOrigin {
  return plainOrigin({ file, line: 1, column: 1, endLine: 1, endColumn: 1, path: null }, family);
}

/** Rule or policy as a person names it in a sentence. */
export function placeText(rule: Rule | undefined, chain: Chain): string {
  return rule === undefined
    ? `the policy of chain ${chain.name} (${chain.base?.chainPolicy.toUpperCase() ?? 'none'})`
    : `the rule "${rule.text}"`;
}
