import { normalizeRuleText } from '../../finding/index.ts';
import type { BlockingPlace, CoverQuality } from '../blockers.ts';
import { NO_ADVICE } from '../change.ts';
import { type DeadElements, deadElements } from '../dead-element.ts';
import { type DeadRule, deadRules } from '../dead-rule.ts';
import { listed } from '../describe.ts';
import { chainOrigin, evidence, ruleOrigin } from '../evidence.ts';
import type { HostContext } from '../host-context.ts';
import { deleteRule } from '../remediation.ts';
import { choiceOption, type Evaluator } from './evaluator.ts';

const KINDS: readonly DeadRule['kind'][] = ['unmatchable', 'shadowed', 'redundant'];
const LABEL: Readonly<Record<DeadRule['kind'], string>> = {
  unmatchable: '',
  shadowed: 'takes these packets first',
  redundant: 'gives the same verdict anyway',
};

/** Rules that decide nothing, and elements of lists in other rules that decide nothing; the option `kind` says why. */
export const deadRule: Evaluator = {
  scope: 'host',
  *run(context, options) {
    const kind = choiceOption(options, 'kind', KINDS);
    for (const dead of deadRules(context)) {
      if (dead.kind !== kind) continue;
      const { table, chain, rule, because } = dead;
      yield evidence({
        host: context.host.name,
        hook: dead.hook,
        origin: ruleOrigin(table, chain, rule),
        related: because.slice(0, 8).map((b) => ({ origin: originOf(b), label: LABEL[kind] })),
        facts: {
          host: context.host.name,
          rule: rule.text,
          chain: chain.name,
          part: false,
          differs: dead.differs,
          because: becauseText(dead),
          several: because.length > 1,
          reason: dead.reason ?? '',
        },
        // All parts of a rule that was taken apart are dead together.
        ...(dead.differs ? NO_ADVICE : deleteRule({ table, chain, rule }, true)),
        meaning: [table.family, table.name, chain.name, normalizeRuleText(rule.text)],
      });
    }
    if (kind === 'unmatchable') return;
    for (const dead of deadElements(context)) if (dead.kind === kind) yield elementEvidence(context, dead);
  },
};

/** One finding for all dead elements of a list: they go in one change. */
function elementEvidence(context: HostContext, dead: DeadElements) {
  const { table, chain, rule, because, elements, set, kind } = dead;
  return evidence({
    host: context.host.name,
    hook: dead.hook,
    origin: ruleOrigin(table, chain, rule),
    related: because.slice(0, 8).map((b) => ({ origin: originOf(b), label: LABEL[kind] })),
    facts: {
      host: context.host.name,
      rule: rule.text,
      chain: chain.name,
      part: true,
      differs: false,
      element: listed(elements, 8),
      elements: elements.length === 1 ? 'Element' : 'Elements',
      decide: elements.length === 1 ? 'decides' : 'decide',
      list: set === undefined ? 'in this rule' : `of set ${set}`,
      because: becauseText({ because, chain, table, kind, quality: 'one' }),
      several: because.length > 1,
      reason: '',
    },
    meaning: [table.family, table.name, chain.name, normalizeRuleText(rule.text), ...elements],
  });
}

function originOf({ table, chain, rule }: BlockingPlace) {
  return rule === undefined ? chainOrigin(table, chain) : ruleOrigin(table, chain, rule);
}

const HOW_GOOD: Readonly<Record<CoverQuality, string>> = {
  one: '',
  fewest: ' together (no fewer rules do it)',
  irredundant: ' together (none of them can be left out)',
};

/** `line 7 of the export`, or the handles where lines say nothing: an export of nft is one line. With the chain where it is another one. */
function becauseText(dead: Pick<DeadRule, 'because' | 'chain' | 'table' | 'quality' | 'kind'>): string {
  const { because, chain, table } = dead;
  if (because.length === 0) return 'other rules of the export';
  const groups = new Map<string, { readonly place: BlockingPlace; readonly rules: BlockingPlace[] }>();
  for (const place of because) {
    const { family, name } = place.table;
    const key = `${family} ${name} ${place.chain.name} ${place.rule === undefined}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { place, rules: [place] });
    else group.rules.push(place);
  }
  const texts = [...groups.values()].map(({ place, rules }) => {
    const where =
      place.chain === chain
        ? ''
        : ` in chain ${place.chain.name}${place.table === table ? '' : ` of table ${place.table.name}`}`;
    if (place.rule === undefined)
      return `the policy of chain ${place.chain.name} of table ${place.table.name}`;
    return `${rulesText(rules)}${where}`;
  });
  return `${listed(texts, 3)}${dead.kind === 'shadowed' ? HOW_GOOD[dead.quality] : ''}`;
}

function rulesText(places: readonly BlockingPlace[]): string {
  const rules = places.flatMap(({ rule }) => rule ?? []);
  const handles = rules.map((rule) => (rule.origin.path === null ? undefined : rule.handle));
  const plural = rules.length > 1 ? 's' : '';
  if (handles.every((handle) => handle !== undefined))
    return `the rule${plural} with handle${plural} ${listed(handles.map(String))}`;
  return `line${plural} ${listed(rules.map((rule) => `${rule.origin.line}`))} of the export`;
}
