/** Rules of firewalld's configuration behind rules that run. */
import type { ConfiguredElement, Rule, Verdict } from '../model/index.ts';
import type { Interval } from '../net/index.ts';
import type { ChangeContext, RulePlace } from './change.ts';
import type { HostContext } from './host-context.ts';
import { readTest, type TestedAddresses } from './read-test.ts';

/**
 * The rule that firewalld's files give for a rule that runs: in the chain of the same name, with the same test and verdict. `undefined` where the
 * host's files are not beside its running rules, where the running rule stands for an element itself, and where no file explains it.
 */
export function counterpartOf(context: HostContext, { chain, rule }: RulePlace): RulePlace | undefined {
  const { permanent } = context.input;
  if (permanent === undefined || rule.configured !== undefined) return undefined;
  const wanted = signatureOf(rule);
  if (wanted === undefined) return undefined;
  for (const table of permanent.tables) {
    for (const other of table.chains) {
      if (bareName(other.name) !== bareName(chain.name)) continue;
      const found = other.rules.find((one) => one.configured !== undefined && signatureOf(one) === wanted);
      if (found !== undefined) return { table, chain: other, rule: found };
    }
  }
  return undefined;
}

/** What is known beside the rule set about a rule that is to be changed. */
export function knownOf(context: HostContext, place: RulePlace | undefined): ChangeContext {
  if (place === undefined || place.rule.configured !== undefined || context.input.permanent === undefined)
    return {};
  const counterpart = counterpartOf(context, place);
  const isRuntimeOnly = counterpart === undefined && readTest(place.rule.matches) !== undefined;
  return { counterpart, isRuntimeOnly };
}

/** The element of firewalld's configuration that a rule stands for, read or found in the files of the host. */
export function elementOf(context: HostContext, place: RulePlace): ConfiguredElement | undefined {
  return place.rule.configured ?? counterpartOf(context, place)?.rule.configured;
}

/** All rules that the element of a rule makes in its chain. */
export function elementRules({ chain, rule }: RulePlace): readonly Rule[] {
  const { configured } = rule;
  if (configured === undefined) return [rule];
  return chain.rules.filter(
    ({ configured: other }) => other !== undefined && isSameElement(other, configured),
  );
}

/** Whether two rules come from one element, or from equal ones. */
export function isSameElement(a: ConfiguredElement, b: ConfiguredElement): boolean {
  return (
    a.element === b.element &&
    a.value === b.value &&
    a.holder.kind === b.holder.kind &&
    a.holder.name === b.holder.name
  );
}

/** firewalld's iptables backend leaves the table out of its chains' names. */
function bareName(chain: string): string {
  return chain.replace(/^(?:filter|nat|mangle)_/, '');
}

/** Test and verdict as one text; `undefined` where the test is not a plain one. */
function signatureOf(rule: Rule): string | undefined {
  const test = readTest(rule.matches);
  if (test === undefined) return undefined;
  const { version, protocol, sports, dports, saddr, daddr } = test;
  return [
    version,
    protocol,
    intervalsText(sports),
    intervalsText(dports),
    addressText(saddr),
    addressText(daddr),
    verdictText(rule.verdict),
  ].join(' ');
}

function intervalsText(list: readonly Interval[] | undefined): string {
  return list === undefined ? '-' : list.map(({ lo, hi }) => `${lo}-${hi}`).join();
}

function addressText(addresses: TestedAddresses | undefined): string {
  return addresses === undefined ? '-' : `${addresses.version}:${intervalsText(addresses.values)}`;
}

function verdictText(verdict: Verdict): string {
  if (verdict.kind !== 'nat') return verdict.kind;
  const { kind, addresses, ports } = verdict.nat;
  const list = [addresses, ports].map((one) => intervalsText(one === undefined ? undefined : [one]));
  return `${kind} ${list.join(' ')}`;
}
