import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import * as evaluate from '../../src/evaluate/index.ts';
import { makeFolder, rulesText, runCli } from './cli-run.ts';

vi.mock('../../src/evaluate/index.ts', { spy: true });

const RULES = rulesText(['-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport 7937:9936 -j ACCEPT']);

function packetLine(fields: object = {}): string {
  const packet = {
    hook: 'input',
    saddr: '192.0.2.10',
    daddr: '192.0.2.1',
    proto: 'tcp',
    sport: 999,
    dport: 7938,
  };
  return `${JSON.stringify({ ...packet, ...fields })}\n`;
}

const PACKETS = packetLine() + packetLine({ saddr: '203.0.113.1' });

function linesOf(text: string): { packet: number; verdict: string; path: { file: string }[] }[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('trace as a contract for programs', () => {
  it('prints one object a line, in the order of the packets, and exits with 0 whatever the verdicts', async () => {
    const cwd = makeFolder({ 'exports/host.v4': RULES, 'packets.jsonl': PACKETS });
    const argv = ['trace', '--packets', 'packets.jsonl', '--format', 'jsonl', 'exports/host.v4'];
    const { exitCode, stdout, stderr } = await runCli(argv, { cwd });
    expect(exitCode).toBe(0);
    expect(stderr).toBe('');
    expect(stdout.endsWith('\n')).toBe(true);
    expect(linesOf(stdout)).toMatchObject([
      {
        packet: 0,
        verdict: 'accept',
        certain: true,
        delivered: { daddr: '192.0.2.1', dport: 7938 },
        path: [
          {
            file: 'exports/host.v4',
            line: 8,
            column: 1,
            path: null,
            family: 'ip',
            table: 'filter',
            chain: 'INPUT',
            rule: '-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport 7937:9936 -j ACCEPT',
            verdict: 'accept',
          },
        ],
        unknown: [],
      },
      { packet: 1, verdict: 'drop', path: [{ rule: null, line: 3, verdict: 'drop' }] },
    ]);
  });

  it('takes the packets from standard input', async () => {
    const cwd = makeFolder({ 'host.v4': RULES });
    const argv = ['trace', '--packets', '-', '--format', 'jsonl', 'host.v4'];
    const { exitCode, stdout } = await runCli(argv, { cwd, stdin: PACKETS });
    expect(linesOf(stdout).map((answer) => answer.verdict)).toEqual(['accept', 'drop']);
    expect(exitCode).toBe(0);
  });

  it('takes the export from standard input', async () => {
    const cwd = makeFolder({ packets: PACKETS });
    const { stdout } = await runCli(['trace', '-p', 'packets', '-f', 'jsonl', '-'], { cwd, stdin: RULES });
    expect(linesOf(stdout)[0]?.path[0]?.file).toBe('-');
  });

  it('all paths are one host: both IP versions are answered', async () => {
    const six = rulesText(
      ['-A INPUT -s 2001:db8::10/128 -p tcp -m tcp --dport 7937:9936 -j ACCEPT'],
      'ip6tables-save',
    );
    const cwd = makeFolder({ 'a/one.v4': RULES, 'b/two.v6': six, packets: '' });
    const stdin = packetLine() + packetLine({ saddr: '2001:db8::10', daddr: '2001:db8::1' });
    const { stdout } = await runCli(['trace', '-p', '-', '-f', 'jsonl', 'a', 'b/two.v6'], { cwd, stdin });
    expect(linesOf(stdout).map((answer) => [answer.verdict, answer.path[0]?.file])).toEqual([
      ['accept', 'a/one.v4'],
      ['accept', 'b/two.v6'],
    ]);
  });

  it('a packet file inside the folder of the exports is no export', async () => {
    const cwd = makeFolder({ 'host.v4': RULES, 'packets.jsonl': PACKETS });
    const { exitCode } = await runCli(['trace', '-p', 'packets.jsonl', '-f', 'jsonl'], { cwd });
    expect(exitCode).toBe(0);
  });

  it('a packet file in UTF-16, as PowerShell writes it, is read', async () => {
    const utf16 = Buffer.from(`\ufeff${PACKETS.replaceAll('\n', '\r\n')}`, 'utf16le');
    const cwd = makeFolder({ 'host.v4': RULES, packets: utf16 });
    const { stdout } = await runCli(['trace', '-p', 'packets', '-f', 'jsonl', 'host.v4'], { cwd });
    expect(linesOf(stdout)).toHaveLength(2);
  });

  it('a bad packet line is exit code 2 with its number, and there are no answers', async () => {
    const cwd = makeFolder({ 'host.v4': RULES, packets: `${packetLine()}\n${packetLine({ dport: -1 })}{` });
    const { exitCode, stdout, stderr } = await runCli(['trace', '-p', 'packets', '-f', 'jsonl', 'host.v4'], {
      cwd,
    });
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^packets:3: dport: expected a whole number/m);
    expect(stderr).toMatch(/^packets:4: expected one JSON object/m);
  });

  it('of many bad lines the first are told and the others counted', async () => {
    const cwd = makeFolder({ 'host.v4': RULES });
    const { stderr } = await runCli(['trace', '-p', '-', 'host.v4'], { cwd, stdin: '{\n'.repeat(1000) });
    expect(stderr).toMatch(/and 980 further problems/);
    expect(stderr.split('\n').length).toBeLessThan(30);
  });

  it('no packets are no answers and no error', async () => {
    const cwd = makeFolder({ 'host.v4': RULES });
    expect(await runCli(['trace', '-p', '-', '-f', 'jsonl', 'host.v4'], { cwd })).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: '',
    });
  });

  it('3 when an export was not read whole, with all answers', async () => {
    const cwd = makeFolder({ 'host.v4': RULES.replace('COMMIT', 'what is this\nCOMMIT') });
    const { exitCode, stdout, stderr } = await runCli(['trace', '-p', '-', '-f', 'jsonl', '.'], {
      cwd,
      stdin: PACKETS,
    });
    expect(linesOf(stdout)).toHaveLength(2);
    expect(stderr).toMatch(/^host\.v4:9:\d+: /m);
    expect(exitCode).toBe(3);
  });

  it('3 without answers when there is no export', async () => {
    const { exitCode, stdout } = await runCli(['trace', '-p', '-', '-f', 'jsonl'], { stdin: PACKETS });
    expect(stdout).toBe('');
    expect(exitCode).toBe(3);
  });

  it('answers can be written to a file', async () => {
    const cwd = makeFolder({ 'host.v4': RULES });
    const argv = ['trace', '-p', '-', '-o', 'jsonl=answers.jsonl', 'host.v4'];
    const { stdout } = await runCli(argv, { cwd, stdin: PACKETS });
    expect(linesOf(readFileSync(join(cwd, 'answers.jsonl'), 'utf8'))).toHaveLength(2);
    expect(stdout).toMatch(/^packet 0: input tcp 192\.0\.2\.10:999 -> 192\.0\.2\.1:7938, new$/m);
  });

  it('two different answers are exit code 70, and both are told', async () => {
    const cwd = makeFolder({ 'host.v4': RULES });
    vi.mocked(evaluate.evaluatePacket).mockReturnValueOnce({
      verdict: 'drop',
      delivered: { daddr: undefined, dport: undefined },
      path: [],
      unknown: [],
      possible: { accept: false, drop: true, reject: false },
    });
    const argv = ['trace', '-p', '-', '-f', 'jsonl', 'host.v4'];
    const { exitCode, stdout, stderr } = await runCli(argv, { cwd, stdin: PACKETS });
    expect(exitCode).toBe(70);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/differ about packet 0/);
    expect(stderr).toMatch(/packet sets: +\{"verdict":"accept"/);
    expect(stderr).toMatch(/plain evaluator: +\{"verdict":"drop"/);
  });
});

describe('trace within the heap', () => {
  const MEGABYTE = 1024 ** 2;
  const many = rulesText(
    Array.from({ length: 400 }, (_, i) => `-A INPUT -p tcp -m tcp --dport 7938 -j LOG --log-prefix "n${i} "`),
  );
  const argv = ['trace', '-p', '-', '-f', 'jsonl', 'host.v4'];

  it.each([
    [
      'files',
      MEGABYTE / 4,
      /^nwaudit: the files of host\.v4 have 0\.0 MB, more than the 0\.0 MB.*; there are no answers$/m,
    ],
    [
      'rules',
      2 * MEGABYTE,
      /^nwaudit: host\.v4 is not traced: its 402 rules .* heap of 2 MB.*; there are no answers$/m,
    ],
  ])(
    'a host with too many %s is refused by name, with exit code 3 and no answers',
    async (_, heapBytes, expected) => {
      const cwd = makeFolder({ 'host.v4': many });
      const { exitCode, stdout, stderr } = await runCli(argv, { cwd, stdin: PACKETS, heapBytes });
      expect(stderr).toMatch(expected);
      expect(stdout).toBe('');
      expect(exitCode).toBe(3);
    },
  );

  it('of several paths the first is named', async () => {
    const cwd = makeFolder({ 'host.v4': many, 'host.v6': rulesText([], 'ip6tables-save') });
    const { stderr } = await runCli([...argv, 'host.v6'], { cwd, stdin: PACKETS, heapBytes: 2 * MEGABYTE });
    expect(stderr).toMatch(/host\.v4 and 1 further path is not traced/);
  });

  it('packets that match more rules than the heap has room for are exit code 2', async () => {
    const cwd = makeFolder({ 'host.v4': many });
    const stdin = Array.from({ length: 40 }, (_, i) => packetLine({ sport: 1000 + i })).join('');
    const { exitCode, stdout, stderr } = await runCli(argv, { cwd, stdin, heapBytes: 4 * MEGABYTE });
    expect(stderr).toMatch(
      /--packets -: the first \d\d of 40 packets match \d+ rules, more than .*; trace them in parts/,
    );
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
    const alone = await runCli(argv, { cwd, stdin: packetLine(), heapBytes: 4 * MEGABYTE });
    expect(alone.exitCode).toBe(0);
  });

  it('equal packets share one answer', async () => {
    const cwd = makeFolder({ 'host.v4': many });
    const result = await runCli(argv, { cwd, stdin: packetLine().repeat(100), heapBytes: 4 * MEGABYTE });
    expect(result.exitCode).toBe(0);
    expect(linesOf(result.stdout)).toHaveLength(100);
  });

  it('more bytes of packets than the heap has room for are exit code 2', async () => {
    const cwd = makeFolder({ 'host.v4': RULES });
    const { exitCode, stderr } = await runCli(argv, {
      cwd,
      stdin: packetLine().repeat(1000),
      heapBytes: MEGABYTE,
    });
    expect(stderr).toMatch(
      /--packets -: 0\.1 MB, more than the 0\.1 MB that a heap of 1\.0 MB is enough for; trace it in parts/,
    );
    expect(exitCode).toBe(2);
  });
});

describe('trace for people', () => {
  it('shows the way, where the packet is delivered, and what the verdict hangs on', async () => {
    const rules = `*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 9090
COMMIT
*filter
:INPUT DROP [0:0]
-A INPUT -p tcp -m tcp --dport 9090 -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -m owner --uid-owner 7 -j ACCEPT
COMMIT
`;
    const cwd = makeFolder({ 'host.v4': rules });
    const stdin = packetLine({ dport: 443, iif: 'eth0' }) + packetLine({ dport: 22 });
    const { stdout } = await runCli(['trace', '-p', '-', 'host.v4'], { cwd, stdin });
    expect(stdout).toMatch(/-> 192\.0\.2\.1:443, new, in by eth0$/m);
    expect(stdout).toMatch(/^ {2}host\.v4:3: nat PREROUTING: -A PREROUTING .* -> redirect$/m);
    expect(stdout).toMatch(/^ {2}accept, delivered to an address of the host, port 9090$/m);
    expect(stdout).toMatch(/^ {2}hangs on: .*owner/m);
    expect(stdout).toMatch(/^ {2}unknown$/m);
  });
});
