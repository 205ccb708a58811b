/** A document with the usual statements and sets, to be spoiled by tests. */

type Json = Readonly<Record<string, unknown>>;

const TCP_DPORT = { payload: { protocol: 'tcp', field: 'dport' } };
const UDP_DPORT = { payload: { protocol: 'udp', field: 'dport' } };
const IP_SADDR = { payload: { protocol: 'ip', field: 'saddr' } };
const MARK = { meta: { key: 'mark' } };

let handle = 10;

function rule(chain: string, ...expr: readonly unknown[]): Json {
  handle++;
  return { rule: { family: 'inet', table: 't', chain, handle, expr } };
}

function match(left: unknown, op: string, right: unknown): Json {
  return { match: { op, left, right } };
}

function declared(kind: string, name: string, more: Json): Json {
  return { [kind]: { family: 'inet', table: 't', name, handle: 2, ...more } };
}

/** The items of the array `nftables`. */
export const EXAMPLE_ITEMS: readonly Json[] = [
  { metainfo: { version: '1.0.6' } },
  { table: { family: 'inet', name: 't', handle: 1 } },
  declared('set', 's', {
    type: 'ipv4_addr',
    flags: ['interval'],
    elem: [
      '192.0.2.1',
      { prefix: { addr: '198.51.100.0', len: 24 } },
      { range: ['203.0.113.1', '203.0.113.9'] },
    ],
  }),
  declared('set', 'p', {
    type: ['ipv4_addr', 'inet_service'],
    elem: [{ concat: ['192.0.2.1', 22] }, { concat: ['192.0.2.2', { range: [80, 90] }] }],
  }),
  declared('map', 'v', {
    type: 'inet_service',
    map: 'verdict',
    elem: [
      [22, { accept: null }],
      [23, { jump: { target: 'b' } }],
    ],
  }),
  declared('chain', 'a', { type: 'filter', hook: 'input', prio: 0, policy: 'drop' }),
  declared('chain', 'n', { type: 'nat', hook: 'prerouting', prio: -100, policy: 'accept' }),
  declared('chain', 'b', {}),
  rule(
    'a',
    match({ meta: { key: 'iifname' } }, '==', 'eth0'),
    { counter: { packets: 1, bytes: 2 } },
    { accept: null },
  ),
  rule('a', match({ ct: { key: 'state' } }, 'in', ['established', 'related']), { accept: null }),
  rule('a', match(IP_SADDR, '==', '@s'), match(TCP_DPORT, '!=', { set: [22, { range: [80, 90] }] }), {
    drop: null,
  }),
  rule('a', match({ concat: [IP_SADDR, TCP_DPORT] }, '==', '@p'), { jump: { target: 'b' } }),
  rule('a', { vmap: { key: TCP_DPORT, data: '@v' } }),
  rule('a', {
    vmap: {
      key: UDP_DPORT,
      data: {
        set: [
          [53, { accept: null }],
          [{ range: [100, 200] }, { goto: { target: 'b' } }],
        ],
      },
    },
  }),
  rule('a', match({ payload: { protocol: 'ip6', field: 'hoplimit' } }, '<', 5), {
    reject: { type: 'icmpv6' },
  }),
  rule('a', match({ '&': [MARK, 255] }, '==', 16), { mangle: { key: MARK, value: 1 } }, { accept: null }),
  rule('a', { limit: { rate: 10, burst: 5, per: 'second' } }, { log: { prefix: 'x ' } }, { drop: null }),
  rule('a', match({ '&': [{ payload: { protocol: 'tcp', field: 'flags' } }, ['syn', 'ack']] }, '==', 'syn'), {
    return: null,
  }),
  rule('a', match({ fib: { result: 'type', flags: ['daddr'] } }, '==', 'local'), {
    xt: { type: 'target', name: 'REJECT' },
  }),
  rule('n', match(TCP_DPORT, '==', 8080), { dnat: { family: 'ip', addr: '192.0.2.9', port: 80 } }),
  rule('n', { redirect: { port: 3128 } }),
  rule('b', { set: { op: 'add', elem: IP_SADDR, set: '@other' } }, { accept: null }),
];
