import type { Chain, NamedSet, Packet, Rule, Ruleset, Table } from '../../src/model/index.ts';
import { toJson } from './random-case.ts';

/**
 * A smaller ruleset of which `fails` still holds: tables, chains, rules, matches, statements, sets and elements are taken out one by
 * one until nothing can go.
 */
export function shrinkRuleset(ruleset: Ruleset, fails: (smaller: Ruleset) => boolean): Ruleset {
  let smallest = ruleset;
  for (let shrunk = true; shrunk; ) {
    shrunk = false;
    for (const candidate of smallerRulesets(smallest)) {
      if (!fails(candidate)) continue;
      smallest = candidate;
      shrunk = true;
      break;
    }
  }
  return smallest;
}

function without<T>(list: readonly T[], index: number): T[] {
  return list.filter((_, i) => i !== index);
}

function replaced<T>(list: readonly T[], index: number, value: T): T[] {
  return list.map((old, i) => (i === index ? value : old));
}

/** Rulesets with one part less, large parts first. */
function* smallerRulesets(ruleset: Ruleset): Generator<Ruleset> {
  const { tables, namedSets } = ruleset;
  for (const [i] of tables.entries()) yield { ...ruleset, tables: without(tables, i) };
  for (const [i] of namedSets.entries()) yield { ...ruleset, namedSets: without(namedSets, i) };
  for (const [i, table] of tables.entries()) {
    for (const smaller of smallerTables(table)) yield { ...ruleset, tables: replaced(tables, i, smaller) };
  }
  for (const [i, set] of namedSets.entries()) {
    for (const [k] of set.elements.entries()) {
      const smaller: NamedSet = { ...set, elements: without(set.elements, k) };
      yield { ...ruleset, namedSets: replaced(namedSets, i, smaller) };
    }
  }
}

function* smallerTables(table: Table): Generator<Table> {
  const { chains } = table;
  for (const [i] of chains.entries()) yield { ...table, chains: without(chains, i) };
  for (const [i, chain] of chains.entries()) {
    for (const smaller of smallerChains(chain)) yield { ...table, chains: replaced(chains, i, smaller) };
  }
}

function* smallerChains(chain: Chain): Generator<Chain> {
  const { rules } = chain;
  for (const [i] of rules.entries()) yield { ...chain, rules: without(rules, i) };
  for (const [i, rule] of rules.entries()) {
    for (const smaller of smallerRules(rule)) yield { ...chain, rules: replaced(rules, i, smaller) };
  }
}

function* smallerRules(rule: Rule): Generator<Rule> {
  for (const [i] of rule.matches.entries()) yield { ...rule, matches: without(rule.matches, i) };
  for (const [i] of rule.statements.entries()) yield { ...rule, statements: without(rule.statements, i) };
  for (const [i, { condition, text }] of rule.matches.entries()) {
    const parts =
      condition.kind === 'all' || condition.kind === 'any'
        ? condition.of
        : condition.kind === 'not'
          ? [condition.of]
          : [];
    for (const part of parts)
      yield { ...rule, matches: replaced(rule.matches, i, { condition: part, text }) };
  }
}

/** A ruleset and a packet as lines to read, with everything that the test depends on. */
export function printCase(ruleset: Ruleset, packet: Packet): string {
  const lines = [`packet ${toJson(packet)}`];
  for (const set of ruleset.namedSets) {
    const elements = set.elements.map(({ values, nomatch, timeout }) => toJson({ values, nomatch, timeout }));
    lines.push(`set ${set.name} ${set.type}${set.dynamic ? ' dynamic' : ''}: ${elements.join(' ')}`);
  }
  for (const table of ruleset.tables) {
    lines.push(`table ${table.family}${table.dormant ? ' dormant' : ''}`);
    for (const chain of table.chains) {
      lines.push(`  chain ${chain.name} ${chain.base === undefined ? '' : toJson(chain.base)}`);
      for (const { matches, statements, verdict } of chain.rules) {
        const conditions = matches.map(({ condition }) => condition);
        lines.push(`    ${toJson({ conditions, statements, verdict })}`);
      }
    }
  }
  return lines.join('\n');
}
