/** The built program and the system around it: what it opens and writes, and what it does where that goes wrong. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { collectFiles } from '../../src/cli/files.ts';
import { buildProgram, runScript, type ScriptSurroundings } from './built-program.ts';
import { fakeIo, makeFolder, rulesText, runCli } from './cli-run.ts';

let main = '';
beforeAll(() => {
  main = buildProgram();
});
const run = (script: string, surroundings: ScriptSurroundings) => runScript(main, script, surroundings);

const WIDE = rulesText(['-A INPUT -p tcp -m tcp --dport 7937:9936 -j ACCEPT']);
const OLD = 'nwaudit 0.0.0, an earlier report\n';

/** Why a tool cannot be used here; `undefined` where it can. CI demands all of them. */
function missing(tool: string, ...args: readonly string[]): string | undefined {
  const tried = spawnSync(tool, [...args, 'true'], { encoding: 'utf8' });
  if (tried.status === 0) return undefined;
  const why = `${tool} ${args.join(' ')}: ${tried.error?.message ?? tried.stderr.trim().split('\n')[0]}`;
  if (process.env.NWAUDIT_REQUIRE_KERNEL === '1') throw new Error(why);
  console.warn(`skipped: ${why}`);
  return why;
}

const NO_STRACE = missing('strace', '-f', '-o', '/dev/null');
const NO_NETWORK_NAMESPACE = missing('unshare', '-n');
const NO_MOUNT_NAMESPACE = missing('unshare', '-m');

describe('what a run touches', () => {
  const COMMANDS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['scan with a report on standard output', ['scan', 'exports'], []],
    [
      'scan with every output',
      [
        'scan',
        'exports',
        '-o',
        'out/r.txt',
        '-o',
        'json=out/r.json',
        '-o',
        'sarif=r.sarif',
        '--write-baseline',
        'known.json',
      ],
      ['out/r.txt', 'out/r.json', 'r.sarif', 'known.json'],
    ],
    ['init', ['init', 'exports', '-o', 'first.yaml'], ['first.yaml']],
    [
      'trace',
      ['trace', 'exports/client-01.rules', '-p', 'packets.jsonl', '-o', 'jsonl=t.jsonl'],
      ['t.jsonl'],
    ],
    ['rules with a pack of the user', ['rules', '--rules', 'pack', '--test'], []],
  ];
  const folder = () =>
    makeFolder({
      'exports/client-01.rules': WIDE,
      'exports/nw-server/ruleset.json':
        '{"nftables": [{"table": {"family": "ip", "name": "x", "handle": 1}}]}',
      'exports/sn-01/firewalld/zones/public.xml': '<zone><service name="ssh"/></zone>',
      'packets.jsonl':
        '{"hook":"input","saddr":"192.0.2.1","daddr":"192.0.2.2","proto":"tcp","sport":1,"dport":1}\n',
      'pack/ssh-open-to-any.yaml': readFileSync(
        new URL('../../docs/examples/rule-pack/ssh-open-to-any.yaml', import.meta.url),
        'utf8',
      ),
      'out/keep': '',
    });

  it.skipIf(NO_STRACE !== undefined).each(COMMANDS)(
    '%s opens no connection, and writes the named outputs only',
    (_, argv, outputs) => {
      const cwd = folder();
      const log = join(makeFolder(), 'log');
      const traced = ['-f', '-qq', '-y', '-e', 'trace=%network,%file,ftruncate,fchmod', '-o', log];
      const { stderr, status } = spawnSync('strace', [...traced, process.execPath, main, ...argv], {
        cwd,
        encoding: 'utf8',
        env: { PATH: process.env.PATH, NWAUDIT_TODAY: '2026-06-01' },
      });
      expect(status, stderr).toBeLessThanOrEqual(3);
      expect(status).not.toBe(2);
      const calls = readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => !/ENOENT|unfinished|resumed|exited with|^\d+ \+\+\+|---/.test(line));
      expect(calls.length).toBeGreaterThan(100);
      expect(
        calls.filter((line) => /AF_INET|AF_NETLINK|\b(?:connect|bind|sendto|sendmsg)\(/.test(line)),
      ).toEqual([]);
      const written = calls.filter(
        (line) =>
          /O_WRONLY|O_RDWR|O_CREAT/.test(line) ||
          /^\d+\s+(?:creat|mkdir|mknod|unlink|rename|link|symlink|truncate|chmod|chown|rmdir|utime|fchmod|ftruncate)(?:at\d?)?\(/.test(
            line,
          ),
      );
      const names = outputs.map((name) => name.split('/').pop() ?? name);
      for (const line of written) {
        const isOwn = names.some((name) =>
          new RegExp(`/\\.${name.replaceAll('.', '\\.')}\\.[0-9a-f]{12}\\.tmp"`).test(line),
        );
        expect(isOwn || /"\/dev\/(?:null|tty|pts\/\d+)"/.test(line), line).toBe(true);
      }
      const moves = written.filter((line) => /\brename/.test(line));
      expect(moves).toHaveLength(outputs.length);
      for (const name of outputs) expect(moves.some((line) => line.includes(`${name}"`))).toBe(true);
    },
  );

  it('leaves every other file as it was', () => {
    for (const [, argv, outputs] of COMMANDS) {
      const cwd = folder();
      const before = contents(cwd);
      const words = argv.map((word) => `'${word}'`).join(' ');
      expect(run(`nwaudit ${words}; test $? -ne 2`, { cwd }).status).toBe(0);
      const after = contents(cwd);
      for (const name of outputs) expect(after.delete(name), name).toBe(true);
      expect(after).toEqual(before);
    }
  });

  it.skipIf(NO_NETWORK_NAMESPACE !== undefined)('says the same without any network', () => {
    const cwd = folder();
    const scan = 'nwaudit scan exports --format json; echo $?';
    const inside = `unshare -n '${process.execPath}' '${main}' scan exports --format json; echo $?`;
    expect(run(inside, { cwd }).stdout).toBe(run(scan, { cwd }).stdout);
  });
});

/** Content and mode by path of every file below a folder. */
function contents(folder: string): Map<string, string> {
  const out = new Map<string, string>();
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const stats = statSync(join(folder, name));
    if (stats.isFile()) out.set(name, `${stats.mode} ${readFileSync(join(folder, name), 'utf8')}`);
  }
  return out;
}

describe('special files', () => {
  /** A folder with a pipe, a socket and a link to a device. */
  async function withSpecial(work: (cwd: string) => void): Promise<void> {
    const cwd = makeFolder({ 'client-01.rules': WIDE });
    execFileSync('mkfifo', [join(cwd, 'pipe')]);
    symlinkSync('/dev/zero', join(cwd, 'zero'));
    // Made by another process, so that a run which waits here is not waiting for this one.
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(cwd, 'socket'), resolve));
    try {
      work(cwd);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  }

  it('in the folder and as named exports are told and never waited for', async () => {
    await withSpecial((cwd) => {
      for (const paths of [
        '',
        'pipe client-01.rules',
        'socket client-01.rules',
        'zero client-01.rules',
        '/dev/null client-01.rules',
      ]) {
        const { stdout, status } = run(`nwaudit scan ${paths} --no-config`, { cwd });
        expect(status, paths).toBe(3);
        expect(stdout).toMatch(/named pipe|socket|device|leaves the scanned folder/);
        expect(stdout).toMatch(/client-inbound-unscoped/);
      }
    });
  });

  it.each([
    'scan client-01.rules --config',
    'scan client-01.rules --no-config --profile ./',
    'scan client-01.rules --no-config --baseline',
    'scan client-01.rules --no-config --write-baseline',
    'scan client-01.rules --no-config --rules',
    'scan client-01.rules --no-config --output',
    'init client-01.rules --force --output',
    'trace client-01.rules -p packets --output',
  ])('%s refuses a pipe and a socket', async (words) => {
    await withSpecial((cwd) => {
      writeFileSync(
        join(cwd, 'packets'),
        '{"hook":"input","saddr":"192.0.2.1","daddr":"192.0.2.2","proto":"tcp","sport":1,"dport":1}\n',
      );
      for (const name of ['pipe', 'socket']) {
        const { stderr, status } = run(`nwaudit ${words}${words.endsWith('./') ? '' : ' '}${name}`, { cwd });
        expect(stderr).toContain(name);
        expect(stderr).toMatch(/is not a regular file|nobody reads|not a folder/);
        expect(status).toBe(2);
        expect(statSync(join(cwd, name)).isFile()).toBe(false);
      }
    });
  });

  it('a configuration that is a pipe is told, not waited for and not passed over', () => {
    const cwd = makeFolder({ 'client-01.rules': WIDE });
    execFileSync('mkfifo', [join(cwd, 'nwaudit.yaml')]);
    expect(run('nwaudit scan', { cwd })).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/not a regular file/),
    });
  });

  it('a pipe that somebody reads takes a report', () => {
    const cwd = makeFolder({ 'client-01.rules': WIDE });
    const { stdout } = run(
      'nwaudit scan -o json=>(cat > copy); wait $!; mkfifo p; cat p > text & nwaudit scan client-01.rules -o p; wait',
      { cwd },
    );
    expect(stdout).toMatch(/client-inbound-unscoped/);
    expect(JSON.parse(readFileSync(join(cwd, 'copy'), 'utf8'))).toHaveProperty('findings');
    expect(readFileSync(join(cwd, 'text'), 'utf8')).toMatch(/client-inbound-unscoped/);
  });

  it('packets may come through a pipe', () => {
    const cwd = makeFolder({ 'client-01.rules': WIDE });
    const packet =
      '{"hook":"input","saddr":"192.0.2.1","daddr":"192.0.2.2","proto":"tcp","sport":1,"dport":7938}';
    expect(run(`nwaudit trace client-01.rules -p <(echo '${packet}')`, { cwd }).stdout).toMatch(/accept/);
  });
});

describe('outputs that cannot be written', () => {
  const exports = { 'in/client-01.rules': WIDE };

  it('a folder without permission: told before the work, and the old report stays', () => {
    const cwd = makeFolder({ ...exports, 'out/r.json': OLD });
    chmodSync(cwd, 0o755);
    chmodSync(join(cwd, 'out'), 0o555);
    chmodSync(join(cwd, 'out/r.json'), 0o666);
    const uid = process.geteuid?.() === 0 ? 65_534 : undefined;
    const copied = makeReadableCopy(main);
    const { stderr, status } = runScript(copied, 'nwaudit scan in -o json=out/r.json', {
      cwd,
      ...(uid === undefined ? {} : { uid }),
    });
    chmodSync(join(cwd, 'out'), 0o755);
    expect(stderr).toMatch(/out\/r\.json: permission denied/);
    expect(status).toBe(2);
    expect(contentsOf(cwd, 'out')).toEqual({ 'r.json': OLD });
  });

  it.skipIf(NO_MOUNT_NAMESPACE !== undefined)('a full disk: told, and the old reports stay', () => {
    const cwd = makeFolder({ ...exports, 'out/x': '' });
    const script = `mount -t tmpfs -o size=24k none out && printf '${OLD.trim()}\\n' > out/a && printf '${OLD.trim()}\\n' > out/b
      nwaudit scan in -o out/a -o json=out/b; echo "exit $?"; ls -A out; cat out/a out/b`;
    const { stdout, stderr } = inMountNamespace(script, cwd);
    expect(stderr).toMatch(/cannot write .*out\/b: no space left/);
    expect(stdout).toBe(`exit 2\na\nb\n${OLD}${OLD}`);
  });

  it.skipIf(NO_MOUNT_NAMESPACE !== undefined)(
    'a place that nothing can be moved to: told, and the old report stays',
    () => {
      const cwd = makeFolder({ ...exports, 'out/a': OLD });
      const script = `mount --bind out/a out/a && nwaudit scan in -o out/a; echo "exit $?"; ls -A out; cat out/a`;
      const { stdout, stderr } = inMountNamespace(script, cwd);
      expect(stderr).toMatch(/cannot write .*out\/a: busy/);
      expect(stdout).toBe(`exit 2\na\n${OLD}`);
    },
  );

  it.skipIf(NO_MOUNT_NAMESPACE !== undefined)('a read-only file system: told before the work', () => {
    const cwd = makeFolder({ ...exports, 'out/a': OLD });
    const script =
      'mount --bind out out && mount -o remount,ro,bind out && nwaudit scan in -o out/a; echo "exit $?"; cat out/a';
    const { stdout, stderr } = inMountNamespace(script, cwd);
    expect(stderr).toMatch(/out\/a: the file system is read-only/);
    expect(stdout).toBe(`exit 2\n${OLD}`);
  });

  it('a run that is killed on the way leaves the old report whole', () => {
    const cwd = makeFolder({ ...exports, 'r.json': OLD });
    for (const delay of [0.1, 0.2, 0.3, 0.4, 0.6])
      run(`nwaudit scan in -o json=r.json & sleep ${delay}; kill -9 $!; wait`, { cwd });
    const text = readFileSync(join(cwd, 'r.json'), 'utf8');
    if (text !== OLD) expect(JSON.parse(text)).toHaveProperty('findings');
  });
});

/** The program's build folder, where somebody without rights of root can read it. */
function makeReadableCopy(program: string): string {
  const folder = join(program, '../../..');
  chmodSync(folder, 0o755);
  return program;
}

function contentsOf(cwd: string, folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(join(cwd, folder)).map((name) => [name, readFileSync(join(cwd, folder, name), 'utf8')]),
  );
}

function inMountNamespace(script: string, cwd: string) {
  const inner = `nwaudit() { '${process.execPath}' '${main}' "$@"; }\n${script}`;
  return spawnSync('unshare', ['-m', 'bash', '-c', inner], { cwd, encoding: 'utf8', input: '' });
}

describe('outputs over inputs', () => {
  const PROFILE = readFileSync(new URL('../../rules/profiles/guide.yaml', import.meta.url), 'utf8').replace(
    /^id: guide$/m,
    'id: own',
  );
  const PACK = readFileSync(
    new URL('../../docs/examples/rule-pack/ssh-open-to-any.yaml', import.meta.url),
    'utf8',
  );
  const PACKET =
    '{"hook":"input","saddr":"192.0.2.1","daddr":"192.0.2.2","proto":"tcp","sport":1,"dport":1}\n';
  const inputs = {
    'in/client-01.rules': WIDE,
    'nwaudit.yaml': 'profile: ./own.yaml\n',
    'own.yaml': PROFILE,
    'pack/ssh-open-to-any.yaml': PACK,
    'known.json': '',
    'packets.jsonl': PACKET,
  };
  const SCAN = ['scan', 'in', '--rules', 'pack'];

  it.each([
    ['an export', 'in/client-01.rules', [...SCAN, '-o']],
    ['the configuration', 'nwaudit.yaml', [...SCAN, '-o']],
    ['the profile', 'own.yaml', [...SCAN, '-o']],
    ['the rule pack', 'pack/ssh-open-to-any.yaml', [...SCAN, '-o']],
    ['the export, by the baseline', 'in/client-01.rules', [...SCAN, '--write-baseline']],
    ['the configuration, by the baseline', 'nwaudit.yaml', [...SCAN, '--write-baseline']],
    ['the profile, by the baseline', 'own.yaml', [...SCAN, '--write-baseline']],
    ['an export, by a trace', 'in/client-01.rules', ['trace', 'in', '-p', 'packets.jsonl', '-o']],
    ['the packets', 'packets.jsonl', ['trace', 'in', '-p', 'packets.jsonl', '-o']],
    ['an export, by init', 'in/client-01.rules', ['init', 'in', '--force', '-o']],
  ])('%s is refused under every name', async (_, file, argv) => {
    const cwd = makeFolder(inputs);
    rmSync(join(cwd, 'known.json'));
    symlinkSync(join(cwd, file), join(cwd, 'soft'));
    mkdirSync(join(cwd, 'elsewhere'));
    symlinkSync('../soft', join(cwd, 'elsewhere/second'));
    linkSync(join(cwd, file), join(cwd, 'hard'));
    const before = contents(cwd);
    for (const name of [file, `./${file}`, join(cwd, file), 'soft', 'elsewhere/second', 'hard']) {
      const { exitCode, stderr } = await runCli([...argv, name], { cwd });
      expect(exitCode, `${name}: ${stderr}`).toBe(2);
      expect(stderr).not.toBe('');
      expect(contents(cwd), name).toEqual(before);
    }
  });

  it('an earlier report is replaced', async () => {
    const cwd = makeFolder({ ...inputs, 'r.txt': OLD });
    await runCli(['scan', 'in', '-o', 'r.txt'], { cwd });
    expect(readFileSync(join(cwd, 'r.txt'), 'utf8')).toMatch(/client-inbound-unscoped/);
  });
});

describe('files that move while they are read', () => {
  it('each is read whole, or told', async () => {
    const cwd = makeFolder({ keep: 'k' });
    const [A, B] = ['a'.repeat(300_000), 'b'.repeat(200_000)];
    // Replaced by renaming, written in place, taken away and put back, all the time.
    const script = `const fs = require('node:fs'); const [A, B] = ['a'.repeat(300000), 'b'.repeat(200000)];
      process.on('message', () => process.exit());
      const round = () => { for (const text of [A, B]) {
        fs.writeFileSync('../new', text); fs.renameSync('../new', 'swapped');
        fs.writeFileSync('inplace', text);
        fs.writeFileSync('gone', text); fs.rmSync('gone');
        fs.mkdirSync('folder/deep', { recursive: true }); fs.rmSync('folder', { recursive: true });
      } setImmediate(round); }; round(); process.send('ready');`;
    const inner = join(cwd, 'in');
    mkdirSync(inner);
    writeFileSync(join(inner, 'keep'), 'k');
    const writer = spawn(process.execPath, ['-e', script], {
      cwd: inner,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await new Promise((resolve) => writer.once('message', resolve));
    try {
      for (let i = 0; i < 300; i++) {
        const { inputs } = await collectFiles(['in'], fakeIo({ cwd }), {});
        for (const { path, bytes, problem } of inputs) {
          const text = bytes && Buffer.from(bytes).toString();
          if (text === undefined)
            expect(problem, path).toMatch(/changed while|no such file|not a folder|cannot be listed/);
          else if (path === 'in/swapped') expect([A, B].includes(text), path).toBe(true);
          else if (path === 'in/keep') expect(text).toBe('k');
        }
        expect(inputs.some(({ path, bytes }) => path === 'in/keep' && bytes !== undefined)).toBe(true);
      }
    } finally {
      writer.send('stop');
      await new Promise((resolve) => writer.once('exit', resolve));
    }
  });

  it('a file that is written to meanwhile is told, and the run is incomplete', async () => {
    const cwd = makeFolder({ 'client-01.rules': WIDE });
    const script = `const fs = require('node:fs'); const d = fs.openSync('client-01.rules', 'a');
      setInterval(() => {}, 1000); const round = () => { fs.writeSync(d, '#\\n'); setImmediate(round); }; round(); process.send('ready');`;
    const writer = spawn(process.execPath, ['-e', script], {
      cwd,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await new Promise((resolve) => writer.once('message', resolve));
    try {
      let told = 0;
      for (let i = 0; i < 2000 && told === 0; i++) {
        const { inputs } = await collectFiles(['.'], fakeIo({ cwd }), {});
        told = inputs.filter(({ problem }) => problem?.includes('changed while it was read')).length;
      }
      expect(told).toBe(1);
    } finally {
      writer.kill();
      await new Promise((resolve) => writer.once('exit', resolve));
    }
  });
});

describe('many files', () => {
  it('5,000 exports in one folder are read, each as a host', async () => {
    const files: Record<string, string> = {};
    for (let i = 0; i < 5000; i++) files[`host-${i}.rules`] = rulesText();
    const { stdout, exitCode } = await runCli(['scan', '--select', 'default-accept', '--format', 'json'], {
      cwd: makeFolder(files),
    });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout).hosts).toHaveLength(5000);
  });

  it('5,000 files of one host are read', async () => {
    const files: Record<string, string> = { 'h/firewalld/zones/public.xml': '<zone/>' };
    for (let i = 0; i < 5000; i++)
      files[`h/firewalld/services/s${i}.xml`] = `<service><port port="${i + 1}" protocol="tcp"/></service>`;
    const { stdout } = await runCli(['scan', '--select', 'default-accept', '--format', 'json'], {
      cwd: makeFolder(files),
    });
    expect(JSON.parse(stdout).inputs.filter((input: { whole: boolean }) => input.whole)).toHaveLength(5001);
  });
});

describe('standard streams that are not there', () => {
  const cwd = makeFolder({
    'client-01.rules': rulesText(
      Array.from({ length: 400 }, (_, i) => `-A INPUT -p udp -m udp --dport ${i + 1} -j ACCEPT`),
    ),
  });

  it.each([
    ['standard output closed', 'nwaudit scan --select undeclared-port >&-; echo $? >&2', /^[013]\n$/],
    ['standard error closed', 'nwaudit scan --select undeclared-port 2>&- | tail -1', /^$/],
    ['standard input closed', 'nwaudit scan --select undeclared-port <&- | tail -1', /^$/],
    [
      'standard input closed, and asked for',
      'nwaudit scan - --host client-01 <&- > /dev/null; echo $? >&2',
      /3\n$/,
    ],
    ['all of them closed', '(nwaudit scan --select undeclared-port <&- >&- 2>&-); echo $? >&2', /^1\n$/],
    [
      'a reader that takes one line',
      'nwaudit scan --select undeclared-port --format json | head -1 > /dev/null; echo $PIPESTATUS >&2',
      /^1\n$/,
    ],
    [
      'a reader that takes nothing',
      'nwaudit scan --select undeclared-port --format sarif | true; echo $PIPESTATUS >&2',
      /^1\n$/,
    ],
    ['nobody reads what is wrong', 'nwaudit scan --nonsense 2>&1 | true; echo $PIPESTATUS >&2', /^2\n$/],
  ])('%s', (_, script, told) => {
    const { stderr, status } = run(script, { cwd });
    expect(stderr).toMatch(told);
    expect(stderr).not.toMatch(/defect|Error|at /);
    expect(status).toBe(0);
  });
});

describe('proposed commands', () => {
  /** Programs that note how they were called, and nothing else that a shell could find. */
  function stubs(): { readonly bin: string; readonly log: string } {
    const bin = makeFolder();
    const log = join(makeFolder(), 'log');
    for (const name of [
      'iptables',
      'ip6tables',
      'ipset',
      'nft',
      'firewall-cmd',
      'ip6tables-legacy',
      'iptables-legacy',
    ]) {
      writeFileSync(
        join(bin, name),
        `#!/bin/bash\nprintf '%s\\0' ${name} "$@" >> '${log}'\nprintf '\\n\\0' >> '${log}'\n`,
      );
      chmodSync(join(bin, name), 0o755);
    }
    return { bin, log };
  }

  const EVIL = `a'b"c$(touch pwned)\`touch pwned\`;touch pwned&|>pwned<x!rm*?[a]{1,2}~#\\`;
  const IPT = `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:;touch_pwned - [0:0]
:$(touch_pwned) - [0:0]
:>pwned - [0:0]
-A INPUT -i $(id)>pwned -p tcp -m tcp --dport 7938:9936 -m comment --comment "${EVIL.replace(/["\\]/g, '\\$&')}" -j ACCEPT
-A INPUT -i ;pwned -m set --match-set ;touch_pwned src -p tcp -m tcp --dport 9000 -j ACCEPT
-A INPUT -j ;touch_pwned
-A INPUT -j $(touch_pwned)
-A INPUT -j >pwned
-A ;touch_pwned -p tcp -m tcp --dport 7938:9936 -m comment --comment "${EVIL.replace(/["\\]/g, '\\$&')}" -j ACCEPT
-A $(touch_pwned) -i ;rm -p tcp -m tcp --dport 7938:9000 -j ACCEPT
-A >pwned -i $(id)>pwned -p tcp -m tcp --dport 9001:9936 -j ACCEPT
COMMIT
`;
  const name = "x';touch pwned;'";
  const NFT = JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6', json_schema_version: 1 } },
      { table: { family: 'inet', name, handle: 1 } },
      {
        chain: {
          family: 'inet',
          table: name,
          name: '$(touch pwned)',
          handle: 1,
          type: 'filter',
          hook: 'input',
          prio: 0,
          policy: 'accept',
        },
      },
      { chain: { family: 'inet', table: name, name: EVIL, handle: 9 } },
      {
        rule: {
          family: 'inet',
          table: name,
          chain: '$(touch pwned)',
          handle: 2,
          expr: [{ jump: { target: EVIL } }],
        },
      },
      {
        rule: {
          family: 'inet',
          table: name,
          chain: EVIL,
          handle: 3,
          comment: EVIL,
          expr: [
            { match: { op: '==', left: { meta: { key: 'iifname' } }, right: ';touch pwned' } },
            {
              match: {
                op: '==',
                left: { payload: { protocol: 'tcp', field: 'dport' } },
                right: { range: [7938, 9936] },
              },
            },
            { accept: null },
          ],
        },
      },
    ],
  });
  const ZONE = `<zone><interface name=";touch pwned"/><rule family="ipv4"><source address="203.0.113.0/24"/><port port="7938-9936" protocol="tcp"/><accept/></rule><port port="8000-9936" protocol="tcp"/></zone>`;

  it('run in a shell, they call their program with whole words and do nothing else', async () => {
    const cwd = makeFolder({
      [`client-01/${EVIL.replaceAll('/', '')}.rules`]: IPT,
      'nw-server/ruleset.json': NFT,
      'sn-01/firewalld/zones/public.xml': ZONE,
      'nwaudit.yaml':
        'hosts:\n  nw-server: { role: server, addresses: [192.0.2.10] }\n  client-01: { role: client, addresses: [192.0.2.101] }\n  sn-01: { role: storage-node, addresses: [192.0.2.20] }\n',
    });
    const { stdout } = await runCli(['scan', '.', '--format', 'json'], { cwd });
    const commands: string[] = JSON.parse(stdout).findings.flatMap(
      (finding: { remediation: { commands: { command: string }[] } | null }) =>
        finding.remediation?.commands.map(({ command }) => command).filter((command) => command !== '') ?? [],
    );
    const programs = new Set<string>();
    let hostile = 0;
    for (const shell of ['bash', 'dash'].filter((one) => existsSync(`/bin/${one}`))) {
      for (const command of commands) {
        expect(spawnSync(`/bin/${shell}`, ['-n', '-c', command], { encoding: 'utf8' }).stderr, command).toBe(
          '',
        );
        const { bin, log } = stubs();
        const place = makeFolder();
        const result = spawnSync(`/bin/${shell}`, ['-c', command], {
          cwd: place,
          env: { PATH: bin, HOME: place },
          encoding: 'utf8',
        });
        expect(result.stderr, command).toBe('');
        expect(result.status, command).toBe(0);
        expect(readdirSync(place), command).toEqual([]);
        for (const call of readFileSync(log, 'utf8').split('\n\0').slice(0, -1)) {
          const [program = '', ...words] = call.split('\0').slice(0, -1);
          programs.add(program);
          if (words.some((word) => /pwned|\$\(/.test(word))) hostile++;
        }
      }
    }
    expect([...programs].sort()).toEqual(['firewall-cmd', 'iptables']);
    // What a shell or a program could take for something else is in no command: there is advice in words instead.
    expect(hostile).toBe(0);
  });
});
