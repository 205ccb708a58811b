import type { Condition } from '../../model/index.ts';
import { TCP } from '../../net/index.ts';
import { protocolIs, versionIs } from './conditions.ts';
import { ctKey } from './ct-keys.ts';
import { payloadKey } from './header-keys.ts';
import { DEEPEST, onlyProperty, textProperty } from './json.ts';
import { type Key, opaqueKey, type RuleContext } from './key.ts';
import { fibKey, isSocketMeta, metaKey } from './meta-keys.ts';
import { operatorKey } from './operator-keys.ts';
import { renderExpression } from './render.ts';

/** What a left side means. */
export function readKey(expression: unknown, context: RuleContext, depth = 0): Key {
  const text = renderExpression(expression);
  const only = onlyProperty(expression);
  if (only === undefined || depth > DEEPEST) return opaqueKey(text, 'deterministic');
  const { name, value } = only;
  if (text.length < 100 && saysAll(name, value))
    return context.once(`key ${name} ${text}`, () => readExpression(name, value, text, context, depth));
  return readExpression(name, value, text, context, depth);
}

/** Whether the text of an expression says all that counts: no chain and no hidden part of the value changes its meaning. */
function saysAll(name: string, value: unknown): boolean {
  if (name === 'payload') {
    const protocol = textProperty(value, 'protocol');
    return protocol !== undefined && protocol !== 'ether';
  }
  return name === 'meta' && !isSocketMeta(textProperty(value, 'key') ?? '');
}

function readExpression(
  name: string,
  value: unknown,
  text: string,
  context: RuleContext,
  depth: number,
): Key {
  switch (name) {
    case 'payload':
      return payloadKey(value, text, context);
    case 'meta':
      return metaKey(textProperty(value, 'key') ?? (typeof value === 'string' ? value : ''), text, context);
    case 'ct':
      return ctKey(value, text);
    case 'fib':
      return fibKey(value, text);
    case '&':
    case '|':
    case '^':
    case '<<':
    case '>>':
      return Array.isArray(value) && value.length >= 2
        ? operatorKey(name, readKey(value[0], context, depth + 1), value.slice(1), text)
        : opaqueKey(text, 'deterministic');
    case 'numgen':
      return opaqueKey(text, 'varying');
    case 'tcp option':
      return opaqueKey(text, 'deterministic', protocolIs(TCP));
    case 'sctp chunk':
      return opaqueKey(text, 'deterministic', protocolIs(132));
    case 'dccp option':
      return opaqueKey(text, 'deterministic', protocolIs(33));
    case 'exthdr':
      return opaqueKey(text, 'deterministic', versionIs(6));
    case 'ip option':
      return opaqueKey(text, 'deterministic', versionIs(4));
    case 'rt':
      return opaqueKey(text, 'deterministic', ...routeNeeds(value));
    default:
      return opaqueKey(text, 'deterministic');
  }
}

function routeNeeds(value: unknown): readonly Condition[] {
  const family = textProperty(value, 'family');
  return family === 'ip' ? [versionIs(4)] : family === 'ip6' ? [versionIs(6)] : [];
}
