import { expect, test } from 'vitest';
import { findClosestName } from '../../src/inventory/closest-name.ts';

test.each([
  ['adresses', ['roles', 'addresses'], 'addresses'],
  ['cleint', ['client', 'clients'], 'client'],
  ['service-ports', ['service_ports'], 'service_ports'],
  ['ROLE', ['role'], 'role'],
  ['ab', ['xy'], undefined],
  ['a', [], undefined],
  ['datazone', ['exports', 'interfaces'], undefined],
  ['x'.repeat(100), ['x'.repeat(99)], undefined],
])('%s among %j means %s', (name, candidates, expected) => {
  expect(findClosestName(name, candidates)).toBe(expected);
});
