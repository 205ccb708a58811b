import { describe, expect, it } from 'vitest';
import { makeFolder, rulesText, runCli } from './cli-run.ts';

describe('help and version', () => {
  it.each([
    [['--help'], /Usage: nwaudit/],
    [['help'], /Usage: nwaudit/],
    [['help', 'scan'], /Usage: nwaudit scan/],
    [['scan', '--help'], /Exit codes:/],
    [['trace', '-h'], /One|one host/],
    [['--version'], /^0\.0\.0-test\n$/],
  ])('%j goes to standard output with exit code 0', async (argv, expected) => {
    const { exitCode, stdout, stderr } = await runCli(argv);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(expected);
    expect(stderr).toBe('');
  });

  it('lists no option that this version does not have', async () => {
    const { stdout } = await runCli(['scan', '--help']);
    expect(stdout).not.toMatch(/--jobs/);
  });
});

describe('wrong arguments', () => {
  it.each([
    ['no command', [], /Usage: nwaudit/],
    ['an unknown command', ['scna'], /Did you mean scan\?/],
    ['an unknown option', ['scan', '--confg', 'x'], /Did you mean --config\?/],
    ['an option without its value', ['scan', '--config'], /argument missing/],
    ['an unknown format', ['scan', '--format', 'xml'], /Allowed choices are text, json, sarif/],
    ['an unknown severity', ['scan', '--fail-on', 'hihg'], /Allowed choices are info, low/],
    ['an unknown colour', ['scan', '--color', 'yes'], /Allowed choices/],
    ['an option of a later version', ['scan', '--jobs', '2'], /unknown option '--jobs'/],
    ['a path that is not there', ['scan', 'gone'], /cannot read gone: no such file or folder/],
    [
      'an unknown profile',
      ['scan', '--profile', 'gide'],
      /no profile is called "gide"; did you mean guide\?/,
    ],
    [
      'a profile file that is not there',
      ['scan', '--profile', './x.yaml'],
      /profile \.\/x\.yaml: no such file/,
    ],
    ['an unknown check', ['scan', '--select', 'shadowd-rule'], /did you mean shadowed-rule\?/],
    [
      'an unknown check among others',
      ['scan', '--ignore', 'shadowed-rule,nope'],
      /no check is called "nope"/,
    ],
    ['an empty value', ['scan', '--ignore', ''], /It is empty/],
    [
      'a configuration that is not there',
      ['scan', '--config', 'x.yaml'],
      /configuration x\.yaml: no such file/,
    ],
    ['a rule pack that is not there', ['scan', '--rules', 'x'], /--rules: no such file or folder: x/],
    ['a rule pack without files', ['scan', '--rules', '.'], /there is no YAML file in it/],
    ['a host name with a slash', ['scan', '--host', 'a/b'], /is no host name/],
    ['a host name for two paths', ['scan', '--host', 'a', '.', '-'], /there are several/],
    [
      'an unknown output format',
      ['scan', '--output', 'sarf=x'],
      /no format is called "sarf"; did you mean sarif\?/,
    ],
    ['an output without a file', ['scan', '--output', 'json='], /names no file/],
    ['an output folder that is not there', ['scan', '--output', 'no/x.json'], /no such file or folder/],
    ['an output that is a folder', ['scan', '--output', '.'], /is a folder/],
    ['two main reports', ['scan', '-o', 'a', '-o', 'b'], /only one file can be named without its format/],
    ['two reports in one file', ['scan', '-o', 'json=a', '-o', 'sarif=./a'], /two reports for/],
    ['trace without packets', ['trace', '.'], /required option '-p, --packets <file>' not specified/],
    ['packets that are not there', ['trace', '--packets', 'gone', '.'], /--packets gone: no such file/],
    ['standard input twice', ['trace', '--packets', '-', '-'], /cannot be both/],
    ['too many checks', ['rules', 'a', 'b'], /too many arguments/],
    ['an unknown check to explain', ['rules', 'shadow-rule'], /did you mean shadowed-rule\?/],
  ])('%s is exit code 2', async (_, argv, expected) => {
    const { exitCode, stdout, stderr } = await runCli(argv);
    expect(stderr).toMatch(expected);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
  });

  it('quotes nothing that acts on a terminal', async () => {
    for (const argv of [
      ['scan', '\u001b[2J'],
      ['\u001b[2J'],
      ['scan', '--profile', '\u001b]0;x\u0007'],
      ['rules', '\u202e'],
    ]) {
      const { exitCode, stderr } = await runCli(argv);
      expect(exitCode).toBe(2);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
      expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }
  });

  it('a wrong NWAUDIT_TODAY is exit code 2', async () => {
    for (const NWAUDIT_TODAY of ['tomorrow', '2026-13-01', '2026-02-30']) {
      const result = await runCli(['scan'], {
        cwd: makeFolder({ 'a.rules': rulesText() }),
        env: { NWAUDIT_TODAY },
      });
      expect(result.exitCode).toBe(2);
      expect(result.stderr).toMatch(/NWAUDIT_TODAY: expected a date/);
    }
  });
});

describe('a defect', () => {
  it('is exit code 70, with what to report', async () => {
    const cwd = makeFolder({ 'a.rules': rulesText(), 'broken.json': 'no JSON' });
    const { exitCode, stdout, stderr } = await runCli(['rules'], { cwd, rulePackFile: `${cwd}/broken.json` });
    expect(exitCode).toBe(70);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/this is a defect of nwaudit, not of your input\. Please report it/);
    expect(stderr).toMatch(/nwaudit 0\.0\.0-test, Node v/);
    expect(stderr).toMatch(/SyntaxError/);
    expect(stderr).toMatch(/\n {4}at /);
  });
});
