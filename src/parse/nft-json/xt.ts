import type { FieldName } from '../../model/index.ts';
import { unknown } from './conditions.ts';
import { property, textProperty } from './json.ts';
import type { TableScope } from './matches.ts';
import { found } from './misread.ts';
import { end, match, noEffect, type Step } from './steps.ts';

/** Matches whose answer changes with time, rate or chance. */
const VARYING_XT: ReadonlySet<string> = new Set([
  'limit',
  'hashlimit',
  'recent',
  'statistic',
  'connlimit',
  'connbytes',
  'quota',
  'time',
  'nfacct',
  'cluster',
]);

/** Targets that change nothing that is modelled and go on. */
const HARMLESS_XT: ReadonlySet<string> = new Set([
  'LOG',
  'NFLOG',
  'ULOG',
  'TCPMSS',
  'TCPOPTSTRIP',
  'CHECKSUM',
  'TRACE',
  'AUDIT',
  'CLASSIFY',
  'SECMARK',
  'CONNSECMARK',
  'TEE',
  'IDLETIMER',
  'LED',
  'RATEEST',
  'SET',
  'SYSRQ',
  'HMARK',
]);

/** Fields to which a target gives a value that its name does not tell. */
const ASSIGNING_XT: Readonly<Record<string, readonly FieldName[]>> = {
  MARK: ['mark'],
  CONNMARK: ['mark', 'ct-mark'],
  TOS: ['dscp', 'ecn'],
  DSCP: ['dscp'],
  ECN: ['ecn'],
  TTL: ['ttl'],
  HL: ['ttl'],
  HMARK: ['mark'],
};

const XT_TYPES = ['match', 'target', 'watcher'] as const;

/** `xt`: an expression of iptables-nft, which nft prints without its arguments. */
export function xtSteps(value: unknown, text: string, scope: TableScope): readonly Step[] {
  const given = property(value, 'type');
  const type = XT_TYPES.find((t) => t === given);
  const name = textProperty(value, 'name') ?? '';
  if (type === undefined) {
    scope.say({ kind: 'misshaped' }, `expected "match", "target" or "watcher", found ${found(given)}`, [
      'xt',
      'type',
    ]);
    return [end({ kind: 'unknown', text: `${text} of ${scope.place}` })];
  }
  if (type === 'match' && name === 'comment') return [];
  if (type === 'watcher' || (type !== 'match' && HARMLESS_XT.has(name)))
    return name === 'HMARK' ? [assignUnknown('mark', text)] : [noEffect(text)];
  if (type !== 'match' && Object.hasOwn(ASSIGNING_XT, name))
    return ASSIGNING_XT[name]!.map((field) => assignUnknown(field, text));
  const shown = `xt ${type} ${name} of ${scope.place}`;
  if (type === 'match') {
    scope.say(
      { kind: 'unsupported', key: 'xt', general: true },
      'nft prints matches and targets of iptables-nft without their arguments; add the output of "iptables-save" and "ip6tables-save"',
    );
    // What nft prints does not say whether the match restores the mark of the socket.
    const effects = name === 'socket' ? [assignUnknown('mark', text)] : [];
    return [...effects, match(text, unknown(VARYING_XT.has(name) ? 'varying' : 'deterministic', shown))];
  }
  return xtTarget(name, text, shown);
}

function assignUnknown(field: FieldName, text: string): Step {
  return { kind: 'effect', statement: { kind: 'unknown-field', field, text } };
}

function handOver(text: string): Step {
  return { kind: 'effect', statement: { kind: 'hand-over', port: undefined, text } };
}

function xtTarget(name: string, text: string, shown: string): readonly Step[] {
  const nat = (
    kind: 'dnat' | 'redirect' | 'snat' | 'masquerade',
    port: 'sport' | 'dport',
  ): readonly Step[] => [
    assignUnknown(port, text),
    end({
      kind: 'nat',
      nat: {
        kind,
        addresses: undefined,
        version: undefined,
        ports: undefined,
        unknownTarget: kind === 'dnat' || kind === 'snat',
      },
    }),
  ];
  switch (name) {
    case 'ACCEPT':
      return [end({ kind: 'accept' })];
    case 'DROP':
      return [end({ kind: 'drop' })];
    case 'REJECT':
      return [end({ kind: 'reject', with: 'unknown' })];
    case 'DNAT':
      return nat('dnat', 'dport');
    case 'REDIRECT':
      return nat('redirect', 'dport');
    case 'SNAT':
      return nat('snat', 'sport');
    case 'MASQUERADE':
      return nat('masquerade', 'sport');
    case 'QUEUE':
    case 'NFQUEUE':
      return [end({ kind: 'queue', bypass: false, text: shown })];
    case 'NOTRACK':
      return [{ kind: 'effect', statement: { kind: 'notrack', text } }];
    case 'CT':
      return [
        {
          kind: 'choose',
          options: [
            {
              text,
              condition: unknown('deterministic', `${shown} is notrack`),
              effects: [{ kind: 'notrack', text }],
              verdict: undefined,
            },
          ],
        },
      ];
    default:
      // Marks are what targets that are not known most often change.
      return [
        assignUnknown('mark', text),
        assignUnknown('ct-mark', text),
        ...(name === 'TPROXY' ? [handOver(text)] : []),
        end({ kind: 'unknown', text: shown }),
      ];
  }
}
