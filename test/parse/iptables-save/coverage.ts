import { MATCH_MODULES } from '../../../src/parse/iptables-save/modules.ts';
import { BASIC_OPTIONS } from '../../../src/parse/iptables-save/rule-syntax.ts';
import type { MatchModule, OptionSpec } from '../../../src/parse/iptables-save/spec.ts';
import { TARGETS } from '../../../src/parse/iptables-save/targets.ts';

/** The coverage list of the parser's README, made from its tables. */
export function renderCoverage(): string {
  return [
    '### Options without a module',
    '',
    ...BASIC_OPTIONS.map((o) => `- ${names(o)}`),
    '',
    '### Matches',
    '',
    '| `-m` | meaning | options |',
    '|---|---|---|',
    ...[...MATCH_MODULES]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((m) => `| ${m.name} | ${meaningOf(m)} | ${m.options.map(names).join(', ')} |`),
    '',
    '### Targets',
    '',
    '| `-j` | meaning | options |',
    '|---|---|---|',
    ...[...TARGETS]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((t) => `| ${t.name} | ${t.summary} | ${t.options.map(names).join(', ')} |`),
    '',
  ].join('\n');
}

function names(o: OptionSpec): string {
  return `${o.negatable ? '[!] ' : ''}\`${o.names.join('` `')}\``;
}

function meaningOf(m: MatchModule): string {
  if (m.name === 'comment') return "always true, becomes the rule's comment";
  switch (m.meaning.kind) {
    case 'opaque':
      return `unknown, ${m.meaning.nature}`;
    case 'whole':
      return 'modelled';
    case 'by-option': {
      const unknown = m.options.filter((o) => o.convert === undefined);
      if (unknown.length === 0) return 'modelled';
      return `modelled but for ${unknown.map((o) => `\`${o.names[0]}\``).join(', ')} (unknown, ${m.meaning.nature})`;
    }
  }
}
