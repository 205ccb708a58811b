import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readHostExports, readPortRanges } from '../../../src/parse/index.ts';
import { parseNsrports } from '../../../src/parse/nsrports/index.ts';
import { scanTexts } from '../../scan-support.ts';

const BOTH = 'Service ports: 7937-7954\nConnection ports: 0-0\n';

function rangesOf(text: string): Record<'service' | 'connection', string | undefined> {
  const { ranges } = parseNsrports(text, 'x');
  const told = (one: (typeof ranges)['service']) => one?.ranges.map(({ lo, hi }) => `${lo}-${hi}`).join(' ');
  return { service: told(ranges.service), connection: told(ranges.connection) };
}

describe('the two lines', () => {
  test.each([
    ['as nsrports prints them', BOTH, '7937-7954', ''],
    ['in other capitals', 'SERVICE PORTS: 7937-7954\nConnection Ports: 0-0\n', '7937-7954', ''],
    ['with carriage returns', BOTH.replaceAll('\n', '\r\n'), '7937-7954', ''],
    ['without a last line end', 'Service ports: 7937-9936', '7937-9936', undefined],
    ['with spaces and tabs', '  Service port :\t7937 - 7954 \nConnection ports:0-0', '7937-7954', ''],
    ['one port', 'Service ports: 7937\n', '7937-7937', undefined],
    [
      'several ranges',
      'Service ports: 7937-7940 8000-8010,8020\n',
      '7937-7940 8000-8010 8020-8020',
      undefined,
    ],
    ['overlapping ranges', 'Service ports: 7937-7940 7939-7954\n', '7937-7954', undefined],
    [
      'ranges on lines of their own',
      'Service ports: 7937-7940\n               8000-8010\nConnection ports: 0-0\n',
      '7937-7940 8000-8010',
      '',
    ],
    ['a connection range', 'Connection ports: 10001-30000\n', undefined, '10001-30000'],
    [
      'behind a prompt and before sockets',
      `$ nsrports -a\n${BOTH}tcp 0 0 *:7937 LISTEN nsrexecd\n`,
      '7937-7954',
      '',
    ],
    ['twice the same', `${BOTH}${BOTH}`, '7937-7954', ''],
    ['neither', 'nsrports: not running\n', undefined, undefined],
  ])('%s', (_, text, service, connection) => {
    expect(rangesOf(text)).toEqual({ service, connection });
    expect(parseNsrports(text, 'x').diagnostics).toEqual([]);
  });

  test('keep their place', () => {
    expect(parseNsrports(`\n  ${BOTH}`, 'x').ranges.service?.origin).toMatchObject({
      line: 2,
      column: 3,
      endColumn: 27,
    });
  });
});

describe('what is no range is told, and makes none', () => {
  test.each([
    ['Service ports: 0-0', /0-0, which names no port/],
    ['Service ports: 7954-7937', /end is before/],
    ['Service ports: 7937-99999', /no range of ports/],
    ['Service ports: 0-7937', /no range of ports/],
    ['Service ports: 7937-7954 and more', /"and"/],
    ['Service ports:', /no range/],
    ['Service ports: 7937-7954 ‑9000', /no range of ports/],
    [`Service ports: ${'7937-7938 '.repeat(1001)}`, /more than 1000/],
    [`Service ports: 7937-7954 ${' '.repeat(20_000)}`, /more than 16384 characters/],
    ['Connection ports: x', /"x"/],
    ['Service ports: 7937-7954\nService ports: 7937-9936', /others than in line 1/],
  ])('%#', (text, wanted) => {
    const { ranges, diagnostics } = parseNsrports(`${text}\n`, 'x');
    expect([ranges.service, ranges.connection]).toEqual([undefined, undefined]);
    expect(diagnostics).toMatchObject([{ incomplete: true, detail: expect.stringMatching(wanted) }]);
    expect(diagnostics[0]!.detail.length).toBeLessThan(300);
  });

  test('any text gives ranges that are normalized, and places inside it', () => {
    const piece = fc.constantFrom(
      'Service ports:',
      'connection ports',
      ':',
      ' ',
      '\n',
      '\t',
      '7937',
      '-',
      '0-0',
      ',',
      '65536',
      '\r',
      '¼',
      '9'.repeat(30),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
        const text = pieces.join('');
        const { ranges, diagnostics } = parseNsrports(text, 'x');
        for (const { lo, hi } of [...(ranges.service?.ranges ?? []), ...(ranges.connection?.ranges ?? [])])
          expect(1n <= lo && lo <= hi && hi <= 65535n).toBe(true);
        for (const { origin } of diagnostics)
          expect(origin.line).toBeLessThanOrEqual(text.split('\n').length);
      }),
      { numRuns: 500 },
    );
  });
});

const RULES = (range: string) => `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport ${range} -j ACCEPT
-A INPUT -s 192.0.2.20/32 -p tcp -m tcp --dport ${range} -j ACCEPT
COMMIT
`;
const CONFIG = {
  hosts: {
    'nw-server': { role: 'server', addresses: ['192.0.2.10'] },
    'client-01': { role: 'client', addresses: ['192.0.2.101'] },
    'sn-01': { role: 'storage-node', addresses: ['192.0.2.20'] },
  },
};
const bytes = (text: string) => new TextEncoder().encode(text);
const missing = (files: Record<string, string>, config: unknown = CONFIG) =>
  scanTexts(files, config)
    .findings.filter((f) => f.check === 'missing-required-path')
    .map((f) => f.message);

describe('the range counts', () => {
  test('for the host itself, from a file of its own or one beside the rules', () => {
    const narrow = RULES('7937:7954');
    expect(missing({ 'client-01.rules': narrow })).toHaveLength(1);
    expect(missing({ 'client-01.rules': narrow, 'client-01.nsrports': BOTH })).toEqual([]);
    expect(missing({ 'client-01/rules.v4': narrow, 'client-01/ports.txt': BOTH })).toEqual([]);
    expect(missing({ 'client-01.rules': `${BOTH}${narrow}` })).toEqual([]);
  });

  test('for what other hosts have to let out to it', () => {
    const server = RULES('7937:7938')
      .replace(':OUTPUT ACCEPT', ':OUTPUT DROP')
      .replace(
        'COMMIT',
        '-A OUTPUT -d 192.0.2.0/24 -p tcp -m tcp --dport 7937:7954 -j ACCEPT\n-A OUTPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\nCOMMIT',
      )
      .replace('192.0.2.10/32', '192.0.2.101/32');
    const files = { 'nw-server.rules': server, 'sn-01.nsrports': BOTH, 'client-01.nsrports': BOTH };
    expect(missing(files)).toEqual([]);
    expect(missing({ 'nw-server.rules': server, 'sn-01.nsrports': BOTH })).toEqual([
      expect.stringMatching(/does not let out tcp\/7955-9936 to client-01/),
    ]);
  });

  test('of connections, for rules that open it inbound', () => {
    const text = RULES('7937:9936').replace(
      'COMMIT',
      '-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport 40000:41000 -j ACCEPT\nCOMMIT',
    );
    const found = (ports: string) =>
      scanTexts({ 'client-01.rules': text, 'client-01.nsrports': ports }, CONFIG).findings.filter(
        (f) => f.check === 'connection-port-rule',
      );
    expect(found('Connection ports: 0-0\n')).toEqual([]);
    expect(found('Connection ports: 40000-45000\n')).toMatchObject([
      { severity: 'medium', origin: { line: 9 } },
    ]);
  });

  test('before what is declared', () => {
    const config = {
      hosts: { ...CONFIG.hosts, 'client-01': { ...CONFIG.hosts['client-01'], service_ports: '7937-9936' } },
    };
    expect(missing({ 'client-01.rules': RULES('7937:7954'), 'client-01.nsrports': BOTH }, config)).toEqual(
      [],
    );
  });

  test('in UTF-16, as PowerShell writes it', () => {
    const wide = new Uint8Array([
      0xff,
      0xfe,
      ...new Uint8Array(Uint16Array.from([...BOTH].map((c) => c.charCodeAt(0))).buffer),
    ]);
    expect(readPortRanges([{ path: 'x', bytes: wide }]).service?.ranges).toEqual([{ lo: 7937n, hi: 7954n }]);
  });

  test('not where two outputs of one host differ: the audit is incomplete', () => {
    const read = readHostExports([
      { path: 'a', bytes: bytes(BOTH) },
      { path: 'b', bytes: bytes('Service ports: 7937-9936\n') },
    ]);
    expect(read.ports.service).toBeUndefined();
    expect(read.diagnostics).toMatchObject([
      { kind: 'contradiction', incomplete: true, origin: { file: 'b', line: 1 } },
    ]);
  });

  test('for nothing where there are no rules: exit code 3', () => {
    const report = scanTexts({ 'client-01.nsrports': BOTH }, CONFIG);
    expect(report.exitCode).toBe(3);
    expect(report.diagnostics.map((d) => d.detail)).toEqual([expect.stringMatching(/no firewall rules/)]);
  });
});
