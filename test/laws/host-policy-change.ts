/** Small mistakes in host policies: what a wrong reading of one format would make of them. */
import type { CtState } from '../../src/model/index.ts';
import type {
  Action,
  Addresses,
  ChainName,
  HostPolicy,
  HostRule,
  Negatable,
  Network,
  Range,
} from './host-policy.ts';

/** A policy that differs in one place from another. It may mean the same all the same. */
export interface Change {
  readonly what: string;
  readonly policy: HostPolicy;
}

const NEGATABLE = [
  'dport',
  'sport',
  'icmp',
  'flags',
  'saddr',
  'daddr',
  'pairs',
  'iif',
  'oif',
  'states',
  'mark',
] as const satisfies readonly (keyof HostRule)[];

/** Every mistake of one kind at one place. */
export function changesOf(policy: HostPolicy): readonly Change[] {
  const { dropping, rules } = policy;
  const policies = (['INPUT', 'FORWARD', 'OUTPUT'] satisfies ChainName[]).map((chain): Change => {
    const others = dropping.filter((one) => one !== chain);
    const changed = others.length < dropping.length ? others : [...dropping, chain];
    return { what: `chain policy of ${chain}`, policy: { ...policy, dropping: changed } };
  });
  const ofRules = rules.flatMap(({ table, chain, rule }, i) =>
    changedRules(rule).map(([what, changed]): Change => {
      const placed = rules.map((one, k) => (k === i ? { ...one, rule: changed } : one));
      return { what: `${what} of rule ${i + 1} (${table} ${chain})`, policy: { ...policy, rules: placed } };
    }),
  );
  return [...policies, ...ofRules];
}

type Changed = readonly [string, HostRule];

function changedRules(rule: HostRule): readonly Changed[] {
  const out: Changed[] = [];
  const { version, dport, sport, icmp, flags, saddr, daddr, pairs, iif, oif, states, translated, mark } =
    rule;
  // What belongs to one version, or to a code, stays whole.
  for (const key of NEGATABLE) {
    const part = rule[key];
    if (part === undefined || (key === 'icmp' && icmp?.value.code !== undefined)) continue;
    out.push([`negation of ${key}`, { ...rule, [key]: { ...part, negated: !part.negated } }]);
  }
  if (version !== undefined) out.push(['IP version', { ...rule, version: version === 4 ? 6 : 4 }]);
  if (dport !== undefined) out.push(['port', { ...rule, dport: { ...dport, value: widened(dport.value) } }]);
  if (sport !== undefined)
    out.push(['source port', { ...rule, sport: { ...sport, value: widened(sport.value) } }]);
  if (icmp !== undefined)
    out.push([
      'ICMP type',
      { ...rule, icmp: { ...icmp, value: { ...icmp.value, type: icmp.value.type ^ 1 } } },
    ]);
  if (flags !== undefined) {
    const { asked, set } = flags.value;
    const others = asked.filter((flag) => !set.includes(flag));
    if (others.length > 0)
      out.push(['TCP flags', { ...rule, flags: { ...flags, value: { asked, set: others } } }]);
  }
  if (saddr !== undefined) out.push(['source', { ...rule, saddr: moved(saddr) }]);
  if (daddr !== undefined) out.push(['destination', { ...rule, daddr: moved(daddr) }]);
  if (pairs !== undefined) {
    const value = pairs.value.map(([address, port], i) => [address, i === 0 ? port + 1 : port] as const);
    out.push(['pair', { ...rule, pairs: { ...pairs, value } }]);
  }
  if (iif !== undefined) out.push(['interface', { ...rule, iif: renamed(iif) }]);
  if (oif !== undefined) out.push(['interface', { ...rule, oif: renamed(oif) }]);
  if (states !== undefined) {
    const others: readonly CtState[] = states.value.includes('established')
      ? states.value.filter((state) => state !== 'established')
      : [...states.value, 'established'];
    if (others.length > 0) out.push(['state', { ...rule, states: { ...states, value: others } }]);
  }
  if (translated !== undefined) out.push(['translation', { ...rule, translated: !translated }]);
  if (mark !== undefined)
    out.push(['mark', { ...rule, mark: { ...mark, value: { ...mark.value, value: mark.value.value ^ 2 } } }]);
  return [...out, ...changedActions(rule.action).map((action): Changed => ['action', { ...rule, action }])];
}

/** One port more at the upper end, or one less at 65535. */
function widened(ranges: readonly Range[]): readonly Range[] {
  return ranges.map(([lo, hi], i) =>
    i > 0 ? [lo, hi] : hi < 65535 ? [lo, hi + 1] : [Math.min(lo + 1, hi), hi],
  );
}

/** The network beside a network. */
function beside(network: Network): Network {
  return network.bits < 8
    ? { ...network, host: network.host ^ (1 << network.bits) }
    : { ...network, net: (network.net + 1) % 3 };
}

function moved({ value, negated }: Negatable<Addresses>): Negatable<Addresses> {
  switch (value.kind) {
    case 'network':
      return { negated, value: { kind: 'network', network: beside(value.network) } };
    case 'range':
      return { negated, value: { kind: 'range', ends: [value.ends[0], beside(value.ends[1])] } };
    case 'set':
      // A hole less, or another first network.
      return value.holes.length > 0
        ? { negated, value: { ...value, holes: value.holes.slice(1) } }
        : {
            negated,
            value: { ...value, networks: [beside(value.networks[0]!), ...value.networks.slice(1)] },
          };
  }
}

function renamed({ value, negated }: NonNullable<HostRule['iif']>): NonNullable<HostRule['iif']> {
  return { negated, value: { name: value.name === 'eth1' ? 'lo' : 'eth1', prefix: false } };
}

function changedActions(action: Action): readonly Action[] {
  switch (action.kind) {
    case 'accept':
      return [{ kind: 'drop' }];
    case 'drop':
      return [{ kind: 'accept' }, { kind: 'reject' }];
    case 'reject':
      return [{ kind: 'drop' }];
    case 'return':
    case 'none':
      return [{ kind: 'accept' }];
    case 'notrack':
      return [{ kind: 'none' }];
    case 'jump':
      return [{ kind: 'goto', chain: action.chain }];
    case 'goto':
      return [{ kind: 'jump', chain: action.chain }];
    case 'mark':
      return [{ kind: 'mark', mark: action.mark ^ 3 }];
    case 'redirect':
      return [{ kind: 'redirect', port: action.port + 1 }];
    case 'dnat': {
      const { to, port } = action;
      const other: Action = { ...action, to: beside(to) };
      return port === undefined ? [other] : [other, { ...action, port: port + 1 }];
    }
    case 'by-port': {
      const [[port, verdict] = [0, 'drop'], ...others] = action.verdicts;
      return [{ kind: 'by-port', verdicts: [[port, verdict === 'accept' ? 'drop' : 'accept'], ...others] }];
    }
  }
}
