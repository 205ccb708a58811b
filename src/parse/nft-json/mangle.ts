import type { Condition, FieldName, Statement } from '../../model/index.ts';
import { HAS_CONNECTION, unknown } from './conditions.ts';
import { type DataType, foldConstant } from './constants.ts';
import { DEEPEST, isObject, onlyProperty, property, textProperty } from './json.ts';
import { readKey } from './keys.ts';
import { readMap } from './maps.ts';
import type { TableScope } from './matches.ts';
import { found, misreadOf } from './misread.ts';
import { renderData } from './render.ts';
import { match, noEffect, type Option, type Step } from './steps.ts';

interface Assignable {
  readonly field: FieldName;
  readonly width: number;
  readonly needs: readonly Condition[];
}

const PAYLOAD_FIELDS: Readonly<Record<string, FieldName>> = {
  saddr: 'saddr',
  daddr: 'daddr',
  protocol: 'protocol',
  nexthdr: 'protocol',
  ttl: 'ttl',
  hoplimit: 'ttl',
  dscp: 'dscp',
  ecn: 'ecn',
  length: 'length',
  sport: 'sport',
  dport: 'dport',
  flags: 'tcp-flags',
  type: 'icmp-type',
  code: 'icmp-code',
};

/** The modelled field that a mangle statement writes; `none` when it writes something that is not modelled. */
function assignable(key: unknown, scope: TableScope): Assignable | 'none' | 'unsure' {
  const only = onlyProperty(key);
  if (only === undefined) return 'unsure';
  const { name, value } = only;
  if (name === 'meta') {
    const what = textProperty(value, 'key');
    if (what === 'mark') return { field: 'mark', width: 32, needs: [] };
    if (what === 'pkttype') return { field: 'pkttype', width: 3, needs: [] };
    return 'none';
  }
  if (name === 'ct')
    return textProperty(value, 'key') === 'mark' ? { field: 'ct-mark', width: 32, needs: [] } : 'none';
  if (name === 'tcp option' || name === 'exthdr' || name === 'ct helper') return 'none';
  if (name !== 'payload') return 'unsure';
  const protocol = textProperty(value, 'protocol');
  const field = textProperty(value, 'field') ?? '';
  if (protocol === undefined || protocol === 'th') return 'unsure';
  if (protocol === 'ether')
    return field === 'saddr' ? { field: 'smac', width: 48, needs: needsOfKey(key, scope) } : 'none';
  const known = Object.hasOwn(PAYLOAD_FIELDS, field) ? PAYLOAD_FIELDS[field] : undefined;
  if (known === undefined) return 'none';
  const read = readKey(key, scope);
  return read.kind === 'number' ? { field: known, width: read.width, needs: read.needs } : 'none';
}

function needsOfKey(key: unknown, scope: TableScope): readonly Condition[] {
  return readKey(key, scope).needs;
}

/** Fields that a write to raw bytes may change. */
const RAW_FIELDS: readonly FieldName[] = [
  'saddr',
  'daddr',
  'protocol',
  'sport',
  'dport',
  'tcp-flags',
  'icmp-type',
  'icmp-code',
  'dscp',
  'ttl',
  'length',
];

/** `KEY set VALUE`. */
export function mangleSteps(value: unknown, text: string, scope: TableScope): readonly Step[] {
  const key = property(value, 'key') ?? property(value, 'left');
  const target = assignable(key, scope);
  if (isMisshaped(key))
    scope.say({ kind: 'misshaped' }, `expected what to set, found ${found(key)}`, ['mangle', 'key']);
  const given = property(value, 'value') ?? property(value, 'right');
  if (target === 'none') {
    const needs = needsOfKey(key, scope);
    const read = onlyProperty(key)?.name;
    const after =
      read === 'tcp option' || read === 'exthdr' || property(given, 'map') !== undefined
        ? [match('', unknown('deterministic', `${text} succeeds`))]
        : [];
    return [...needs.map((c) => match('', c)), noEffect(text), ...after];
  }
  if (target === 'unsure') {
    return [
      ...needsOfKey(key, scope).map((c) => match('', c)),
      ...RAW_FIELDS.map(
        (field): Step => ({ kind: 'effect', statement: { kind: 'unknown-field', field, text } }),
      ),
    ];
  }
  const needs = target.needs.map((c) => match('', c));
  const map = property(given, 'map');
  if (map !== undefined) return [...needs, ...mangleMap(map, target, text, scope)];
  const { steps, effects } = assignment(target, given, text);
  const misread = misreadOf(typeOf(target), target.width, given);
  if (misread !== undefined)
    scope.say({ kind: 'misshaped' }, misread.detail, ['mangle', 'value', ...misread.path]);
  return [...needs, ...steps, ...effects.map((statement): Step => ({ kind: 'effect', statement }))];
}

function mangleMap(map: unknown, target: Assignable, text: string, scope: TableScope): readonly Step[] {
  const read = readMap(map, scope, ['mangle', 'value', 'map']);
  const options = read.branches.map(
    (branch): Option => ({
      text: `${branch.text} : ${renderData(branch.data)}`,
      condition: branch.condition,
      effects: assignment(target, branch.data, text).effects,
      verdict: undefined,
    }),
  );
  const unsure: Statement = { kind: 'unknown-field', field: target.field, text };
  if (read.open !== 'no')
    options.push({
      text,
      condition: unknown('varying', `${text} (elements that are not known)`),
      effects: [unsure],
      verdict: undefined,
    });
  return [match('', read.needs), { kind: 'choose', options }];
}

/** `(from & and) ^ xor`; without `from`, the constant `xor`. */
interface Linear {
  readonly from: 'mark' | 'ct-mark' | 'self' | undefined;
  readonly and: bigint;
  readonly xor: bigint;
}

function assignment(
  target: Assignable,
  value: unknown,
  text: string,
): { readonly steps: readonly Step[]; readonly effects: readonly Statement[] } {
  const { field, width } = target;
  const ones = (1n << BigInt(width)) - 1n;
  const read = linear(value, target, 0) ?? bothMarks(value, target);
  const steps = readsConnectionMark(value, 0) ? [match('', HAS_CONNECTION)] : [];
  const open: Statement = { kind: 'unknown-field', field, text };
  if (read === undefined) return { steps, effects: [open] };
  if ('fromMask' in read)
    return {
      steps,
      effects: [
        {
          kind: 'copy-field',
          field: read.field,
          from: read.from,
          and: read.and,
          fromMask: read.fromMask,
          text,
        },
      ],
    };
  const own = read.from === undefined || read.from === 'self' || read.from === field;
  if (own)
    return {
      steps,
      effects: [
        {
          kind: 'set-field',
          field,
          and: read.from === undefined ? 0n : read.and,
          xor: read.xor & ones,
          text,
        },
      ],
    };
  if ((field !== 'mark' && field !== 'ct-mark') || (read.from !== 'mark' && read.from !== 'ct-mark'))
    return { steps, effects: [open] };
  const copy: Statement = { kind: 'copy-field', field, from: read.from, and: 0n, fromMask: read.and, text };
  return {
    steps,
    effects: read.xor === 0n ? [copy] : [copy, { kind: 'set-field', field, and: ones, xor: read.xor, text }],
  };
}

function linear(value: unknown, target: Assignable, depth: number): Linear | undefined {
  const { width, field } = target;
  const ones = (1n << BigInt(width)) - 1n;
  const only = onlyProperty(value);
  const constant = constantFor(target, value);
  if (constant !== undefined)
    return constant > ones ? undefined : { from: undefined, and: 0n, xor: constant };
  if (only === undefined || depth > DEEPEST) return undefined;
  if (only.name === 'meta' && textProperty(only.value, 'key') === 'mark')
    return { from: 'mark', and: ones, xor: 0n };
  if (only.name === 'ct' && textProperty(only.value, 'key') === 'mark')
    return { from: 'ct-mark', and: ones, xor: 0n };
  const name = only.name === 'payload' ? textProperty(only.value, 'field') : undefined;
  if (name !== undefined && Object.hasOwn(PAYLOAD_FIELDS, name) && PAYLOAD_FIELDS[name] === field)
    return { from: 'self', and: ones, xor: 0n };
  if (!['&', '|', '^'].includes(only.name) || !Array.isArray(only.value) || only.value.length < 2)
    return undefined;
  let result = linear(only.value[0], target, depth + 1);
  for (const operand of only.value.slice(1)) {
    const c = constantFor(target, operand);
    if (result === undefined || c === undefined || c > ones) return undefined;
    if (only.name === '&') result = { ...result, and: result.and & c, xor: result.xor & c };
    else if (only.name === '^') result = { ...result, xor: result.xor ^ c };
    else result = { ...result, and: result.and & (ones ^ c), xor: (result.xor & (ones ^ c)) | c };
  }
  return result;
}

function constantFor(target: Assignable, value: unknown): bigint | undefined {
  return foldConstant(typeOf(target), value, target.width);
}

/** How constants for a field are written. */
function typeOf({ field, width }: Assignable): DataType {
  switch (field) {
    case 'saddr':
    case 'daddr':
      return width === 32 ? 'ipv4' : 'ipv6';
    case 'dscp':
    case 'ecn':
    case 'pkttype':
    case 'tcp-flags':
    case 'protocol':
      return field;
    case 'smac':
      return 'mac';
    default:
      return 'integer';
  }
}

/** The key names nothing that can be set: what it changes is not known. */
function isMisshaped(key: unknown): boolean {
  const only = onlyProperty(key);
  if (only === undefined) return true;
  const name = only.name === 'payload' ? 'field' : 'key';
  const isRaw = only.name === 'payload' && textProperty(only.value, 'protocol') === undefined;
  return (
    ['meta', 'ct', 'payload'].includes(only.name) && !isRaw && textProperty(only.value, name) === undefined
  );
}

interface BothMarks {
  readonly field: 'mark' | 'ct-mark';
  readonly from: 'mark' | 'ct-mark';
  readonly and: bigint;
  readonly fromMask: bigint;
}

/** `(meta mark & A) | (ct mark & B)` with disjoint masks, or with `^`. */
function bothMarks(value: unknown, target: Assignable): BothMarks | undefined {
  const { field } = target;
  const only = onlyProperty(value);
  if ((field !== 'mark' && field !== 'ct-mark') || only === undefined || !['|', '^'].includes(only.name))
    return undefined;
  if (!Array.isArray(only.value) || only.value.length !== 2) return undefined;
  const parts = only.value.map((part) => linear(part, target, 1));
  const own = parts.find((p) => p?.from === field);
  const other = parts.find((p) => p?.from !== undefined && p.from !== field);
  if (
    own === undefined ||
    other?.from === undefined ||
    other.from === 'self' ||
    own.xor !== 0n ||
    other.xor !== 0n
  )
    return undefined;
  if (only.name === '|' && (own.and & other.and) !== 0n) return undefined;
  return { field, from: other.from, and: own.and, fromMask: other.and };
}

function readsConnectionMark(value: unknown, depth: number): boolean {
  if (depth > DEEPEST) return true;
  if (Array.isArray(value)) return value.some((part) => readsConnectionMark(part, depth + 1));
  if (!isObject(value)) return false;
  return Object.keys(value).some((name) => name === 'ct' || readsConnectionMark(value[name], depth + 1));
}
