import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { Rule, Ruleset } from '../src/model/index.ts';
import { formatAddress } from '../src/net/index.ts';
import { readHostExports } from '../src/parse/index.ts';
import { type CompareOptions, compareRulesets, type RulesetDifference } from '../src/semantics/index.ts';
import { hangsOnHiddenVersion } from './hidden-version.ts';
import { skipsFirewalldTests, skipsKernelTests } from './kernel/environment.ts';
import { firewalldAsRules } from './kernel/firewalld-aim.ts';
import { type FirewalldFiles, runFirewalldCase } from './kernel/firewalld-run.ts';
import { type AimOptions, aimPackets } from './kernel/packets.ts';
import { type KernelOutcome, type KernelRules, runKernelCase } from './kernel/run-kernel-case.ts';
import type { TracePacket } from './kernel/trace-packet.ts';

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

/** Policies that are there as iptables, nft and firewalld. */
const IN_THREE = NAMES.filter((name) => formsOf(name).size === 3);

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

  it('is written and read in all three formats at least five times', () => {
    const read3 = IN_THREE.filter((name) => [...formsOf(name).values()].every((files) => read(files)));
    expect(read3).toEqual(IN_THREE);
    expect(read3.length).toBeGreaterThanOrEqual(5);
  });

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
      const { differences } = compareRulesets(before, after, ALL_PACKETS);
      expect(differences.filter((one) => !hangsOnHiddenVersion(one)).map(text), format).toEqual([]);
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
  afterAll(() => console.log(`${apart} of ${all} rules make a difference when they are taken out`));

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

interface Change {
  readonly what: string;
  readonly files: readonly File[];
}

const ELEMENT = /<[a-z][^<>]*\/>|<entry>[^<]*<\/entry>| target="(?!CONTINUE)[^"]*"/g;
const NUMBER = /(?<=(?:<entry>| (?:address|port|to-port)=")(?:[^"]*[./:-])?)\d+(?=["<-])/g;

/** The files with one element or target taken out, or with the last number of an address or port made larger by one. */
function* withOneChange(files: readonly File[]): Generator<Change> {
  for (const file of files.filter(({ path }) => path.endsWith('.xml'))) {
    const xml = Buffer.from(file.bytes).toString();
    const changed = (what: string, from: number, length: number, into: string): Change => {
      const bytes = Buffer.from(xml.slice(0, from) + into + xml.slice(from + length));
      const path = file.path.replace('host/firewalld/', '');
      return {
        what: `${path}: ${what}`,
        files: files.map((f) => (f === file ? { path: f.path, bytes } : f)),
      };
    };
    for (const { 0: element, index } of xml.matchAll(ELEMENT)) {
      yield changed(`without ${element}`, index, element.length, '');
      for (const number of element.matchAll(NUMBER)) {
        const more = String(Number(number[0]) + 1);
        yield changed(`${element}, ${number[0]} made ${more}`, index + number.index, number[0].length, more);
      }
    }
  }
}

/** The default zone takes what no zone names, and something else may bind the interface to it: no certain difference. */
const OF_DEFAULT_ZONE = '<interface name="eth0"/>';

describe('firewalld XML with one thing changed is told apart from the other forms', () => {
  let all = 0;
  let apart = 0;
  afterAll(() => console.log(`${apart} of ${all} changes of firewalld XML make a difference`));

  it.each(IN_THREE)('%s', (name) => {
    const forms = formsOf(name);
    const before = readHostExports(forms.get('iptables') ?? []).ruleset;
    const missed: string[] = [];
    for (const { what, files } of withOneChange(forms.get('firewalld') ?? [])) {
      all++;
      const after = readHostExports(files).ruleset;
      const { differences } = compareRulesets(before, after, ALL_PACKETS);
      if (differences.some(({ certainty }) => certainty === 'certain')) apart++;
      else missed.push(`${what} ${JSON.stringify(differences.map(text))}`);
    }
    expect(missed.filter((what) => !what.includes(OF_DEFAULT_ZONE))).toEqual([]);
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

interface Disagreement {
  readonly packet: TracePacket;
  readonly one: KernelOutcome;
  readonly other: KernelOutcome;
}

/** Packets that fare differently, and how many prove something at all. */
function disagreements(
  packets: readonly TracePacket[],
  ones: readonly KernelOutcome[],
  others: readonly KernelOutcome[],
): { readonly told: number; readonly differing: readonly Disagreement[] } {
  const telling = packets
    .map((packet, i): Disagreement => ({ packet, one: ones[i]!, other: others[i]! }))
    .filter(({ one, other }) => one.verdict !== 'untestable' && other.verdict !== 'untestable');
  const differing = telling.filter(({ one, other }) => JSON.stringify(one) !== JSON.stringify(other));
  return { told: telling.length, differing };
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
    const { told, differing } = disagreements(packets, one.outcomes, other.outcomes);
    proven += told;
    sent += packets.length;
    expect(differing).toEqual([]);
    const stored = join(ROOT, name, 'nft.json');
    const printed = other.exports['nft-json'];
    if (process.env.UPDATE === '1') writeFileSync(stored, `${printed.trim()}\n`);
    const kept = readFileSync(stored, 'utf8');
    if (versionOf(kept) === versionOf(printed)) expect(lasting(kept)).toEqual(lasting(printed));
  });
});

const skipsFirewalld = skipsFirewalldTests('policies under the real firewalld');

describe.skipIf(skipsFirewalld)(
  'the kernel does the same under the real firewalld as with the other forms',
  () => {
    let sent = 0;
    let proven = 0;
    afterAll(() => console.log(`kernel, three forms: ${sent} packets, ${proven} of them prove something`));

    it.concurrent.each(IN_THREE)('%s', async (name) => {
      const { iptables } = kernelRules(name);
      const options = readOptions(name);
      const interfaces = options.interfaces ?? [];
      const files: FirewalldFiles = Object.fromEntries(
        filesBelow(join(ROOT, name, 'firewalld'), '').map(({ path, bytes }) => [
          path.slice(1),
          Buffer.from(bytes).toString(),
        ]),
      );
      const packets = [
        ...aimPackets(iptables, options, 2 * PACKETS, 2),
        ...aimPackets(firewalldAsRules(files), options, 2 * PACKETS, 3),
      ];
      const one = await runKernelCase({ load: iptables, packets, interfaces });
      const other = await runFirewalldCase({ files, packets, interfaces });
      if (one.kind !== 'ran') throw new Error(`iptables refuses the rules: ${one.detail}`);
      expect(other.state, other.log.join('\n')).toBe('RUNNING');
      const { told, differing } = disagreements(packets, one.outcomes, other.outcomes);
      proven += told;
      sent += packets.length;
      expect(differing).toEqual([]);
      expect(other.log).toEqual([]);
      const isTurned = ({ dport }: TracePacket, i: number): boolean =>
        dport !== undefined && one.outcomes[i]!.verdict === 'accept' && one.outcomes[i]!.dport !== dport;
      const turns = iptables.iptables?.includes('REDIRECT') === true;
      expect(packets.some(isTurned), 'a packet comes to another port').toBe(turns);
    });
  },
);
