import { describe, expect, test } from 'vitest';
import { type InterfaceName, PacketSpace } from '../../src/packet-set/index.ts';

const mention = (...texts: string[]): InterfaceName[] =>
  texts.map((text) => ({ name: text.replace(/\+$/, ''), prefix: text.endsWith('+') }));

/** The names of the list that a space puts into the set of `text`. */
function matching(space: PacketSpace, text: string, names: readonly string[]): string[] {
  const [asked] = mention(text);
  const set = space.interfaceIn(space.interfaceBits('iif'), asked!.name, asked!.prefix);
  return names.filter((name) => space.contains(set, { iif: name === '' ? null : name }));
}

describe.each([
  ['longer prefixes first', ['eth0', 'eth1', 'eth+', 'e+', 'wg0+', 'wg0', 'lo']],
  ['shorter prefixes first', ['e+', 'eth+', 'eth0', 'eth1', 'wg0', 'wg0+', 'lo']],
])('interface names, %s', (_, mentioned) => {
  const space = new PacketSpace({ interfaces: mention(...mentioned) });
  const names = [
    '',
    'e',
    'ens3',
    'eth',
    'eth0',
    'eth1',
    'eth10',
    'f0',
    'lo',
    'lo0',
    'wg0',
    'wg01',
    'wg1',
    'zz',
  ];

  test.each(mentioned)('%s matches the names it matches as text', (text) => {
    const stem = text.replace(/\+$/, '');
    const expected = names.filter((name) => (text.endsWith('+') ? name.startsWith(stem) : name === stem));
    expect(matching(space, text, names)).toEqual(expected);
  });

  test('the empty prefix matches everything, the empty name nothing', () => {
    expect(matching(space, '+', names)).toEqual(names);
    const none = space.interfaceIn(space.interfaceBits('iif'), '', false);
    expect(none).toBe(space.empty);
  });

  test('a name or prefix that the space was not told of is an error, not a guess', () => {
    const bits = space.interfaceBits('oif');
    expect(() => space.interfaceIn(bits, 'eth2', false)).toThrow(RangeError);
    expect(() => space.interfaceIn(bits, 'et', true)).toThrow(RangeError);
  });

  test('a hook without the interface has the empty name', () => {
    const none = space.noInterfaceBits();
    expect(space.interfaceIn(none, 'eth', true)).toBe(space.empty);
    expect(space.interfaceIn(none, '', true)).toBe(space.full);
  });

  test('a concrete name is its own atom, else the longest prefix, else some other name', () => {
    expect(space.interfaceIn(space.interfaceAtom('eth0'), 'eth0', false)).toBe(space.full);
    expect(space.interfaceIn(space.interfaceAtom('eth7'), 'eth', true)).toBe(space.full);
    expect(space.interfaceIn(space.interfaceAtom('eth7'), 'eth0', false)).toBe(space.empty);
    expect(space.interfaceAtom('zz')).toEqual(space.interfaceAtom(undefined));
    expect(space.interfaceAtom('')).toEqual(space.noInterfaceBits());
  });

  test('every code of the variables is some interface: nothing counts twice', () => {
    const known = space.unionAll(
      mentioned.map((text) => {
        const [asked] = mention(text);
        return space.interfaceIn(space.interfaceBits('iif'), asked!.name, asked!.prefix);
      }),
    );
    const others = space.minus(space.interfaceValid('iif'), known);
    expect(space.interfacesOf(others, 'iif')).toEqual(['if0']);
    // eth0, eth1, eth+, e+, wg0, wg0+, lo, some other, none
    expect(space.count(space.full, ['iif'])).toBe(9n);
    expect(space.count(space.interfaceValid('iif'), ['iif'])).toBe(8n);
    expect(space.interfacesOf(space.full, 'iif')).toEqual([
      null,
      'eth0',
      'eth1',
      'eth2',
      'e0',
      'lo',
      'wg0',
      'wg00',
      'if0',
    ]);
  });

  test('the two sides are independent', () => {
    const inside = space.interfaceIn(space.interfaceBits('iif'), 'eth0', false);
    const outside = space.interfaceIn(space.interfaceBits('oif'), 'eth0', false);
    expect(space.support(space.intersect(inside, outside)).fields).toEqual(['iif', 'oif']);
    expect(space.includes(inside, outside)).toBe(false);
  });

  test('an assigned interface is matched by its new name, and its codes stay whole', () => {
    const changes = [['iif', space.interfaceAtom(undefined)]] as const;
    const image = space.image(space.full, changes);
    const mentionedOnes = mentioned.map((text) => {
      const [asked] = mention(text);
      return space.interfaceIn(space.interfaceBits('iif'), asked!.name, asked!.prefix);
    });
    expect(image).toBe(space.minus(space.interfaceValid('iif'), space.unionAll(mentionedOnes)));
    expect(space.interfacesOf(image, 'iif')).toEqual(['if0']);
  });

  test('a sample avoids loopback and the empty name where it can', () => {
    const set = space.complement(space.interfaceIn(space.interfaceBits('iif'), 'eth', true));
    expect(space.sample(set)?.iif).toBe('e0');
    expect(space.sample(set, { iif: ['lo'] })?.iif).toBe('lo');
    const none = space.complement(space.interfaceValid('iif'));
    expect(space.sample(none)?.iif).toBeNull();
  });
});

describe('odd mentions', () => {
  test('a space without interfaces tells only "none" from "some"', () => {
    const space = new PacketSpace({ interfaces: [] });
    expect(space.count(space.full, ['iif'])).toBe(2n);
    expect(space.interfacesOf(space.full, 'oif')).toEqual([null, 'if0']);
  });

  test('duplicates, empty names and strange characters are harmless', () => {
    const space = new PacketSpace({
      interfaces: [
        ...mention('eth0', 'eth0', '+', 'a\uffff', 'a+', '__proto__', 'constructor'),
        { name: '', prefix: false },
      ],
    });
    expect(space.count(space.full, ['iif'])).toBe(7n);
    expect(matching(space, 'a+', ['a', 'a\uffff', 'ab', 'b'])).toEqual(['a', 'a\uffff', 'ab']);
    expect(matching(space, '__proto__', ['__proto__', 'constructor'])).toEqual(['__proto__']);
  });
});
