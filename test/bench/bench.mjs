// Whole-process times of the built program, as ratios against floors measured in the same run. Medians of RUNS runs.
// Usage: npm run bench [-- --runs 5]. Figures in milliseconds vary with the machine; the ratios are what to compare.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generator, NFT_HEAD } from '../made-exports.mjs';

const at = process.argv.indexOf('--runs');
const RUNS = at > 0 ? Number(process.argv[at + 1]) : 3;
const CLI = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'nwaudit-bench-'));

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

/** JSON as nft prints it: one line, with a space after colons and commas. */
function inOneLine(value) {
  if (Array.isArray(value)) return `[${value.map(inOneLine).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, part]) => `${JSON.stringify(name)}: ${inOneLine(part)}`)
    .join(', ')}}`;
}

const field = (protocol, name) => ({ payload: { protocol, field: name } });
const match = (left, op, right) => ({ match: { op, left, right } });

/** A rule as firewalls of backup hosts have them: sources, ports, sets, counters, comments. */
function nftRule(number, next) {
  const source = match(field('ip', 'saddr'), '==', `198.18.${next(256)}.${next(256)}`);
  const counter = { counter: { packets: next(100_000), bytes: next(10_000_000) } };
  const verdict = next(4) === 0 ? { drop: null } : { accept: null };
  const kinds = [
    () => [source, counter, { drop: null }],
    () => [match({ ct: { key: 'state' } }, 'in', ['established', 'related']), counter, { accept: null }],
    () => [
      match(field('ip', 'saddr'), '==', { prefix: { addr: `198.18.${next(256)}.0`, len: 24 } }),
      match(field('tcp', 'dport'), '==', 1 + next(65_535)),
      counter,
      verdict,
    ],
    () => [
      source,
      match(field('tcp', 'dport'), '==', { set: [22, 80 + next(100), { range: [8000, 8100 + next(100)] }] }),
      counter,
      verdict,
    ],
    () => [
      match(field('ip', 'saddr'), '==', '@admins'),
      match({ meta: { key: 'l4proto' } }, '==', { set: ['tcp', 'udp'] }),
      match(field('th', 'dport'), '==', 1024 + next(1000)),
      { limit: { rate: 10, burst: 5, per: 'second' } },
      counter,
      { log: { prefix: 'dropped ' } },
      { drop: null },
    ],
    () => [
      match(field('ip6', 'saddr'), '==', `2001:db8::${next(65_536).toString(16)}`),
      match(field('udp', 'dport'), '==', { range: [5000 + next(100), 6000] }),
      verdict,
    ],
    () => [
      match({ meta: { key: 'iifname' } }, '==', `eth${next(8)}`),
      source,
      match(field('tcp', 'dport'), '==', { range: [7937, 9936] }),
      counter,
      verdict,
    ],
    () => [
      source,
      { xt: { type: 'match', name: 'comment' } },
      counter,
      { reject: { type: 'icmp', expr: 'admin-prohibited' } },
    ],
  ];
  const comment = next(3) === 0 ? { comment: `ticket CHG-${next(100_000)} backup` } : {};
  return {
    rule: {
      family: 'inet',
      table: 'filter',
      chain: `net_${Math.floor(number / 50)}`,
      handle: number + 100,
      ...comment,
      expr: kinds[next(kinds.length)](),
    },
  };
}

/** A `nft -j list ruleset` of about `bytes` bytes. */
function nftRules(bytes) {
  const next = generator(5);
  const admins = {
    set: {
      family: 'inet',
      name: 'admins',
      table: 'filter',
      type: 'ipv4_addr',
      handle: 2,
      flags: ['interval'],
      elem: [{ prefix: { addr: '198.51.100.0', len: 24 } }, '203.0.113.9'],
    },
  };
  const items = [...NFT_HEAD, admins].map(inOneLine);
  let size = 0;
  for (let i = 0; size < bytes; i++) {
    if (i % 50 === 0)
      items.push(
        inOneLine({ chain: { family: 'inet', table: 'filter', name: `net_${i / 50}`, handle: 10 + i } }),
      );
    const rule = inOneLine(nftRule(i, next));
    items.push(rule);
    size += rule.length + 2;
  }
  return `{"nftables": [${items.join(', ')}]}\n`;
}

/** The same with sets of `elements` elements in place of rules. */
function nftSets(elements) {
  const next = generator(9);
  const address = () => `${1 + next(200)}.${next(256)}.${next(256)}.${next(256)}`;
  const elem = Array.from({ length: elements }, (_, i) => {
    if (i % 4 === 0) return { prefix: { addr: address().replace(/\d+$/, '0'), len: 24 } };
    return i % 6 === 1 ? { elem: { val: address(), counter: { packets: i, bytes: i } } } : address();
  });
  const items = [
    ...NFT_HEAD,
    {
      set: {
        family: 'inet',
        name: 'block',
        table: 'filter',
        type: 'ipv4_addr',
        handle: 2,
        flags: ['interval'],
        elem,
      },
    },
    {
      rule: {
        family: 'inet',
        table: 'filter',
        chain: 'input',
        handle: 4,
        expr: [match(field('ip', 'saddr'), '==', '@block'), { drop: null }],
      },
    },
  ];
  return `${inOneLine({ nftables: items })}\n`;
}

/** Reads the file of its arguments, and prints times and its memory as JSON: of the first time, and of later times. */
const READ = `
const { readFileSync } = await import('node:fs');
const [, parser, file, what, times] = process.argv;
const { readHostExports } = await import(parser);
const bytes = readFileSync(file);
const text = bytes.toString();
const work = { parse: () => JSON.parse(text), read: () => readHostExports([{ path: 'host/ruleset.json', bytes }]) };
const took = [];
for (let i = 0; i < Number(times); i++)
  for (const name of what.split('+')) {
    const start = performance.now();
    work[name]();
    took.push(performance.now() - start);
  }
console.log(JSON.stringify({ took, mb: process.resourceUsage().maxRSS / 1024 }));
`;

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

function readInChild(file, what, times) {
  const parser = new URL('../../dist/parse/index.js', import.meta.url).href;
  const run = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', READ, '--', parser, file, what, String(times)],
    { encoding: 'utf8' },
  );
  if (run.status !== 0) throw new Error(run.stderr.slice(-2000));
  return JSON.parse(run.stdout);
}

/** Reading and normalizing against JSON.parse of the same text: once in a new process, and again and again in one. */
function compareReading(name, text) {
  const file = join(folder, 'ruleset.json');
  writeFileSync(file, text);
  const first = { parse: [], read: [] };
  let mb = 0;
  for (let i = 0; i < RUNS; i++) {
    first.parse.push(readInChild(file, 'parse', 1).took[0]);
    const read = readInChild(file, 'read', 1);
    first.read.push(read.took[0]);
    mb = Math.max(mb, read.mb);
  }
  const { took } = readInChild(file, 'parse+read', 7);
  const again = (offset) => median(took.filter((_, i) => i > 1 && i % 2 === offset));
  const ratio = (read, parse) => `${(read / parse).toFixed(1)} x JSON.parse (${parse.toFixed(0)} ms)`;
  console.log(
    `${name.padEnd(34)} ${median(first.read).toFixed(0).padStart(8)} ms  ${mb.toFixed(0).padStart(6)} MB   ${ratio(median(first.read), median(first.parse)).padStart(7)} the first time, ${ratio(again(1), again(0))} from then on`,
  );
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
    nft: () => compareReading('nft JSON, 20 MB of rules, in a line', nftRules(20_000_000)),
    nftSets: () => compareReading('nft JSON, 300,000 set elements', nftSets(300_000)),
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
