import { expect, it } from 'vitest';
import { parseNftJson } from '../../../src/parse/nft-json/index.ts';

const RESET = { reject: { type: 'tcp reset' } };
const TO_SSH = { match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: 22 } };
const FROM = {
  match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '192.0.2.1' },
};
const NFPROTO = { match: { op: '==', left: { meta: { key: 'nfproto' } }, right: 'ipv4' } };
const l4proto = (right: string) => ({ match: { op: '==', left: { meta: { key: 'l4proto' } }, right } });

/** Whether a rule with these statements hangs on something that is not known. */
function isOpen(family: string, ...expr: readonly unknown[]): boolean {
  const place = { family, table: 't' };
  const items = [
    { table: { family, name: 't', handle: 1 } },
    { chain: { ...place, name: 'i', handle: 1, type: 'filter', hook: 'input', prio: 0, policy: 'drop' } },
    { rule: { ...place, chain: 'i', handle: 2, expr } },
  ];
  const { ruleset } = parseNftJson(JSON.stringify({ nftables: items }), 'nft.json');
  return JSON.stringify(ruleset.tables[0]!.chains[0]!.rules, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  ).includes('"kind":"unknown"');
}

it.each([
  ['inet', [RESET], true],
  ['inet', [TO_SSH, RESET], true],
  ['inet', [TO_SSH, { counter: { packets: 0, bytes: 0 } }, RESET], true],
  ['inet', [NFPROTO, TO_SSH, { counter: { packets: 0, bytes: 0 } }, RESET], false],
  ['inet', [FROM, TO_SSH, RESET], false],
  ['inet', [TO_SSH, { reject: { type: 'icmpx', expr: 'port-unreachable' } }], false],
  ['inet', [l4proto('icmp'), { accept: null }], true],
  ['inet', [l4proto('ipv6-icmp'), { accept: null }], true],
  ['inet', [NFPROTO, l4proto('icmp'), { accept: null }], false],
  ['inet', [l4proto('tcp'), { accept: null }], false],
  ['ip', [TO_SSH, RESET], false],
  ['ip6', [l4proto('ipv6-icmp'), { accept: null }], false],
] as const)('a rule of family %s may be for one version: %j', (family, expr, open) => {
  expect(isOpen(family, ...expr)).toBe(open);
});
