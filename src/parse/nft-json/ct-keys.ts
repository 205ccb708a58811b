import { ALWAYS, type Condition, CT_STATE, NEVER, negateIf } from '../../model/index.ts';
import {
  addressBits,
  type Interval,
  intervalsContain,
  normalizeIntervals,
  PROTOCOLS_WITH_PORTS,
  single,
} from '../../net/index.ts';
import { all, any, HAS_CONNECTION, IS_NEW, not, protocolIs, unknown } from './conditions.ts';
import { CT_STATE_BIT } from './constants.ts';
import { clipIntervals } from './intervals.ts';
import { textProperty } from './json.ts';
import {
  type Asked,
  addressKey,
  choiceKey,
  fieldKey,
  type Key,
  type NumberKey,
  opaqueKey,
  splitKey,
} from './key.ts';

const VARYING_CT: ReadonlySet<string> = new Set(['bytes', 'packets', 'avgpkt', 'expiration', 'count']);

/** `ct KEY`, or `ct DIRECTION KEY`. */
export function ctKey(value: unknown, text: string): Key {
  const key = textProperty(value, 'key') ?? (typeof value === 'string' ? value : '');
  const direction = textProperty(value, 'dir');
  switch (key) {
    case 'state':
      return ctStateKey(text);
    case 'mark':
      return fieldKey(text, 'integer', 'ct-mark', 32, HAS_CONNECTION);
    case 'status':
      return ctStatusKey(text);
    case 'direction':
      return splitKey(
        text,
        'ct-direction',
        8,
        [HAS_CONNECTION],
        [
          { when: IS_NEW, key: choiceKey(text, 'ct-direction', 8, [], [[0, ALWAYS]]) },
          { when: not(IS_NEW), key: undefined },
        ],
      );
    default:
      return direction === 'original'
        ? originalKey(key, textProperty(value, 'family'), text)
        : opaqueKey(text, VARYING_CT.has(key) ? 'varying' : 'deterministic', HAS_CONNECTION);
  }
}

function ctStateKey(text: string): NumberKey {
  // Each state is one value of the model's field.
  const states = Object.entries(CT_STATE_BIT);
  return {
    kind: 'number',
    text,
    type: 'ct-state',
    width: 32,
    needs: [],
    within: (values, mask, negated) => {
      const fits = states.filter(
        ([, bit]) =>
          intervalsContain(values, mask === undefined ? BigInt(bit) : BigInt(bit) & mask) !== negated,
      );
      // The names are the keys of CT_STATE.
      return {
        kind: 'field',
        field: 'ct-state',
        values: fits.map(([name]) => single(CT_STATE[name as keyof typeof CT_STATE])),
      };
    },
  };
}

/**
 * `ct status`: of a new packet's connection only the NAT bits can be set, and those always together with bits that have no
 * name. Tests of single bits are exact for `dnat` and `snat`, and for all named ones of a new connection.
 */
function ctStatusKey(text: string): NumberKey {
  const isSet = (field: 'ct-dnat' | 'ct-snat'): Condition => ({ kind: 'field', field, values: [single(1)] });
  return {
    kind: 'number',
    text,
    type: 'ct-status',
    width: 32,
    needs: [HAS_CONNECTION],
    within: (values, mask, negated, asked) => {
      // Values without one of the bits that always come with NAT are never equal to a whole word with it.
      if (mask === undefined) {
        const natOnly = normalizeIntervals(values).every(
          ({ lo, hi }) => lo === hi && (lo & 48n) !== 0n && lo < 128n,
        );
        return natOnly ? (negated ? ALWAYS : NEVER) : unknown('deterministic', asked());
      }
      if ((mask & ~48n) !== 0n) return newOnlyStatus(values, mask, negated, asked, isSet);
      return any(...natWords(values, mask, negated, isSet));
    },
  };
}

function natWords(
  values: readonly Interval[],
  mask: bigint,
  negated: boolean,
  isSet: (field: 'ct-dnat' | 'ct-snat') => Condition,
): readonly Condition[] {
  const out: Condition[] = [];
  for (const word of [0n, 16n, 32n, 48n]) {
    if (intervalsContain(values, word & mask) === negated) continue;
    out.push(
      all(negateIf((word & 16n) === 0n, isSet('ct-snat')), negateIf((word & 32n) === 0n, isSet('ct-dnat'))),
    );
  }
  return out;
}

/** A mask with bits besides those of NAT, of which nothing is known but for new connections, where they are 0. */
function newOnlyStatus(
  values: readonly Interval[],
  mask: bigint,
  negated: boolean,
  asked: Asked,
  isSet: (field: 'ct-dnat' | 'ct-snat') => Condition,
): Condition {
  const named = 1n | 2n | 4n | 8n | 16n | 32n | 512n;
  if ((mask & ~named) !== 0n) return unknown('deterministic', asked());
  return any(
    all(IS_NEW, any(...natWords(values, mask, negated, isSet))),
    all(not(IS_NEW), unknown('deterministic', asked())),
  );
}

/** A part of the connection's original tuple. */
function originalKey(key: string, family: string | undefined, text: string): Key {
  const words = key.split(' ');
  const name = words[words.length - 1]!;
  const version =
    (words.length > 1 ? words[0] : family) === 'ip6'
      ? 6
      : (words.length > 1 ? words[0] : family) === 'ip'
        ? 4
        : undefined;
  if ((name === 'saddr' || name === 'daddr') && version !== undefined) {
    const base = addressKey(text, name, version);
    return {
      ...base,
      needs: [...base.needs, HAS_CONNECTION],
      within: (values, mask, negated) =>
        negateIf(negated, {
          kind: 'original',
          of: {
            kind: 'address',
            field: name,
            version,
            ...(mask === undefined ? {} : { mask }),
            values: clipIntervals(values, addressBits(version)),
          },
          text: `${text} ${renderIntervals(values)}`,
        }),
    };
  }
  if (name === 'proto-src' || name === 'proto-dst') {
    const field = name === 'proto-src' ? 'sport' : 'dport';
    const withPorts = protocolIs(...PROTOCOLS_WITH_PORTS);
    const port: NumberKey = {
      kind: 'number',
      text,
      type: 'port',
      width: 16,
      needs: [],
      within: (values, mask, negated) =>
        negateIf(negated, {
          kind: 'original',
          of: {
            kind: 'field',
            field,
            ...(mask === undefined ? {} : { mask }),
            values: clipIntervals(values, 16),
          },
          text: `${text} ${renderIntervals(values)}`,
        }),
    };
    return splitKey(
      text,
      'port',
      16,
      [HAS_CONNECTION],
      [
        { when: withPorts, key: port },
        { when: not(withPorts), key: undefined },
      ],
    );
  }
  return opaqueKey(text, 'deterministic', HAS_CONNECTION);
}

function renderIntervals(values: readonly Interval[]): string {
  const shown = values.slice(0, 20).map(({ lo, hi }) => (lo === hi ? `${lo}` : `${lo}-${hi}`));
  return `${shown.join(',')}${values.length > 20 ? `,… (${values.length})` : ''}`;
}
