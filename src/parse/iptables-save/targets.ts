import type { FieldName, Nat, Statement, Verdict } from '../../model/index.ts';
import type { Interval, IpVersion } from '../../net/index.ts';
import { quote } from '../diagnostic-log.ts';
import {
  networkInterval,
  parseAddressOf,
  parseMasked,
  parseNetwork,
  parseNumber,
  parsePort,
} from '../numbers.ts';
import { printWord } from '../words.ts';
import { parseDscpClass, parseTos } from './conditions.ts';
import {
  type OptionSpec,
  type Outcome,
  option,
  type Problem,
  problem,
  type RuleContext,
  type TargetSpec,
  type TargetUse,
} from './spec.ts';

const ALL_MARK = 0xffff_ffffn;

const CONTINUE: Verdict = { kind: 'continue' };

function outcome(statements: readonly Statement[], verdict: Verdict): Outcome {
  return { kind: 'outcome', statements, verdict };
}

function target(
  name: string,
  summary: string,
  options: readonly OptionSpec[],
  convert: (use: TargetUse, context: RuleContext) => Outcome | Problem,
): TargetSpec {
  return { name, summary, options, convert };
}

function verdictTarget(name: string, verdict: Verdict): TargetSpec {
  return target(name, `verdict ${verdict.kind}`, [], () => outcome([], verdict));
}

/** A target that lets the packet go on and changes nothing that is modelled. */
function harmless(name: string, ...options: readonly OptionSpec[]): TargetSpec {
  return target(name, 'no effect on modelled fields', options, (use) =>
    outcome([{ kind: 'no-effect', text: use.text }], CONTINUE),
  );
}

/** A target that lets the packet go on and gives a field a value that is not modelled. */
function blurring(name: string, field: FieldName, ...options: readonly OptionSpec[]): TargetSpec {
  return target(name, `${field} becomes unknown`, options, (use) =>
    outcome([{ kind: 'unknown-field', field, text: use.text }], CONTINUE),
  );
}

/** A target whose decision is not modelled. */
function undecided(name: string, ...options: readonly OptionSpec[]): TargetSpec {
  return target(name, 'verdict unknown', options, (use) => outcome([], { kind: 'unknown', text: use.text }));
}

function values(...names: readonly string[]): readonly OptionSpec[] {
  return names.map((name) => option(name, 1));
}

function switches(...names: readonly string[]): readonly OptionSpec[] {
  return names.map((name) => option(name, 0));
}

function argument(use: TargetUse, name: string): string | undefined {
  return use.options.find((o) => o.name === name)?.args[0];
}

function has(use: TargetUse, name: string): boolean {
  return use.options.some((o) => o.name === name);
}

function setField(field: FieldName, and: bigint, xor: bigint, text: string): Statement {
  return { kind: 'set-field', field, and, xor, text };
}

const MARK_OPTIONS = ['--set-xmark', '--set-mark', '--and-mark', '--or-mark', '--xor-mark'] as const;

/**
 * What MARK and CONNMARK do to the old mark: `(old & and) ^ xor`. Source: linux net/netfilter/xt_mark.c and
 * iptables extensions/libxt_MARK.c, which turns all forms into set-xmark. `undefined` when none of the options is there.
 */
function markChange(use: TargetUse): { readonly and: bigint; readonly xor: bigint } | Problem | undefined {
  for (const name of MARK_OPTIONS) {
    const text = argument(use, name);
    if (text === undefined) continue;
    const masked = parseMasked(text, ALL_MARK);
    if (masked === undefined || (text.includes('/') && !name.startsWith('--set')))
      return problem(`${quote(text)} is no mark`);
    const { value, mask } = masked;
    if (name === '--set-xmark') return { and: ALL_MARK ^ mask, xor: value };
    if (name === '--set-mark') return { and: ALL_MARK ^ (mask | value), xor: value };
    if (name === '--and-mark') return { and: value, xor: 0n };
    if (name === '--or-mark') return { and: ALL_MARK ^ value, xor: value };
    return { and: ALL_MARK, xor: value };
  }
  return undefined;
}

function convertMark(use: TargetUse): Outcome | Problem {
  const change = markChange(use);
  if (change === undefined) return problem('MARK needs an option that says which mark');
  if ('kind' in change) return change;
  return outcome([setField('mark', change.and, change.xor, use.text)], CONTINUE);
}

/** CONNMARK. Source: linux net/netfilter/xt_connmark.c, connmark_tg_shift. */
function convertConnmark(use: TargetUse): Outcome | Problem {
  const change = markChange(use);
  if (change !== undefined) {
    return 'kind' in change
      ? change
      : outcome([setField('ct-mark', change.and, change.xor, use.text)], CONTINUE);
  }
  const save = has(use, '--save-mark');
  if (!save && !has(use, '--restore-mark')) return problem('CONNMARK needs an option that says what to do');
  const shared = argument(use, '--mask');
  const nfmask = parseNumber(shared ?? argument(use, '--nfmask') ?? '0xffffffff', ALL_MARK);
  const ctmask = parseNumber(shared ?? argument(use, '--ctmask') ?? '0xffffffff', ALL_MARK);
  if (nfmask === undefined || ctmask === undefined) return problem('a mask of CONNMARK is no number');
  const [field, from] = save ? (['ct-mark', 'mark'] as const) : (['mark', 'ct-mark'] as const);
  if (has(use, '--left-shift-mark') || has(use, '--right-shift-mark')) {
    return outcome([{ kind: 'unknown-field', field, text: use.text }], CONTINUE);
  }
  const [own, taken] = save ? [ctmask, nfmask] : [nfmask, ctmask];
  return outcome(
    [{ kind: 'copy-field', field, from, and: ALL_MARK ^ own, fromMask: taken, text: use.text }],
    CONTINUE,
  );
}

/** `(tos & ~mask) ^ value` as assignments of DSCP and ECN. Source: linux net/netfilter/xt_DSCP.c, tos_tg. */
function convertTos(use: TargetUse): Outcome | Problem {
  const given = ['--set-tos', '--and-tos', '--or-tos', '--xor-tos'].find((name) => has(use, name));
  if (given === undefined) return problem('TOS needs an option that says which value');
  const text = argument(use, given)!;
  const bits = given === '--set-tos' ? undefined : parseNumber(text, 255);
  const tos =
    given === '--set-tos'
      ? parseTos(text)
      : bits === undefined
        ? undefined
        : given === '--and-tos'
          ? { value: 0n, mask: 0xffn ^ bits }
          : { value: bits, mask: given === '--or-tos' ? bits : 0n };
  if (tos === undefined) return problem(`${quote(text)} is no TOS value`);
  const statements: Statement[] = [];
  const { value, mask } = tos;
  if ((mask | value) >> 2n !== 0n)
    statements.push(setField('dscp', 0x3fn ^ (mask >> 2n), value >> 2n, use.text));
  if (((mask | value) & 3n) !== 0n) statements.push(setField('ecn', 3n ^ (mask & 3n), value & 3n, use.text));
  return outcome(statements.length > 0 ? statements : [{ kind: 'no-effect', text: use.text }], CONTINUE);
}

function convertDscp(use: TargetUse): Outcome | Problem {
  const number = argument(use, '--set-dscp');
  const name = argument(use, '--set-dscp-class');
  const value = number !== undefined ? parseNumber(number, 63) : parseDscpClass(name ?? '');
  if (value === undefined) return problem('DSCP needs a value from 0 to 63 or a class');
  return outcome([setField('dscp', 0n, BigInt(value), use.text)], CONTINUE);
}

function hopLimitTarget(name: 'TTL' | 'HL'): TargetSpec {
  const prefix = `--${name.toLowerCase()}`;
  return target(
    name,
    'ttl is set, or becomes unknown',
    values(`${prefix}-set`, `${prefix}-dec`, `${prefix}-inc`),
    (use) => {
      const text = argument(use, `${prefix}-set`);
      if (text === undefined)
        return outcome([{ kind: 'unknown-field', field: 'ttl', text: use.text }], CONTINUE);
      const value = parseNumber(text, 255);
      if (value === undefined) return problem(`${quote(text)} is no number up to 255`);
      return outcome([setField('ttl', 0n, value, use.text)], CONTINUE);
    },
  );
}

/** A NAT range as DNAT and SNAT take it. */
interface NatRange {
  readonly addresses: Interval | undefined;
  readonly ports: Interval | undefined;
  /** The port is moved by an offset (`5000-5010/6000`). */
  readonly shifted: boolean;
}

/** Reads `[ADDR[-ADDR]][:PORT[-PORT[/BASE]]]`; IPv6 addresses stand in brackets where ports follow. */
function parseNatRange(text: string, version: IpVersion): NatRange | undefined {
  let addressPart = text;
  let portPart: string | undefined;
  const bracket = text.lastIndexOf(']');
  const colon =
    version === 4
      ? text.indexOf(':')
      : bracket >= 0
        ? text.indexOf(':', bracket)
        : /^:\d/.test(text) && !text.includes(':', 1)
          ? 0
          : -1;
  if (colon >= 0) {
    addressPart = text.slice(0, colon);
    portPart = text.slice(colon + 1);
  }
  const addresses = parseNatAddresses(addressPart.replaceAll(/[[\]]/g, ''), version);
  if (addresses === 'bad') return undefined;
  if (portPart === undefined) return { addresses, ports: undefined, shifted: false };
  const slash = portPart.indexOf('/');
  const ports = parseNatPorts(slash < 0 ? portPart : portPart.slice(0, slash));
  return ports === undefined ? undefined : { addresses, ports, shifted: slash >= 0 };
}

function parseNatAddresses(text: string, version: IpVersion): Interval | undefined | 'bad' {
  if (text === '') return undefined;
  const dash = text.indexOf('-');
  const lo = parseAddressOf(version, dash < 0 ? text : text.slice(0, dash));
  const hi = dash < 0 ? lo : parseAddressOf(version, text.slice(dash + 1));
  return lo === undefined || hi === undefined || lo > hi ? 'bad' : { lo, hi };
}

/** `PORT` or `PORT-PORT`, by number or service name. */
function parseNatPorts(text: string): Interval | undefined {
  const whole = parsePort(text);
  if (typeof whole === 'bigint') return { lo: whole, hi: whole };
  const dash = text.indexOf('-');
  if (dash < 0) return undefined;
  const lo = parsePort(text.slice(0, dash));
  const hi = parsePort(text.slice(dash + 1));
  return typeof lo === 'bigint' && typeof hi === 'bigint' && lo <= hi ? { lo, hi } : undefined;
}

function natVerdict(
  kind: Nat['kind'],
  version: IpVersion,
  range: NatRange,
  unknownTarget: boolean,
  portMoves: boolean = false,
): Verdict {
  return {
    kind: 'nat',
    nat: {
      kind,
      addresses: range.addresses,
      version,
      ports: range.ports,
      unknownTarget,
      ...(portMoves ? { portMoves } : {}),
    },
  };
}

const MANY = (range: Interval | undefined): boolean => range !== undefined && range.lo !== range.hi;

/** DNAT and SNAT. Several ranges (kernels before 2.6.11) and unreadable ones make the new address unknown. */
function convertNat(kind: 'dnat' | 'snat', to: string): TargetSpec['convert'] {
  return (use, context) => {
    const texts = use.options.filter((o) => o.name === to).map((o) => o.args[0]!);
    if (texts.length === 0) return problem(`${use.name} needs ${to}`);
    const ranges: NatRange[] = [];
    for (const text of texts) {
      const range = parseNatRange(text, context.version);
      if (range === undefined && /[$`]|[A-Za-z].*\.[A-Za-z]/.test(text)) {
        context.remark(
          `nat ${text}`,
          'unresolved-reference',
          `the address ${quote(text)} cannot be resolved from an export; the packet may go anywhere`,
        );
        const anywhere: NatRange = { addresses: undefined, ports: { lo: 0n, hi: 65535n }, shifted: false };
        return outcome([], natVerdict(kind, context.version, anywhere, true, true));
      }
      if (range === undefined) return problem(`${quote(text)} is no address or port for NAT`);
      ranges.push(range);
    }
    if (ranges.some((r) => (r.ports === undefined) !== (ranges[0]!.ports === undefined))) {
      return outcome([], { kind: 'unknown', text: use.text });
    }
    const randomPort =
      (has(use, '--random') || has(use, '--random-fully')) && ranges.some((r) => MANY(r.ports));
    // A port that moves by an offset or by chance inside the range is told as any port of the range.
    const portMoves = randomPort || ranges.some((r) => r.shifted && MANY(r.ports));
    const merged: NatRange = {
      addresses: hull(ranges.map((r) => r.addresses)),
      ports: hull(ranges.map((r) => r.ports)),
      shifted: false,
    };
    return outcome([], natVerdict(kind, context.version, merged, ranges.length > 1, portMoves));
  };
}

function hull(list: readonly (Interval | undefined)[]): Interval | undefined {
  let result: Interval | undefined;
  for (const next of list) {
    if (next === undefined) return undefined;
    result = {
      lo: result !== undefined && result.lo < next.lo ? result.lo : next.lo,
      hi: result !== undefined && result.hi > next.hi ? result.hi : next.hi,
    };
  }
  return result;
}

/** REDIRECT and MASQUERADE: the interface's own address, and perhaps ports. */
function convertOwnAddress(kind: 'redirect' | 'masquerade'): TargetSpec['convert'] {
  return (use, context) => {
    const text = argument(use, '--to-ports');
    const ports = text === undefined ? undefined : parseNatPorts(text);
    if (text !== undefined && ports === undefined) return problem(`${quote(text)} is no port or port range`);
    const portMoves = MANY(ports) && (has(use, '--random') || has(use, '--random-fully'));
    return outcome(
      [],
      natVerdict(kind, context.version, { addresses: undefined, ports, shifted: false }, false, portMoves),
    );
  };
}

/**
 * NETMAP: the network part of the address is replaced; told as "anything in the network". In PREROUTING and
 * OUTPUT it changes the destination, in POSTROUTING and INPUT the source; a chain of the user's own is settled
 * when all chains are known (`TableBuilder.finish`).
 */
function convertNetmap(use: TargetUse, context: RuleContext): Outcome | Problem {
  const text = argument(use, '--to');
  const network = text === undefined ? undefined : parseNetwork(context.version, text);
  if (network === undefined) return problem('NETMAP needs --to with a network');
  const kind = context.chain === 'POSTROUTING' || context.chain === 'INPUT' ? 'snat' : 'dnat';
  const addresses = networkInterval(context.version, network);
  return outcome(
    [],
    natVerdict(kind, context.version, { addresses, ports: undefined, shifted: false }, true),
  );
}

function convertSet(use: TargetUse): Outcome {
  // In canonical form: dynamicSetsOf reads it.
  const text = [
    '-j SET',
    ...use.options.map((o) => [o.name, ...o.args.map((a) => printWord(a, false))].join(' ')),
  ].join(' ');
  if (has(use, '--map-mark')) return outcome([{ kind: 'unknown-field', field: 'mark', text }], CONTINUE);
  return outcome([{ kind: 'no-effect', text }], CONTINUE);
}

/**
 * TPROXY accepts packets for which a program has a transparent socket, with `(mark & ~mask) ^ value` as their mark, and drops
 * the others. Source: linux net/netfilter/xt_TPROXY.c, tproxy_tg4.
 */
function convertTproxy(use: TargetUse): Outcome | Problem {
  const given = argument(use, '--on-port');
  if (given === undefined) return problem('TPROXY needs --on-port');
  const port = parseNumber(given, 0xffffn);
  if (port === undefined) return problem(`${quote(given)} is no port`);
  const mark = argument(use, '--tproxy-mark') ?? '0/0';
  const masked = parseMasked(mark, ALL_MARK);
  if (masked === undefined) return problem(`${quote(mark)} is no mark`);
  const { text } = use;
  return outcome(
    [
      setField('mark', ALL_MARK ^ masked.mask, masked.value, text),
      { kind: 'hand-over', port: port === 0n ? 'own' : Number(port), text },
    ],
    { kind: 'unknown', text },
  );
}

function convertCt(use: TargetUse): Outcome {
  return outcome(
    [has(use, '--notrack') ? { kind: 'notrack', text: use.text } : { kind: 'no-effect', text: use.text }],
    CONTINUE,
  );
}

const NAT_SWITCHES = switches('--random', '--random-fully', '--persistent');
const setOption = (name: string): OptionSpec => option(name, 2, '+');

/**
 * Every target of iptables-extensions(8), version 1.8.9, and some of older kernels and xtables-addons. A target
 * that is not here gets the verdict `unknown`.
 */
export const TARGETS: readonly TargetSpec[] = [
  verdictTarget('ACCEPT', { kind: 'accept' }),
  verdictTarget('DROP', { kind: 'drop' }),
  verdictTarget('RETURN', { kind: 'return' }),
  target('REJECT', 'verdict reject', values('--reject-with'), (use, context) =>
    outcome([], {
      kind: 'reject',
      with:
        argument(use, '--reject-with') ??
        (context.version === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable'),
    }),
  ),
  target('QUEUE', 'verdict queue', [], (use) =>
    outcome([], { kind: 'queue', bypass: false, text: use.text }),
  ),
  target(
    'NFQUEUE',
    'verdict queue',
    [...values('--queue-num', '--queue-balance'), ...switches('--queue-bypass', '--queue-cpu-fanout')],
    (use) => outcome([], { kind: 'queue', bypass: has(use, '--queue-bypass'), text: use.text }),
  ),

  target(
    'DNAT',
    'verdict nat',
    [option('--to-destination', 1, '+'), ...NAT_SWITCHES],
    convertNat('dnat', '--to-destination'),
  ),
  target(
    'SNAT',
    'verdict nat',
    [option('--to-source', 1, '+'), ...NAT_SWITCHES],
    convertNat('snat', '--to-source'),
  ),
  target(
    'MASQUERADE',
    'verdict nat',
    [...values('--to-ports'), ...NAT_SWITCHES],
    convertOwnAddress('masquerade'),
  ),
  target(
    'REDIRECT',
    'verdict nat',
    [...values('--to-ports'), ...NAT_SWITCHES],
    convertOwnAddress('redirect'),
  ),
  target('NETMAP', 'verdict nat, target unknown within the network', values('--to'), convertNetmap),

  target(
    'MARK',
    'mark is set',
    MARK_OPTIONS.map((name) => option(name, 1)),
    convertMark,
  ),
  target(
    'CONNMARK',
    'ct-mark is set or copied',
    [
      ...MARK_OPTIONS.map((name) => option(name, 1)),
      ...switches('--save-mark', '--restore-mark'),
      ...values('--nfmask', '--ctmask', '--mask', '--left-shift-mark', '--right-shift-mark'),
    ],
    convertConnmark,
  ),
  target(
    'TOS',
    'dscp and ecn are set',
    values('--set-tos', '--and-tos', '--or-tos', '--xor-tos'),
    convertTos,
  ),
  target('DSCP', 'dscp is set', values('--set-dscp', '--set-dscp-class'), convertDscp),
  target('ECN', 'TCP flags ECE and CWR are cleared', switches('--ecn-tcp-remove'), (use) =>
    outcome([setField('tcp-flags', 0x3fn, 0n, use.text)], CONTINUE),
  ),
  hopLimitTarget('TTL'),
  hopLimitTarget('HL'),
  target(
    'CT',
    'notrack, else no effect on modelled fields',
    [
      ...switches('--notrack'),
      ...values(
        '--helper',
        '--ctevents',
        '--expevents',
        '--zone',
        '--zone-orig',
        '--zone-reply',
        '--timeout',
      ),
    ],
    convertCt,
  ),
  target('NOTRACK', 'notrack', [], (use) => outcome([{ kind: 'notrack', text: use.text }], CONTINUE)),
  target(
    'SET',
    'makes its set dynamic',
    [
      ...['--add-set', '--del-set', '--map-set'].map(setOption),
      ...values('--timeout'),
      ...switches('--exist', '--map-mark', '--map-prio', '--map-queue'),
    ],
    convertSet,
  ),

  harmless('AUDIT', ...values('--type')),
  harmless('CHECKSUM', ...switches('--checksum-fill')),
  harmless('CLASSIFY', ...values('--set-class')),
  harmless('CONNSECMARK', ...switches('--save', '--restore')),
  harmless('FLOWOFFLOAD', ...switches('--hw')),
  harmless('IDLETIMER', ...values('--timeout', '--label'), ...switches('--alarm')),
  harmless('LED', ...values('--led-trigger-id', '--led-delay'), ...switches('--led-always-blink')),
  harmless(
    'LOG',
    ...values('--log-level', '--log-prefix'),
    ...switches(
      '--log-tcp-sequence',
      '--log-tcp-options',
      '--log-ip-options',
      '--log-uid',
      '--log-macdecode',
    ),
  ),
  harmless(
    'NFLOG',
    ...values('--nflog-group', '--nflog-prefix', '--nflog-range', '--nflog-size', '--nflog-threshold'),
  ),
  harmless('RATEEST', ...values('--rateest-name', '--rateest-interval', '--rateest-ewmalog')),
  harmless('SECMARK', ...values('--selctx')),
  harmless('TCPMSS', ...values('--set-mss'), ...switches('--clamp-mss-to-pmtu')),
  harmless('TCPOPTSTRIP', ...values('--strip-options')),
  harmless('TEE', ...values('--gateway', '--oif')),
  harmless('TRACE'),
  harmless('ULOG', ...values('--ulog-nlgroup', '--ulog-prefix', '--ulog-cprange', '--ulog-qthreshold')),
  blurring(
    'HMARK',
    'mark',
    ...values(
      '--hmark-tuple',
      '--hmark-mod',
      '--hmark-offset',
      '--hmark-src-prefix',
      '--hmark-dst-prefix',
      '--hmark-sport-mask',
      '--hmark-dport-mask',
      '--hmark-spi-mask',
      '--hmark-proto-mask',
      '--hmark-rnd',
    ),
  ),
  blurring('DNPT', 'daddr', ...values('--src-pfx', '--dst-pfx')),
  blurring('SNPT', 'saddr', ...values('--src-pfx', '--dst-pfx')),

  undecided(
    'CLUSTERIP',
    ...switches('--new'),
    ...values('--hashmode', '--clustermac', '--total-nodes', '--local-node', '--hash-init'),
  ),
  undecided('MIRROR'),
  undecided('SAME', option('--to', 1, '+'), ...switches('--nodst', '--random')),
  undecided('SYNPROXY', ...values('--mss', '--wscale'), ...switches('--sack-perm', '--timestamp', '--ecn')),
  undecided('TARPIT', ...switches('--tarpit', '--honeypot', '--reset')),
  target(
    'TPROXY',
    'mark is set, delivered to another port, verdict unknown',
    values('--on-port', '--on-ip', '--tproxy-mark'),
    convertTproxy,
  ),
];

const BY_NAME: ReadonlyMap<string, TargetSpec> = new Map(TARGETS.map((t) => [t.name, t]));

/** The target extension of this name, or `undefined` for chains and targets that are not in the table. */
export function targetSpec(name: string): TargetSpec | undefined {
  return BY_NAME.get(name);
}
