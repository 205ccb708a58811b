import { describe, expect, it } from 'vitest';
import { NEVER } from '../../../src/model/index.ts';
import { orderWithoutMacs, type Placed } from '../../../src/parse/firewalld-xml/translate-mac-order.ts';
import { interfaceMatch } from '../../../src/parse/firewalld-xml/translate-matches.ts';
import { interfaceSide, pairsOf, type Side } from '../../../src/parse/firewalld-xml/translate-pairs.ts';

function side(text: string, header: Side['header'], version: Side['version']): Side {
  return { match: { text, condition: NEVER }, header, version };
}

const FOUR = side('ip', 'ip', 4);
const SIX = side('ip6', 'ip6', 6);
const CARD = side('ether', 'ether', undefined);
const CONCAT = side('concat', undefined, 4);
const ETH0 = interfaceSide(interfaceMatch('iif', 'eth0'));

function texts(from: readonly Side[] | undefined, to: readonly Side[] | undefined, isIptables = false) {
  return pairsOf(from, to, isIptables).rules.map((rule) => rule.map(({ text }) => text).join(' + '));
}

describe('the sides of a policy', () => {
  it('pair within one header, and with interfaces', () => {
    expect(texts([FOUR, SIX, CARD], [FOUR])).toEqual(['ip + ip']);
    expect(texts([CARD], [CARD, SIX])).toEqual(['ether + ether']);
    expect(texts([ETH0], [FOUR, SIX, CARD])).toHaveLength(3);
    expect(texts([CARD], [FOUR])).toEqual([]);
  });

  it('all pair with the iptables backend', () => {
    expect(texts([FOUR, CARD], [FOUR, SIX], true)).toHaveLength(4);
  });

  it('sets of several parts pair with everything, and nft refuses the other IP version', () => {
    expect(pairsOf([CONCAT], [FOUR, CARD], false)).toMatchObject({
      refused: undefined,
      rules: { length: 2 },
    });
    expect(pairsOf([CONCAT], [SIX], false).refused).toEqual([CONCAT.match, SIX.match]);
    expect(pairsOf([SIX], [CONCAT], true).refused).toBeUndefined();
  });

  it('every packet is one rule without a test, and a side with nothing left makes none', () => {
    expect(texts(undefined, undefined)).toEqual(['']);
    expect(texts([FOUR], undefined)).toEqual(['ip']);
    expect(texts([FOUR], [])).toEqual([]);
  });

  it('more than a few hundred pairs are asked together, by header', () => {
    const many = (one: Side) => Array.from({ length: 100 }, () => one);
    expect(texts([...many(FOUR), ...many(CARD)], [...many(FOUR), ...many(SIX)])).toEqual([
      'ip and 99 more + ip and 99 more',
    ]);
    expect(texts([...many(FOUR), ...many(SIX), ...many(SIX)], undefined)).toEqual([
      'ip and 99 more',
      'ip6 and 199 more',
    ]);
  });
});

describe('the order where iptables has no MAC addresses', () => {
  const place = (name: string, kind: Placed['kind'], more: Partial<Placed> = {}) => ({
    name,
    kind,
    isMac: false,
    version: undefined,
    ...more,
  });
  const eth0 = place('eth0', 'interface');
  const eth1 = place('eth1', 'interface');
  const mac = place('mac', 'source', { isMac: true });
  const address = place('address', 'source', { version: 4 });
  const names = (of: readonly { readonly name: string }[]) => of.map(({ name }) => name);

  it('puts what comes after one behind its place', () => {
    const { bindings, refused } = orderWithoutMacs(
      [
        [eth0, mac],
        [eth1, address],
      ],
      [],
      4,
    );
    expect(names(bindings)).toEqual(['eth0', 'address', 'eth1']);
    expect(refused).toBeUndefined();
  });

  it('is refused where that place is behind the end', () => {
    expect(orderWithoutMacs([[mac], [eth1]], [], 4).refused).toBe(eth1);
    expect(orderWithoutMacs([[mac]], [eth1], 6).refused).toBe(eth1);
  });

  it('counts addresses of its own IP version only', () => {
    expect(names(orderWithoutMacs([[eth0, address], [eth1]], [], 6).bindings)).toEqual(['eth1', 'eth0']);
    expect(names(orderWithoutMacs([[eth0, address], [eth1]], [], 4).bindings)).toEqual([
      'address',
      'eth1',
      'eth0',
    ]);
  });
});
