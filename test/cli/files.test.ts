import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/cli/exit-error.ts';
import { type CollectOptions, collectFiles } from '../../src/cli/files.ts';
import { fakeIo, makeFolder } from './cli-run.ts';

async function collect(cwd: string, paths: readonly string[] = [], options: CollectOptions = {}, stdin = '') {
  const files = await collectFiles(paths, fakeIo({ cwd, stdin }), options);
  return {
    ...files,
    read: files.inputs.filter((input) => input.bytes !== undefined).map((input) => input.path),
    problems: Object.fromEntries(
      files.inputs
        .filter((input) => input.bytes === undefined)
        .map((input) => [input.path, input.problem ?? '']),
    ),
  };
}

describe('walking folders', () => {
  it('reads every file below the current folder, in byte order of the names', async () => {
    const cwd = makeFolder({ 'b/2': '2', 'b/10': '10', a: 'a', Z: 'Z', 'é/x': 'x', 'b/.hidden': 'h' });
    const { read, roots } = await collect(cwd);
    expect(read).toEqual(['Z', 'a', 'b/.hidden', 'b/10', 'b/2', 'é/x']);
    expect(roots).toEqual(['.']);
  });

  it('keeps the content as it is', async () => {
    const cwd = makeFolder({ a: new Uint8Array([0, 255, 10, 13]), empty: '' });
    const { inputs } = await collect(cwd);
    expect(inputs.map((input) => [...(input.bytes ?? [])])).toEqual([[0, 255, 10, 13], []]);
  });

  it('prints paths relative to the current folder, also above it', async () => {
    const cwd = makeFolder({ 'here/x': '', 'exports/a': 'a' });
    const { read, roots } = await collect(join(cwd, 'here'), ['../exports', join(cwd, 'here/x')]);
    expect(read).toEqual(['../exports/a', 'x']);
    expect(roots).toEqual(['../exports', 'x']);
  });

  it('skips .git, node_modules and the configuration, but no other dot folder', async () => {
    const cwd = makeFolder({
      '.git/x': '',
      'node_modules/x': '',
      'a/nwaudit.yaml': '',
      'nwaudit.yaml': '',
      '.d/x': '',
    });
    expect((await collect(cwd)).read).toEqual(['.d/x']);
  });

  it('skips files that the caller excludes', async () => {
    const cwd = makeFolder({ a: '', 'report.json': '' });
    expect((await collect(cwd, ['.'], { exclude: [join(cwd, 'report.json')] })).read).toEqual(['a']);
  });

  it('reads a file once when it is named twice or lies in two named folders', async () => {
    const cwd = makeFolder({ 'a/b/x': '' });
    expect((await collect(cwd, ['a', 'a/b', 'a/b/x', 'a'])).read).toEqual(['a/b/x']);
  });

  it('reads hard links as two files: they may be the exports of two hosts', async () => {
    const cwd = makeFolder({ 'a/x': 'x' });
    mkdirSync(join(cwd, 'b'));
    linkSync(join(cwd, 'a/x'), join(cwd, 'b/x'));
    expect((await collect(cwd)).read).toEqual(['a/x', 'b/x']);
  });

  it('takes names with line breaks, and names that are no UTF-8', async () => {
    const cwd = makeFolder({ 'two\nlines': 'x' });
    writeFileSync(Buffer.concat([Buffer.from(`${cwd}/bad-`), Buffer.from([0xff])]), 'y');
    const { inputs } = await collect(cwd);
    expect(inputs.map((input) => input.path)).toEqual(['bad-\\xff', 'two\nlines']);
    expect(inputs.every((input) => input.bytes?.length === 1)).toBe(true);
  });

  it('finds nothing in an empty folder', async () => {
    expect((await collect(makeFolder())).inputs).toEqual([]);
  });

  it('walks deep folders', async () => {
    const cwd = makeFolder();
    const deep = Array.from({ length: 300 }, () => 'd').join('/');
    mkdirSync(join(cwd, deep), { recursive: true });
    writeFileSync(join(cwd, deep, 'x'), '');
    expect((await collect(cwd)).read).toEqual([`${deep}/x`]);
  });
});

describe('links', () => {
  it('a link to a file inside is not read a second time', async () => {
    const cwd = makeFolder({ 'real/x': '' });
    symlinkSync('real/x', join(cwd, 'alias'));
    const { read, problems, notes } = await collect(cwd);
    expect(read).toEqual(['real/x']);
    expect(problems).toEqual({});
    expect(notes).toEqual(['alias is a link to real/x, which was read under its own name']);
  });

  it('a link to a folder inside, even to one around it, loses nothing', async () => {
    const cwd = makeFolder({ 'a/x': '' });
    symlinkSync('..', join(cwd, 'a/loop'));
    symlinkSync('a', join(cwd, 'b'));
    const { read, problems, notes } = await collect(cwd);
    expect(read).toEqual(['a/x']);
    expect(problems).toEqual({});
    expect(notes).toHaveLength(2);
  });

  it('a link out of the scanned folder is reported and not followed', async () => {
    const cwd = makeFolder({ 'exports/a': '', secret: 's', 'other/x': '' });
    symlinkSync('../secret', join(cwd, 'exports/out'));
    symlinkSync('../other', join(cwd, 'exports/folder'));
    const { read, problems } = await collect(cwd, ['exports']);
    expect(read).toEqual(['exports/a']);
    expect(Object.keys(problems)).toEqual(['exports/folder', 'exports/out']);
    expect(problems['exports/out']).toMatch(/leaves the scanned folder/);
  });

  it('a link between two named folders is inside', async () => {
    const cwd = makeFolder({ 'one/a': '', 'two/b': '' });
    symlinkSync('../two/b', join(cwd, 'one/link'));
    const { read, problems } = await collect(cwd, ['one', 'two']);
    expect(read).toEqual(['one/a', 'two/b']);
    expect(problems).toEqual({});
  });

  it('links that lead nowhere or to themselves are reported', async () => {
    const cwd = makeFolder();
    symlinkSync('gone', join(cwd, 'broken'));
    symlinkSync('self', join(cwd, 'self'));
    const { problems } = await collect(cwd);
    expect(problems.broken).toMatch(/leads nowhere/);
    expect(problems.self).toMatch(/back to itself/);
  });

  it('a named link is followed', async () => {
    const cwd = makeFolder({ 'real/x': 'x' });
    symlinkSync('real', join(cwd, 'link'));
    symlinkSync('real/x', join(cwd, 'file'));
    expect((await collect(cwd, ['link'])).read).toEqual(['link/x']);
    expect((await collect(cwd, ['file'])).read).toEqual(['file']);
  });
});

describe('what cannot be read', () => {
  it('a named pipe is never opened', async () => {
    const cwd = makeFolder({ a: '' });
    execFileSync('mkfifo', [join(cwd, 'pipe')]);
    for (const paths of [['.'], ['pipe', 'a']]) {
      const { read, problems } = await collect(cwd, paths);
      expect(read).toEqual(['a']);
      expect(problems.pipe).toMatch(/named pipe/);
    }
  });

  it('a link to a device is never opened', async () => {
    const cwd = makeFolder();
    symlinkSync('/dev/zero', join(cwd, 'zero'));
    expect((await collect(cwd)).problems.zero).toMatch(/not followed/);
    expect((await collect(cwd, ['zero'])).problems.zero).toMatch(/device/);
  });

  it('a socket is never opened', async () => {
    const cwd = makeFolder();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(cwd, 'socket'), resolve));
    try {
      expect((await collect(cwd)).problems.socket).toMatch(/socket/);
    } finally {
      server.close();
    }
  });

  it('files and folders without permission are reported, and the others are read', async () => {
    const cwd = makeFolder({ a: '', locked: '', 'closed/x': '' });
    chmodSync(join(cwd, 'locked'), 0o000);
    chmodSync(join(cwd, 'closed'), 0o000);
    chmodSync(cwd, 0o755);
    const { read, problems } = await asOrdinaryUser(() => collect(cwd));
    chmodSync(join(cwd, 'closed'), 0o755);
    expect(read).toEqual(['a']);
    expect(problems).toEqual({
      closed: 'is a folder that cannot be listed: permission denied',
      locked: 'permission denied',
    });
  });

  it('a file over the size limit is refused', async () => {
    const cwd = makeFolder({ big: '12345', small: '123' });
    const { read, problems } = await collect(cwd, [], { maxFileBytes: 4 });
    expect(read).toEqual(['small']);
    expect(problems.big).toMatch(/larger than/);
  });

  it('files over the limit of the run are refused', async () => {
    const cwd = makeFolder({ a: '123', b: '123', c: '1' });
    const { read, problems } = await collect(cwd, [], { maxTotalBytes: 4 });
    expect(read).toEqual(['a', 'c']);
    expect(Object.keys(problems)).toEqual(['b']);
  });

  it('a sparse file of many gigabytes is refused without being read', async () => {
    const cwd = makeFolder();
    execFileSync('truncate', ['-s', '20G', join(cwd, 'huge')]);
    expect((await collect(cwd)).problems.huge).toMatch(/256 MB/);
  });

  it('a named path that is not there is a usage error', async () => {
    const cwd = makeFolder({ a: '' });
    for (const path of ['gone', 'a/below', '', 'nul\u0000', 'x'.repeat(5000)]) {
      await expect(collect(cwd, [path]), JSON.stringify(path.slice(0, 20))).rejects.toThrow(UsageError);
    }
  });

  it('a configuration named as an export is a usage error', async () => {
    const cwd = makeFolder({ 'nwaudit.yaml': '' });
    await expect(collect(cwd, ['nwaudit.yaml'])).rejects.toThrow(/--config/);
  });
});

describe('standard input', () => {
  it('is the input - in its place', async () => {
    const cwd = makeFolder({ a: 'a' });
    const { inputs, roots } = await collect(cwd, ['-', 'a'], {}, 'piped');
    expect(inputs.map((input) => [input.path, Buffer.from(input.bytes ?? []).toString()])).toEqual([
      ['-', 'piped'],
      ['a', 'a'],
    ]);
    expect(roots).toEqual(['-', 'a']);
  });

  it('has the same size limit as a file', async () => {
    const { problems } = await collect(makeFolder(), ['-'], { maxFileBytes: 3 }, 'long');
    expect(problems['-']).toMatch(/larger than/);
  });
});

/** Root may read everything, so the test becomes somebody else for a moment. */
async function asOrdinaryUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid?.(65534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}
