/**
 * Exports made to defeat every shortcut: more rules, chains, ways, sets or hosts than any real estate has. Each is cut to any size, so that the
 * tests run small ones and `measure.mjs` the sizes that hurt.
 */

import { generator, NFT_HEAD } from '../made-exports.mjs';

const HEAD = ['*filter', ':INPUT DROP [0:0]', ':FORWARD DROP [0:0]', ':OUTPUT ACCEPT [0:0]'];

/** The n-th address of 198.18.0.0/15, the range for measurements (RFC 2544), and over again. */
function address(n) {
  return `198.${18 + ((n >>> 16) & 1)}.${(n >>> 8) & 255}.${n & 255}`;
}

function iptables(chains, rules, table = HEAD) {
  return `${[...table, ...chains, ...rules, 'COMMIT'].join('\n')}\n`;
}

function numbers(count, make) {
  return Array.from({ length: Math.max(1, Math.round(count)) }, (_, i) => make(i));
}

/** Chains of which each leads to the next three: 3^n ways. `condition`: what a jump asks. */
function fanOut(count, condition) {
  const size = Math.max(4, Math.round(count));
  const chains = numbers(size, (i) => `:c${i} - [0:0]`);
  const rules = ['-A INPUT -j c0'];
  for (let i = 0; i < size; i++) {
    for (let k = 1; k <= 3; k++)
      if (i + k < size) rules.push(`-A c${i} ${condition(3 * i + k)} -j c${i + k}`);
    rules.push(`-A c${i} -s ${address(i)}/32 -p tcp -m tcp --dport ${1 + (i % 60_000)} -j ACCEPT`);
  }
  return iptables(chains, rules);
}

function nft(objects) {
  return `{"nftables": [${[...NFT_HEAD, ...objects].map((o) => JSON.stringify(o)).join(', ')}]}\n`;
}

function nftRule(handle, expr) {
  return { rule: { family: 'inet', table: 'filter', chain: 'input', handle, expr } };
}

const saddr = { payload: { protocol: 'ip', field: 'saddr' } };
const dport = { payload: { protocol: 'tcp', field: 'dport' } };
const equals = (left, right) => ({ match: { op: '==', left, right } });

/** By name: what is there many times, how many at full size, and the files of the host at any size. */
export const INPUTS = {
  'equal-rules': {
    counts: 'equal rules',
    full: 500_000,
    files: (n) => ({
      'fw.rules': iptables(
        [],
        numbers(n, () => '-A INPUT -s 198.18.0.1/32 -p tcp -m tcp --dport 7938 -j ACCEPT'),
      ),
    }),
  },
  'different-rules': {
    counts: 'rules, each for another address and port',
    full: 300_000,
    files: (n) => {
      const next = generator(11);
      return {
        'fw.rules': iptables(
          [],
          numbers(
            n,
            () =>
              `-A INPUT -s ${address(next(131_072))}/32 -p tcp -m tcp --dport ${1 + next(65_535)} -j ${next(4) === 0 ? 'DROP' : 'ACCEPT'}`,
          ),
        ),
      };
    },
  },
  'crossing-masks': {
    counts: 'rules whose masks and ranges cross each other',
    full: 4_000,
    files: (n) => ({
      'fw.rules': iptables(
        [],
        numbers(n, (i) => {
          const [a, b] = [(i * 37) % 256, (i * 101) % 256];
          const ports = `${1 + ((i * 13) % 30_000)}:${30_001 + ((i * 31) % 30_000)}`;
          return `-A INPUT -s 198.18.${a}.${b}/255.${a | 1}.${b | 1}.${(a ^ b) | 1} -p tcp -m tcp --dport ${ports} -j ${i % 3 ? 'ACCEPT' : 'DROP'}`;
        }),
      ),
    }),
  },
  'fan-out': {
    counts: 'chains, each with jumps to three others (3^n ways)',
    full: 71_000,
    files: (n) => ({ 'fw.rules': fanOut(n, (k) => `-s ${address(k)}/32`) }),
  },
  'fan-out-limited': {
    counts: 'chains, each with jumps to three others, every jump under a rate limit',
    full: 71_000,
    files: (n) => ({
      'fw.rules': fanOut(n, (k) => `-p tcp -m limit --limit ${1 + (k % 50)}/sec`),
    }),
  },
  'flat-chains': {
    counts: 'chains of two rules, each called from INPUT',
    full: 71_000,
    files: (n) => ({
      'fw.rules': iptables(
        numbers(n, (i) => `:c${i} - [0:0]`),
        [
          ...numbers(n, (i) => `-A INPUT -s ${address(i)}/32 -j c${i}`),
          ...numbers(
            n,
            (i) => `-A c${i} -p tcp -m tcp --dport ${1 + (i % 65_535)} -j ACCEPT\n-A c${i} -j RETURN`,
          ),
        ],
      ),
    }),
  },
  marks: {
    counts: 'rules, each of which sets another mark that a later one asks for',
    full: 5_000,
    files: (n) => ({
      'fw.rules': `${iptables(
        [],
        numbers(
          n,
          (i) => `-A PREROUTING -s ${address(i)}/32 -j MARK --set-xmark 0x${(i + 1).toString(16)}/0xffffffff`,
        ),
        ['*mangle', ':PREROUTING ACCEPT [0:0]'],
      )}${iptables(
        [],
        numbers(
          n,
          (i) =>
            `-A INPUT -p tcp -m mark --mark 0x${(i + 1).toString(16)} -m tcp --dport ${1 + (i % 65_535)} -j ACCEPT`,
        ),
      )}`,
    }),
  },
  nat: {
    counts: 'rules of destination NAT, each to another address and port',
    full: 50_000,
    files: (n) => ({
      'fw.rules': `${iptables(
        [],
        numbers(
          n,
          (i) =>
            `-A PREROUTING -d ${address(i >>> 6)}/32 -p tcp -m tcp --dport ${1 + (i % 65_535)} -j DNAT --to-destination 203.0.113.${i % 256}:${1 + ((i * 7) % 65_535)}`,
        ),
        [
          '*nat',
          ':PREROUTING ACCEPT [0:0]',
          ':INPUT ACCEPT [0:0]',
          ':OUTPUT ACCEPT [0:0]',
          ':POSTROUTING ACCEPT [0:0]',
        ],
      )}${iptables([], ['-A FORWARD -p tcp -m tcp --dport 9090 -j ACCEPT', '-A INPUT -p tcp -m tcp --dport 7938 -j ACCEPT'])}`,
    }),
  },
  ipsets: {
    counts: 'sets of 2,000 addresses, each asked by a rule',
    full: 2_000,
    files: (n) => {
      const next = generator(5);
      const sets = numbers(n, (i) => [
        `create s${i} hash:net family inet hashsize 1024 maxelem 65536`,
        ...numbers(2_000, (k) => `add s${i} ${address(next(131_072))}${k % 4 === 0 ? '/31' : ''}`),
      ]);
      return {
        'sets.ipset': `${sets.flat().join('\n')}\n`,
        'fw.rules': iptables(
          [],
          numbers(
            n,
            (i) =>
              `-A INPUT -p tcp -m set --match-set s${i} src -m tcp --dport ${1 + (i % 65_535)} -j ACCEPT`,
          ),
        ),
      };
    },
  },
  'one-ipset': {
    counts: 'thousand elements of one set',
    full: 2_000,
    files: (n) => {
      const next = generator(6);
      return {
        'sets.ipset': `create big hash:ip family inet\n${numbers(n * 1000, () => `add big ${next(223) + 1}.${next(256)}.${next(256)}.${next(256)}`).join('\n')}\n`,
        'fw.rules': iptables(
          [],
          ['-A INPUT -p tcp -m set --match-set big src -m tcp --dport 7938 -j ACCEPT'],
        ),
      };
    },
  },
  'nft-sets': {
    counts: 'nft rules, each with 200 scattered addresses and 20 ports of its own',
    full: 10_000,
    files: (n) => {
      const next = generator(7);
      return {
        'ruleset.json': nft(
          numbers(n, (i) =>
            nftRule(i + 2, [
              equals(saddr, {
                set: numbers(200, () => `${next(223) + 1}.${next(256)}.${next(256)}.${next(256)}`),
              }),
              equals(dport, { set: numbers(20, () => 1 + next(65_535)) }),
              { accept: null },
            ]),
          ),
        ),
      };
    },
  },
  'nft-map': {
    counts: 'thousand elements of one verdict map',
    full: 200,
    files: (n) => {
      const next = generator(8);
      const pairs = numbers(n * 1000, (i) => [
        `${1 + (i % 223)}.${(i >>> 8) & 255}.${next(256)}.${i & 255}`,
        next(2) === 0 ? { drop: null } : { accept: null },
      ]);
      return { 'ruleset.json': nft([nftRule(2, [{ vmap: { key: saddr, data: { set: pairs } } }])]) };
    },
  },
  unknowns: {
    counts: 'rules, each with a test of its own that nothing is known of',
    full: 20_000,
    files: (n) => ({
      'fw.rules': iptables(
        [],
        numbers(
          n,
          (i) =>
            `-A INPUT -s ${address(i)}/32 -p tcp -m string --string "s${i}" --algo bm --to 65535 -m tcp --dport ${1 + ((i * 7) % 65_535)} -j ${i % 2 ? 'ACCEPT' : 'DROP'}`,
        ),
      ),
    }),
  },
  deep: {
    counts: 'chains, each of which leads to the next',
    full: 71_000,
    files: (n) => ({
      'fw.rules': iptables(
        numbers(n, (i) => `:c${i} - [0:0]`),
        [
          '-A INPUT -j c0',
          ...numbers(n - 1, (i) => `-A c${i} -j c${i + 1}`),
          `-A c${Math.max(1, Math.round(n)) - 1} -p tcp -j ACCEPT`,
        ],
      ),
    }),
  },
  'rich-rules': {
    counts: 'rich rules in one zone of firewalld',
    full: 20_000,
    files: (n) => ({
      'firewalld/firewalld.conf': 'DefaultZone=public\n',
      'firewalld/zones/public.xml': `<?xml version="1.0" encoding="utf-8"?>\n<zone>\n${numbers(n, (i) => `  <rule family="ipv4"><source address="${address(i)}"/><port port="${1 + (i % 65_535)}" protocol="tcp"/><accept/></rule>`).join('\n')}\n</zone>\n`,
    }),
  },
  zones: {
    counts: 'zones of firewalld with a source each, and a policy between each two of 20',
    full: 2_000,
    files: (n) => {
      const files = { 'firewalld/firewalld.conf': 'DefaultZone=public\n' };
      for (let i = 0; i < Math.max(2, n); i++)
        files[`firewalld/zones/z${i}.xml`] =
          `<?xml version="1.0" encoding="utf-8"?>\n<zone>\n  <source address="${address(i)}"/>\n  <port port="${1 + i}" protocol="tcp"/>\n</zone>\n`;
      const most = Math.min(20, Math.max(2, n));
      for (let a = 0; a < most; a++)
        for (let b = 0; b < most; b++)
          if (a !== b)
            files[`firewalld/policies/p${a}x${b}.xml`] =
              `<?xml version="1.0" encoding="utf-8"?>\n<policy target="CONTINUE">\n  <ingress-zone name="z${a}"/>\n  <egress-zone name="z${b}"/>\n  <port port="7938" protocol="tcp"/>\n</policy>\n`;
      return files;
    },
  },
};

/** Exports and configuration of `count` clients and as many storage nodes: every pair needs its ways. */
export function fleet(count) {
  const files = {};
  const hosts = [];
  const size = Math.max(1, Math.round(count));
  for (let i = 0; i < size; i++) {
    for (const [kind, role, at] of [
      ['client', 'client', i],
      ['sn', 'storage-node', 65_536 + i],
    ]) {
      files[`${kind}-${i}/fw.rules`] = iptables(
        [],
        [
          '-A INPUT -i lo -j ACCEPT',
          '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
          `-A INPUT -s 198.18.0.0/15 -p tcp -m tcp --dport 7937:${9000 + (i % 900)} -j ACCEPT`,
        ],
      );
      hosts.push(`  ${kind}-${i}: { role: ${role}, addresses: [${address(at)}] }`);
    }
  }
  return {
    files,
    config: `hosts:\n  nw-server: { role: server, addresses: [192.0.2.10] }\n${hosts.join('\n')}\n`,
  };
}

/** A host with nothing wrong in its size, and something else: what is found there has to be found whatever is beside it. */
export const NEIGHBOUR = {
  name: 'client-neighbour',
  files: {
    'fw.rules': iptables(
      [],
      [
        '-A INPUT -i lo -j ACCEPT',
        '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
        '-A INPUT -p tcp -m tcp --dport 7937:9936 -j ACCEPT',
      ],
    ),
  },
};
