import type { Condition, FieldName, Match, Statement, Verdict } from '../../model/index.ts';
import { addressBits, type Interval, type IpVersion, parseAddress, TCP } from '../../net/index.ts';
import { foldConstant, intervalOf } from './constants.ts';
import { asList, DEEPEST, isObject, onlyProperty, property, textProperty } from './json.ts';
import { all, HAS_CONNECTION, type Key, protocolIs, readKey, unknown, versionIs } from './keys.ts';
import { type MapBranch, mapBranches } from './lookups.ts';
import { contentsOf, keysIdentity, needsOf, readKeys, readMatch, type TableScope } from './matches.ts';
import { renderData, renderExpression, renderStatement } from './render.ts';

/** What one statement of a rule does, in order. */
export type Step =
  /** The rule goes on only for packets that match. */
  | ({ readonly kind: 'match' } & Match)
  | { readonly kind: 'effect'; readonly statement: Statement }
  /** The rule goes on with the one option that matches, if any. */
  | { readonly kind: 'choose'; readonly options: readonly Option[] }
  | { readonly kind: 'end'; readonly verdict: Verdict };

export interface Option extends Match {
  readonly effects: readonly Statement[];
  readonly verdict: Verdict | undefined;
}

function match(text: string, condition: Condition): Step {
  return { kind: 'match', text, condition };
}

function end(verdict: Verdict): Step {
  return { kind: 'end', verdict };
}

function noEffect(text: string): Step {
  return { kind: 'effect', statement: { kind: 'no-effect', text } };
}

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

/** The steps of one statement, whose text is `text`. An unknown statement may accept, drop or go on. */
export function readStatement(statement: unknown, text: string, scope: TableScope): readonly Step[] {
  if (typeof statement === 'string') return bareString(statement, text, scope);
  const only = onlyProperty(statement);
  if (only === undefined) return unreadable(text, scope);
  const { name, value } = only;
  if (HARMLESS.has(name)) return [noEffect(text)];
  switch (name) {
    case 'match':
      return [{ kind: 'match', ...readMatch(value, text, scope) }];
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
    case 'jump':
    case 'goto': {
      const verdict = readVerdict(statement);
      return verdict === undefined ? unreadable(text, scope) : [end(verdict)];
    }
    case 'reject':
      return rejectSteps(value, text);
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
      // Without a socket to hand the packet to, the rest of the rule is not executed.
      return [match(text, unknown('varying', text))];
    case 'flow':
      // Packets of connections that are not established yet leave the rule here.
      return [match(text, unknown('varying', text))];
    case 'synproxy':
      return [match('', protocolIs(TCP)), end({ kind: 'unknown', text })];
    case 'xt':
      return xtSteps(value, text, scope);
    default:
      scope.note(
        `statement ${name}`,
        `the statement "${name.slice(0, 60)}" is not known; it may accept, drop or go on`,
      );
      return [end({ kind: 'unknown', text })];
  }
}

function unreadable(text: string, scope: TableScope): readonly Step[] {
  scope.note(
    'shape',
    `expected a statement with one name, found ${text.slice(0, 120)}; what it does is unknown`,
  );
  return [end({ kind: 'unknown', text })];
}

/** nft 1.0.6 prints some statements as text: set updates are harmless, anything else may decide. */
function bareString(statement: string, text: string, scope: TableScope): readonly Step[] {
  if (/^(?:add|update)\s+@/.test(statement)) return [noEffect(text), match(text, unknown('varying', text))];
  if (['counter', 'log', 'last'].includes(statement)) return [noEffect(text)];
  scope.note('bare string', 'nft printed a statement as text instead of JSON; what it does is unknown');
  return [end({ kind: 'unknown', text: `${text} (${scope.place})` })];
}

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

/** A reject's type brings a dependency that nft does not print. */
function rejectSteps(value: unknown, text: string): readonly Step[] {
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

// ---- maps

interface ReadMap {
  readonly keys: readonly Key[];
  readonly needs: Condition;
  readonly branches: readonly MapBranch[];
  /** Some elements are not known: what the map gives beyond `branches` is open. */
  readonly open: 'no' | 'missing' | 'dynamic';
}

function readMap(value: unknown, scope: TableScope): ReadMap {
  const keyPart = property(value, 'key') ?? property(value, 'left');
  const data = property(value, 'data') ?? property(value, 'right');
  const keys = readKeys(keyPart, scope);
  const contents = contentsOf(data, keys.length, true, scope);
  const needs = needsOf(keys);
  if (contents === undefined || contents === 'unknown') return { keys, needs, branches: [], open: 'missing' };
  const asked = `${keys.map((k) => k.text).join(' . ')} map ${typeof data === 'string' ? `${data} of ${scope.tableText}` : `of ${scope.place}`}`;
  const make = (): readonly MapBranch[] => mapBranches(keys, contents, asked);
  const branches = typeof data === 'string' ? scope.once(`map ${keysIdentity(keys)} ${data}`, make) : make();
  return { keys, needs, branches, open: contents.dynamic ? 'dynamic' : 'no' };
}

function verdictMap(value: unknown, text: string, scope: TableScope): readonly Step[] {
  const map = readMap(value, scope);
  const options = map.branches.map((branch): Option => {
    const verdict = readVerdict(branch.data) ?? {
      kind: 'unknown',
      text: `${text}: ${renderData(branch.data)}`,
    };
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

// ---- set updates

/** `add @s { ip saddr limit rate … }`: the key's dependency and the limit stop the rule; the update itself does not. */
function updateSteps(name: string, value: unknown, text: string, scope: TableScope): readonly Step[] {
  const element = name === 'meter' ? property(value, 'key') : property(value, 'elem');
  const wrapped = property(element, 'elem');
  const key = isObject(wrapped) && Object.hasOwn(wrapped, 'val') ? wrapped.val : element;
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

// ---- mangle

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

function mangleSteps(value: unknown, text: string, scope: TableScope): readonly Step[] {
  const key = property(value, 'key') ?? property(value, 'left');
  const target = assignable(key, scope);
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
  return [...needs, ...steps, ...effects.map((statement): Step => ({ kind: 'effect', statement }))];
}

function mangleMap(map: unknown, target: Assignable, text: string, scope: TableScope): readonly Step[] {
  const read = readMap(map, scope);
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

function constantFor({ field, width }: Assignable, value: unknown): bigint | undefined {
  if (field === 'saddr' || field === 'daddr')
    return foldConstant(width === 32 ? 'ipv4' : 'ipv6', value, width);
  const type =
    field === 'dscp'
      ? 'dscp'
      : field === 'ecn'
        ? 'ecn'
        : field === 'pkttype'
          ? 'pkttype'
          : field === 'tcp-flags'
            ? 'tcp-flags'
            : field === 'smac'
              ? 'mac'
              : field === 'protocol'
                ? 'protocol'
                : 'integer';
  return foldConstant(type, value, width);
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

// ---- address translation

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

function natSteps(
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
  const { needs, choices } = natChoices(value, version, netmap, text, scope);
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
  value: unknown,
  version: IpVersion | undefined,
  netmap: boolean,
  text: string,
  scope: TableScope,
): { readonly needs: readonly Condition[]; readonly choices: readonly NatChoice[] } {
  const address = property(value, 'addr');
  const port = property(value, 'port');
  const addresses = partChoices(address, scope, (part) => readTarget(part, version, netmap), text);
  const ports = partChoices(port, scope, (part) => readPorts(part), text);
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
  read: (value: unknown) => Target,
  text: string,
): { readonly needs: readonly Condition[]; readonly choices: readonly NatChoice[] } {
  const map = property(part, 'map');
  if (map === undefined)
    return {
      needs: [],
      choices: [{ condition: undefined, text: '', target: part === undefined ? KEEP : read(part) }],
    };
  const found = readMap(map, scope);
  const choices = found.branches.map(
    (b): NatChoice => ({
      condition: b.condition,
      text: `${b.text} : ${renderData(b.data)}`,
      target: read(b.data),
    }),
  );
  if (found.open !== 'no') {
    choices.push({
      condition: unknown('varying', `${text} (elements that are not known)`),
      text,
      target: { ...KEEP, unknownTarget: true, unknownPort: true },
    });
  }
  return { needs: [found.needs], choices };
}

function readTarget(part: unknown, version: IpVersion | undefined, netmap: boolean): Target {
  const concat = property(part, 'concat');
  if (Array.isArray(concat) && concat.length === 2) {
    const ports = readPorts(concat[1]);
    return { ...readTarget(concat[0], version, netmap), ports: ports.ports, unknownPort: ports.unknownPort };
  }
  const known = version ?? versionOf(part);
  const addresses =
    known === undefined ? undefined : intervalOf(known === 4 ? 'ipv4' : 'ipv6', addressBits(known), part);
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

function readPorts(part: unknown): Target {
  const ports = intervalOf('port', 16, part);
  const usable = ports !== undefined && ports.lo <= ports.hi && ports.hi <= 0xffffn;
  return usable ? { ...KEEP, ports } : { ...KEEP, unknownPort: true };
}

// ---- xt: expressions of iptables-nft without their arguments

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

function xtSteps(value: unknown, text: string, scope: TableScope): readonly Step[] {
  const type = textProperty(value, 'type');
  const name = textProperty(value, 'name') ?? '';
  const shown = `xt ${type ?? ''} ${name} of ${scope.place}`;
  if (type === 'match') {
    if (name === 'comment') return [];
    scope.note(
      'xt',
      'nft prints matches and targets of iptables-nft without their arguments; add the output of "iptables-save" and "ip6tables-save"',
    );
    return [match(text, unknown(VARYING_XT.has(name) ? 'varying' : 'deterministic', shown))];
  }
  if (type === 'watcher' || HARMLESS_XT.has(name))
    return name === 'HMARK' ? [assignUnknown('mark', text)] : [noEffect(text)];
  if (Object.hasOwn(ASSIGNING_XT, name))
    return ASSIGNING_XT[name]!.map((field) => assignUnknown(field, text));
  return xtTarget(name, text, shown);
}

function assignUnknown(field: FieldName, text: string): Step {
  return { kind: 'effect', statement: { kind: 'unknown-field', field, text } };
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
      return [end({ kind: 'unknown', text: shown })];
  }
}
