/** Checks that say with predicates what they look for: reading their `when`, and asking it of a host. */
import { normalizeRuleText } from '../finding/index.ts';
import type { Chain, PacketHook, Table } from '../model/index.ts';
import { formatProtocol, type Interval, type IpVersion, normalizeIntervals } from '../net/index.ts';
import { describePorts } from '../packet-set/index.ts';
import {
  type Case,
  type CheckDefinition,
  type CheckScope,
  Decoder,
  type Path,
  placeholdersOf,
  suggest,
} from '../rulepack/index.ts';
import { type Advice, type KeptAccess, NO_ADVICE } from './change.ts';
import { describeExposure, describeSources, describeWitness, listed } from './describe.ts';
import { chainOrigin, type Evidence, evidence, fileOrigin, placeText, ruleOrigin } from './evidence.ts';
import type { FoundPackets } from './found-packets.ts';
import type { HostContext } from './host-context.ts';
import { unknownRoles } from './packet-option.ts';
import { type BoundPredicate, PREDICATES, type Subject } from './predicate/index.ts';
import type { NamedRole } from './predicate/predicate.ts';
import { insertAccept } from './remediation.ts';

/** A check with its predicates read. */
export interface DataCheck {
  readonly scope: CheckScope;
  readonly hooks: readonly PacketHook[];
  readonly onHost: readonly Extract<BoundPredicate, { kind: 'host' }>[];
  readonly onSubject: readonly Extract<BoundPredicate, { kind: 'subject' }>[];
  readonly packets: readonly Extract<BoundPredicate, { kind: 'packets' }>[];
  readonly onFound: readonly Extract<BoundPredicate, { kind: 'found' }>[];
  /** Every role that the options name. */
  readonly roles: readonly NamedRole[];
}

/** A fact that a message of a check with `when` may name in braces. */
export interface FactOfDataCheck {
  readonly name: string;
  readonly means: string;
  readonly when: 'always' | 'rule or chain' | 'accepts' | 'blocks' | 'packets';
}

/** All of them, as the documentation lists them. */
export const FACTS_OF_DATA_CHECKS: readonly FactOfDataCheck[] = [
  { name: 'host', means: 'name of the host', when: 'always' },
  { name: 'roles', means: 'its roles', when: 'always' },
  { name: 'hook', means: '`input`, `forward` or `output`', when: 'always' },
  {
    name: 'place',
    means: 'the rule or policy, or the chain; with the scope `host` the rule or policy to blame',
    when: 'always',
  },
  { name: 'table', means: 'name of the table', when: 'rule or chain' },
  { name: 'chain', means: 'name of the chain', when: 'rule or chain' },
  { name: 'sources', means: 'who sends the packets', when: 'packets' },
  { name: 'destinations', means: 'where they go; `the host` on `input`', when: 'packets' },
  { name: 'service', means: 'their protocol and ports, `tcp/5432`', when: 'packets' },
  { name: 'ports', means: 'their ports alone', when: 'packets' },
  {
    name: 'allowed',
    means: 'whom `except-from` and `except-to` name: hosts, networks and addresses, or `nobody`',
    when: 'packets',
  },
  {
    name: 'source',
    means: '`any` or `narrow`, as `open-to` takes it: for cases of severity and message',
    when: 'accepts',
  },
  { name: 'others', means: 'further rules that stop them: `` or ` and 2 more`', when: 'blocks' },
];

/**
 * Reads a check's predicates; what is wrong goes to the decoder, with the place of each option. Also looks at the facts that its
 * texts name.
 */
export function readDataCheck(check: CheckDefinition, decoder: Decoder): DataCheck {
  const scope = check.scope ?? 'rule';
  const bound: BoundPredicate[] = [];
  const names = PREDICATES.map((one) => one.name);
  for (const [name, value] of Object.entries(check.when ?? {})) {
    const path: Path = ['when', name];
    const predicate = PREDICATES.find((one) => one.name === name);
    if (predicate === undefined) decoder.report(path, `there is no such predicate; ${suggest(name, names)}`);
    else if (!predicate.scopes.includes(scope)) {
      decoder.report(
        path,
        `cannot be asked of the scope "${scope}"; it is for ${predicate.scopes.join(', ')}`,
      );
    } else bound.push(predicate.read(value, path, decoder, scope));
  }
  const ofKind = <K extends BoundPredicate['kind']>(kind: K) =>
    bound.filter((one): one is Extract<BoundPredicate, { kind: K }> => one.kind === kind);
  const packets = ofKind('packets');
  const kinds = Object.keys(check.when ?? {}).filter((name) => /^(accepts|blocks)-/.test(name));
  if (ofKind('found').length > 0 && !kinds.some((name) => name.startsWith('accepts-')))
    decoder.report(
      ['when', 'open-to'],
      'asks about packets that accepts-any-of or accepts-all-of found; name one of them',
    );
  reportFacts(check, factsOf(scope, kinds[0]), decoder);
  return {
    scope,
    hooks: ofKind('hook')[0]?.hooks ?? ['input'],
    onHost: ofKind('host'),
    onSubject: ofKind('subject'),
    packets,
    onFound: ofKind('found'),
    roles: [...ofKind('host').flatMap((one) => one.roles), ...packets.flatMap((one) => one.roles)],
  };
}

/** Facts that evidence of a check has, by its scope and the first predicate on packets. */
function factsOf(scope: CheckScope, packets: string | undefined): string[] {
  const isThere: Readonly<Record<FactOfDataCheck['when'], boolean>> = {
    always: true,
    'rule or chain': scope !== 'host',
    packets: packets !== undefined,
    accepts: packets?.startsWith('accepts') === true,
    blocks: packets?.startsWith('blocks') === true,
  };
  return FACTS_OF_DATA_CHECKS.filter(({ when }) => isThere[when]).map(({ name }) => name);
}

/** Complains about facts that texts or cases name and evidence does not have. */
function reportFacts(check: CheckDefinition, facts: readonly string[], decoder: Decoder): void {
  const look = (name: string, path: Path) => {
    if (!facts.includes(name))
      decoder.report(path, `there is no fact "${name}" here; ${suggest(name, facts)}`);
  };
  const inText = (text: string, path: Path) => {
    for (const name of placeholdersOf(text)) look(name, path);
  };
  const inCases = (cases: readonly Case<string>[], path: Path, isText: boolean) => {
    cases.forEach(({ when, is }, i) => {
      for (const name of Object.keys(when ?? {})) look(name, [...path, i, 'when', name]);
      if (isText) inText(is, [...path, i, 'is']);
    });
  };
  if (typeof check.message === 'string') inText(check.message, ['message']);
  else inCases(check.message, ['message'], true);
  if (typeof check.severity !== 'string') inCases(check.severity, ['severity'], false);
  inText(check.remediation, ['remediation']);
}

/** Roles named in a check that the profile does not have, with their places; also of a check that has other faults. */
export function foreignRoles(
  check: CheckDefinition,
  roles: readonly string[],
): { readonly path: Path; readonly detail: string }[] {
  if (check.when === undefined) return [];
  // What else is wrong with the check is told where it is loaded.
  const { roles: named } = readDataCheck(check, new Decoder(check.source.file, check.source.locate));
  return unknownRoles(named, roles);
}

const BOUND = new WeakMap<CheckDefinition, DataCheck>();

/** The predicates of a check that was found to be right when it was loaded. */
function boundCheck(check: CheckDefinition): DataCheck {
  let bound = BOUND.get(check);
  if (bound === undefined) {
    const decoder = new Decoder(check.source.file, check.source.locate);
    bound = readDataCheck(check, decoder);
    const [problem] = decoder.problems;
    if (problem !== undefined) throw new RangeError(`check ${check.id}: ${problem.path}: ${problem.detail}`);
    BOUND.set(check, bound);
  }
  return bound;
}

/** Evidence of a check with `when` on one host. */
export function* runDataCheck(context: HostContext, check: CheckDefinition): Iterable<Evidence> {
  const bound = boundCheck(check);
  if (!bound.onHost.every((one) => one.holds(context))) return;
  for (const hook of bound.hooks) {
    for (const subject of subjectsOf(context, hook, bound.scope)) {
      if (!bound.onSubject.every((one) => one.holds(subject))) continue;
      const found: FoundPackets[] = [];
      for (const { find } of bound.packets) {
        const one = find(subject);
        if (one === undefined) break;
        found.push(one);
      }
      if (found.length < bound.packets.length) continue;
      if (!bound.onFound.every((one) => found.some((f) => f.what === 'accepted' && one.holds(f)))) continue;
      yield toEvidence(subject, found);
    }
  }
}

/** What a check is asked about on one way through a host. */
function* subjectsOf(context: HostContext, hook: PacketHook, scope: CheckScope): Iterable<Subject> {
  if (scope === 'host') {
    if (context.versions.length === 0) return;
    yield { scope, context, hook, table: undefined, chain: undefined, rule: undefined };
    return;
  }
  for (const { table, chain } of chainsOn(context, hook)) {
    if (scope === 'chain') yield { scope, context, hook, table, chain, rule: undefined };
    else {
      // A rule without a number is no rule of its own, unless it stands for an element of a configuration.
      for (const rule of chain.rules)
        if (rule.number !== undefined || rule.configured !== undefined)
          yield { scope, context, hook, table, chain, rule };
      if (chain.base !== undefined) yield { scope, context, hook, table, chain, rule: undefined };
    }
  }
}

/** Base chains of a hook, and the chains that they jump to, in the order of the export. */
function chainsOn(
  context: HostContext,
  hook: PacketHook,
): readonly { readonly table: Table; readonly chain: Chain }[] {
  return context.once(`chains on ${hook}`, () =>
    context.input.ruleset.tables.flatMap((table) => {
      const byName = new Map(table.chains.map((chain) => [chain.name, chain]));
      const open = table.chains.filter((chain) => chain.base?.hook === hook);
      const seen = new Set<Chain>(open);
      for (let chain = open.pop(); chain !== undefined; chain = open.pop()) {
        for (const { verdict } of chain.rules) {
          const next =
            verdict.kind === 'jump' || verdict.kind === 'goto' ? byName.get(verdict.chain) : undefined;
          if (next === undefined || seen.has(next)) continue;
          seen.add(next);
          open.push(next);
        }
      }
      return table.chains.filter((chain) => seen.has(chain)).map((chain) => ({ table, chain }));
    }),
  );
}

function toEvidence(subject: Subject, found: readonly FoundPackets[]): Evidence {
  const { context, hook, scope, table, chain, rule } = subject;
  const { host } = context;
  const [shown] = found;
  const blamed = scope === 'host' ? shown?.places[0] : table && chain && { table, chain, rule };
  const file = context.input.files[0];
  const origin =
    blamed === undefined
      ? file === undefined
        ? null
        : fileOrigin(file)
      : scope === 'chain' || blamed.rule === undefined
        ? chainOrigin(blamed.table, blamed.chain)
        : ruleOrigin(blamed.table, blamed.chain, blamed.rule);
  const place =
    blamed === undefined
      ? 'the rule set as a whole'
      : scope === 'chain'
        ? `the chain ${blamed.chain.name}`
        : placeText(blamed.rule, blamed.chain);
  const further = scope === 'host' ? (shown?.places.slice(1) ?? []) : [];
  return evidence({
    host: host.name,
    hook,
    origin,
    related: further.slice(0, 5).map((one) => ({
      origin:
        one.rule === undefined
          ? chainOrigin(one.table, one.chain)
          : ruleOrigin(one.table, one.chain, one.rule),
      label:
        shown?.what === 'stopped'
          ? 'also stops some of these packets'
          : 'also lets some of these packets through',
    })),
    facts: {
      host: host.name,
      roles: host.roles.length === 0 ? 'unknown' : listed(host.roles),
      hook,
      place,
      ...(table === undefined ? {} : { table: table.name }),
      ...(chain === undefined ? {} : { chain: chain.name }),
      ...(shown === undefined ? {} : factsOfPackets(shown)),
      ...(shown?.what === 'stopped'
        ? { others: further.length === 0 ? '' : ` and ${further.length} more` }
        : {}),
    },
    certainty: found.every((one) => one.certain) ? 'certain' : 'possible',
    unknowns: [...new Set(found.flatMap((one) => one.unknowns))].sort(),
    ...(shown === undefined
      ? {}
      : {
          exposure:
            shown.what === 'accepted'
              ? describeExposure(
                  hook === 'output' ? shown.destinations : shown.sources,
                  shown.allowedRanges,
                  singleProtocols(shown.protocols) ?? [],
                  shown.ports,
                )
              : null,
          witness:
            shown.witness === undefined ? null : describeWitness(hook, shown.witness, context.mentioned),
        }),
    ...(shown?.what === 'stopped' ? adviceFor(subject, shown) : NO_ADVICE),
    meaning: [
      scope,
      ...(table === undefined ? [] : [table.family, table.name]),
      ...(chain === undefined ? [] : [chain.name]),
      ...(scope === 'rule' ? [rule === undefined ? 'policy' : normalizeRuleText(rule.text)] : []),
    ],
  });
}

function factsOfPackets(found: FoundPackets): Readonly<Record<string, string>> {
  const { sources, destinations, protocols, ports, isAny, allowed } = found;
  const single = singleProtocols(protocols);
  const names = single === undefined ? 'every protocol' : single.map(formatProtocol).join(', ');
  const isWhole = ports.length === 1 && ports[0]!.lo <= 1n && ports[0]!.hi === 65535n;
  const shown = listed(describePorts(ports), 8);
  return {
    sources: describeSources(sources),
    destinations: destinations.size === 0 ? 'the host' : describeSources(destinations),
    service: ports.length === 0 ? names : isWhole ? `${names} on every port` : `${names}/${shown}`,
    ports: ports.length === 0 ? 'none' : shown,
    allowed: allowed.length === 0 ? 'nobody' : listed(allowed, 8),
    ...(found.what === 'accepted' ? { source: isAny ? 'any' : 'narrow' } : {}),
  };
}

/** Protocol numbers, where there are few. */
function singleProtocols(protocols: readonly Interval[]): number[] | undefined {
  const count = protocols.reduce((sum, { lo, hi }) => sum + Number(hi - lo) + 1, 0);
  if (count > 8) return undefined;
  return protocols.flatMap(({ lo, hi }) =>
    Array.from({ length: Number(hi - lo) + 1 }, (_, i) => Number(lo) + i),
  );
}

/** Rules that let the stopped packets through, before the first rule that stops them. */
function adviceFor({ hook }: Subject, found: FoundPackets): Advice {
  const [blocker] = found.places;
  const protocols = singleProtocols(found.protocols);
  if (blocker === undefined || hook === 'forward' || protocols === undefined || found.ports.length === 0)
    return NO_ADVICE;
  if (blocker.rule?.verdict.kind === 'nat') return NO_ADVICE;
  const ends = hook === 'output' ? found.destinations : found.sources;
  const needed: KeptAccess[] = [...ends].flatMap(
    ([version, list]: readonly [IpVersion, readonly Interval[]]) =>
      normalizeIntervals(list).flatMap((saddr) =>
        protocols.map((protocol) => ({ version, saddr, protocol, ports: found.ports })),
      ),
  );
  const here = found.places.filter((one) => one.chain === blocker.chain).map((one) => one.rule);
  const first = blocker.chain.rules.find((rule) => here.includes(rule));
  return insertAccept(blocker.table, blocker.chain, first, hook === 'output' ? 'out' : 'in', needed);
}
