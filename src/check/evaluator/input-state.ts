import type { FindingOrigin } from '../../finding/index.ts';
import type { Condition, Rule, Table } from '../../model/index.ts';
import { matters } from '../../semantics/index.ts';
import { listed } from '../describe.ts';
import { type Evidence, evidence, fileOrigin, type plainOrigin, ruleOrigin } from '../evidence.ts';
import { isGeneratedChain } from '../generated-chain.ts';
import type { HostContext } from '../host-context.ts';
import type { Evaluator } from './evaluator.ts';

/** Input that could not be read whole, one finding a file; and checks that could not be run, one finding. */
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
          what: 'input',
          detail: first.detail,
          more: sayMore(diagnostics.length - 1),
        },
        meaning: [file.split('/').pop() ?? file, first.kind],
      });
    }
    yield* checksNotRun(context);
  },
};

function* checksNotRun(context: HostContext): Iterable<Evidence> {
  const { notRun = [], files } = context.input;
  const first = notRun[0];
  if (first === undefined) return;
  const file = files[0];
  yield evidence({
    host: context.host.name,
    origin: file === undefined ? null : fileOrigin(file),
    facts: {
      host: context.host.name,
      file: file ?? 'no file',
      what: 'checks',
      detail: listed([...new Set(notRun.map(({ reason }) => reason))]),
      more: listed(
        notRun.map(({ check }) => check),
        100,
      ),
    },
    meaning: ['checks not run'],
  });
}

/** ` 1 more place follows.`, or nothing. */
function sayMore(count: number): string {
  if (count === 0) return '';
  return count === 1 ? ' 1 more place follows.' : ` ${count} more places follow.`;
}

/**
 * An export of one IP version without its twin. Tables of nft for one version may be all there is: then nothing filters the
 * other one, which is no better.
 */
export const missingIpVersion: Evaluator = {
  scope: 'host',
  *run(context) {
    const { tables } = context.input.ruleset;
    const [there, other] = context.versions;
    if (there === undefined || other !== undefined) return;
    const absent = there === 4 ? 6 : 4;
    const own = tables.filter((t) => t.family === (there === 4 ? 'ip' : 'ip6'));
    const first = own.find((t) => t.dialect === 'iptables') ?? own[0];
    if (first === undefined) return;
    const isNft = own.some(isFromNft);
    yield evidence({
      host: context.host.name,
      origin: fileOrigin(first.origin.file, first.family),
      facts: {
        host: context.host.name,
        there: `IPv${there}`,
        absent: `IPv${absent}`,
        command: isNft ? 'nft -j list ruleset' : absent === 6 ? 'ip6tables-save' : 'iptables-save',
      },
      ...(isNft
        ? {
            note: `If the exports hold all that "nft -j list ruleset" prints, nothing filters IPv${absent} on this host: write its rules in a table of family inet or ${absent === 6 ? 'ip6' : 'ip'}.`,
          }
        : {}),
      meaning: [`IPv${absent}`],
    });
  },
};

/** Whether an export of nft shows the table: alone, or beside one of iptables, and then rules have handles. */
function isFromNft({ dialect, chains }: Table): boolean {
  return dialect !== 'iptables' || chains.some((c) => c.rules.some((r) => r.handle !== undefined));
}

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

/** Unknown tests of one kind, and the rules that hang on them. */
interface OpaqueGroup {
  readonly kind: OpaqueKind;
  readonly texts: Set<string>;
  readonly origins: FindingOrigin[];
}

/** What would settle the question: the contents of a set, what iptables itself prints, or nothing. */
type OpaqueKind = 'set' | 'xt' | 'other';

/** Most further rules that a finding shows. */
const MOST_SHOWN = 5;

/** Rules that decide packets by something nwaudit does not model, and sets that were not exported; one finding for each kind of test. */
export const opaqueMatch: Evaluator = {
  scope: 'host',
  *run(context) {
    const { host } = context;
    for (const [key, { kind, texts, origins }] of opaqueGroups(context)) {
      yield evidence({
        host: host.name,
        origin: origins[0]!,
        related: origins
          .slice(1, 1 + MOST_SHOWN)
          .map((origin) => ({ origin, label: 'hangs on a test of the same kind' })),
        facts: {
          host: host.name,
          test: listed([...texts].map((text) => cut(text, 100))),
          rules: origins.length === 1 ? 'One rule hangs' : `${origins.length} rules hang`,
          set: kind === 'set',
          xt: kind === 'xt',
        },
        ...(kind === 'xt'
          ? {
              note: `nft does not show these tests: add the output of "iptables-save" and "ip6tables-save" of ${host.name} to its folder.`,
            }
          : {}),
        meaning: [key],
      });
    }
  },
};

function opaqueGroups(context: HostContext): Map<string, OpaqueGroup> {
  const groups = new Map<string, OpaqueGroup>();
  for (const table of context.input.ruleset.tables) {
    for (const chain of table.chains) {
      if (table.dialect === 'firewalld' || isGeneratedChain(chain.name)) continue;
      let last: Rule | undefined;
      for (const rule of chain.rules) {
        if (!matters(rule) || rule.number === undefined) continue;
        const texts = new Set<string>();
        for (const match of rule.matches) collectOpaque(context, match.condition, texts);
        if (rule.verdict.kind === 'unknown') texts.add(rule.verdict.text);
        // A rule that was taken apart counts once.
        const again = last !== undefined && last.number === rule.number;
        last = rule;
        for (const key of addTexts(groups, texts)) {
          const { origins } = groups.get(key)!;
          if (!again || origins.length === 0) origins.push(ruleOrigin(table, chain, rule));
        }
      }
    }
  }
  return groups;
}

/** Adds texts to the groups of their kinds; the keys of those. */
function addTexts(groups: Map<string, OpaqueGroup>, texts: ReadonlySet<string>): Set<string> {
  const keys = new Set<string>();
  for (const text of texts) {
    const { kind, key } = kindOf(text);
    keys.add(key);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { kind, texts: new Set([text]), origins: [] });
    else if (group.texts.size < MOST_TEXTS) group.texts.add(text);
  }
  return keys;
}

/** Distinct texts of a kind that are remembered. */
const MOST_TEXTS = 1000;

/** The kind of an unknown test, by its text, and a name for all tests like it: no values, places or handles. */
function kindOf(text: string): { readonly kind: OpaqueKind; readonly key: string } {
  if (text.includes('match-set')) return { kind: 'set', key: 'set' };
  if (/^xt (?:match|target)\b/.test(text)) return { kind: 'xt', key: 'xt' };
  const words = text.slice(0, 200).split(/\s+/).slice(0, 2);
  return { kind: 'other', key: words.join(' ').replace(/\d+/g, 'N') };
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 4)} ...`;
}

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
