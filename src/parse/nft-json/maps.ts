import type { Condition, Verdict } from '../../model/index.ts';
import { unknown } from './conditions.ts';
import { asList, onlyProperty, property, textProperty } from './json.ts';
import type { Key } from './key.ts';
import { type MapBranch, mapBranches } from './lookups.ts';
import { contentsOf, keysIdentity, needsOf, readKeys, type TableScope } from './matches.ts';
import { found } from './misread.ts';
import { renderData, renderStatement } from './render.ts';
import { match, type Option, type Step } from './steps.ts';

/** A verdict as statements and verdict maps write it. */
export function readVerdict(value: unknown): Verdict | undefined {
  const only = onlyProperty(value);
  switch (only?.name) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
      return { kind: only.name };
    case 'jump':
    case 'goto': {
      const chain =
        textProperty(only.value, 'target') ?? (typeof only.value === 'string' ? only.value : undefined);
      return chain === undefined ? undefined : { kind: only.name, chain };
    }
    case 'queue':
      return {
        kind: 'queue',
        bypass: asList(property(only.value, 'flags')).includes('bypass'),
        text: renderStatement(value),
      };
    default:
      return undefined;
  }
}

/** A map that a rule looks up. */
export interface ReadMap {
  readonly keys: readonly Key[];
  readonly needs: Condition;
  readonly branches: readonly MapBranch[];
  /** Some elements are not known: what the map gives beyond `branches` is open. */
  readonly open: 'no' | 'missing' | 'dynamic';
  /** Says what is wrong with what the map gives for the element at `index`. */
  readonly sayMisread: (index: number, detail: string) => void;
}

/** Reads a map expression or a verdict map: an anonymous or a named one. */
export function readMap(value: unknown, scope: TableScope, path: readonly string[]): ReadMap {
  const keyPart = property(value, 'key') ?? property(value, 'left');
  const name = property(value, 'data') === undefined ? 'right' : 'data';
  const data = property(value, name);
  const keys = readKeys(keyPart, scope);
  const contents = contentsOf(data, keys.length, true, scope, [...path, name]);
  const needs = needsOf(keys);
  if (contents === undefined) {
    const detail = `expected a map as "data", found ${found(data)}; what it gives is unknown`;
    scope.say({ kind: 'misshaped' }, detail, data === undefined ? path : [...path, name]);
  }
  if (contents === undefined || contents === 'unknown')
    return { keys, needs, branches: [], open: 'missing', sayMisread: () => {} };
  const left = keys.map((k) => k.text).join(' . ');
  const asked = (): string =>
    `${left} map ${typeof data === 'string' ? `${data} of ${scope.tableText}` : `of ${scope.place}`}`;
  const make = (): readonly MapBranch[] => mapBranches(keys, contents, asked);
  const branches = typeof data === 'string' ? scope.once(`map ${keysIdentity(keys)} ${data}`, make) : make();
  const sayMisread: ReadMap['sayMisread'] = (index, detail) =>
    contents.sayMisread(index, { detail, path: [1], isData: true });
  return { keys, needs, branches, open: contents.dynamic ? 'dynamic' : 'no', sayMisread };
}

/** `KEY vmap MAP`. */
export function verdictMap(value: unknown, text: string, scope: TableScope): readonly Step[] {
  const map = readMap(value, scope, ['vmap']);
  const options = map.branches.map((branch): Option => {
    const read = readVerdict(branch.data);
    if (read === undefined && branch.data !== undefined)
      map.sayMisread(branch.index, `expected a verdict, found ${found(branch.data)}`);
    const verdict = read ?? { kind: 'unknown', text: `${text}: ${renderData(branch.data)}` };
    return {
      text: `${branch.text} : ${renderData(branch.data)}`,
      condition: branch.condition,
      effects: [],
      verdict,
    };
  });
  if (map.open !== 'no')
    options.push({
      text,
      condition: unknown('varying', `${text} (elements that are not known)`),
      effects: [],
      verdict: { kind: 'unknown', text },
    });
  return [match('', map.needs), { kind: 'choose', options }];
}
