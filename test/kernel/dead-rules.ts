import { type DeadElements, deadElements } from '../../src/check/dead-element.ts';
import { type DeadRule, deadRules } from '../../src/check/dead-rule.ts';
import { createEstate, HostContext } from '../../src/check/index.ts';
import { resolveHosts } from '../../src/inventory/index.ts';
import { shippedProfile } from '../scan-support.ts';
import { readWhole } from './ask-nwaudit.ts';
import { createRandom, type Random } from './random.ts';
import type { KernelExports, KernelRules } from './run-kernel-case.ts';

/** What nwaudit calls dead in the exports of a host. */
export interface DeadFound {
  readonly rules: readonly DeadRule[];
  readonly elements: readonly DeadElements[];
}

/** Dead rules and elements of what the real tools exported; file names are those of the exports. */
export function findDead(exports: KernelExports, given: readonly (keyof KernelExports)[]): DeadFound {
  const files = given
    .filter((name) => (exports[name] ?? '') !== '')
    .map((name) => ({ path: name, bytes: new TextEncoder().encode(exports[name]) }));
  const [host] = resolveHosts(['host'], undefined);
  const profile = shippedProfile('guide');
  const estate = createEstate({ profile, inventory: undefined, hosts: [host!], today: '2026-11-22' });
  const ruleset = readWhole(files);
  const context = new HostContext({ host: host!, ruleset, files: given, diagnostics: [] }, estate);
  return { rules: deadRules(context), elements: deadElements(context) };
}

/** A rule set like the one exported, without something that is dead. */
export interface Reduced {
  readonly what: string;
  readonly rules: KernelRules;
}

/** One rule set without all rules that no packet hits, then one for each rule that others repeat, and one for each list with dead elements. */
export function reductions(exports: KernelExports, legacy: boolean, dead: DeadFound): Reduced[] {
  const hidden = dead.rules.filter(({ kind }) => kind !== 'redundant');
  const repeated = dead.rules.filter(({ kind }) => kind === 'redundant');
  const out: Reduced[] = [];
  const without = (rules: readonly DeadRule[]): KernelRules =>
    load(exports, legacy, (name, line) =>
      rules.some((d) => d.rule.origin.file === name && d.rule.origin.line === line),
    );
  if (hidden.length > 0) out.push({ what: namesOf(hidden), rules: without(hidden) });
  for (const one of repeated) out.push({ what: namesOf([one]), rules: without([one]) });
  const chains = new Set(repeated.map(({ chain }) => chain));
  for (const chain of chains) {
    const together = repeated.filter((one) => one.chain === chain);
    if (together.length > 1) out.push({ what: namesOf(together), rules: without([...together, ...hidden]) });
  }
  for (const list of dead.elements)
    out.push({
      what: `${list.kind} ${list.elements.join(' ')} of ${list.rule.text}`,
      rules: withoutElements(exports, legacy, list),
    });
  return out;
}

function namesOf(rules: readonly DeadRule[]): string {
  return rules.map(({ kind, rule }) => `${kind}: ${rule.text}`).join('\n');
}

/** The exports as the restore commands take them, without some lines. */
function load(
  exports: KernelExports,
  legacy: boolean,
  isGone: (name: string, line: number) => boolean,
): KernelRules {
  const text = (name: keyof KernelExports): string =>
    (exports[name] ?? '')
      .split('\n')
      .filter((_, i) => !isGone(name, i + 1))
      .join('\n');
  const sets = exports['ipset-save'];
  return {
    iptables: text('iptables-save'),
    ...(exports['ip6tables-save'] === '' ? {} : { ip6tables: text('ip6tables-save') }),
    ...(sets === undefined ? {} : { ipset: sets }),
    ...(legacy ? { legacy: true } : {}),
  };
}

function withoutElements(
  exports: KernelExports,
  legacy: boolean,
  { set, elements, rule }: DeadElements,
): KernelRules {
  const whole = load(exports, legacy, () => false);
  if (set !== undefined) {
    const gone = elements.map((element) => `del ${set} ${element}\n`).join('');
    return { ...whole, ipset: `${whole.ipset ?? ''}${gone}` };
  }
  const { file, line } = rule.origin;
  const lines = (exports[file as keyof KernelExports] ?? '').split('\n');
  const changed = lines[line - 1]!.replace(
    /(--(?:dports|sports|ports) )(\S+)/,
    (_, option: string, list: string) => {
      const ports = list.split(',');
      // One for each that is named: of 22,22 only one is redundant.
      for (const element of elements) {
        const at = ports.findIndex((port) => port.replace(':', '-') === element);
        if (at >= 0) ports.splice(at, 1);
      }
      return `${option}${ports.join(',')}`;
    },
  );
  if (changed === lines[line - 1]) throw new Error(`no element of ${elements.join()} in ${lines[line - 1]}`);
  lines[line - 1] = changed;
  const name = file === 'iptables-save' ? 'iptables' : 'ip6tables';
  return { ...whole, [name]: lines.join('\n') };
}

/**
 * The rules with others that make some of them dead: copies further down, narrower rules behind or before wider ones, with the same verdict or
 * another one. `text` is for `iptables-restore`.
 */
export function withDeadRules(text: string, seed: number, version: 4 | 6): string {
  const random = createRandom(seed);
  return text
    .split(/(?<=^COMMIT\n)/m)
    .map((table) => tableWithDeadRules(table, random, version))
    .join('');
}

function tableWithDeadRules(table: string, random: Random, version: 4 | 6): string {
  const lines = table.split('\n');
  const isFilter = lines[0] === '*filter';
  const chains = new Map<string, string[]>();
  for (const line of lines.filter((one) => one.startsWith('-A '))) {
    const chain = line.split(' ')[1]!;
    chains.set(chain, [...(chains.get(chain) ?? []), line]);
  }
  for (const [chain, rules] of chains) {
    for (const rule of [...rules]) {
      const behind = rules.indexOf(rule) + 1;
      const at = behind + random.integer(rules.length - behind + 1);
      if (random.chance(0.25)) rules.splice(at, 0, changed(rule, random, version, isFilter));
    }
    if (isFilter && random.chance(0.7)) {
      const [wide, narrow] = version === 4 ? ['192.0.2.0/24', '192.0.2.'] : ['2001:db8::/32', '2001:db8::'];
      const pair = [
        `-A ${chain} -s ${wide} -j ACCEPT`,
        `-A ${chain} -s ${narrow}${random.integer(16)} -j ${random.pick(['ACCEPT', 'DROP'])}`,
      ];
      if (random.chance(0.5)) pair.reverse();
      const first = random.integer(rules.length + 1);
      rules.splice(first, 0, pair[0]!);
      rules.splice(first + 1 + random.integer(rules.length - first), 0, pair[1]!);
    }
    if (isFilter && random.chance(0.3)) {
      rules.unshift(
        `-A ${chain} -p tcp -m tcp --dport ${random.pick([22, 443, 7937])} -j ${random.pick(['ACCEPT', 'DROP'])}`,
      );
      rules.push(`-A ${chain} -p tcp -m multiport --dports 22,443,7937:7940,9090 -j ACCEPT`);
    }
  }
  const head = lines.filter((one) => one !== '' && one !== 'COMMIT' && !one.startsWith('-A '));
  if (head.length === 0) return table;
  return [...head, ...[...chains.values()].flat(), 'COMMIT', ''].join('\n');
}

/** The rule again: as it is, narrower, or with another verdict. */
function changed(rule: string, random: Random, version: 4 | 6, isFilter: boolean): string {
  let text = rule;
  if (!/ -s /.test(text) && random.chance(0.5)) {
    const source = version === 4 ? '192.0.2.0/28' : '2001:db8::/64';
    text = text.replace(/^(-A \S+)/, `$1 -s ${source}`);
  }
  if (isFilter && random.chance(0.4))
    text = text.replace(/-j (?:ACCEPT|DROP)$/, `-j ${random.pick(['ACCEPT', 'DROP'])}`);
  return text;
}
