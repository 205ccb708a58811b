import { unknown } from './conditions.ts';
import { asList, isObject, onlyProperty, property, textProperty } from './json.ts';
import { needsOf, readKeys, type TableScope } from './matches.ts';
import { found } from './misread.ts';
import { match, noEffect, type Step } from './steps.ts';

/** `add @s { ip saddr limit rate … }`: the key's dependency and the limit stop the rule; the update itself does not. */
export function updateSteps(name: string, value: unknown, text: string, scope: TableScope): readonly Step[] {
  const element = name === 'meter' ? property(value, 'key') : property(value, 'elem');
  const wrapped = property(element, 'elem');
  const key = isObject(wrapped) && Object.hasOwn(wrapped, 'val') ? wrapped.val : element;
  const problem = misshapen(name, value, key);
  if (problem !== undefined) {
    scope.say({ kind: 'misshaped' }, problem, [name]);
    return [match(text, unknown('varying', text)), noEffect(text)];
  }
  const steps: Step[] = [match('', needsOf(readKeys(key, scope))), noEffect(text)];
  const inner =
    name === 'meter'
      ? asList(property(value, 'stmt'))
      : [...asList(property(value, 'stmt')), ...asList(property(wrapped, 'stmt'))];
  const limits =
    inner.some((s) => ['limit', 'quota', 'ct count', 'connlimit'].includes(onlyProperty(s)?.name ?? '')) ||
    (isObject(wrapped) && ['limit', 'quota', 'ct count'].some((n) => Object.hasOwn(wrapped, n)));
  const unsure = limits || textProperty(value, 'op') === 'delete' || (name === 'meter' && inner.length === 0);
  return unsure ? [...steps, match(text, unknown('varying', text))] : steps;
}

/** What is wrong with a statement of which it cannot be told whether the rule goes on after it. */
function misshapen(name: string, value: unknown, key: unknown): string | undefined {
  if (key === undefined || key === null)
    return `expected what goes into the set, as "${name === 'meter' ? 'key' : 'elem'}", found ${found(value)}`;
  const op = property(value, 'op');
  if (op === undefined || op === 'add' || op === 'update' || op === 'delete') return undefined;
  return `expected "op" to be add, update or delete, found ${found(op)}`;
}
