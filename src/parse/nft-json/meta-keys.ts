import { versionIs } from './conditions.ts';
import { asList, property, textProperty } from './json.ts';
import { choiceKey, fieldKey, type Key, type OpaqueKey, opaqueKey, type RuleContext } from './key.ts';

const V4 = versionIs(4);
const V6 = versionIs(6);

const NOTHING: Omit<OpaqueKey, 'text'> = { kind: 'opaque', nature: 'deterministic', needs: [], never: true };

const VARYING_META: ReadonlySet<string> = new Set(['random', 'time', 'hour', 'day']);
const SOCKET_META: ReadonlySet<string> = new Set(['skuid', 'skgid']);

/** Whether a key asks the packet's socket, which packets have only where they leave. */
export function isSocketMeta(key: string): boolean {
  return SOCKET_META.has(key);
}

/** `meta KEY`. */
export function metaKey(key: string, text: string, context: RuleContext): Key {
  switch (key) {
    case 'l4proto':
      return fieldKey(text, 'protocol', 'protocol', 8);
    case 'nfproto':
      return choiceKey(
        text,
        'nfproto',
        8,
        [],
        [
          [2, V4],
          [10, V6],
        ],
      );
    case 'protocol':
      return choiceKey(
        text,
        'ethertype',
        16,
        [],
        [
          [0x0800, V4],
          [0x86dd, V6],
        ],
      );
    case 'mark':
      return fieldKey(text, 'integer', 'mark', 32);
    case 'length':
      return fieldKey(text, 'integer', 'length', 16);
    case 'pkttype':
      return fieldKey(text, 'pkttype', 'pkttype', 3);
    case 'iif':
    case 'iifname':
      return { kind: 'interface', text, field: 'iif', needs: [] };
    case 'oif':
    case 'oifname':
      return { kind: 'interface', text, field: 'oif', needs: [] };
    default:
      if (
        SOCKET_META.has(key) &&
        context.hooks.size > 0 &&
        !context.hooks.has('output') &&
        !context.hooks.has('postrouting')
      )
        return { ...NOTHING, text };
      return opaqueKey(text, VARYING_META.has(key) ? 'varying' : 'deterministic');
  }
}

/** `fib FLAGS RESULT`: the routing type of an address. Other results depend on routes. */
export function fibKey(value: unknown, text: string): Key {
  const result = textProperty(value, 'result');
  const flags = asList(property(value, 'flags'));
  const field = flags.includes('daddr') ? 'daddr' : flags.includes('saddr') ? 'saddr' : undefined;
  if (result === 'type' && field !== undefined) {
    return {
      kind: 'address-type',
      text,
      field,
      limited: flags.includes('iif') || flags.includes('oif'),
      needs: [],
    };
  }
  return opaqueKey(text, 'deterministic');
}
