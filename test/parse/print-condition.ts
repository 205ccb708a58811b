import type { Condition, FieldName, Rule, Table } from '../../src/model/index.ts';
import { formatAddress, type Interval, type IpVersion } from '../../src/net/index.ts';

/** A condition as one short line, for expectations that people can read. */
export function printCondition(condition: Condition): string {
  switch (condition.kind) {
    case 'all':
      return condition.of.length === 0 ? 'always' : `all(${condition.of.map(printCondition).join(', ')})`;
    case 'any':
      return condition.of.length === 0 ? 'never' : `any(${condition.of.map(printCondition).join(', ')})`;
    case 'not':
      return `not(${printCondition(condition.of)})`;
    case 'field':
      return `${condition.field}${printMask(condition.field, condition.mask)} ${printValues(condition.values)}`;
    case 'address': {
      const mask = condition.mask === undefined ? '' : `&${formatAddress(condition.version, condition.mask)}`;
      return `${condition.field}${mask} ${printAddresses(condition.version, condition.values)}`;
    }
    case 'original':
      return `original(${printCondition(condition.of)})`;
    case 'interface':
      return `${condition.field} ${condition.name}${condition.prefix ? '*' : ''}`;
    case 'address-type':
      return `${condition.field} is ${condition.types.join('|')}${condition.limitedToInterface ? ' limited' : ''}`;
    case 'named-set':
      return `@${condition.set} ${condition.directions.join(',')}${condition.returnNomatch ? ' nomatch' : ''}`;
    case 'unknown':
      return `${condition.nature === 'varying' ? 'varying' : 'unknown'}(${condition.text})`;
    case 'version':
      return `version ${condition.version}`;
  }
}

function printMask(field: FieldName, mask: bigint | undefined): string {
  if (mask === undefined) return '';
  return field === 'tcp-flags' ? `&${mask}` : `&0x${mask.toString(16)}`;
}

function printValues(values: readonly Interval[]): string {
  return values.map((v) => (v.lo === v.hi ? `${v.lo}` : `${v.lo}-${v.hi}`)).join('|');
}

function printAddresses(version: IpVersion, values: readonly Interval[]): string {
  const print = (value: bigint): string => formatAddress(version, value);
  return values.map((v) => (v.lo === v.hi ? print(v.lo) : `${print(v.lo)}-${print(v.hi)}`)).join('|');
}

/** All matches of a rule, separated by `; `. */
export function printMatches(rule: Rule): string {
  return rule.matches.map((m) => printCondition(m.condition)).join('; ');
}

/** Statements and verdict of a rule. */
export function printOutcome(rule: Rule): string {
  const statements = rule.statements.map((s) => {
    if (s.kind === 'set-field') return `${s.field} = &0x${s.and.toString(16)} ^0x${s.xor.toString(16)}`;
    if (s.kind === 'copy-field')
      return `${s.field} = &0x${s.and.toString(16)} ^(${s.from}&0x${s.fromMask.toString(16)})`;
    if (s.kind === 'unknown-field') return `${s.field} = unknown`;
    return s.kind;
  });
  return [...statements, printVerdict(rule)].join('; ');
}

function printVerdict(rule: Rule): string {
  const { verdict } = rule;
  switch (verdict.kind) {
    case 'reject':
      return `reject ${verdict.with}`;
    case 'jump':
    case 'goto':
      return `${verdict.kind} ${verdict.chain}`;
    case 'queue':
      return verdict.bypass ? 'queue bypass' : 'queue';
    case 'nat': {
      const { kind, addresses, ports, version, unknownTarget, portMoves } = verdict.nat;
      const to = addresses === undefined ? '' : ` ${printAddresses(version ?? 4, [addresses])}`;
      return `${kind}${to}${ports === undefined ? '' : ` ports ${printValues([ports])}`}${portMoves === true ? ' moving' : ''}${unknownTarget ? ' unknown' : ''}`;
    }
    default:
      return verdict.kind;
  }
}

/** A chain's rules in a few words: number, matches, outcome. */
export function printChain(table: Table | undefined, name: string): readonly string[] {
  const chain = table?.chains.find((c) => c.name === name);
  if (chain === undefined) return ['(no such chain)'];
  return chain.rules.map((r) => `${r.number ?? '-'}: ${printMatches(r)} => ${printOutcome(r)}`);
}
