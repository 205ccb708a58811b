// What the built program makes of exports that are too large for it: exit code, time, memory, and what is missing from the answer.
// Usage: npm run build && node test/limits/measure.mjs [--only NAME,NAME] [--scale 1] [--heap MB] [--seconds 600]
// Seconds are those of the processor, so that what else the machine does counts little; a run that takes more than --seconds is ended.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fleet, INPUTS, NEIGHBOUR } from './inputs.mjs';

const CLI = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const HOSTS = 2_000;

function option(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : otherwise;
}

const scale = Number(option('scale', '1'));
const seconds = Number(option('seconds', '600'));
const heap = option('heap', '');
const only = option('only', '').split(',').filter(Boolean);

function write(folder, files) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

function bytesOf(folder, files) {
  return Object.keys(files).reduce((sum, path) => sum + statSync(join(folder, path)).size, 0);
}

function measure(name, size, what, folder, bytes) {
  const report = join(folder, '..', 'report.json');
  const args = [
    CLI,
    'scan',
    folder,
    '--output',
    `json=${report}`,
    '--output',
    join(folder, '..', 'report.txt'),
  ];
  const env = { ...process.env, NODE_OPTIONS: heap === '' ? '' : `--max-old-space-size=${heap}` };
  const command = ['-c', `ulimit -t ${seconds}; exec "$@"`, 'bash', process.execPath, ...args];
  const run = spawnSync('/usr/bin/time', ['-f', '%M %U %S', 'bash', ...command], {
    encoding: 'utf8',
    env,
    maxBuffer: 1 << 28,
  });
  const last = run.stderr.trim().split('\n').at(-1) ?? '';
  const [kilobytes = 0, user = 0, system = 0] = last.split(' ').map(Number);
  const time = user + system;
  let answer = 'no report';
  let neighbour = 'lost';
  if (run.status !== null && run.status <= 3) {
    const { hosts, findings, exitCode } = JSON.parse(readFileSync(report, 'utf8'));
    const host = hosts.find((h) => h.name === 'client-01');
    answer =
      host === undefined
        ? `${findings.length} findings`
        : `${findings.filter((f) => f.host === 'client-01').length} findings, ${host.rules} rules, ${host.notRun.length} checks not run${host.notRun.length === 0 ? '' : ` (${[...new Set(host.notRun.map((n) => n.reason))].join('; ')})`}`;
    const other = hosts.find((h) => h.name === NEIGHBOUR.name);
    neighbour =
      other === undefined
        ? '-'
        : other.notRun.length === 0 && findings.some((f) => f.host === NEIGHBOUR.name)
          ? 'judged'
          : 'NOT JUDGED';
    if (exitCode !== run.status) answer += ` EXIT CODE OF THE REPORT ${exitCode}`;
  } else
    answer += `: ${run.stderr
      .split('\n')
      .filter((l) => /rror|FATAL|defect/.test(l))
      .slice(0, 2)
      .join(' | ')
      .slice(0, 300)}`;
  const exit = run.status === null ? run.signal : run.status;
  console.log(
    `| ${name} | ${size.toLocaleString('en')} ${what} | ${(bytes / 1e6).toFixed(1)} | ${exit} | ${time.toFixed(1)} | ${Math.round(kilobytes / 1024)} | ${answer} | ${neighbour} |`,
  );
}

const wanted = (name) => only.length === 0 || only.includes(name);
console.log(
  '| input | size | MB | exit | s | MB of memory | answer | neighbour |\n|---|---|---|---|---|---|---|---|',
);
for (const [name, { counts, full, files }] of Object.entries(INPUTS)) {
  if (!wanted(name)) continue;
  const top = mkdtempSync(join(tmpdir(), 'nwaudit-limits-'));
  try {
    const folder = join(top, 'exports');
    const made = files(full * scale);
    write(join(folder, 'client-01'), made);
    write(join(folder, NEIGHBOUR.name), NEIGHBOUR.files);
    const config =
      'hosts:\n  nw-server: { role: server, addresses: [192.0.2.10] }\n  client-01: { role: client, addresses: [192.0.2.101] }\n  client-neighbour: { role: client, addresses: [192.0.2.102] }\n';
    writeFileSync(join(folder, 'nwaudit.yaml'), config);
    measure(name, Math.round(full * scale), counts, folder, bytesOf(join(folder, 'client-01'), made));
  } finally {
    rmSync(top, { recursive: true });
  }
}
if (wanted('hosts')) {
  const top = mkdtempSync(join(tmpdir(), 'nwaudit-limits-'));
  try {
    const folder = join(top, 'exports');
    const { files, config } = fleet(HOSTS * scale);
    write(folder, files);
    writeFileSync(join(folder, 'nwaudit.yaml'), config);
    measure(
      'hosts',
      Math.round(HOSTS * scale),
      'clients and as many storage nodes',
      folder,
      bytesOf(folder, files),
    );
  } finally {
    rmSync(top, { recursive: true });
  }
}
