import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { Rule, Ruleset } from '../src/model/index.ts';
import { formatAddress } from '../src/net/index.ts';
import { readHostExports } from '../src/parse/index.ts';
import { type CompareOptions, compareRulesets, type RulesetDifference } from '../src/semantics/index.ts';
import { skipsKernelTests } from './kernel/environment.ts';
import { type AimOptions, aimPackets } from './kernel/packets.ts';
import { type KernelOutcome, type KernelRules, runKernelCase } from './kernel/run-kernel-case.ts';

/**
 * One policy written in several formats has one meaning.
 *
 * A folder of `fixtures/equivalent` holds `iptables.rules` with `ip6tables.rules` and `ipset.save` where the policy has them,
 * `ruleset.nft` as a person writes it, `nft.json` as `nft -j list ruleset` prints that, and perhaps a folder `firewalld` as under
 * /etc/firewalld. `UPDATE=1` writes `nft.json` anew (as root). `options.json` says which packets to send where the kernel is asked.
 */
const ROOT = fileURLToPath(new URL('../fixtures/equivalent/', import.meta.url));
const NAMES = readdirSync(ROOT).sort();

/** Every packet, not only those that open connections. */
const ALL_PACKETS: CompareOptions = { packets: 'any', maxRegions: 3 };

const IPTABLES_FILES = ['iptables.rules', 'ip6tables.rules', 'ipset.save'];

interface File {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Files below a folder, named by their way from `host/`. */
function filesBelow(folder: string, prefix: string): File[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    const name = `${prefix}/${entry.name}`;
    return entry.isDirectory() ? filesBelow(path, name) : [{ path: name, bytes: readFileSync(path) }];
  });
}

/** The forms in which a fixture is written, with the files of each. */
function formsOf(name: string): ReadonlyMap<string, readonly File[]> {
  const folder = join(ROOT, name);
  const those = (files: readonly string[]): File[] =>
    files
      .filter((file) => existsSync(join(folder, file)))
      .map((file) => ({ path: `host/${file}`, bytes: readFileSync(join(folder, file)) }));
  const firewalld = join(folder, 'firewalld');
  const forms = new Map<string, readonly File[]>([
    ['iptables', those(IPTABLES_FILES)],
    ['nft', those(['nft.json'])],
    ['firewalld', existsSync(firewalld) ? filesBelow(firewalld, 'host/firewalld') : []],
  ]);
  return new Map([...forms].filter(([, files]) => files.length > 0));
}

/** The rule set of these files; `undefined` where this version does not read their format. */
function read(files: readonly File[]): Ruleset | undefined {
  const { ruleset, diagnostics } = readHostExports(files);
  if (diagnostics.some((d) => d.kind === 'unsupported' && d.incomplete)) return undefined;
  const unread = diagnostics.filter((d) => d.incomplete).map((d) => d.detail);
  expect(unread, 'the fixture is read whole').toEqual([]);
  return ruleset;
}

function text({
  kind,
  certainty,
  path,
  version,
  unknowns,
  witness,
  answers,
  regions,
}: RulesetDifference): string {
  const packet = Object.entries(witness)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) =>
      field === 'saddr' || field === 'daddr'
        ? `${field} ${formatAddress(version, witness[field])}`
        : `${field} ${value}`,
    );
  return [
    `${kind} (${certainty}) on ${path} IPv${version}: ${answers.before.verdict} and ${answers.after.verdict} for ${packet.join(', ')}`,
    ...unknowns.map((unknown) => `  hangs on ${unknown}`),
    ...regions.map(
      (r) =>
        `  protocols ${show(r.protocols)} ports ${show(r.ports)} types ${show(r.icmpTypes)}, by ${r.alsoDependsOn}`,
    ),
  ].join('\n');
}

function show(ranges: readonly { readonly lo: bigint; readonly hi: bigint }[] | undefined): string {
  return ranges === undefined ? 'any' : ranges.map(({ lo, hi }) => `${lo}-${hi}`).join(' ');
}

describe('one policy in several formats means the same on all hooks', () => {
  it('is written at least fifteen times', () => expect(NAMES.length).toBeGreaterThanOrEqual(15));

  it.each(NAMES)('%s', (name) => {
    const forms = [...formsOf(name)];
    expect(forms.length).toBeGreaterThanOrEqual(2);
    const [[, first] = ['', []], ...others] = forms;
    const before = read(first);
    if (before === undefined) throw new Error('the first form is not read');
    for (const [format, files] of others) {
      const after = read(files);
      if (after === undefined) {
        console.log(`${name}: not compared with ${format}, which this version does not read`);
        continue;
      }
      expect(compareRulesets(before, after, ALL_PACKETS).differences.map(text), format).toEqual([]);
    }
  });
});

/** Rule sets with one rule taken out. */
function* withoutOneRule(ruleset: Ruleset): Generator<{ readonly rule: Rule; readonly left: Ruleset }> {
  for (const table of ruleset.tables) {
    for (const chain of table.chains) {
      for (const rule of chain.rules) {
        const rules = chain.rules.filter((r) => r !== rule);
        const chains = table.chains.map((c) => (c === chain ? { ...c, rules } : c));
        yield {
          rule,
          left: { ...ruleset, tables: ruleset.tables.map((t) => (t === table ? { ...t, chains } : t)) },
        };
      }
    }
  }
}

describe('a policy with a rule taken out of one of its forms is told apart', () => {
  let all = 0;
  let apart = 0;
  afterAll(() => console.log(`${apart} of ${all} rules are missed when they are taken out`));

  it.each(NAMES)('%s', (name) => {
    const forms = formsOf(name);
    const iptables = read(forms.get('iptables') ?? []);
    const nft = read(forms.get('nft') ?? []);
    if (iptables === undefined || nft === undefined) throw new Error('a form is not read');
    let found = 0;
    for (const { left } of withoutOneRule(nft)) {
      all++;
      if (compareRulesets(iptables, left, ALL_PACKETS).differences.length > 0) found++;
    }
    apart += found;
    expect(found).toBeGreaterThan(0);
  });
});

const PACKETS = 150;

function readOptions(name: string): AimOptions {
  const path = join(ROOT, name, 'options.json');
  // The file is ours; an option that does not exist has no effect and shows in review.
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as AimOptions) : {};
}

function kernelRules(name: string): { readonly iptables: KernelRules; readonly nft: KernelRules } {
  const get = (file: string): string | undefined => {
    const path = join(ROOT, name, file);
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  };
  const [iptables, ip6tables, ipset, nft] = [...IPTABLES_FILES, 'ruleset.nft'].map(get);
  return {
    iptables: {
      ...(iptables === undefined ? {} : { iptables }),
      ...(ip6tables === undefined ? {} : { ip6tables }),
      ...(ipset === undefined ? {} : { ipset }),
    },
    nft: nft === undefined ? {} : { nft },
  };
}

/** What `nft -j` printed, without what differs from one loading to the next. */
function lasting(json: string): unknown {
  // Output of nft: an object with the list `nftables`.
  const { nftables } = JSON.parse(json) as { nftables: Record<string, unknown>[] };
  return JSON.parse(
    JSON.stringify(nftables.filter((item) => !('metainfo' in item))),
    (key, value: unknown) => (key === 'handle' || key === 'packets' || key === 'bytes' ? undefined : value),
  );
}

function versionOf(json: string): unknown {
  return /"version": "([^"]*)"/.exec(json)?.[1];
}

const skipped = skipsKernelTests();

describe.skipIf(skipped)('the kernel does the same with both forms of a policy', () => {
  let sent = 0;
  let proven = 0;
  afterAll(() => console.log(`kernel, both forms: ${sent} packets, ${proven} of them prove something`));

  it.concurrent.each(NAMES)('%s', async (name) => {
    const { iptables, nft } = kernelRules(name);
    const options = readOptions(name);
    const packets = aimPackets(iptables, options, PACKETS, 1);
    const interfaces = options.interfaces ?? [];
    const [one, other] = [
      await runKernelCase({ load: iptables, packets, interfaces }),
      await runKernelCase({ load: nft, packets, interfaces }),
    ];
    if (one.kind !== 'ran') throw new Error(`iptables refuses the rules: ${one.detail}`);
    if (other.kind !== 'ran') throw new Error(`nft refuses the rules: ${other.detail}`);
    const tells = ({ verdict }: KernelOutcome) => verdict !== 'untestable';
    const differing = packets.flatMap((packet, i) => {
      const a = one.outcomes[i]!;
      const b = other.outcomes[i]!;
      if (!tells(a) || !tells(b)) return [];
      proven++;
      return JSON.stringify(a) === JSON.stringify(b) ? [] : [{ packet, iptables: a, nft: b }];
    });
    sent += packets.length;
    expect(differing).toEqual([]);
    const stored = join(ROOT, name, 'nft.json');
    const printed = other.exports['nft-json'];
    if (process.env.UPDATE === '1') writeFileSync(stored, `${printed.trim()}\n`);
    const kept = readFileSync(stored, 'utf8');
    if (versionOf(kept) === versionOf(printed)) expect(lasting(kept)).toEqual(lasting(printed));
  });
});
