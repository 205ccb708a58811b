/** `--baseline` and `--write-baseline`, as a build uses them. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeFolder, rulesText, runCli } from './cli-run.ts';

const CONFIG = [
  'admin_networks: [198.51.100.0/28]',
  'hosts:',
  '  nw-server: { role: server, addresses: [192.0.2.10] }',
  '  client-01: { role: client, addresses: [192.0.2.101] }',
  '  sn-01: { role: storage-node, addresses: [192.0.2.20] }',
  '',
].join('\n');
const OPEN = '-A INPUT -p tcp -m tcp --dport 7938:9936 -j ACCEPT';
/** The finding of the open rule alone, so that a test does not hang on other checks. */
const ARGS = ['scan', '.', '--select', 'client-inbound-unscoped,unread-input,shadowed-rule'];

function folderWith(lines: readonly string[], more: Readonly<Record<string, string>> = {}): string {
  return makeFolder({ 'nwaudit.yaml': CONFIG, 'client-01.rules': rulesText(lines), ...more });
}

async function findingsOf(cwd: string, ...args: string[]) {
  const { stdout, exitCode } = await runCli([...ARGS, '--format', 'json', ...args], { cwd });
  // The report is tested where it is made.
  const report = JSON.parse(stdout) as {
    findings: { check: string; suppression: { kind: string } | null; fingerprint: string }[];
    baseline: { accepted: number; risen: number; unused: { message: string }[]; notLookedAt: number } | null;
  };
  return { ...report, exitCode };
}

test('what was recorded does not count again, what is new does', async () => {
  const cwd = folderWith([OPEN]);
  expect((await findingsOf(cwd)).exitCode).toBe(1);
  const written = await findingsOf(cwd, '--write-baseline', 'known.json');
  expect(written.exitCode).toBe(0);
  expect(written.findings).toMatchObject([{ suppression: { kind: 'baseline' } }]);
  expect((await findingsOf(cwd, '--baseline', 'known.json')).exitCode).toBe(0);
  writeFileSync(
    join(cwd, 'client-01.rules'),
    rulesText(['-A INPUT -s 203.0.113.0/24 -p tcp -m tcp --dport 8000 -j ACCEPT', OPEN]),
  );
  const later = await findingsOf(cwd, '--baseline', 'known.json');
  expect(later.exitCode).toBe(1);
  expect(later.findings.map((one) => one.suppression?.kind ?? 'new').sort()).toEqual(['baseline', 'new']);
});

test('the same rule counts again when it lets in more, or shuts out somebody else', async () => {
  const zone = (more: string) =>
    `<zone>\n<source address="192.0.2.10"/>${more}\n<port port="7938-9936" protocol="tcp"/>\n</zone>\n`;
  const named = (address: string) => `-A INPUT -s ${address}/32 -p tcp -m tcp --dport 7937:7938 -j ACCEPT`;
  const cwd = makeFolder({
    'nwaudit.yaml': CONFIG,
    'client-01/zones/backup.xml': zone('<source address="203.0.113.7"/>'),
    'nw-server.rules': rulesText([named('192.0.2.20')]),
  });
  const args = ['scan', '.', '--select', 'client-inbound-unscoped,missing-required-path', '--format', 'json'];
  const run = async (...more: string[]) => {
    const { stdout } = await runCli([...args, '--baseline', 'known.json', ...more], { cwd });
    // The report is tested where it is made.
    const report = JSON.parse(stdout) as {
      findings: { check: string; suppression: object | null }[];
      baseline: { widened: number };
    };
    const fresh = report.findings.filter((f) => f.suppression === null).map((f) => f.check);
    return { fresh: [...new Set(fresh)].sort(), widened: report.baseline.widened };
  };
  await runCli([...args, '--write-baseline', 'known.json'], { cwd });
  expect(await run()).toEqual({ fresh: [], widened: 0 });
  writeFileSync(join(cwd, 'client-01/zones/backup.xml'), zone(''));
  expect((await run()).fresh).toEqual([]);
  writeFileSync(join(cwd, 'client-01/zones/backup.xml'), zone('<source address="203.0.113.0/24"/>'));
  expect(await run()).toEqual({ fresh: ['client-inbound-unscoped'], widened: 1 });
  writeFileSync(join(cwd, 'nw-server.rules'), rulesText([named('192.0.2.101')]));
  expect((await run()).fresh).toEqual(['client-inbound-unscoped', 'missing-required-path']);
});

test('a second rule of the same text is one finding more than was recorded', async () => {
  const cwd = folderWith([OPEN, OPEN, OPEN]);
  await findingsOf(cwd, '--write-baseline', 'known.json');
  const { findings } = await findingsOf(cwd, '--baseline', 'known.json');
  expect(findings.filter((one) => one.suppression === null)).toEqual([]);
  const before = readFileSync(join(cwd, 'known.json'), 'utf8').split('\n');
  const dropped = before.filter((_, i) => i !== before.findIndex((one) => one.includes('shadowed-rule')));
  writeFileSync(join(cwd, 'known.json'), dropped.join('\n').replace(/,\n {2}\]/, '\n  ]'));
  const fewer = await findingsOf(cwd, '--baseline', 'known.json');
  expect(fewer.findings.filter((one) => one.suppression === null)).toHaveLength(1);
});

describe('fingerprints survive', () => {
  const other = '-A INPUT -s 198.51.100.0/28 -p tcp -m tcp --dport 22 -j ACCEPT';
  const nft = (rules: readonly unknown[]) =>
    JSON.stringify({
      nftables: [
        { metainfo: { version: '1.0.6' } },
        { table: { family: 'inet', name: 'filter', handle: 1 } },
        {
          chain: {
            family: 'inet',
            table: 'filter',
            name: 'input',
            handle: 1,
            type: 'filter',
            hook: 'input',
            prio: 0,
            policy: 'drop',
          },
        },
        ...rules,
      ],
    });
  const rule = (handle: number, left: unknown, right: unknown, packets?: number) => ({
    rule: {
      family: 'inet',
      table: 'filter',
      chain: 'input',
      handle,
      expr: [
        { match: { op: '==', left, right } },
        ...(packets === undefined ? [] : [{ counter: { packets, bytes: packets } }]),
        { accept: null },
      ],
    },
  });
  const dport = { payload: { protocol: 'tcp', field: 'dport' } };
  const dns = { payload: { protocol: 'udp', field: 'dport' } };
  const range = { range: [7938, 9936] };

  test.each([
    [
      'moved lines',
      { 'client-01.rules': rulesText([OPEN]) },
      { 'client-01.rules': `# a\n\n# b\n${rulesText([OPEN])}` },
    ],
    [
      'counters',
      { 'client-01.rules': rulesText([OPEN]) },
      { 'client-01.rules': rulesText([`[42:4200] ${OPEN}`]) },
    ],
    [
      'unrelated rules in another order',
      { 'client-01.rules': rulesText([other, OPEN]) },
      { 'client-01.rules': rulesText([OPEN, other]) },
    ],
    [
      'another name of the file',
      { 'client-01.rules': rulesText([OPEN]) },
      { 'client-01/export-2026-11.save': rulesText([OPEN]) },
    ],
    [
      'options in another order',
      { 'client-01.rules': rulesText([OPEN]) },
      { 'client-01.rules': rulesText(['-A INPUT -m tcp -p tcp --dport 7938:9936 -j ACCEPT']) },
    ],
    [
      'nft: handles, counters and order',
      { 'client-01.json': nft([rule(4, dport, range, 1), rule(5, dns, 53)]) },
      { 'client-01/ruleset.json': nft([rule(11, dns, 53), rule(12, dport, range, 99)]) },
    ],
  ] as const)('%s', async (_, before, after) => {
    const first = await findingsOf(makeFolder({ 'nwaudit.yaml': CONFIG, ...before }));
    const second = await findingsOf(makeFolder({ 'nwaudit.yaml': CONFIG, ...after }));
    const prints = (report: typeof first) =>
      report.findings.filter((one) => one.check === 'client-inbound-unscoped').map((one) => one.fingerprint);
    expect(prints(first)).toHaveLength(1);
    expect(prints(second)).toEqual(prints(first));
  });
});

test('an entry whose finding is gone is told, and goes with the next recording', async () => {
  const cwd = folderWith([OPEN]);
  await findingsOf(cwd, '--write-baseline', 'known.json');
  writeFileSync(join(cwd, 'client-01.rules'), rulesText());
  const gone = await findingsOf(cwd, '--baseline', 'known.json');
  expect(gone.baseline?.unused).toMatchObject([{ message: expect.stringContaining('any IPv4 address') }]);
  const text = await runCli([...ARGS, '--baseline', 'known.json'], { cwd });
  expect(text.stdout).toContain(
    '1 recorded finding gone; --write-baseline known.json drops what is:\n  - client-01, client-inbound-unscoped',
  );
  await findingsOf(cwd, '--baseline', 'known.json', '--write-baseline', 'known.json');
  expect(readFileSync(join(cwd, 'known.json'), 'utf8')).toContain('"findings": []');
});

test('what a run does not look at is neither gone nor lost', async () => {
  const cwd = folderWith([OPEN], { 'sn-01.rules': rulesText() });
  await findingsOf(cwd, '--write-baseline', 'known.json');
  const whole = readFileSync(join(cwd, 'known.json'), 'utf8');
  const part = [
    'scan',
    'sn-01.rules',
    '--config',
    'nwaudit.yaml',
    '--baseline',
    'known.json',
    '--write-baseline',
    'known.json',
  ];
  expect((await runCli(part, { cwd })).stdout).toContain(
    '1 recorded finding of hosts or checks that this run did not look at.',
  );
  expect(readFileSync(join(cwd, 'known.json'), 'utf8')).toContain(
    /"fingerprint":"[^"]+"/.exec(whole)?.[0] ?? 'none',
  );
});

test('a waiver says more than a baseline: it is shown, and nothing is recorded beside it', async () => {
  const waiver =
    'waivers: [{ check: client-inbound-unscoped, host: client-01, reason: migration, owner: backup, expires: 2027-01-31 }]\n';
  const cwd = folderWith([OPEN]);
  await findingsOf(cwd, '--write-baseline', 'known.json');
  writeFileSync(join(cwd, 'nwaudit.yaml'), CONFIG + waiver);
  const both = await findingsOf(cwd, '--baseline', 'known.json');
  expect(both.findings).toMatchObject([{ suppression: { kind: 'waiver' } }]);
  expect(both.baseline?.unused).toEqual([]);
  await findingsOf(cwd, '--write-baseline', 'known.json');
  expect(readFileSync(join(cwd, 'known.json'), 'utf8')).toContain('"findings": []');
});

test('--fail-on counts what is new only', async () => {
  const cwd = folderWith([OPEN]);
  await findingsOf(cwd, '--write-baseline', 'known.json');
  const lines = [OPEN, '-A INPUT -s 192.0.2.101 -p tcp -m tcp --dport 8000 -j ACCEPT'];
  writeFileSync(join(cwd, 'client-01.rules'), rulesText(lines));
  // The second rule is new and decides nothing: low.
  expect((await findingsOf(cwd, '--baseline', 'known.json', '--fail-on', 'medium')).exitCode).toBe(0);
  expect((await findingsOf(cwd, '--baseline', 'known.json', '--fail-on', 'low')).exitCode).toBe(1);
});

describe('input that was not read', () => {
  const broken = rulesText([OPEN, '-A INPUT -p tcp --dport']);

  test('is never accepted by a baseline, and makes none', async () => {
    const cwd = folderWith([OPEN]);
    await findingsOf(cwd, '--write-baseline', 'known.json');
    writeFileSync(join(cwd, 'client-01.rules'), broken);
    expect((await findingsOf(cwd, '--baseline', 'known.json')).exitCode).toBe(3);
    const result = await runCli([...ARGS, '--write-baseline', 'new.json'], { cwd });
    expect(result.exitCode).toBe(3);
    expect(result.stderr).toContain('new.json was not written: an incomplete audit makes no baseline');
    expect(existsSync(join(cwd, 'new.json'))).toBe(false);
  });

  test('accepted by option or waiver it can be recorded around, and is not recorded itself', async () => {
    const cwd = folderWith([], { 'client-01.rules': broken });
    await runCli([...ARGS, '--allow-incomplete', '--write-baseline', 'known.json'], { cwd });
    const text = readFileSync(join(cwd, 'known.json'), 'utf8');
    expect(text).not.toContain('unread-input');
    expect(text).toContain('client-inbound-unscoped');
  });

  test.each(['text', 'json', 'sarif'])(
    'a waiver lifts exit code 3, and %s says whose, why and until when',
    async (format) => {
      const waiver =
        'waivers: [{ check: unread-input, host: client-01, reason: appliance prints half a line, owner: backup-team, expires: 2027-01-31 }]\n';
      const cwd = makeFolder({
        'nwaudit.yaml': CONFIG + waiver,
        'client-01.rules': rulesText(['-A INPUT -p tcp --dport']),
      });
      const args = ['scan', '.', '--select', 'unread-input', '--format', format];
      const result = await runCli(args, { cwd });
      expect(result.exitCode).toBe(0);
      for (const part of ['appliance prints half a line', 'backup-team', '2027-01-31'])
        expect(result.stdout).toContain(part);
      if (format === 'text')
        expect(result.stdout).toMatch(/NOT READ WHOLE[\s\S]*not everything was read, accepted by waiver/);
      else expect(result.stdout).toMatch(/"incompleteAllowed": ?true/);
    },
  );
});

describe('files', () => {
  test.each([
    ['not there', undefined, 'no such file'],
    ['corrupt', '{"tool":"nwaudit","baselineVersion":1,"findings":[', 'not valid JSON'],
    ['of another kind', '{"schemaVersion":1}', 'not a baseline of nwaudit'],
    [
      'of a later version',
      '{"tool":"nwaudit","baselineVersion":9,"findings":[]}',
      'found 9, this nwaudit reads 1',
    ],
  ])('a baseline that is %s is exit code 2, and no report', async (_, content, message) => {
    const cwd = folderWith([OPEN], content === undefined ? {} : { 'known.json': content });
    const result = await runCli([...ARGS, '--baseline', 'known.json'], { cwd });
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toBe('');
    expect(result.stderr).toContain(message);
  });

  test('nothing but a baseline is replaced by one', async () => {
    const cwd = folderWith([OPEN]);
    for (const file of ['client-01.rules', 'nwaudit.yaml']) {
      const before = readFileSync(join(cwd, file), 'utf8');
      expect((await runCli([...ARGS, '--write-baseline', file], { cwd })).exitCode).toBe(2);
      expect(readFileSync(join(cwd, file), 'utf8')).toBe(before);
    }
  });

  test('a baseline among the exports is no export', async () => {
    const cwd = folderWith([OPEN]);
    await findingsOf(cwd, '--write-baseline', 'known.json');
    const { stdout } = await runCli([...ARGS, '--baseline', 'known.json'], { cwd });
    expect(stdout).toContain('1 host; 1 file');
  });
});
