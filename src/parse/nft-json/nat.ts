import type { Condition, Statement, Verdict } from '../../model/index.ts';
import { addressBits, type Interval, type IpVersion, parseAddress } from '../../net/index.ts';
import { all, unknown, versionIs } from './conditions.ts';
import { intervalOf } from './constants.ts';
import { asList, property, textProperty } from './json.ts';
import { readMap } from './maps.ts';
import type { TableScope } from './matches.ts';
import { found, type Misread, misreadOf } from './misread.ts';
import { renderData } from './render.ts';
import { end, match, type Option, type Step } from './steps.ts';

interface Target {
  readonly addresses: Interval | undefined;
  readonly version: IpVersion | undefined;
  readonly ports: Interval | undefined;
  readonly unknownTarget: boolean;
  /** The port cannot be told. */
  readonly unknownPort: boolean;
}

const KEEP: Target = {
  addresses: undefined,
  version: undefined,
  ports: undefined,
  unknownTarget: false,
  unknownPort: false,
};

/** `dnat`, `snat`, `redirect`, `masquerade`. */
export function natSteps(
  kind: 'dnat' | 'snat' | 'redirect' | 'masquerade',
  value: unknown,
  text: string,
  scope: TableScope,
): readonly Step[] {
  const family = textProperty(value, 'family') ?? scope.family;
  const version: IpVersion | undefined = family === 'ip' ? 4 : family === 'ip6' ? 6 : undefined;
  const netmap =
    asList(property(value, 'flags')).includes('netmap') ||
    asList(property(value, 'type_flags')).includes('prefix');
  const random = asList(property(value, 'flags')).some(
    (flag) => flag === 'random' || flag === 'fully-random',
  );
  const verdict = (target: Target): Verdict => ({
    kind: 'nat',
    nat: {
      kind,
      addresses: target.addresses,
      version: target.version ?? (target.addresses === undefined ? undefined : version),
      ports: target.ports,
      unknownTarget: target.unknownTarget,
      ...(random ? { portMoves: true } : {}),
    },
  });
  const effectsOf = (target: Target): readonly Statement[] =>
    target.unknownPort
      ? [{ kind: 'unknown-field', field: kind === 'dnat' || kind === 'redirect' ? 'dport' : 'sport', text }]
      : [];
  const { needs, choices } = natChoices(kind, value, version, netmap, text, scope);
  const steps: Step[] = [...needs.map((c) => match('', c))];
  const only = choices.length === 1 ? choices[0]! : undefined;
  const fixed = version ?? only?.target.version;
  if (fixed !== undefined && scope.family !== 'ip' && scope.family !== 'ip6')
    steps.unshift(match('', versionIs(fixed)));
  if (only !== undefined && only.condition === undefined) {
    return [
      ...steps,
      ...effectsOf(only.target).map((statement): Step => ({ kind: 'effect', statement })),
      end(verdict(only.target)),
    ];
  }
  const options = choices.map(({ condition, text: shown, target }): Option => {
    const own = fixed === undefined && target.version !== undefined ? [versionIs(target.version)] : [];
    return {
      text: shown,
      condition: all(...own, ...(condition === undefined ? [] : [condition])),
      effects: effectsOf(target),
      verdict: verdict(target),
    };
  });
  return [...steps, { kind: 'choose', options }];
}

interface NatChoice {
  readonly condition: Condition | undefined;
  readonly text: string;
  readonly target: Target;
}

/** More combinations than this of an address map and a port map are not told apart. */
const MOST_CHOICES = 20_000;

function natChoices(
  kind: string,
  value: unknown,
  version: IpVersion | undefined,
  netmap: boolean,
  text: string,
  scope: TableScope,
): { readonly needs: readonly Condition[]; readonly choices: readonly NatChoice[] } {
  const address = property(value, 'addr');
  const port = property(value, 'port');
  const addresses = partChoices(address, scope, (part, say) => readTarget(part, version, netmap, say), text, [
    kind,
    'addr',
  ]);
  const ports = partChoices(port, scope, readPorts, text, [kind, 'port']);
  const needs = [...addresses.needs, ...ports.needs];
  if (addresses.choices.length * ports.choices.length > MOST_CHOICES) {
    return {
      needs,
      choices: [
        {
          condition: unknown('deterministic', `${text} finds a target`),
          text,
          target: { ...KEEP, unknownTarget: true, unknownPort: true },
        },
      ],
    };
  }
  const choices = addresses.choices.flatMap((a) =>
    ports.choices.map((p): NatChoice => {
      const conditions = [a.condition, p.condition].filter((c) => c !== undefined);
      const target: Target = {
        ...a.target,
        ports: p.target.ports ?? a.target.ports,
        unknownPort: a.target.unknownPort || p.target.unknownPort,
      };
      return {
        condition: conditions.length === 0 ? undefined : all(...conditions),
        text: [a.text, p.text].filter((t) => t !== '').join(' '),
        target,
      };
    }),
  );
  return { needs, choices };
}

function partChoices(
  part: unknown,
  scope: TableScope,
  read: (value: unknown, say: SayMisread) => Target,
  text: string,
  path: readonly string[],
): { readonly needs: readonly Condition[]; readonly choices: readonly NatChoice[] } {
  const given = property(part, 'map');
  if (given === undefined) {
    const say: SayMisread = (misread) =>
      scope.say({ kind: 'misshaped' }, misread.detail, [...path, ...misread.path]);
    const target = part === undefined ? KEEP : read(part, say);
    return { needs: [], choices: [{ condition: undefined, text: '', target }] };
  }
  const map = readMap(given, scope, [...path, 'map']);
  const say: SayMisread = ({ detail }) => scope.say({ kind: 'misshaped' }, detail, [...path, 'map']);
  const choices = map.branches.map(
    (b): NatChoice => ({
      condition: b.condition,
      text: `${b.text} : ${renderData(b.data)}`,
      target: read(b.data, say),
    }),
  );
  if (map.open !== 'no') {
    choices.push({
      condition: unknown('varying', `${text} (elements that are not known)`),
      text,
      target: { ...KEEP, unknownTarget: true, unknownPort: true },
    });
  }
  return { needs: [map.needs], choices };
}

/** Says what is wrong with a part of the new address or port. */
type SayMisread = (misread: Misread) => void;

function readTarget(part: unknown, version: IpVersion | undefined, netmap: boolean, say: SayMisread): Target {
  const concat = property(part, 'concat');
  if (Array.isArray(concat) && concat.length === 2) {
    const ports = readPorts(concat[1], say);
    return {
      ...readTarget(concat[0], version, netmap, say),
      ports: ports.ports,
      unknownPort: ports.unknownPort,
    };
  }
  const known = version ?? versionOf(part);
  const type = known === 4 ? 'ipv4' : 'ipv6';
  const addresses = known === undefined ? undefined : intervalOf(type, addressBits(known), part);
  const misread = known === undefined ? wrongType(part) : misreadOf(type, addressBits(known), part);
  if (misread !== undefined) say(misread);
  const usable =
    addresses !== undefined &&
    addresses.lo <= addresses.hi &&
    !netmap &&
    property(part, 'prefix') === undefined;
  if (!usable) return { ...KEEP, version: known, unknownTarget: true };
  return { ...KEEP, addresses, version: known };
}

function versionOf(part: unknown): IpVersion | undefined {
  const first =
    typeof part === 'string'
      ? part
      : property(part, 'range') !== undefined
        ? asList(property(part, 'range'))[0]
        : property(property(part, 'prefix'), 'addr');
  return typeof first === 'string' && first.length < 60 ? parseAddress(first)?.version : undefined;
}

/** A target of no IP version that can be told. */
function wrongType(part: unknown): Misread | undefined {
  return typeof part === 'object' && part !== null
    ? undefined
    : { detail: `expected an address, found ${found(part)}`, path: [] };
}

function readPorts(part: unknown, say: SayMisread): Target {
  const misread = misreadOf('port', 16, part);
  if (misread !== undefined) say(misread);
  const ports = intervalOf('port', 16, part);
  const usable = ports !== undefined && ports.lo <= ports.hi && ports.hi <= 0xffffn;
  return usable ? { ...KEEP, ports } : { ...KEEP, unknownPort: true };
}
