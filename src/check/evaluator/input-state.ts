import type { Condition } from '../../model/index.ts';
import { matters } from '../../semantics/index.ts';
import { isGeneratedChain } from '../dead-rule.ts';
import { type Evidence, evidence, fileOrigin, type plainOrigin, ruleOrigin } from '../evidence.ts';
import type { HostContext } from '../host-context.ts';
import type { Evaluator } from './evaluator.ts';

/** Input that could not be read whole, one finding a file. */
export const unreadInput: Evaluator = {
  scope: 'host',
  *run(context) {
    const byFile = new Map<string, HostContext['input']['diagnostics'][number][]>();
    for (const diagnostic of context.input.diagnostics) {
      if (!diagnostic.incomplete) continue;
      const list = byFile.get(diagnostic.origin.file);
      if (list === undefined) byFile.set(diagnostic.origin.file, [diagnostic]);
      else list.push(diagnostic);
    }
    for (const [file, diagnostics] of byFile) {
      const first = diagnostics[0]!;
      const origin: ReturnType<typeof plainOrigin> = {
        ...first.origin,
        family: null,
        table: null,
        chain: null,
        rule: null,
      };
      yield evidence({
        host: context.host.name,
        origin,
        related: diagnostics.slice(1, 6).map((d) => ({
          origin: { ...d.origin, family: null, table: null, chain: null, rule: null },
          label: d.detail,
        })),
        facts: {
          host: context.host.name,
          file,
          detail: first.detail,
          more: diagnostics.length === 1 ? '' : ` ${diagnostics.length - 1} more places follow.`,
        },
        meaning: [file.split('/').pop() ?? file, first.kind],
      });
    }
  },
};

/** An export of one IP version without its twin. */
export const missingIpVersion: Evaluator = {
  scope: 'host',
  *run(context) {
    const { tables } = context.input.ruleset;
    const iptables = tables.filter((t) => t.dialect === 'iptables');
    if (iptables.length === 0 || tables.some((t) => t.family === 'inet')) return;
    const { versions } = context;
    if (versions.length !== 1) return;
    const there = versions[0]!;
    const absent = there === 4 ? 6 : 4;
    yield evidence({
      host: context.host.name,
      origin: fileOrigin(iptables[0]!.origin.file, there === 4 ? 'ip' : 'ip6'),
      facts: {
        host: context.host.name,
        there: `IPv${there}`,
        absent: `IPv${absent}`,
        command: absent === 6 ? 'ip6tables-save' : 'iptables-save',
      },
      meaning: [`IPv${absent}`],
    });
  },
};

/** A host whose role is not known, so that most checks cannot judge it. */
export const hostNotJudged: Evaluator = {
  scope: 'host',
  *run(context) {
    if (context.host.roles.length > 0) return;
    const file = context.input.files[0];
    yield evidence({
      host: context.host.name,
      origin: file === undefined ? null : fileOrigin(file),
      facts: { host: context.host.name },
      meaning: ['role'],
    });
  },
};

/** Rules that decide packets by something nwaudit does not model, and sets that were not exported; one finding each. */
export const opaqueMatch: Evaluator = {
  scope: 'host',
  *run(context) {
    const groups = new Map<string, Evidence['related'][number]['origin'][]>();
    for (const table of context.input.ruleset.tables) {
      for (const chain of table.chains) {
        if (table.dialect === 'firewalld' || isGeneratedChain(chain.name)) continue;
        for (const rule of chain.rules) {
          if (!matters(rule) || rule.number === undefined) continue;
          const texts = new Set<string>();
          for (const match of rule.matches) collectOpaque(context, match.condition, texts);
          if (rule.verdict.kind === 'unknown') texts.add(rule.verdict.text);
          for (const text of texts) {
            const list = groups.get(text) ?? [];
            list.push(ruleOrigin(table, chain, rule));
            groups.set(text, list);
          }
        }
      }
    }
    for (const [text, origins] of groups) {
      const isSet = text.includes('match-set');
      yield evidence({
        host: context.host.name,
        origin: origins[0]!,
        related: origins.slice(1, 6).map((origin) => ({ origin, label: 'hangs on the same test' })),
        facts: {
          host: context.host.name,
          test: text,
          rules: origins.length === 1 ? 'One rule hangs' : `${origins.length} rules hang`,
          set: isSet,
        },
        meaning: [text],
      });
    }
  },
};

/** Deterministic tests without a model, and named sets without contents. Rates, counters and chance are no gap in the export. */
function collectOpaque(context: HostContext, condition: Condition, texts: Set<string>): void {
  switch (condition.kind) {
    case 'all':
    case 'any':
      for (const part of condition.of) collectOpaque(context, part, texts);
      return;
    case 'not':
      collectOpaque(context, condition.of, texts);
      return;
    case 'unknown':
      if (condition.nature === 'deterministic') texts.add(condition.text);
      return;
    case 'named-set':
      if (!context.space.namedSets.has(condition.set)) texts.add(condition.text);
      return;
    default:
      return;
  }
}
