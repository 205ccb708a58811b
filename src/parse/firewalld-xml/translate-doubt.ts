/**
 * Names that neither the export nor the definitions known here have. firewalld refuses a configuration that names what it does not
 * know; but another version of it, or another package on that host, may know the name.
 */
import type { Chain, Origin, Rule, Table, Verdict } from '../../model/index.ts';
import { shorten } from '../diagnostic-log.ts';
import type {
  ConfigurationProblem,
  FirewalldConfiguration,
  NamedElement,
  StockDefinitions,
  ZoneOrPolicy,
} from './configuration.ts';
import { unknown } from './translate-matches.ts';

/** A reference to something that is not defined. */
export interface MissingName {
  readonly kind: 'service' | 'icmptype' | 'helper' | 'zone';
  readonly name: string;
}

/** `file:line:column` of a place. */
export function placeKey({ file, line, column }: Origin): string {
  return `${file}:${line}:${column}`;
}

/** Missing names by the place that names them. */
export function missingNames(
  configuration: FirewalldConfiguration,
  stock: StockDefinitions,
): ReadonlyMap<string, MissingName> {
  const out = new Map<string, MissingName>();
  const look = (kind: MissingName['kind'], own: readonly Named[], known: readonly Named[]) => {
    const defined = new Set([...own, ...known].map(({ name }) => name));
    return (elements: readonly NamedElement[]): void => {
      for (const { name, origin } of elements)
        if (!defined.has(name)) out.set(placeKey(origin), { kind, name });
    };
  };
  const services = look('service', configuration.services, stock.services);
  const icmptypes = look('icmptype', configuration.icmptypes, stock.icmptypes);
  const helpers = look('helper', configuration.helpers, stock.helpers);
  const zones = look('zone', configuration.zones, stock.zones);
  for (const service of configuration.services) {
    services(service.includes);
    helpers(service.helpers);
  }
  for (const item of [...configuration.zones, ...configuration.policies]) {
    services(item.services);
    icmptypes(item.icmpBlocks);
    services(richNames(item, ['service']));
    icmptypes(richNames(item, ['icmp-block', 'icmp-type']));
  }
  for (const { ingressZones, egressZones } of configuration.policies)
    zones([...ingressZones, ...egressZones].filter(({ name }) => name !== 'ANY' && name !== 'HOST'));
  return out;
}

interface Named {
  readonly name: string;
}

/** Names in rich rules, at the places of the elements and of the rules. */
function richNames(item: ZoneOrPolicy, kinds: readonly string[]): readonly NamedElement[] {
  return item.richRules.flatMap((rule) =>
    rule.elements.flatMap((element) =>
      'name' in element && kinds.includes(element.kind)
        ? [element, { name: element.name, origin: rule.origin }]
        : [],
    ),
  );
}

/** What a fatal problem comes from, where it is a name that firewalld on that host may know; `undefined` for all others. */
export function missingNameOf(
  problem: ConfigurationProblem,
  missing: ReadonlyMap<string, MissingName>,
): MissingName | undefined {
  return problem.consequence === 'fatal' ? missing.get(placeKey(problem.origin)) : undefined;
}

/** What to do about a missing name. */
export function adviceFor({ kind, name: whole }: MissingName): string {
  if (whole === '')
    return `the name is empty, and firewalld refuses its whole configuration for that and runs its stock one. Name the ${kind}, or remove the element; "firewall-cmd --check-config" tells`;
  const name = shorten(whole);
  const folder = { service: 'services', icmptype: 'icmptypes', helper: 'helpers', zone: 'zones' }[kind];
  return `if firewalld on that host does not know the ${kind} ${name} either, it refuses its whole configuration and runs its stock one. Add ${folder}/${name}.xml from /usr/lib/firewalld of that host, or correct the name; "firewall-cmd --check-config" tells`;
}

/**
 * One table that means `table`, or `stock` where firewalld refuses the configuration: which of them is one unknown test. `origin`: the
 * place of the doubt.
 */
export function inDoubt(table: Table, stock: Table, origin: Origin): Table {
  const named = (chain: string): string => `stock_${chain}`;
  const renamed = (rule: Rule): Rule =>
    rule.verdict.kind === 'jump' || rule.verdict.kind === 'goto'
      ? { ...rule, verdict: { ...rule.verdict, chain: named(rule.verdict.chain) } }
      : rule;
  const copies = stock.chains.map(
    (chain): Chain => ({
      ...chain,
      name: named(chain.name),
      base: undefined,
      rules: chain.rules.map(renamed),
    }),
  );
  const guarded = table.chains.map((chain) =>
    chain.base === undefined ? chain : guard(chain, { kind: 'goto', chain: named(chain.name) }, origin),
  );
  return { ...table, chains: [...guarded, ...copies] };
}

/** A table of direct rules, which is not there when firewalld refuses its configuration. */
export function absentInDoubt(table: Table, origin: Origin): Table {
  return {
    ...table,
    chains: table.chains.map((chain) =>
      chain.base === undefined ? chain : guard(chain, { kind: 'accept' }, origin),
    ),
  };
}

const DOUBT = 'firewalld refuses its configuration and runs the stock one';

function guard(chain: Chain, verdict: Verdict, origin: Origin): Chain {
  const first: Rule = {
    matches: [{ text: DOUBT, condition: unknown(DOUBT) }],
    statements: [],
    verdict,
    text: DOUBT,
    comment: undefined,
    counters: undefined,
    number: undefined,
    handle: undefined,
    origin,
  };
  return { ...chain, rules: [first, ...chain.rules] };
}
