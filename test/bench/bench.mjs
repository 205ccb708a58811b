// Whole-process times of the built program, as ratios against floors measured in the same run. Medians of RUNS runs.
// Usage: npm run bench [-- --runs 5]. Figures in milliseconds vary with the machine; the ratios are what to compare.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const at = process.argv.indexOf('--runs');
const RUNS = at > 0 ? Number(process.argv[at + 1]) : 3;
const CLI = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'nwaudit-bench-'));

/** Small generator with a fixed seed (mulberry32), so that every run measures the same rules. */
function generator(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const HEAD = '*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n';

/** A firewall as routers have them: per-source chains with MAC addresses, flags, ports, rate limits. */
function router(rules) {
  const next = generator(7);
  const chains = [];
  const lines = ['-A FORWARD -m state --state RELATED,ESTABLISHED -j ACCEPT'];
  const perChain = 50;
  for (let c = 0; c * perChain < rules; c++) {
    chains.push(`:net_${c} - [0:0]\n`);
    lines.push(`-A FORWARD -i eth${c % 8} -s 198.18.${c % 256}.0/24 -j net_${c}`);
    for (let r = 0; r < perChain; r++) {
      const source = `198.18.${c % 256}.${next(256)}/32`;
      const kind = next(6);
      if (kind === 0)
        lines.push(
          `-A net_${c} -s ${source} -m mac ! --mac-source 02:00:00:00:${(c % 256).toString(16).padStart(2, '0')}:${r.toString(16).padStart(2, '0')} -j DROP`,
        );
      else if (kind === 1)
        lines.push(`-A net_${c} -s ${source} -p tcp -m tcp --dport 22 -m limit --limit 3/min -j ACCEPT`);
      else if (kind === 2)
        lines.push(
          `-A net_${c} -d 203.0.113.${next(256)}/32 -p tcp -m tcp --dport ${1024 + next(60000)} --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT`,
        );
      else if (kind === 3)
        lines.push(
          `-A net_${c} -s ${source} -p udp -m udp --dport ${next(60000)}:${60000 + next(5000)} -j DROP`,
        );
      else
        lines.push(
          `-A net_${c} -s ${source} -d 203.0.113.0/${24 + next(8)} -p tcp -m multiport --dports ${1 + next(1000)},${2000 + next(1000)} -j ACCEPT`,
        );
    }
  }
  return `${HEAD}${chains.join('')}${lines.join('\n')}\nCOMMIT\n`;
}

/** One long chain of exact rules. */
function flat(rules) {
  const next = generator(11);
  const lines = [];
  for (let i = 0; i < rules; i++) {
    lines.push(
      `-A INPUT -s 198.${18 + next(2)}.${next(256)}.${next(256)}/32 -p tcp -m tcp --dport ${1 + next(65535)} -j ${next(4) === 0 ? 'DROP' : 'ACCEPT'}`,
    );
  }
  return `${HEAD}${lines.join('\n')}\nCOMMIT\n`;
}

/** A client as a fleet has them: 60 rules. */
function client(number) {
  const next = generator(number);
  const lines = ['-A INPUT -i lo -j ACCEPT', '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT'];
  for (let i = 0; i < 56; i++)
    lines.push(`-A INPUT -s 198.18.0.${next(256)}/32 -p tcp -m tcp --dport ${1 + next(7000)} -j ACCEPT`);
  lines.push(
    '-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport 7937:9936 -j ACCEPT',
    '-A INPUT -s 192.0.2.20/32 -p tcp -m tcp --dport 7938:9936 -j ACCEPT',
  );
  return `${HEAD}${lines.join('\n')}\nCOMMIT\n`;
}

function measure(args) {
  const times = [];
  let memory = 0;
  for (let i = 0; i < RUNS; i++) {
    const start = process.hrtime.bigint();
    const run = spawnSync('/usr/bin/env', ['time', '-f', '%M', process.execPath, ...args], {
      encoding: 'utf8',
      maxBuffer: 1 << 30,
    });
    times.push(Number(process.hrtime.bigint() - start) / 1e6);
    if (run.status !== 0 && run.status !== 1)
      throw new Error(`${args.join(' ')}: exit ${run.status}\n${run.stderr.slice(-2000)}`);
    memory = Math.max(memory, Number(run.stderr.trim().split('\n').at(-1)) / 1024 || 0);
  }
  times.sort((a, b) => a - b);
  return { ms: times[Math.floor(times.length / 2)], mb: memory };
}

const SPLIT = `const fs=require('fs');const p=process.argv[1];let n=0;const walk=(f)=>{if(fs.statSync(f).isDirectory())for(const e of fs.readdirSync(f))walk(f+'/'+e);else for(const l of fs.readFileSync(f,'utf8').split('\\n'))n+=l.split(' ').length};walk(p);if(n<0)process.exit(9)`;

function compare(name, path, extra = []) {
  const floor = measure(['-e', SPLIT, path]);
  const scan = measure([
    CLI,
    'scan',
    path,
    '--no-progress',
    '--output',
    join(folder, 'report.txt'),
    ...extra,
  ]);
  console.log(
    `${name.padEnd(34)} ${scan.ms.toFixed(0).padStart(8)} ms  ${scan.mb.toFixed(0).padStart(6)} MB   ${(scan.ms / floor.ms).toFixed(1).padStart(7)} x splitting the same lines into words (${floor.ms.toFixed(0)} ms)`,
  );
}

try {
  const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : '';
  const put = (name, text) => {
    const path = join(folder, name);
    mkdirSync(path);
    writeFileSync(join(path, 'fw.rules'), text);
    return path;
  };
  const work = {
    three: () => compare('three hosts', new URL('../../fixtures/first-run', import.meta.url).pathname),
    router: () => compare('router, 4,800 rules', put('router', router(4800))),
    flat20k: () => compare('one chain, 20,000 rules', put('flat20k', flat(20_000))),
    fleet: () => {
      const path = join(folder, 'fleet');
      mkdirSync(path);
      for (let i = 0; i < 1000; i++) writeFileSync(join(path, `client-${i}.rules`), client(i));
      compare('1,000 hosts of 60 rules', path);
    },
    flat100k: () => compare('one chain, 100,000 rules', put('flat100k', flat(100_000))),
  };
  for (const [name, run] of Object.entries(work))
    if (only === '' ? name !== 'flat100k' : only === name) run();
} finally {
  rmSync(folder, { recursive: true });
}
