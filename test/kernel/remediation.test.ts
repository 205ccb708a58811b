/**
 * What a report proposes, done: the rule set is loaded by the real tools, the proposed commands run through a shell, and the
 * rule set is exported and audited again.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Finding, Report } from '../../src/finding/index.ts';
import { type Inventory, parseInventory } from '../../src/inventory/index.ts';
import { scan } from '../../src/scan.ts';
import { inputsOf, scanOptions } from '../scan-support.ts';
import { skipsKernelTests } from './environment.ts';
import { runKernelCase } from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

const ROOT = fileURLToPath(new URL('../../fixtures/kernel/remediation/', import.meta.url));

/** A rule set with mistakes: `ruleset.nft`, or `ip.rules` and `ip6.rules`; `options.json`; `after.txt`, what the commands make of it. */
interface Case {
  readonly name: string;
  readonly nft: string;
  readonly ip: string;
  readonly ip6: string;
  /** Host of `nwaudit.yaml` it belongs to. */
  readonly host: string;
  /** Checks whose findings have to be there first and gone in the end. */
  readonly checks: readonly string[];
  /** What rules of iptables are audited through: the JSON of nft alone, or both exports together. Absent: iptables-save. */
  readonly export?: 'nft' | 'both';
}

function readCase(name: string): Case {
  const read = (file: string): string => {
    const path = join(ROOT, name, file);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  // The file is ours; an option that does not exist has no effect and shows in review.
  const options = JSON.parse(read('options.json')) as Pick<Case, 'host' | 'checks' | 'export'>;
  return { name, nft: read('ruleset.nft'), ip: read('ip.rules'), ip6: read('ip6.rules'), ...options };
}

/** Loads, runs the commands and exports, each text between marks. Stops at the first failure. */
const SCRIPT = `
set -e
mount -t tmpfs tmpfs /run
if [ -n "$NFT" ]; then printf %s "$NFT" | nft -f -; fi
if [ -n "$IP4" ]; then printf %s "$IP4" | iptables-nft-restore; fi
if [ -n "$IP6" ]; then printf %s "$IP6" | ip6tables-nft-restore; fi
sh -e -c "$COMMANDS"
echo "=== json"; nft -j list ruleset
echo "=== nft"; nft -s list ruleset 2>/dev/null
echo "=== ip"; iptables-nft-save
echo "=== ip6"; ip6tables-nft-save
echo "=== ipset"; ipset save
`;

/** What the tools print after the commands. */
type Exports = Readonly<Record<'json' | 'nft' | 'ip' | 'ip6' | 'ipset', string>>;

function loadAndRun(one: Case, commands: readonly string[]): Exports {
  const done = spawnSync('unshare', ['-n', '-m', '--', 'sh', '-c', SCRIPT], {
    env: {
      PATH: process.env.PATH,
      NFT: one.nft,
      IP4: one.ip,
      IP6: one.ip6,
      COMMANDS: commands.join('\n'),
    },
    encoding: 'utf8',
  });
  if (done.status !== 0) throw new Error(`${done.stderr}\nafter:\n${commands.join('\n')}`);
  const parts = new Map(
    done.stdout
      .split(/^=== /m)
      .slice(1)
      .map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1)]),
  );
  const text = (name: string) => parts.get(name) ?? '';
  return { json: text('json'), nft: text('nft'), ip: text('ip'), ip6: text('ip6'), ipset: text('ipset') };
}

/** The exports as one would hand them in. */
function audit(one: Case, exports: Exports, inventory: Inventory): Report {
  const folder = one.host;
  const files: Record<string, string> = {};
  if (one.nft !== '' || one.export !== undefined) files[`${folder}/ruleset.json`] = exports.json;
  if (one.nft === '' && one.export !== 'nft') {
    files[`${folder}/ip.rules`] = exports.ip;
    if (one.ip6 !== '') files[`${folder}/ip6.rules`] = exports.ip6;
    if (exports.ipset.trim() !== '') files[`${folder}/sets.ipset`] = exports.ipset;
  }
  return scan(inputsOf(files), scanOptions({ inventory }));
}

function isMeant(one: Case, finding: Finding): boolean {
  return one.checks.includes(finding.check) && finding.hook !== 'forward';
}

/** Runs one proposal after the other, as somebody would who audits again after each. */
function follow(
  one: Case,
  inventory: Inventory,
): { commands: string[]; first: Report; last: Report; exports: Exports } {
  const commands: string[] = [];
  let exports = loadAndRun(one, commands);
  const first = audit(one, exports, inventory);
  let last = first;
  for (let step = 0; step < 12; step++) {
    const proposed = last.findings
      .filter((f) => isMeant(one, f))
      .flatMap((f) => f.remediation?.commands ?? [])
      .find(({ command }) => command !== '');
    if (proposed === undefined) break;
    commands.push(proposed.command);
    exports = loadAndRun(one, commands);
    last = audit(one, exports, inventory);
  }
  return { commands, first, last, exports };
}

/** The rule set in the words of the tool that wrote it, without counters and dates. */
function finalText(one: Case, exports: Exports): string {
  if (one.nft !== '') return exports.nft;
  return `${exports.ip}${one.ip6 === '' ? '' : exports.ip6}${exports.ipset}`
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.replace(/ hashsize .*$/, ''))
    .join('\n');
}

const REQUIRED_PATHS = ['missing-required-path', 'missing-return-path'];

const skipped = skipsKernelTests();

describe.skipIf(skipped)('the commands of a report, run on the host', () => {
  let inventory: Inventory;
  beforeAll(async () => {
    const file = join(ROOT, 'nwaudit.yaml');
    const read = await parseInventory(readFileSync(file, 'utf8'), file);
    if (read.inventory === undefined) throw new Error(JSON.stringify(read.problems));
    inventory = read.inventory;
  });

  const names = readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();

  it.each(names)('take the findings away and keep what backups need: %s', async (name) => {
    const one = readCase(name);
    const { commands, first, last, exports } = follow(one, inventory);
    const seen = new Set(first.findings.filter((f) => isMeant(one, f)).map((f) => f.check));
    expect(seen.size, 'the rule set has its mistakes').toBeGreaterThan(0);
    expect(commands.length).toBeGreaterThan(0);
    const left = last.findings.filter((f) => isMeant(one, f) || REQUIRED_PATHS.includes(f.check));
    const closedBefore = new Set(
      first.findings.filter((f) => REQUIRED_PATHS.includes(f.check)).map((f) => f.fingerprint),
    );
    const wrong = left.filter((f) => isMeant(one, f) || !closedBefore.has(f.fingerprint));
    expect(wrong.map((f) => `${f.check}: ${f.message}`)).toEqual([]);
    expect(last.diagnostics.filter((d) => d.incomplete)).toEqual([]);

    const text = finalText(one, exports);
    const file = join(ROOT, name, 'after.txt');
    if (process.env.UPDATE === '1') writeFileSync(file, text);
    expect(text).toBe(readFileSync(file, 'utf8'));

    await checkWitnesses(one, exports, first);
  });
});

/** The example packets of the findings: what came in before does not any more, and what was stopped gets through. */
async function checkWitnesses(one: Case, exports: Exports, first: Report): Promise<void> {
  const meant = first.findings.filter((f) => isMeant(one, f) && f.witness !== null && f.hook !== 'forward');
  if (meant.length === 0) return;
  // A witness has the fields that `trace` takes, with a state that it knows.
  const packets = meant.map((f) => ({ ...f.witness! }) as TracePacket);
  const load =
    one.nft === ''
      ? {
          iptables: exports.ip,
          ip6tables: exports.ip6,
          ...(exports.ipset.trim() === '' ? {} : { ipset: exports.ipset }),
        }
      : { nft: exports.nft };
  const kernel = await runKernelCase({ load, packets });
  if (kernel.kind === 'load-refused') throw new Error(kernel.detail);
  for (const [i, finding] of meant.entries()) {
    const wanted = REQUIRED_PATHS.includes(finding.check) ? ['accept'] : ['drop', 'reject'];
    expect(wanted, `${finding.check}: ${JSON.stringify(finding.witness)}`).toContain(
      kernel.outcomes[i]?.verdict,
    );
  }
}
