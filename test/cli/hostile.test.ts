/** Texts of exports that want to act on whoever reads them: no output lets them. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { makeFolder, runCli } from './cli-run.ts';

/** One word that does everything: colours, C1, bidi, HTML, Markdown, a shell, a build service. Names may be at most so long somewhere. */
const WORD = '\u001b[31m\u009b2J\u202e<script>`|](x)$(id);!rm';
const COMMANDS = ['::error::x', '::set-output name=a::b', '##[add-mask]y', '##vso[task.z]w'];
const COMMENT = `${COMMANDS.join(' ')} ${WORD} ' " \\`;
const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;

const IPTABLES = `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:::error::${WORD} - [0:0]
:a!rm - [0:0]
-A INPUT -j ::error::${WORD}
-A INPUT -j a!rm
-A a!rm -s 203.0.113.0/24 -p tcp -m tcp --dport 7938:9936 -m comment --comment ${quoted(COMMENT)} -j ACCEPT
-A ::error::${WORD} -i ::error::${WORD} -p tcp -m tcp --dport 7938:9936 -m comment --comment ${quoted(COMMENT)} -j ACCEPT
-A INPUT -m set --match-set ::error::${WORD} src -p tcp -m tcp --dport 9000 -j ACCEPT
-A INPUT -m ::error::${WORD} --${WORD} ${quoted(COMMENT)} -j ACCEPT
::error::${WORD}
COMMIT
`;

const IPSET = `create ::error::${WORD} hash:net family inet comment
add ::error::${WORD} 203.0.113.0/24 comment ${quoted(COMMENT)}
add ::error::${WORD} ::error::${WORD}
`;

const NFT = JSON.stringify({
  nftables: [
    { metainfo: { version: '1.0.6', json_schema_version: 1 } },
    { table: { family: 'inet', name: `::error::${WORD}`, handle: 1 } },
    {
      chain: {
        family: 'inet',
        table: `::error::${WORD}`,
        name: `::error::${WORD}\n::error::second line`,
        handle: 1,
        type: 'filter',
        hook: 'input',
        prio: 0,
        policy: 'accept',
      },
    },
    {
      rule: {
        family: 'inet',
        table: `::error::${WORD}`,
        chain: `::error::${WORD}\n::error::second line`,
        handle: 2,
        comment: `${COMMENT}\n::error::second line`,
        expr: [
          { match: { op: '==', left: { meta: { key: 'iifname' } }, right: WORD } },
          { [`x${WORD}`]: COMMENT },
        ],
      },
    },
  ],
});

const xml = (text: string) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML has no place for control characters, not even escaped
  text.replace(/[\u0000-\u001f]/g, '').replace(/[<&"]/g, (c) => `&#${c.charCodeAt(0)};`);
const FIREWALLD = `<?xml version="1.0" encoding="utf-8"?>
<zone target="ACCEPT">
  <short>${xml(COMMENT)}</short>
  <description>${xml(COMMENT)}&#10;::error::second line</description>
  <interface name="${xml(`::error::${WORD}`)}"/>
  <service name="${xml(`::error::${WORD}`)}"/>
  <source ipset="${xml(`::error::${WORD}`)}"/>
  <rule><log prefix="${xml(COMMENT)}"/><accept/></rule>
</zone>
`;

const NAME = `::error::${WORD.replaceAll('/', '')}\n::error::second line`;

function hostileFolder(): string {
  return makeFolder({
    [`nw-server/${NAME}.rules`]: IPTABLES,
    'nw-server/sets.ipset': IPSET,
    'client-01/ruleset.json': NFT,
    [`sn-01/firewalld/zones/${NAME.slice(0, 40)}.xml`]: FIREWALLD,
    'sn-01/firewalld/zones/public.xml': FIREWALLD,
    'sn-01/firewalld/firewalld.conf': `DefaultZone=::error::${WORD}\n`,
    [`${NAME}/fw.rules`]: IPTABLES,
    [`${NAME}.rules`]: IPTABLES,
    '-o.rules': IPTABLES,
    'nmc-01.rules': `::error::${COMMENT}\n`,
  });
}

/** What no text output may hold: controls other than line breaks, and commands of build services. */
function expectHarmless(output: string, what: string): void {
  expect(output, what).not.toBe('');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const plain = output.replace(/\u001b\[[0-9;]*m/g, (sgr) => (OWN_COLOURS.has(sgr) ? '' : sgr));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  expect(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.exec(plain), what).toBeNull();
  expect(/^\s*::\s*[a-z-]*[g-z-][a-z-]*[^\n]*::/im.exec(plain), what).toBeNull();
  expect(/##(?:\[|vso\[|teamcity\[)/.exec(plain), what).toBeNull();
}

/** Styles of the report itself, and what the table puts behind them. `31` alone is the export's. */
const OWN_COLOURS = new Set(
  ['0', '1;97;41', '1;31', '1;33', '1;36', '1;34', '1', '36', '35', '2', '1;32', '22'].map(
    (style) => `\u001b[${style}m`,
  ),
);

const PACKET =
  '{"hook":"input","saddr":"203.0.113.9","daddr":"192.0.2.1","proto":"tcp","sport":40000,"dport":7940}\n';

describe('hostile texts', () => {
  const cwd = hostileFolder();

  it.each([
    ['text', ['scan', '.', '--no-config']],
    ['text in a narrow terminal with colours', ['scan', '.', '--no-config', '--color', 'always']],
    ['a first configuration', ['init', '.']],
    ['JSON', ['scan', '.', '--no-config', '--format', 'json']],
    ['SARIF', ['scan', '.', '--no-config', '--format', 'sarif']],
  ])('act on nobody in %s', async (what, argv) => {
    const { stdout, stderr, exitCode } = await runCli(argv, { cwd, terminal: what.includes('terminal') });
    expect(exitCode).toBe(3);
    expectHarmless(stdout, what);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the progress line takes itself away
    const told = stderr.replace(/\r[^\r]*\u001b\[K/g, '');
    if (told !== '') expectHarmless(told, `${what}, standard error`);
    // The test would be idle if the texts were not shown.
    expect(stdout).toMatch(/error::|second line/);
  });

  it.each([[`nw-server/${NAME}.rules`], ['client-01'], ['sn-01']])(
    'act on nobody in a trace of %j',
    async (path) => {
      for (const format of ['text', 'jsonl']) {
        const { stdout, stderr } = await runCli(['trace', '-p', '-', '-f', format, path], {
          cwd,
          stdin: PACKET,
        });
        expectHarmless(stdout, format);
        if (stderr !== '') expectHarmless(stderr, 'standard error');
      }
    },
  );

  it('act on nobody in errors about arguments, configurations and packets', async () => {
    const folder = makeFolder({
      'nwaudit.yaml': `"${WORD.replaceAll('\u001b', '\\e')}": 1\nhosts: { "::error::x": 5 }\n`,
    });
    for (const argv of [
      ['scan', `::error::${WORD}\n::error::y`],
      [`::error::${WORD}`],
      ['scan', `--::error::${WORD}`],
      ['scan', '--format', `::error::${WORD}\n::error::y`],
      ['scan', '--select', `::error::${WORD}`],
      ['scan', '--output', `::error::${WORD}=x`],
      ['scan', '--config', `::error::${WORD}`],
      ['rules', `::error::${WORD}`],
      ['scan', '.'],
      ['trace', '-p', '-', '.'],
    ]) {
      const { stderr, exitCode } = await runCli(argv, {
        cwd: folder,
        stdin: `{"hook":"::error::${WORD}"}\n`,
      });
      expect(exitCode, argv.join(' ')).toBe(2);
      expectHarmless(stderr, argv.join(' '));
    }
  });

  it('a first configuration reads back to the names of the hosts', async () => {
    const { stdout } = await runCli(['init', '.'], { cwd });
    const names = Object.keys(parse(stdout).hosts);
    expect(names).toContain('nw-server');
    for (const name of names)
      expect([NAME, '-o', 'nw-server', 'client-01', 'sn-01', 'nmc-01']).toContain(name);
  });

  it('SARIF carries them in plain texts only: no Markdown, no link', async () => {
    const { stdout } = await runCli(['scan', '.', '--no-config', '--format', 'sarif'], { cwd });
    const [run] = JSON.parse(stdout).runs;
    const texts: string[] = [];
    JSON.stringify([run.results, run.invocations], (key, value) => {
      // A piece of the file itself, shown as such.
      if (key === 'snippet') return undefined;
      if (key === 'markdown') throw new Error(`Markdown with ${value}`);
      if (key === 'text' && typeof value === 'string') texts.push(value);
      return value;
    });
    const links = texts.flatMap((text) => [...text.matchAll(/\]\(([^)]*)\)/g)].map((match) => match[1]));
    expect(links.filter((target) => !/^\d+$/.test(target ?? ''))).toEqual([]);
  });

  it('a proposed command is words for a shell and nothing else', async () => {
    const { stdout } = await runCli(['scan', '.', '--no-config', '--format', 'json'], { cwd });
    const commands: string[] = JSON.parse(stdout).findings.flatMap(
      (finding: { remediation: { commands: { command: string }[] } | null }) =>
        finding.remediation?.commands.map(({ command }) => command).filter((command) => command !== '') ?? [],
    );
    for (const command of commands) {
      expect(command).not.toContain('a!rm');
      expectHarmless(command, command);
      for (const line of command.split(/ && \\?\n?|\n/)) {
        // A list of words only: the shell prints them one by one and runs nothing.
        const script = `set -f; printf '%s\\n' ${line.replace(/\\$/, '')}`;
        const words = execFileSync('bash', ['-c', script], { cwd: makeFolder(), encoding: 'utf8' }).split(
          '\n',
        );
        expect(['iptables', 'ip6tables', 'ipset', 'nft', 'firewall-cmd']).toContain(words[0]);
        expect(line.replace(/'[^']*'/g, '').replace(/"[^"$`\\!]*"/g, '')).not.toMatch(
          /[;$`<>|&(){}\\]|![^ ]/,
        );
      }
    }
  });

  it('a file of a report is what standard output would have been', async () => {
    await runCli(['scan', '.', '--no-config', '--output', 'sarif=out.sarif', '--output', 'out.txt'], { cwd });
    expectHarmless(readFileSync(join(cwd, 'out.txt'), 'utf8'), 'a file');
  });
});
