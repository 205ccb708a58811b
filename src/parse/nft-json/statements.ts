import { TCP } from '../../net/index.ts';
import { any, HAS_CONNECTION, protocolIs, unknown, versionIs } from './conditions.ts';
import { asList, onlyProperty, property, textProperty } from './json.ts';
import { mangleSteps } from './mangle.ts';
import { readMap, readVerdict, verdictMap } from './maps.ts';
import { readLeftSide, readMatch, type TableScope } from './matches.ts';
import { found } from './misread.ts';
import { natSteps } from './nat.ts';
import { renderExpression } from './render.ts';
import { updateSteps } from './set-updates.ts';
import { end, match, noEffect, type Step } from './steps.ts';
import { xtSteps } from './xt.ts';

/** Statements that change nothing that is modelled. */
const HARMLESS: ReadonlySet<string> = new Set([
  'counter',
  'log',
  'last',
  'ct helper',
  'ct timeout',
  'ct expectation',
  'secmark',
  'dup',
  'comment',
]);

/** Statements that can take their object from a map. */
const OBJECTS: ReadonlySet<string> = new Set([
  'counter',
  'quota',
  'limit',
  'synproxy',
  'ct helper',
  'ct timeout',
  'ct expectation',
  'secmark',
]);

/** A map's object is used where the map has one; else the rest of the rule is not executed (linux nft_objref.c, seen on Linux 6.18). */
function objectSteps(name: string, lookup: unknown, text: string, scope: TableScope): readonly Step[] {
  const map = readMap(lookup, scope, [name, 'map']);
  const listed = map.branches.map(({ condition }) => condition);
  const isHit = any(...listed, ...(map.open === 'no' ? [] : [unknown('varying', text)]));
  const hit = [match('', map.needs), match(text, isHit)];
  if (HARMLESS.has(name)) return [...hit, noEffect(text)];
  return name === 'synproxy'
    ? [match('', protocolIs(TCP)), ...hit, end({ kind: 'unknown', text })]
    : [...hit, match('', unknown('varying', text))];
}

/** The steps of one statement, whose text is `text`. An unknown statement may accept, drop or go on. */
export function readStatement(statement: unknown, text: string, scope: TableScope): readonly Step[] {
  if (typeof statement === 'string') return bareString(statement, text, scope);
  const only = onlyProperty(statement);
  if (only === undefined) return unreadable(statement, text, scope);
  const { name, value } = only;
  const lookup = property(value, 'map');
  if (lookup !== undefined && OBJECTS.has(name)) return objectSteps(name, lookup, text, scope);
  if (HARMLESS.has(name)) return [noEffect(text)];
  switch (name) {
    case 'match':
      return [
        {
          kind: 'match',
          match: readMatch(readLeftSide(value, scope), property(value, 'right'), text, scope),
        },
      ];
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
    case 'jump':
    case 'goto': {
      const verdict = readVerdict(statement);
      if (verdict !== undefined) return [end(verdict)];
      scope.say({ kind: 'misshaped' }, `expected the name of a chain, found ${found(value)}`, [name]);
      return [end({ kind: 'unknown', text })];
    }
    case 'reject':
      return rejectSteps(value, text, scope);
    case 'vmap':
      return verdictMap(value, text, scope);
    case 'mangle':
      return mangleSteps(value, text, scope);
    case 'dnat':
    case 'snat':
    case 'redirect':
    case 'masquerade':
      return natSteps(name, value, text, scope);
    case 'notrack':
      return [{ kind: 'effect', statement: { kind: 'notrack', text } }];
    case 'limit':
    case 'quota':
    case 'ct count':
    case 'connlimit':
      return [
        match(text, unknown('varying', text)),
        ...(name === 'ct count' ? [match('', HAS_CONNECTION)] : []),
      ];
    case 'set':
    case 'map':
    case 'meter':
      return updateSteps(name, value, text, scope);
    case 'queue':
      return [end({ kind: 'queue', bypass: asList(property(value, 'flags')).includes('bypass'), text })];
    case 'tproxy':
      return tproxySteps(value, text);
    case 'flow':
      // Packets of connections that are not established yet leave the rule here.
      return [match(text, unknown('varying', text))];
    case 'synproxy':
      return [match('', protocolIs(TCP)), end({ kind: 'unknown', text })];
    case 'xt':
      return xtSteps(value, text, scope);
    default:
      scope.say(
        { kind: 'unsupported', key: `statement ${name}` },
        `the statement "${name.slice(0, 60)}" is not known; it may accept, drop or go on`,
      );
      return [end({ kind: 'unknown', text })];
  }
}

/** Without a socket to hand the packet to, the rest of the rule is not executed. Source: linux nft_tproxy.c. */
function tproxySteps(value: unknown, text: string): readonly Step[] {
  const given = property(value, 'port');
  const port = given === undefined ? 'own' : asPort(given);
  return [
    match(text, unknown('varying', text)),
    { kind: 'effect', statement: { kind: 'hand-over', port, text } },
  ];
}

/** A port number; `undefined` for maps and the like. */
function asPort(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff
    ? value
    : undefined;
}

function unreadable(statement: unknown, text: string, scope: TableScope): readonly Step[] {
  scope.say(
    { kind: 'misshaped' },
    `expected a statement with one name, found ${found(statement)}; what it does is unknown`,
  );
  return [end({ kind: 'unknown', text })];
}

/** nft 1.0.6 prints some statements as text: set updates are harmless, anything else may decide. */
function bareString(statement: string, text: string, scope: TableScope): readonly Step[] {
  if (/^(?:add|update)\s+@/.test(statement)) return [noEffect(text), match(text, unknown('varying', text))];
  if (['counter', 'log', 'last'].includes(statement)) return [noEffect(text)];
  scope.say(
    { kind: 'unsupported', key: 'bare string' },
    'nft printed a statement as text instead of JSON; what it does is unknown',
  );
  return [end({ kind: 'unknown', text: `${text} (${scope.place})` })];
}

const REJECT_TYPES: ReadonlySet<unknown> = new Set(['tcp reset', 'icmp', 'icmpv6', 'icmpx']);

/** A reject's type brings a dependency that nft does not print. */
function rejectSteps(value: unknown, text: string, scope: TableScope): readonly Step[] {
  const given = property(value, 'type');
  if (given !== undefined && !REJECT_TYPES.has(given)) {
    scope.say({ kind: 'misshaped' }, `expected a kind of reject, found ${found(given)}`, ['reject', 'type']);
    return [match(text, unknown('deterministic', `${text} applies`)), end({ kind: 'reject', with: text })];
  }
  const type = textProperty(value, 'type');
  const code = property(value, 'expr');
  const how =
    type === undefined ? 'default' : `${type}${code === undefined ? '' : ` ${renderExpression(code)}`}`;
  const needs =
    type === 'tcp reset'
      ? [protocolIs(TCP)]
      : type === 'icmp'
        ? [versionIs(4)]
        : type === 'icmpv6'
          ? [versionIs(6)]
          : [];
  return [...needs.map((c) => match('', c)), end({ kind: 'reject', with: how === '' ? text : how })];
}
