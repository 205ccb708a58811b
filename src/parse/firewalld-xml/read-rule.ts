/** Rich rules: what of them firewalld takes, and which it leaves out. */
import type { Origin } from '../../model/index.ts';
import type { RichAction, RichElement, RichEndpoint, RichLog, RichRule } from './configuration.ts';
import { quote } from './read-log.ts';
import {
  isIpv4,
  isIpv6,
  isMac,
  isNetworkOf,
  isPortProtocol,
  isProtocol,
  parsePortRange,
  parsePythonInt,
  parsePythonLiteral,
} from './read-values.ts';

/** A source or destination as its attributes say it. */
export interface EndpointDraft {
  readonly address: string | undefined;
  readonly mac: string | undefined;
  readonly ipset: string | undefined;
  readonly invert: boolean;
  readonly origin: Origin;
}

/** A rule while it is read. Of each part firewalld keeps one. */
export interface RuleDraft {
  readonly family: string | undefined;
  readonly priority: string | undefined;
  source: EndpointDraft | undefined;
  destination: EndpointDraft | undefined;
  element: RichElement | undefined;
  log: (RichLog & { readonly values: readonly string[] }) | undefined;
  audit: RichLog | undefined;
  action: RichAction | undefined;
  readonly origin: Origin;
}

/** Outcome of a rule's check: the rule, or why firewalld does not take it. */
export type CheckedRule =
  | { readonly kind: 'rule'; readonly rule: RichRule }
  | {
      readonly kind: 'refused';
      readonly consequence: 'skipped' | 'fatal' | 'uncertain';
      readonly detail: string;
    };

/** Reject types by family, as firewalld names them. */
const REJECT_TYPES: Readonly<Record<string, readonly string[]>> = {
  ipv4: [
    'icmp-host-prohibited',
    'host-prohib',
    'icmp-net-unreachable',
    'net-unreach',
    'icmp-host-unreachable',
    'host-unreach',
    'icmp-port-unreachable',
    'port-unreach',
    'icmp-proto-unreachable',
    'proto-unreach',
    'icmp-net-prohibited',
    'net-prohib',
    'tcp-reset',
    'tcp-rst',
    'icmp-admin-prohibited',
    'admin-prohib',
  ],
  ipv6: [
    'icmp6-adm-prohibited',
    'adm-prohibited',
    'icmp6-no-route',
    'no-route',
    'icmp6-addr-unreachable',
    'addr-unreach',
    'icmp6-port-unreachable',
    'port-unreach',
    'tcp-reset',
  ],
};

/** Elements that act by themselves: they take no action. */
const ACTING: readonly string[] = ['icmp-block', 'forward-port', 'masquerade', 'tcp-mss-clamp'];

/** Checks a complete rule as firewalld does at its end tag. */
export function checkRule(draft: RuleDraft): CheckedRule {
  const problem = findStructureProblem(draft) ?? findValueProblem(draft);
  if (problem !== undefined) return { kind: 'refused', consequence: 'skipped', detail: problem };
  const unknown = findUnknownPort(draft);
  if (unknown !== undefined)
    return {
      kind: 'refused',
      consequence: 'uncertain',
      detail: `the port ${quote(unknown)} of a rich rule is a name nwaudit does not know`,
    };
  const unprintable = findUnprintable(draft);
  if (unprintable !== undefined) {
    const detail = `a rich rule holds the text ${quote(unprintable)}, which firewalld cannot read back`;
    return { kind: 'refused', consequence: 'fatal', detail };
  }
  return { kind: 'rule', rule: toRule(draft) };
}

function findStructureProblem(draft: RuleDraft): string | undefined {
  const { family, source, destination, element, log, audit, action } = draft;
  const priority = parsePythonInt(draft.priority ?? '0') ?? 0;
  if (family === undefined) {
    if (source?.address !== undefined) return 'a rich rule with a source address has no family';
    if (destination !== undefined) return 'a rich rule with a destination has no family';
    if (element?.kind === 'forward-port') return 'a rich rule with a forward-port has no family';
  }
  if (priority < -32768 || priority > 32767)
    return `the priority ${quote(draft.priority ?? '')} of a rich rule is outside of -32768 to 32767`;
  if (element === undefined && (log === undefined || priority === 0)) {
    if (action === undefined) return 'a rich rule has neither element nor action';
    if (source === undefined && destination === undefined && priority === 0)
      return 'a rich rule has neither element nor address, and the priority 0';
  }
  const acts = element !== undefined && ACTING.includes(element.kind);
  if (!acts && log === undefined && audit === undefined && action === undefined)
    return 'a rich rule has no action';
  if (acts && action !== undefined) return `a rich rule has both <${element.kind}> and an action`;
  if (element?.kind === 'masquerade' && source?.mac !== undefined)
    return 'a rich rule has <masquerade> and a MAC address as source';
  if (audit !== undefined && (action === undefined || action.kind === 'mark'))
    return 'a rich rule with <audit> has no accept, reject or drop';
  return undefined;
}

function findValueProblem(draft: RuleDraft): string | undefined {
  return (
    findEndpointProblem(draft.family, draft.source, 'source') ??
    findEndpointProblem(draft.family, draft.destination, 'destination') ??
    findElementProblem(draft) ??
    findActionProblem(draft) ??
    [draft.log?.limit, draft.audit?.limit, draft.action?.limit].map(findLimitProblem).find(Boolean)
  );
}

function findEndpointProblem(
  family: string | undefined,
  endpoint: EndpointDraft | undefined,
  what: string,
): string | undefined {
  if (endpoint === undefined) return undefined;
  const { address, mac, ipset } = endpoint;
  if ([address, mac, ipset].filter((x) => x !== undefined).length > 1)
    return `the ${what} of a rich rule has more than one of address, mac and ipset`;
  if (address !== undefined && !isNetworkOf(family, address))
    return `the ${what} ${quote(address)} of a rich rule is no address of its family`;
  if (mac !== undefined && !isMac(mac)) return `the ${what} ${quote(mac)} of a rich rule is no MAC address`;
  if (ipset !== undefined && [...ipset].length > 32)
    return `the ipset name ${quote(ipset)} of a rich rule has more than 32 characters`;
  return undefined;
}

function findElementProblem(draft: RuleDraft): string | undefined {
  const { element, family } = draft;
  switch (element?.kind) {
    case undefined:
    case 'masquerade':
      return undefined;
    case 'service':
    case 'icmp-block':
    case 'icmp-type':
      return element.name === '' ? `the <${element.kind}> of a rich rule has an empty name` : undefined;
    case 'protocol':
      return isProtocol(element.name)
        ? undefined
        : `the protocol ${quote(element.name)} of a rich rule is none`;
    case 'port':
    case 'source-port':
      return findPortProblem(element.port, element.protocol);
    case 'forward-port': {
      const { toPort = '', toAddress = '' } = element;
      const problem = findPortProblem(element.port, element.protocol);
      if (problem !== undefined) return problem;
      if (toPort === '' && toAddress === '') return 'the <forward-port> of a rich rule has no target';
      if (toPort !== '' && parsePortRange(toPort) === undefined)
        return `the port ${quote(toPort)} of a rich rule is none`;
      const isAddress = family === 'ipv4' ? isIpv4(toAddress) : isIpv6(toAddress);
      return toAddress === '' || isAddress
        ? undefined
        : `the address ${quote(toAddress)} of a rich rule is none of its family`;
    }
    case 'tcp-mss-clamp': {
      const { value } = element;
      const fine = /^\d+$/.test(value) ? Number(value) >= 536 : ['', 'pmtu', 'None'].includes(value);
      return fine ? undefined : `the value ${quote(value)} of <tcp-mss-clamp> is neither "pmtu" nor from 536`;
    }
  }
}

function findPortProblem(port: string, protocol: string): string | undefined {
  if (parsePortRange(port) === undefined) return `the port ${quote(port)} of a rich rule is none`;
  return isPortProtocol(protocol)
    ? undefined
    : `the protocol ${quote(protocol)} of a rich rule has no ports (tcp, udp, sctp, dccp)`;
}

function findActionProblem(draft: RuleDraft): string | undefined {
  const { action, family } = draft;
  if (action?.kind === 'reject' && action.rejectType !== undefined && action.rejectType !== '') {
    if (family === undefined) return 'a rich rule with a reject type has no family';
    if (!(REJECT_TYPES[family] ?? []).includes(action.rejectType))
      return `the reject type ${quote(action.rejectType)} of a rich rule is none of its family`;
  }
  if (action?.kind === 'mark') {
    const parts = (action.mark ?? '').split('/');
    if (parts.length > 2 || !parts.every(isUint32)) return `the mark ${quote(action.mark ?? '')} is none`;
  }
  return undefined;
}

function isUint32(text: string): boolean {
  const value = parsePythonLiteral(text);
  return value !== undefined && value >= 0 && value <= 0xffff_ffff;
}

/** Whether `text` is a number of 16 bits as firewalld reads it: also hexadecimal. */
export function isUint16(text: string): boolean {
  const value = parsePythonLiteral(text);
  return value !== undefined && value >= 0 && value <= 0xffff;
}

function findLimitProblem(limit: string | undefined): string | undefined {
  if (limit === undefined) return undefined;
  const parts = limit.split('/');
  const rate = parsePythonInt(parts[0] ?? '');
  const unit = parts[1] ?? '';
  const isUnit = ['s', 'm', 'h', 'd', 'second', 'minute', 'hour', 'day'].includes(unit);
  if (parts.length !== 2 || rate === undefined || rate < 1 || !isUnit)
    return `the limit ${quote(limit)} of a rich rule is none`;
  return rate === 1 && unit.startsWith('d')
    ? `the limit ${quote(limit)} of a rich rule is too slow`
    : undefined;
}

function findUnknownPort({ element }: RuleDraft): string | undefined {
  if (element?.kind !== 'port' && element?.kind !== 'source-port' && element?.kind !== 'forward-port')
    return undefined;
  const texts = element.kind === 'forward-port' ? [element.port, element.toPort ?? ''] : [element.port];
  return texts.find((text) => text !== '' && parsePortRange(text) === 'name');
}

/** firewalld writes each rule as text and reads it back: a quote, an escape or a second "=" in a value breaks that. */
function findUnprintable(draft: RuleDraft): string | undefined {
  const { element, source, destination } = draft;
  const values = [source?.ipset, destination?.ipset, ...(draft.log?.values ?? [])];
  if (element !== undefined && 'name' in element) values.push(element.name);
  const broken = values.find((value) => value !== undefined && !isPrintable(value));
  if (broken !== undefined) return broken;
  // A mark is written without quotation marks.
  const mark = draft.action?.mark;
  return mark !== undefined && /\s/.test(mark) ? mark : undefined;
}

function isPrintable(value: string): boolean {
  if (value.includes('=')) return false;
  let quoted = true;
  for (let i = 0; i < value.length; i++) {
    const c = value[i]!;
    // Between double quotes, a shell takes a backslash for itself only before these two.
    if (c === '\\' && (!quoted || /^["\\]?$/.test(value[i + 1] ?? ''))) {
      if (i + 1 === value.length) return false;
      i++;
    } else if (c === '"') quoted = !quoted;
    else if (!quoted && /[\s']/.test(c)) return false;
  }
  return quoted;
}

function toRule(draft: RuleDraft): RichRule {
  const { family, priority, element, log, audit, action, origin } = draft;
  return {
    family,
    priority,
    source: toEndpoint(draft.source),
    destination: toEndpoint(draft.destination),
    elements: element === undefined ? [] : [element],
    logs: [log, audit].flatMap((x) =>
      x === undefined ? [] : [{ kind: x.kind, limit: x.limit, origin: x.origin }],
    ),
    actions: action === undefined ? [] : [action],
    origin,
  };
}

function toEndpoint(draft: EndpointDraft | undefined): RichEndpoint | undefined {
  if (draft === undefined) return undefined;
  const { address, mac, ipset, invert, origin } = draft;
  if (address !== undefined) return { kind: 'address', value: address, invert, origin };
  if (mac !== undefined) return { kind: 'mac', value: mac, invert, origin };
  return { kind: 'ipset', value: ipset ?? '', invert, origin };
}

/** One text for equal rules: firewalld takes a rule once. Places do not count. */
export function ruleKey(rule: RichRule): string {
  return JSON.stringify(rule, (key, value: unknown) => {
    if (key === 'origin') return undefined;
    return key === 'priority' && typeof value === 'string' ? parsePythonInt(value) || undefined : value;
  });
}
