/** Rich rules. Order among themselves: firewalld.richlanguage(5), "Information about logging and actions". */
import type { ConfiguredElement, ConfiguredService, Match, Statement, Verdict } from '../../model/index.ts';
import type { IpVersion } from '../../net/index.ts';
import { parseNumber } from '../numbers.ts';
import type { RichAction, RichElement, RichEndpoint, RichRule } from './configuration.ts';
import type { RuleDraft } from './translate-chains.ts';
import {
  addressPart,
  familyMatch,
  icmpMatch,
  interfaceMatch,
  type MacSight,
  portMatch,
  protocolMatch,
  SYN_MATCH,
  unknown,
  varying,
} from './translate-matches.ts';
import { forwardTarget, MASQUERADE } from './translate-nat.ts';
import { serviceTests } from './translate-services.ts';
import { ipsetVersion } from './translate-sets.ts';
import { rejectOf } from './translate-verdicts.ts';
import {
  ACCEPT,
  addTo,
  CONTINUE,
  DROP,
  type Holder,
  REJECT,
  versionsOf,
  type World,
} from './translate-world.ts';

/** A rich rule on its way into chains. */
interface Placing {
  readonly rule: RichRule;
  readonly element: RichElement | undefined;
  readonly action: RichAction | undefined;
  readonly priority: number;
  readonly text: string;
  readonly holder: Holder;
  readonly world: World;
}

/** Adds a rich rule that firewalld takes. */
export function addRichRule(rule: RichRule, holder: Holder, world: World): void {
  const placing: Placing = {
    rule,
    element: rule.elements[0],
    action: rule.actions[0],
    priority: Number(rule.priority ?? 0) || 0,
    text: richRuleText(rule),
    holder,
    world,
  };
  const { element } = placing;
  if (element === undefined) {
    addTested(placing, endpoints(placing));
    return;
  }
  switch (element.kind) {
    case 'service':
      for (const { matches, words, service } of serviceTests(element, world, versionsFor(placing)))
        addTested(placing, [...endpoints(placing), ...matches], ` (${words})`, service);
      return;
    case 'port':
      addTested(placing, [...endpoints(placing), portMatch('dport', element.port, element.protocol)]);
      return;
    case 'source-port':
      addTested(placing, [...endpoints(placing), portMatch('sport', element.port, element.protocol)]);
      return;
    case 'protocol':
      addTested(placing, [...endpoints(placing), protocolMatch(element.name)]);
      return;
    case 'icmp-block':
    case 'icmp-type':
      for (const version of versionsFor(placing))
        addTested(placing, [...endpoints(placing), icmpMatch(version, element.name)]);
      return;
    default:
      addActing(placing, element);
  }
}

/** IP versions a rule is made for. */
function versionsFor({ rule, element, world }: Placing): readonly IpVersion[] {
  if (rule.family !== undefined) return [rule.family === 'ipv6' ? 6 : 4];
  const ipset = rule.source?.kind === 'ipset' ? world.sets.get(rule.source.value) : undefined;
  const version = ipset === undefined ? undefined : ipsetVersion(ipset);
  if (version !== undefined) return [version];
  if (element?.kind === 'icmp-block' || element?.kind === 'icmp-type')
    return versionsOf(world.icmptypes.get(element.name));
  return [4, 6];
}

/** Tests of family, destination and source. */
function endpoints({ rule, world }: Placing, sight: MacSight = 'seen'): readonly Match[] {
  const out: Match[] = [];
  if (rule.family !== undefined) out.push(familyMatch(rule.family));
  if (rule.destination !== undefined) out.push(endpointMatch('daddr', rule.destination, world, sight));
  if (rule.source !== undefined) out.push(endpointMatch('saddr', rule.source, world, sight));
  return out;
}

function endpointMatch(
  field: 'saddr' | 'daddr',
  { kind, value, invert }: RichEndpoint,
  world: World,
  sight: MacSight,
): Match {
  if (kind === 'ipset') return world.sets.match(value, field, invert, sight);
  const text = `${field} ${value}`;
  return addressPart(field, value, invert, sight)?.match ?? { text, condition: unknown(text) };
}

type Suffix = 'pre' | 'log' | 'deny' | 'allow' | 'post';

function suffixOf(priority: number, atZero: Suffix): Suffix {
  return priority < 0 ? 'pre' : priority > 0 ? 'post' : atZero;
}

function limitMatch(limit: string | undefined): readonly Match[] {
  return limit === undefined ? [] : [{ text: `limit ${limit}`, condition: varying(`limit ${limit}`) }];
}

/** Logging and the action of a rule whose element is a test. */
function addTested(
  placing: Placing,
  matches: readonly Match[],
  words = '',
  service?: ConfiguredService,
): void {
  const { rule, element, action, priority, holder, world } = placing;
  const marks = action?.kind === 'mark';
  const filter = marks ? holder.passing : holder.filter;
  const text = `${placing.text}${words}`;
  const { origin } = rule;
  const configured = elementOf(placing, service);
  for (const log of rule.logs) {
    const draft: RuleDraft = {
      matches: [...matches, ...limitMatch(log.limit)],
      statements: [{ kind: 'no-effect', text: log.kind }],
      verdict: CONTINUE,
      text,
      origin,
      configured,
    };
    addTo(filter, suffixOf(priority, 'log'), draft, holder, world, priority);
  }
  if (action === undefined) {
    if (element?.kind !== 'icmp-block') return;
    const draft: RuleDraft = { matches, verdict: REJECT, text, origin, configured };
    addTo(filter, suffixOf(priority, 'deny'), draft, holder, world, priority);
    return;
  }
  const { extra, ...effect } = effectOf(action, text);
  const draft: RuleDraft = {
    matches: [...matches, ...limitMatch(action.limit), ...extra],
    ...effect,
    text,
    origin,
    configured,
  };
  const atZero = action.kind === 'accept' || marks ? 'allow' : 'deny';
  addTo(marks ? holder.mangle : filter, suffixOf(priority, atZero), draft, holder, world, priority);
}

function elementOf({ rule, text, holder }: Placing, service?: ConfiguredService): ConfiguredElement {
  return {
    holder: holder.of,
    element: 'rich-rule',
    value: text,
    // Prefix and level of a log are not kept.
    valueIsWhole: rule.logs.every(({ kind }) => kind === 'audit'),
    ...(service === undefined ? {} : { service }),
  };
}

function effectOf(
  action: RichAction,
  text: string,
): Pick<RuleDraft, 'verdict'> & {
  readonly statements: readonly Statement[];
  readonly extra: readonly Match[];
} {
  switch (action.kind) {
    case 'accept':
      return { verdict: ACCEPT, statements: [], extra: [] };
    case 'drop':
      return { verdict: DROP, statements: [], extra: [] };
    case 'reject': {
      const { matches, verdict } = rejectOf(action.rejectType);
      return { verdict, statements: [], extra: matches };
    }
    case 'mark':
      return { verdict: CONTINUE, statements: [markStatement(action.mark ?? '', text)], extra: [] };
  }
}

/** `0x1` sets the mark, `0x1/0xff` is `(mark & 0xff) ^ 0x1`. */
function markStatement(value: string, text: string): Statement {
  const [first = '', second] = value.split('/');
  const xor = parseNumber(first, 0xffff_ffff);
  const and = second === undefined ? 0n : parseNumber(second, 0xffff_ffff);
  return xor === undefined || and === undefined
    ? { kind: 'unknown-field', field: 'mark', text }
    : { kind: 'set-field', field: 'mark', and, xor, text };
}

type ActingElement = Extract<RichElement, { kind: 'masquerade' | 'forward-port' | 'tcp-mss-clamp' }>;

/** Elements that act by themselves. firewalld puts no logging beside them. */
function addActing(placing: Placing, element: ActingElement): void {
  const { rule, priority, holder, world, text } = placing;
  const suffix = suffixOf(priority, 'allow');
  const { origin } = rule;
  const configured = elementOf(placing);
  switch (element.kind) {
    case 'masquerade': {
      const matches = [...endpoints(placing, 'unknown'), interfaceMatch('oif', 'lo', true)];
      const verdict: Verdict = { kind: 'nat', nat: MASQUERADE };
      const draft: RuleDraft = { matches, verdict, text, origin, configured };
      addTo(holder.natOut, suffix, draft, holder, world, priority);
      return;
    }
    case 'forward-port': {
      const { verdict } = forwardTarget(element);
      const matches = [...endpoints(placing), portMatch('dport', element.port, element.protocol)];
      const draft: RuleDraft = { matches, verdict, text, origin, configured };
      addTo(holder.natIn, suffix, draft, holder, world, priority);
      return;
    }
    case 'tcp-mss-clamp': {
      // The rule's family is not among firewalld's tests here; it has no effect that is modelled.
      const statements: readonly Statement[] = [{ kind: 'no-effect', text: 'tcp-mss-clamp' }];
      const draft: RuleDraft = {
        matches: [...endpoints(placing), SYN_MATCH],
        statements,
        verdict: CONTINUE,
        text,
        origin,
        configured,
      };
      addTo(holder.passing, suffix, draft, holder, world, priority);
    }
  }
}

/** The rule as `firewall-cmd --list-rich-rules` prints it. */
export function richRuleText(rule: RichRule): string {
  const priority = Number(rule.priority ?? 0) || 0;
  const parts = ['rule'];
  if (priority !== 0) parts.push(`priority="${priority}"`);
  if (rule.family !== undefined) parts.push(`family="${rule.family}"`);
  if (rule.source !== undefined) parts.push(endpointText('source', rule.source));
  if (rule.destination !== undefined) parts.push(endpointText('destination', rule.destination));
  parts.push(...rule.elements.map(elementText));
  parts.push(...rule.logs.map(({ kind, limit }) => `${kind}${limitText(limit)}`));
  parts.push(...rule.actions.map(actionText));
  return parts.join(' ');
}

function endpointText(word: string, { kind, value, invert }: RichEndpoint): string {
  return `${word}${invert ? ' NOT' : ''} ${kind}="${value}"`;
}

function elementText(element: RichElement): string {
  switch (element.kind) {
    case 'protocol':
      return `protocol value="${element.name}"`;
    case 'service':
    case 'icmp-block':
    case 'icmp-type':
      return `${element.kind} name="${element.name}"`;
    case 'port':
    case 'source-port':
      return `${element.kind} port="${element.port}" protocol="${element.protocol}"`;
    case 'masquerade':
      return 'masquerade';
    case 'forward-port': {
      const port = element.toPort === undefined ? '' : ` to-port="${element.toPort}"`;
      const address = element.toAddress === undefined ? '' : ` to-addr="${element.toAddress}"`;
      return `forward-port port="${element.port}" protocol="${element.protocol}"${port}${address}`;
    }
    case 'tcp-mss-clamp':
      return `tcp-mss-clamp value="${element.value}"`;
  }
}

function actionText({ kind, rejectType, mark, limit }: RichAction): string {
  const type = rejectType === undefined ? '' : ` type="${rejectType}"`;
  const set = mark === undefined ? '' : ` set="${mark}"`;
  return `${kind}${type}${set}${limitText(limit)}`;
}

function limitText(limit: string | undefined): string {
  return limit === undefined ? '' : ` limit value="${limit}"`;
}
