/**
 * Random IPv4 filter policies, and the same policy in four forms: as the model, as `iptables-save` text, as the JSON of nft, and as
 * `iptables-save` text whose address lists are ipsets.
 */
import fc from 'fast-check';
import type { Condition, Rule, Ruleset, Verdict } from '../../src/model/index.ts';
import { formatAddress, type Interval, interval } from '../../src/net/index.ts';
import * as build from '../evaluate/build-ruleset.ts';

interface Negatable<T> {
  readonly value: T;
  readonly negated: boolean;
}

/** A rule of a policy. What is absent is not asked. */
export interface PolicyRule {
  readonly proto?: 'tcp' | 'udp';
  /** Closed ranges; with `proto` only. */
  readonly dport?: Negatable<readonly (readonly [number, number])[]>;
  readonly sport?: Negatable<readonly [number, number]>;
  /** Prefixes as address and length. One prefix, or several where the form has sets. */
  readonly saddr?: Negatable<readonly (readonly [bigint, number])[]>;
  readonly daddr?: Negatable<readonly [bigint, number]>;
  readonly iif?: Negatable<{ readonly name: string; readonly prefix: boolean }>;
  readonly states?: Negatable<readonly ('new' | 'established' | 'related' | 'invalid')[]>;
  readonly verdict: 'accept' | 'drop' | 'return' | 'jump' | 'goto' | 'none';
}

export interface Policy {
  readonly drops: boolean;
  readonly input: readonly PolicyRule[];
  /** Rules of the chain `side`, in which jumps count as nothing. */
  readonly side: readonly PolicyRule[];
}

const port = fc.oneof(fc.constantFrom(0, 1, 22, 7937, 7938, 9936, 65534, 65535), fc.nat(65535));
const portRange = fc.tuple(port, port).map(([a, b]): readonly [number, number] => (a < b ? [a, b] : [b, a]));
const portList = fc
  .uniqueArray(fc.constantFrom(22, 80, 443, 7937, 7938, 9090), { minLength: 1, maxLength: 4 })
  .map((ports) => ports.map((one): readonly [number, number] => [one, one]));
const prefix = fc
  .tuple(
    fc.constantFrom(0xc000_0200n, 0xc633_6400n, 0xcb00_7100n),
    fc.nat(255),
    fc.constantFrom(1, 8, 24, 25, 28, 31, 32),
  )
  .map(([net, host, length]): readonly [bigint, number] => {
    const mask = (0xffff_ffffn << BigInt(32 - length)) & 0xffff_ffffn;
    return [(net | BigInt(host)) & mask, length];
  });
/** A negation one time in four. */
const orNot = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Negatable<T>> =>
  fc.record({ value, negated: fc.nat(3).map((n) => n === 0) });

const anyRule: fc.Arbitrary<PolicyRule> = fc
  .record(
    {
      proto: fc.constantFrom<'tcp' | 'udp'>('tcp', 'udp'),
      dport: orNot(
        fc.oneof(
          portList,
          portRange.map((range) => [range]),
        ),
      ),
      sport: orNot(portRange),
      saddr: orNot(fc.array(prefix, { minLength: 1, maxLength: 3 })),
      daddr: orNot(prefix),
      iif: orNot(
        fc.constantFrom(
          { name: 'eth0', prefix: false },
          { name: 'eth1', prefix: false },
          { name: 'eth', prefix: true },
          { name: 'lo', prefix: false },
        ),
      ),
      states: orNot(fc.subarray(['new', 'established', 'related', 'invalid'] as const, { minLength: 1 })),
      verdict: fc.constantFrom('accept', 'accept', 'drop', 'drop', 'return', 'jump', 'goto', 'none'),
    },
    { requiredKeys: ['verdict'] },
  )
  .map(({ dport, sport, ...rest }) => {
    // Ports belong to a protocol.
    if (rest.proto === undefined) return rest;
    return { ...rest, ...(dport === undefined ? {} : { dport }), ...(sport === undefined ? {} : { sport }) };
  });

/** Up to six rules in the chain INPUT and four in the chain `side`. */
export const anyPolicy: fc.Arbitrary<Policy> = fc.record({
  drops: fc.boolean(),
  input: fc.array(anyRule, { maxLength: 6 }),
  side: fc
    .array(anyRule, { maxLength: 4 })
    .map((rules) =>
      rules.map(
        (rule): PolicyRule =>
          ['jump', 'goto'].includes(rule.verdict) ? { ...rule, verdict: 'return' } : rule,
      ),
    ),
});

const isAll = ([, length]: readonly [bigint, number]): boolean => length === 0;
const text = ([address, length]: readonly [bigint, number]): string =>
  `${formatAddress(4, address)}/${length}`;
const prefixInterval = ([address, length]: readonly [bigint, number]): Interval =>
  interval(address, address | (0xffff_ffffn >> BigInt(length)));

/** The policy as the model, without any parser. */
export function toModel({ drops, input, side }: Policy): Ruleset {
  const chainPolicy = drops ? 'drop' : 'accept';
  return build.chains(
    build.base('input', { chainPolicy }, ...input.map(modelRule)),
    build.chain('side', ...side.map(modelRule)),
  );
}

const STATES = { new: 0, established: 1, related: 2, invalid: 3 };

function modelRule(rule: PolicyRule): Rule {
  const parts: Condition[] = [];
  const push = (condition: Condition, negated: boolean): void => {
    parts.push(negated ? build.not(condition) : condition);
  };
  const { proto, dport, sport, saddr, daddr, iif, states } = rule;
  if (proto !== undefined) parts.push(build.field('protocol', proto === 'tcp' ? 6 : 17));
  if (sport !== undefined) push(build.field('sport', sport.value), sport.negated);
  if (dport !== undefined)
    push(
      build.field(
        'dport',
        dport.value.map(([lo, hi]) => interval(lo, hi)),
      ),
      dport.negated,
    );
  if (saddr !== undefined)
    push(
      { kind: 'address', field: 'saddr', version: 4, values: saddr.value.map(prefixInterval) },
      saddr.negated,
    );
  if (daddr !== undefined)
    push(
      { kind: 'address', field: 'daddr', version: 4, values: [prefixInterval(daddr.value)] },
      daddr.negated,
    );
  if (iif !== undefined) push(build.iif(iif.value.name, iif.value.prefix), iif.negated);
  if (states !== undefined)
    push(
      build.field(
        'ct-state',
        states.value.map((state) => interval(STATES[state], STATES[state])),
      ),
      states.negated,
    );
  const verdicts: Readonly<Record<PolicyRule['verdict'], Verdict | undefined>> = {
    accept: build.accept,
    drop: build.drop,
    return: build.back,
    jump: build.jump('side'),
    goto: build.goto('side'),
    none: undefined,
  };
  const verdict = verdicts[rule.verdict];
  return build.rule(...parts, ...(verdict === undefined ? [] : [verdict]));
}

/** How a text is written; none of it has a meaning. */
export interface Style {
  readonly counters?: boolean;
  readonly comments?: boolean;
  /** Long names of options. */
  readonly long?: boolean;
  /** Options in reverse, where iptables allows. */
  readonly reversed?: boolean;
  /** Address lists as ipsets: `ipset save` text is put before. */
  readonly sets?: boolean;
}

/** The policy as `iptables-save` prints it, or as a person may write it. Lists of addresses become several rules unless `sets`. */
export function toIptables({ drops, input, side }: Policy, style: Style = {}): string {
  const sets: string[] = [];
  const lines = [
    ...input.flatMap((rule) => iptablesRules('INPUT', rule, style, sets)),
    ...side.flatMap((rule) => iptablesRules('side', rule, style, sets)),
  ];
  const count = style.counters === true ? '[12:3456]' : '[0:0]';
  return [
    ...sets,
    ...(style.comments === true ? ['# Generated by iptables-save', ''] : []),
    '*filter',
    `:INPUT ${drops ? 'DROP' : 'ACCEPT'} ${count}`,
    `:side - ${count}`,
    ...lines.map((line, i) => (style.counters === true ? `[${i}:${i * 60}] ${line}` : line)),
    ...(style.comments === true ? ['# end'] : []),
    'COMMIT',
    '',
  ].join('\n');
}

function iptablesRules(chain: string, rule: PolicyRule, style: Style, sets: string[]): readonly string[] {
  const { proto, dport, sport, saddr, daddr, iif, states } = rule;
  const name = (short: string, long: string): string => (style.long === true ? long : short);
  const not = (negated: boolean): string => (negated ? '! ' : '');
  const options: string[] = [];
  if (daddr !== undefined && !(isAll(daddr.value) && !daddr.negated))
    options.push(`${not(daddr.negated)}${name('-d', '--destination')} ${text(daddr.value)}`);
  if (iif !== undefined)
    options.push(
      `${not(iif.negated)}${name('-i', '--in-interface')} ${iif.value.name}${iif.value.prefix ? '+' : ''}`,
    );
  if (proto !== undefined) {
    // What belongs to a protocol stays behind it.
    const parts = [`${name('-p', '--protocol')} ${proto} -m ${proto}`];
    if (sport !== undefined) parts.push(`${not(sport.negated)}--sport ${sport.value.join(':')}`);
    if (dport !== undefined) {
      const [first] = dport.value;
      parts.push(
        dport.value.length === 1
          ? `${not(dport.negated)}--dport ${first!.join(':')}`
          : `-m multiport ${not(dport.negated)}--dports ${dport.value.map(([lo]) => lo).join(',')}`,
      );
    }
    options.push(parts.join(' '));
  }
  if (states !== undefined)
    options.push(
      `-m conntrack ${not(states.negated)}--ctstate ${states.value.map((s) => s.toUpperCase()).join(',')}`,
    );
  const targets = {
    accept: '-j ACCEPT',
    drop: '-j DROP',
    return: '-j RETURN',
    jump: '-j side',
    goto: '-g side',
    none: '',
  };
  const target = targets[rule.verdict];
  const line = (source: readonly string[]): string => {
    const all = [...source, ...options];
    return ['-A', chain, ...(style.reversed === true ? all.reverse() : all), target].join(' ').trimEnd();
  };
  if (saddr === undefined) return [line([])];
  if (saddr.value.length > 1 || style.sets === true) {
    const set = `s${sets.length}`;
    sets.push(
      [
        `create ${set} hash:net family inet`,
        ...new Set(saddr.value.map((p) => `add ${set} ${text(p)}`)),
      ].join('\n'),
    );
    return [line([`-m set ${not(saddr.negated)}--match-set ${set} src`])];
  }
  return [line([`${not(saddr.negated)}${name('-s', '--source')} ${text(saddr.value[0]!)}`])];
}

/** The policy as `nft -j list ruleset` prints it. */
export function toNftJson({ drops, input, side }: Policy, firstHandle = 1): string {
  const place = { family: 'ip', table: 'filter' };
  let handle = firstHandle;
  const rules = (chain: string, list: readonly PolicyRule[]) =>
    list.map((rule) => ({ rule: { ...place, chain, handle: handle++, expr: nftExpressions(rule) } }));
  return JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6', release_name: 'x', json_schema_version: 1 } },
      { table: { family: 'ip', name: 'filter', handle: handle++ } },
      {
        chain: {
          ...place,
          name: 'INPUT',
          handle: handle++,
          type: 'filter',
          hook: 'input',
          prio: 0,
          policy: drops ? 'drop' : 'accept',
        },
      },
      { chain: { ...place, name: 'side', handle: handle++ } },
      ...rules('INPUT', input),
      ...rules('side', side),
    ],
  });
}

function nftExpressions(rule: PolicyRule): object[] {
  const { proto, dport, sport, saddr, daddr, iif, states } = rule;
  const match = (left: object, right: unknown, negated: boolean): object => ({
    match: { op: negated ? '!=' : '==', left, right },
  });
  const payload = (protocol: string, field: string): object => ({ payload: { protocol, field } });
  const range = ([lo, hi]: readonly [number, number]): unknown => (lo === hi ? lo : { range: [lo, hi] });
  const net = ([address, length]: readonly [bigint, number]): unknown =>
    length === 32 ? formatAddress(4, address) : { prefix: { addr: formatAddress(4, address), len: length } };
  const expressions: object[] = [];
  if (saddr !== undefined)
    expressions.push(
      match(
        payload('ip', 'saddr'),
        saddr.value.length === 1 ? net(saddr.value[0]!) : { set: saddr.value.map(net) },
        saddr.negated,
      ),
    );
  if (daddr !== undefined) expressions.push(match(payload('ip', 'daddr'), net(daddr.value), daddr.negated));
  if (iif !== undefined)
    expressions.push(
      match({ meta: { key: 'iifname' } }, `${iif.value.name}${iif.value.prefix ? '*' : ''}`, iif.negated),
    );
  if (proto !== undefined) {
    expressions.push(match({ meta: { key: 'l4proto' } }, proto, false));
    if (sport !== undefined)
      expressions.push(match(payload(proto, 'sport'), range(sport.value), sport.negated));
    if (dport !== undefined)
      expressions.push(
        match(
          payload(proto, 'dport'),
          dport.value.length === 1 ? range(dport.value[0]!) : { set: dport.value.map(range) },
          dport.negated,
        ),
      );
  }
  if (states !== undefined)
    expressions.push(
      states.negated
        ? match({ ct: { key: 'state' } }, { set: states.value }, true)
        : {
            match: {
              op: 'in',
              left: { ct: { key: 'state' } },
              right: states.value.length === 1 ? states.value[0] : states.value,
            },
          },
    );
  if (rule.verdict === 'jump' || rule.verdict === 'goto')
    expressions.push({ [rule.verdict]: { target: 'side' } });
  else if (rule.verdict !== 'none') expressions.push({ [rule.verdict]: null });
  return expressions;
}
