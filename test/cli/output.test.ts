import {
  chmodSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ColorChoice, usesColor } from '../../src/cli/color.ts';
import { UsageError } from '../../src/cli/exit-error.ts';
import { planOutput, writeFiles } from '../../src/cli/output.ts';
import { Progress } from '../../src/cli/progress.ts';
import { fakeIo, makeFolder, rulesText, runCli } from './cli-run.ts';

const FORMATS = ['text', 'json', 'sarif'] as const;

describe('where reports go', () => {
  const plan = (outputs: readonly string[]) => {
    const cwd = makeFolder();
    return planOutput(fakeIo({ cwd }), FORMATS, 'text', outputs).map(
      ({ format, file }) => `${format} ${file === undefined ? '-' : file.slice(cwd.length + 1)}`,
    );
  };

  it.each([
    [[], ['text -']],
    [['out.txt'], ['text out.txt']],
    [['json=a'], ['text -', 'json a']],
    [
      ['json=a', 'sarif=b', 'c'],
      ['text c', 'json a', 'sarif b'],
    ],
    [['json=-'], ['json -']],
    [
      ['-', 'json=a'],
      ['text -', 'json a'],
    ],
    [['./x=y'], ['text x=y']],
  ])('--output %j is %j', (outputs, expected) => {
    expect(plan(outputs)).toEqual(expected);
  });

  it('a run writes every report, and the main one to standard output', async () => {
    const cwd = makeFolder({ 'exports/client-01.v4': rulesText() });
    const argv = ['scan', 'exports', '--select', 'unread-input', '-o', 'json=r.json', '-o', 'sarif=r.sarif'];
    const { stdout } = await runCli(argv, { cwd });
    expect(stdout).toMatch(/profile guide/);
    expect(JSON.parse(readFileSync(join(cwd, 'r.json'), 'utf8'))).toHaveProperty('schemaVersion');
    expect(JSON.parse(readFileSync(join(cwd, 'r.sarif'), 'utf8'))).toHaveProperty('runs');
    expect(readdirSync(cwd).sort()).toEqual(['exports', 'r.json', 'r.sarif']);
  });

  it('a reader that goes away is no error', async () => {
    const cwd = makeFolder({ 'client-01.v4': rulesText() });
    const result = await runCli(['scan', '--select', 'unread-input'], { cwd, stdoutClosed: true });
    expect(result).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });
});

describe('writing files', () => {
  it('replaces a file whole, and keeps its mode', () => {
    const cwd = makeFolder({ a: 'old and longer' });
    chmodSync(join(cwd, 'a'), 0o640);
    writeFiles([{ file: join(cwd, 'a'), chunks: ['n', 'ew'] }]);
    expect(readFileSync(join(cwd, 'a'), 'utf8')).toBe('new');
    expect(statSync(join(cwd, 'a')).mode & 0o777).toBe(0o640);
  });

  it('a link stays a link', () => {
    const cwd = makeFolder({ real: 'old' });
    symlinkSync('real', join(cwd, 'link'));
    writeFiles([{ file: join(cwd, 'link'), chunks: ['new'] }]);
    expect(readlinkSync(join(cwd, 'link'))).toBe('real');
    expect(readFileSync(join(cwd, 'real'), 'utf8')).toBe('new');
  });

  it('a device stays a device', () => {
    writeFiles([{ file: '/dev/null', chunks: ['x'] }]);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  it('a failure on the way leaves every file as it was, and nothing beside it', () => {
    const cwd = makeFolder({ a: 'old' });
    const failing = function* () {
      yield 'half';
      throw new Error('a defect');
    };
    const attempt = () =>
      writeFiles([
        { file: join(cwd, 'a'), chunks: ['new'] },
        { file: join(cwd, 'b'), chunks: failing() },
      ]);
    expect(attempt).toThrow('a defect');
    expect(readdirSync(cwd)).toEqual(['a']);
    expect(readFileSync(join(cwd, 'a'), 'utf8')).toBe('old');
  });

  it('a folder that is gone by then is a usage error', () => {
    const file = join(makeFolder(), 'gone', 'x');
    expect(() => writeFiles([{ file, chunks: ['x'] }])).toThrow(UsageError);
  });

  it('a full disk is a usage error', () => {
    writeFileSync('/dev/null', '');
    expect(() => writeFiles([{ file: '/dev/full', chunks: ['x'] }])).toThrow(/no space left/);
  });
});

describe('colour', () => {
  it.each<[string, ColorChoice, Record<string, string>, boolean, boolean]>([
    ['a terminal has colours', 'auto', {}, true, true],
    ['a pipe has none', 'auto', {}, false, false],
    ['NO_COLOR takes them away', 'auto', { NO_COLOR: '1' }, true, false],
    ['an empty NO_COLOR counts as unset', 'auto', { NO_COLOR: '' }, true, true],
    ['FORCE_COLOR gives them to a pipe', 'auto', { FORCE_COLOR: '1' }, false, true],
    ['an empty FORCE_COLOR counts as unset', 'auto', { FORCE_COLOR: '' }, false, false],
    ['FORCE_COLOR=0 takes them away', 'auto', { FORCE_COLOR: '0' }, true, false],
    ['NO_COLOR wins over FORCE_COLOR', 'auto', { NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
    ['the flag wins over NO_COLOR', 'always', { NO_COLOR: '1' }, false, true],
    ['the flag wins over FORCE_COLOR', 'never', { FORCE_COLOR: '1' }, true, false],
    ['a dumb terminal has none', 'auto', { TERM: 'dumb' }, true, false],
  ])('%s', (_, choice, env, terminal, expected) => {
    expect(usesColor(choice, fakeIo({ env, terminal }))).toBe(expected);
  });
});

describe('progress', () => {
  const shown = async (wanted: boolean, terminal: boolean, env: Record<string, string> = {}) => {
    const io = fakeIo({ terminal, env });
    const progress = new Progress(io, wanted, 'hosts');
    progress.update(1, 2);
    progress.update(2, 2);
    await progress.clear();
    return io.err.join('');
  };

  it('shows on a terminal and is taken away', async () => {
    expect(await shown(true, true)).toBe('\r1 of 2 hosts\u001b[K\r\u001b[K');
  });

  it('shows nothing elsewhere', async () => {
    expect(await shown(true, false)).toBe('');
    expect(await shown(false, true)).toBe('');
    expect(await shown(true, true, { CI: 'true' })).toBe('');
  });
});
