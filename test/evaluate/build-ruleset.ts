import { type Evaluation, evaluatePacket, prepareRuleset } from '../../src/evaluate/index.ts';
import {
  type BaseChain,
  type Chain,
  type Condition,
  type FieldCondition,
  type FieldName,
  type Hook,
  type NamedSet,
  type NamedSetElement,
  type Nat,
  type Origin,
  type Packet,
  type Rule,
  type Ruleset,
  type SetDimension,
  type SetValue,
  type Statement,
  type Table,
  TCP_FLAG,
  type Verdict,
} from '../../src/model/index.ts';
import {
  type Interval,
  interval,
  maskedAddressInterval,
  parseAddress,
  parseMaskedAddress,
  single,
} from '../../src/net/index.ts';

/** Rulesets by hand, as short as the tests that use them. Every rule's text is unique within its chain if its parts are. */

export const ORIGIN: Origin = {
  file: 'test.rules',
  line: 1,
  column: 1,
  endLine: 1,
  endColumn: 2,
  path: null,
};

/** A single number, or a closed range of two. */
export type Range = number | bigint | readonly [number | bigint, number | bigint];

export function toInterval(range: Range): Interval {
  return typeof range === 'object' ? interval(range[0], range[1]) : single(range);
}

/** The address's number; throws on a typing error in a test. */
export function ip(text: string): bigint {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address.value;
}

/** An address, `ADDRESS/LENGTH`, or `LO-HI`. */
export function ipRange(text: string): Interval {
  const [lo, hi] = text.split('-');
  if (hi !== undefined) return interval(ip(lo!), ip(hi));
  const masked = parseMaskedAddress(text);
  const range = masked === undefined ? undefined : maskedAddressInterval(masked);
  if (range === undefined) throw new Error(`not a prefix: ${text}`);
  return range;
}

export function field(
  name: FieldCondition['field'],
  values: Range | readonly Interval[],
  mask?: bigint,
): Condition {
  const isList = Array.isArray(values) && values.every((value) => typeof value === 'object');
  // The check above tells a list of intervals from a pair of numbers, which TypeScript cannot see.
  const intervals = isList ? (values as readonly Interval[]) : [toInterval(values as Range)];
  return { kind: 'field', field: name, values: intervals, ...(mask === undefined ? {} : { mask }) };
}

function address(name: 'saddr' | 'daddr', texts: readonly string[]): Condition {
  const version = texts[0]!.includes(':') ? 6 : 4;
  return { kind: 'address', field: name, version, values: texts.map(ipRange) };
}

export const saddr = (...texts: readonly string[]) => address('saddr', texts);
export const daddr = (...texts: readonly string[]) => address('daddr', texts);
export const not = (of: Condition): Condition => ({ kind: 'not', of });
export const all = (...of: readonly Condition[]): Condition => ({ kind: 'all', of });
export const any = (...of: readonly Condition[]): Condition => ({ kind: 'any', of });
export const tcpDport = (range: Range) => all(field('protocol', 6), field('dport', range));
export const iif = (name: string, prefix = false): Condition => ({
  kind: 'interface',
  field: 'iif',
  name,
  prefix,
});
export const oif = (name: string, prefix = false): Condition => ({
  kind: 'interface',
  field: 'oif',
  name,
  prefix,
});

/** A deterministic unknown predicate. */
export const same = (text: string): Condition => ({ kind: 'unknown', nature: 'deterministic', text });
/** A varying unknown predicate. */
export const varying = (text: string): Condition => ({ kind: 'unknown', nature: 'varying', text });

export function inSet(set: string, directions: string, returnNomatch = false): Condition {
  const parts = directions.split(',').map((part) => (part === 'src' ? 'src' : 'dst'));
  return { kind: 'named-set', set, directions: parts, returnNomatch, text: `set ${set} ${directions}` };
}

export const accept: Verdict = { kind: 'accept' };
export const drop: Verdict = { kind: 'drop' };
export const reject: Verdict = { kind: 'reject', with: 'icmp-port-unreachable' };
export const back: Verdict = { kind: 'return' };
export const jump = (name: string): Verdict => ({ kind: 'jump', chain: name });
export const goto = (name: string): Verdict => ({ kind: 'goto', chain: name });
export const unknownVerdict = (text: string): Verdict => ({ kind: 'unknown', text });

function nat(kind: Nat['kind'], addresses: string | undefined, ports: Range | undefined): Verdict {
  return {
    kind: 'nat',
    nat: {
      kind,
      addresses: addresses === undefined ? undefined : ipRange(addresses),
      version: addresses === undefined ? undefined : addresses.includes(':') ? 6 : 4,
      ports: ports === undefined ? undefined : toInterval(ports),
      unknownTarget: false,
    },
  };
}

export const dnat = (addresses: string | undefined, ports?: Range) => nat('dnat', addresses, ports);
export const snat = (addresses: string, ports?: Range) => nat('snat', addresses, ports);
export const redirect = (ports?: Range) => nat('redirect', undefined, ports);
export const masquerade = nat('masquerade', undefined, undefined);

export const log: Statement = { kind: 'no-effect', text: 'LOG' };
export const notrack: Statement = { kind: 'notrack', text: 'NOTRACK' };

/** `field := value`. */
export function assign(name: FieldName, value: number, mask = 0xffff_ffffn): Statement {
  return {
    kind: 'set-field',
    field: name,
    and: 0xffff_ffffn & ~mask,
    xor: BigInt(value),
    text: `set ${name} ${value}`,
  };
}

/** `to := from`. */
export function copy(to: 'mark' | 'ct-mark', from: 'mark' | 'ct-mark', mask = 0xffff_ffffn): Statement {
  const and = 0xffff_ffffn & ~mask;
  return { kind: 'copy-field', field: to, from, and, fromMask: mask, text: `copy ${from} to ${to}` };
}

export const assignUnknown = (name: FieldName): Statement => ({
  kind: 'unknown-field',
  field: name,
  text: `set ${name} ?`,
});

/** The packet is given to a socket on `port`, as TPROXY does. */
export const handOver = (port: number | 'own' | undefined): Statement => ({
  kind: 'hand-over',
  port,
  text: `tproxy to ${port ?? '?'}`,
});

/** What a rule is made of. */
export type Part = Condition | Statement | Verdict;

/** A rule: conditions and statements in any order, and at most one verdict (`continue` without). */
export function rule(...parts: readonly Part[]): Rule {
  const conditions = parts.filter(isCondition);
  const statements = parts.filter(isStatement);
  const verdict = parts.find(isVerdict) ?? { kind: 'continue' };
  const texts = [
    ...conditions.map(describe),
    ...statements.map((statement) => statement.text),
    describeVerdict(verdict),
  ];
  return {
    matches: conditions.map((condition) => ({ text: describe(condition), condition })),
    statements,
    verdict,
    text: texts.join(' '),
    comment: undefined,
    counters: undefined,
    number: 1,
    handle: undefined,
    origin: { ...ORIGIN },
  };
}

const CONDITION_KINDS = [
  'all',
  'any',
  'not',
  'field',
  'address',
  'original',
  'interface',
  'address-type',
  'named-set',
  'version',
];
const STATEMENT_KINDS = ['set-field', 'copy-field', 'unknown-field', 'notrack', 'hand-over', 'no-effect'];

function isCondition(part: Part): part is Condition {
  return CONDITION_KINDS.includes(part.kind) || (part.kind === 'unknown' && 'nature' in part);
}

function isStatement(part: Part): part is Statement {
  return STATEMENT_KINDS.includes(part.kind);
}

function isVerdict(part: Part): part is Verdict {
  return !isCondition(part) && !isStatement(part);
}

function describe(condition: Condition): string {
  switch (condition.kind) {
    case 'all':
      return condition.of.map(describe).join(' ');
    case 'any':
      return `(${condition.of.map(describe).join('|')})`;
    case 'not':
      return `! ${describe(condition.of)}`;
    case 'field':
    case 'address':
      return `${condition.field} ${condition.values.map(({ lo, hi }) => (lo === hi ? lo : `${lo}-${hi}`)).join(',')}`;
    case 'interface':
      return `${condition.field} ${condition.name}${condition.prefix ? '+' : ''}`;
    case 'version':
      return `version ${condition.version}`;
    default:
      return condition.text;
  }
}

function describeVerdict(verdict: Verdict): string {
  if (verdict.kind === 'jump' || verdict.kind === 'goto') return `${verdict.kind} ${verdict.chain}`;
  return verdict.kind === 'nat' ? verdict.nat.kind : verdict.kind;
}

export function chain(name: string, ...rules: readonly Rule[]): Chain {
  return { name, base: undefined, rules, origin: { ...ORIGIN } };
}

/** A base chain on `hook`; `options` are its type `filter`, priority 0 and policy accept unless given. */
export function base(
  hook: Hook,
  options: Partial<BaseChain> & { readonly name?: string },
  ...rules: readonly Rule[]
): Chain {
  const { name = hook.toUpperCase(), ...given } = options;
  return {
    name,
    base: { type: 'filter', hook, priority: 0, chainPolicy: 'accept', ...given },
    rules,
    origin: { ...ORIGIN },
  };
}

export function table(family: Table['family'], ...chains: readonly Chain[]): Table {
  return { family, name: 'filter', dialect: 'iptables', dormant: false, chains, origin: ORIGIN };
}

export function ruleset(...parts: readonly (Table | NamedSet)[]): Ruleset {
  return {
    tables: parts.filter((part): part is Table => 'chains' in part),
    namedSets: parts.filter((part): part is NamedSet => 'elements' in part),
  };
}

/** A ruleset of one IPv4 table with these chains. */
export const chains = (...list: readonly Chain[]): Ruleset => ruleset(table('ip', ...list));

/** A ruleset with an input chain of policy drop and these rules, and further regular chains. */
export const inputRules = (rules: readonly Rule[], ...others: readonly Chain[]): Ruleset =>
  chains(base('input', { chainPolicy: 'drop' }, ...rules), ...others);

const DIMENSION_OF: Readonly<Record<string, SetDimension>> = {
  ip: 'address',
  net: 'address',
  port: 'port',
  mac: 'mac',
  iface: 'interface',
  mark: 'mark',
  set: 'set',
};

/** A named set of a type such as `hash:ip,port`. */
export function namedSet(
  name: string,
  type: string,
  elements: readonly NamedSetElement[],
  options: Partial<Pick<NamedSet, 'version' | 'netmask' | 'dynamic'>> = {},
): NamedSet {
  const dimensions = type
    .slice(type.indexOf(':') + 1)
    .split(',')
    .map((part) => DIMENSION_OF[part]!);
  const version = dimensions.includes('address') ? 4 : undefined;
  return {
    name,
    type,
    dimensions,
    version,
    netmask: undefined,
    elements,
    dynamic: false,
    origin: ORIGIN,
    ...options,
  };
}

/** An element: addresses as text, numbers as marks and MACs, ports by `port`, interfaces by `named`. */
export function element(...values: readonly (string | number | SetValue)[]): NamedSetElement {
  return {
    values: values.map((value): SetValue => {
      if (typeof value === 'string') return { kind: 'interval', range: ipRange(value) };
      return typeof value === 'number' ? { kind: 'interval', range: single(value) } : value;
    }),
    nomatch: false,
    timeout: false,
    origin: ORIGIN,
  };
}

export const hole = (...values: readonly (string | number | SetValue)[]): NamedSetElement => ({
  ...element(...values),
  nomatch: true,
});
export const fading = (...values: readonly (string | number | SetValue)[]): NamedSetElement => ({
  ...element(...values),
  timeout: true,
});
export const port = (protocol: number | undefined, range: Range): SetValue => ({
  kind: 'port',
  protocol,
  range: toInterval(range),
});
export const named = (name: string, prefix = false): SetValue => ({ kind: 'interface', name, prefix });
export const member = (name: string): SetValue => ({ kind: 'set', name });

/** A new TCP packet from 198.51.100.7 to port 22 of 192.0.2.1 on eth0, with these differences. */
export function packet(differences: Partial<Packet> = {}): Packet {
  return {
    hook: 'input',
    version: 4,
    saddr: ip('198.51.100.7'),
    daddr: ip('192.0.2.1'),
    protocol: 6,
    sport: 40000,
    dport: 22,
    icmpType: undefined,
    icmpCode: undefined,
    iif: 'eth0',
    oif: undefined,
    tcpFlags: TCP_FLAG.syn,
    ctState: 'new',
    mark: 0n,
    ctMark: 0n,
    smac: undefined,
    dscp: undefined,
    ecn: undefined,
    ttl: undefined,
    length: undefined,
    pkttype: undefined,
    ctDnat: undefined,
    ctSnat: undefined,
    ...differences,
  };
}

/** The same packet with IPv6 addresses. */
export const packet6 = (differences: Partial<Packet> = {}): Packet =>
  packet({ version: 6, saddr: ip('2001:db8::7'), daddr: ip('2001:db8::1'), ...differences });

/** An ICMP packet. */
export const icmp = (icmpType: number, icmpCode = 0): Packet =>
  packet({ protocol: 1, sport: undefined, dport: undefined, icmpType, icmpCode, tcpFlags: 0 });

export function evaluate(rules: Ruleset, differences: Partial<Packet> = {}): Evaluation {
  return evaluatePacket(prepareRuleset(rules), packet(differences));
}

/** The verdict alone. */
export const verdictOf = (rules: Ruleset, differences: Partial<Packet> = {}) =>
  evaluate(rules, differences).verdict;

/** Path as `CHAIN: text -> verdict` lines; a policy's text is `policy`. */
export function pathLines(evaluation: Evaluation): string[] {
  return evaluation.path.map((step) => `${step.chain}: ${step.rule ?? 'policy'} -> ${step.verdict}`);
}
