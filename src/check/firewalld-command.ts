/**
 * Changes in the words of firewalld: what `firewall-cmd --permanent` takes, and the XML it makes of that. Its rules are written anew from
 * the zones and policies at every reload, so those are what is changed.
 */
import type { ConfiguredElement, Match, Rule, Table } from '../model/index.ts';
import {
  addressBits,
  formatAddress,
  formatProtocol,
  type Interval,
  type IpVersion,
  interval,
  intervalToPrefixes,
  normalizeIntervals,
  PROTOCOLS_WITH_PORTS,
  subtractIntervals,
} from '../net/index.ts';
import {
  type Advice,
  type Change,
  type ChangeContext,
  freeSetName,
  MOST_SOURCES,
  NEXT,
  type RulePlace,
  TOO_MANY_SOURCES,
  targetOf,
  type WantedRule,
} from './change.ts';
import { isSameElement } from './counterpart.ts';
import { readTest } from './read-test.ts';

type Holder = ConfiguredElement['holder'];
type Access = Extract<WantedRule, { readonly kind: 'access' }>;

/** More rich rules than this become fewer on ipsets. */
const MOST_RULES = 12;

/** Names of zones, policies and services in a command for a shell. An export is not to be trusted. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}$/;

/** Values that stand in a command as they are. */
const PLAIN_VALUE = /^[A-Za-z0-9_.:,@+/=%-]*$/;

/** Rich rules that may stand between single quotes: nothing in them means anything to a shell there, or to a terminal. */
const RICH_VALUE = /^rule[A-Za-z0-9 ="_.:,@+/%-]*$/;

/** The commands for a change of a table that firewalld wrote. */
export function firewalldAdvice(change: Change): Advice {
  const { table } = targetOf(change);
  switch (change.kind) {
    case 'replace':
      return replaceElement(change.place, change.rules, change.known);
    case 'delete':
      return replaceElement(change.place, [], change.known);
    case 'close-policy':
      return { commands: [], note: whereToChange(table) };
    case 'insert':
      return insertRules(change);
  }
}

/** The zone or policy that a chain of firewalld belongs to. Its zones' chains end in what they are for (`_allow`). */
export function holderOfChain(table: Table, name: string): Holder | undefined {
  const named = /^(?:filter_|nat_|mangle_)?(?:IN|FWD|FWDI|FWDO|OUT|PRE|POST)_(.+)$/.exec(name)?.[1];
  if (named === undefined) return undefined;
  const isOwn = table.chains.some((chain) => chain.name === `${name}_allow`);
  const bare = isOwn ? named : named.replace(/_(?:pre|log|deny|allow|post)$/, '');
  const policy = /^policy_(.+)$/.exec(bare)?.[1];
  return policy === undefined ? { kind: 'zone', name: bare } : { kind: 'policy', name: policy };
}

/** Why no command is given for firewalld's own rules and for direct ones. */
function whereToChange(table: Table): string {
  return table.name === 'firewalld' || table.dialect !== 'firewalld'
    ? 'firewalld writes this table anew at every reload: change the zone or policy with "firewall-cmd --permanent", not the rules.'
    : 'This is a direct rule of firewalld: "firewall-cmd --permanent --direct --get-all-rules" shows it with its priority, --remove-rule in place of --get-all-rules takes it away, and --add-rule puts one with a source in its place; a passthrough goes by --get-all-passthroughs and --remove-passthrough.';
}

/** Something to add to a zone or policy: the option of firewall-cmd, and the XML. */
interface Addition {
  readonly option: string;
  readonly xml: string;
}

/** Everything a change adds, and commands that have to come first. */
interface Additions {
  readonly before: readonly string[];
  readonly additions: readonly Addition[];
}

function replaceElement(place: RulePlace, rules: readonly WantedRule[], known: ChangeContext): Advice {
  const { chain, rule } = known.counterpart ?? place;
  const element = rule.configured;
  if (element === undefined) return replaceUntold(place, rules, known);
  const { holder } = element;
  const told = additionsOf(rules.filter(isAccess), 'in', undefined);
  if (told === undefined) return { commands: [], note: TOO_MANY_SOURCES };
  if (!NAME.test(holder.name)) return { commands: [], note: UNSAFE };
  const others = othersOf(chain.rules, element, known);
  const written = [...told.additions, ...others.kept];
  const removal = removalOf(element);
  const notes = [others.note, ...noteOnElement(element), ...noteOnRunning(place, known)];
  if (removal === undefined) {
    const note = [`${elementName(element)} has to be taken away by hand: ${byHand(element)}.`, ...notes];
    return withCommand(element, { ...told, additions: written }, undefined, note);
  }
  return withCommand(element, { ...told, additions: written }, removal, notes);
}

function isAccess(rule: WantedRule): rule is Access {
  return rule.kind === 'access';
}

const UNSAFE = 'The name of the zone, policy or service is not one to put into a command: change it by hand.';

/** One command line after the other. Nothing is taken away before all that replaces it stands, and nothing counts before the reload. */
function withCommand(
  element: ConfiguredElement,
  { before, additions }: Additions,
  removal: string | undefined,
  notes: readonly (string | undefined)[],
): Advice {
  const to = commandTo(element.holder);
  const lines = [
    ...before,
    ...additions.map(({ option }) => `${to} ${option}`),
    ...(removal === undefined ? [] : [`${to} ${removal}`]),
    RELOAD,
  ];
  const isSafe = additions.every(({ option }) => option !== '');
  const text = notes.filter((one) => one !== undefined).join(' ');
  return {
    commands: [
      {
        dialect: 'firewalld',
        replace: elementText(element),
        with: additions.map(({ xml }) => xml),
        command: removal === undefined || !isSafe ? '' : lines.join(NEXT),
      },
    ],
    ...(text === '' ? {} : { note: text }),
  };
}

const RELOAD = 'firewall-cmd --reload';

function commandTo({ kind, name }: Holder): string {
  return `firewall-cmd --permanent --${kind}=${name}`;
}

/** The option that takes an element away; `undefined` where it cannot be told or does not belong into a command. */
function removalOf(element: ConfiguredElement): string | undefined {
  const { value, holder } = element;
  if (element.element === 'target') return `--set-target=${holder.kind === 'zone' ? 'default' : 'CONTINUE'}`;
  if (!element.valueIsWhole) return undefined;
  const option = `--remove-${element.element}`;
  if (element.element === 'rich-rule') return RICH_VALUE.test(value) ? `${option}='${value}'` : undefined;
  if (value === '') return option;
  return PLAIN_VALUE.test(value) && !value.startsWith('-') ? `${option}=${value}` : undefined;
}

/** What goes, as its file has it, or as firewall-cmd lists it where it is long. */
function elementText({ element, value }: ConfiguredElement): string {
  const [port, protocol] = value.split('/');
  switch (element) {
    case 'service':
    case 'icmp-block':
      return `<${element} name="${value}"/>`;
    case 'port':
    case 'source-port':
      return `<${element} port="${port}" protocol="${protocol}"/>`;
    case 'protocol':
      return `<protocol value="${value}"/>`;
    case 'target':
      return `target="${value}"`;
    case 'rich-rule':
      return value;
    default:
      return value === '' ? `<${element}/>` : `${element} ${value}`;
  }
}

function elementName({ element, value, holder }: ConfiguredElement): string {
  const name = element === 'rich-rule' ? 'The rich rule' : `The ${element} ${value}`.trimEnd();
  return `${name} of ${holder.kind} ${holder.name}`;
}

function byHand({ element, holder, valueIsWhole }: ConfiguredElement): string {
  if (element !== 'rich-rule' || valueIsWhole || !NAME.test(holder.name))
    return `edit the file of the ${holder.kind}`;
  return `--remove-rich-rule wants its whole text, with what it logs, as "${commandTo(holder)} --list-rich-rules" shows it`;
}

/** A target says more than who reaches NetWorker. */
function noteOnElement({ element, value, holder }: ConfiguredElement): readonly string[] {
  if (element !== 'target' || value !== 'ACCEPT') return [];
  return [
    `The target ACCEPT also lets in everything else that the ${holder.kind} ${holder.name} does not list, SSH perhaps, and what the host forwards from there: list what of that is needed before you run the command.`,
  ];
}

/** Where only what runs is judged, some of it may be meant to stay and is in no file. */
function noteOnRunning({ rule }: RulePlace, { counterpart }: ChangeContext): readonly string[] {
  return counterpart === undefined || rule.configured !== undefined ? [] : [RELOAD_NOTE];
}

const RELOAD_NOTE =
  'The reload also ends what was changed at run time only: "firewall-cmd --runtime-to-permanent" keeps that, if it is to stay.';

/** What an element admits besides the ports that are judged: a service is more than one port. */
function othersOf(
  rules: readonly Rule[],
  element: ConfiguredElement,
  known: ChangeContext,
): { readonly kept: readonly Addition[]; readonly note: string | undefined } {
  const nothing = { kept: [], note: undefined };
  if (element.service === undefined) return nothing;
  const { name } = element.service;
  const kept: Addition[] = [];
  const lost: string[] = [];
  for (const { matches, text, configured } of rules) {
    if (configured === undefined || !isSameElement(configured, element)) continue;
    const test = readTest(matches);
    // A test that nobody can answer: what it admits at most may all be judged.
    const { protocol, dports, sports } = test ?? readTest(matches.filter(isRead)) ?? {};
    const rest = protocol === undefined ? undefined : outsideOf(protocol, dports, known);
    if (rest === 'nothing' && sports === undefined) continue;
    const one =
      test === undefined || protocol === undefined || sports !== undefined || rest === 'nothing'
        ? undefined
        : admitting(element, protocol, rest, test.daddr);
    if (one === undefined) lost.push(text);
    else kept.push(...one);
  }
  const notes = [
    ...(kept.length === 0
      ? []
      : [`The service ${name} admits more than the port at fault: that stays, port by port.`]),
    ...(lost.length === 0 ? [] : [`This ends with the service ${name}: ${lost.slice(0, 4).join('; ')}.`]),
  ];
  return { kept, note: notes.length === 0 ? undefined : notes.join(' ') };
}

function isRead({ condition }: Match): boolean {
  return condition.kind !== 'unknown';
}

/** Ports of a test that nobody judges and the change is not about; `undefined` for a whole protocol without ports. */
function outsideOf(
  protocol: number,
  dports: readonly Interval[] | undefined,
  { judged = [], fault }: ChangeContext,
): readonly Interval[] | undefined | 'nothing' {
  if (!PROTOCOLS_WITH_PORTS.includes(protocol)) return dports;
  const changed = fault?.protocols.includes(protocol) === true ? fault.ports : [];
  const rest = subtractIntervals(dports ?? [ALL_PORTS], normalizeIntervals([...judged, ...changed]));
  return rest.length === 0 ? 'nothing' : rest;
}

/** firewalld takes no port 0. */
const ALL_PORTS: Interval = interval(1, 65535);

/** Ports or a protocol in place of a service, with what else a rich rule asks; `undefined` where it cannot be told. */
function admitting(
  { element, value, service, valueIsWhole }: ConfiguredElement,
  protocol: number,
  dports: readonly Interval[] | undefined,
  daddr: { readonly version: IpVersion; readonly values: readonly Interval[] } | undefined,
): readonly Addition[] | undefined {
  const name = formatProtocol(protocol);
  const tests = dports === undefined ? [undefined] : dports.map(portText);
  if (element === 'service' && daddr === undefined)
    return tests.map((port) =>
      port === undefined
        ? { option: `--add-protocol=${name}`, xml: `<protocol value="${name}"/>` }
        : { option: `--add-port=${port}/${name}`, xml: portXml(port, name) },
    );
  if (element === 'service' && daddr !== undefined)
    return daddr.values.flatMap((range) =>
      prefixesOf(daddr.version, range).flatMap((address) =>
        tests.map((port) => richRule({ version: daddr.version, address, way: 'out', protocol: name, port })),
      ),
    );
  const named = ` service name="${service?.name ?? ''}"`;
  if (element !== 'rich-rule' || daddr !== undefined || !valueIsWhole || !value.includes(named))
    return undefined;
  return tests.map((port) => {
    const test = port === undefined ? ` protocol value="${name}"` : ` port port="${port}" protocol="${name}"`;
    const text = value.replace(named, test);
    return { option: RICH_VALUE.test(text) ? `--add-rich-rule='${text}'` : '', xml: text };
  });
}

function portText({ lo, hi }: Interval): string {
  return lo === hi ? `${lo}` : `${lo}-${hi}`;
}

function portXml(port: string, protocol: string): string {
  return `<port port="${port}" protocol="${protocol}"/>`;
}

/** `192.0.2.10`, `198.51.100.0/28`: an interval that is no prefix takes several. */
function prefixesOf(version: IpVersion, range: Interval): string[] {
  return intervalToPrefixes(version, range).map(({ value, prefixLength }) =>
    prefixLength === addressBits(version)
      ? formatAddress(version, value)
      : `${formatAddress(version, value)}/${prefixLength}`,
  );
}

/** Parts of an accepting rich rule. */
interface RichParts {
  readonly version: IpVersion;
  readonly address: string;
  readonly way: 'in' | 'out';
  readonly protocol: string;
  /** `undefined`: every port of the protocol. */
  readonly port: string | undefined;
  readonly priority?: number | undefined;
}

function richRule({ version, address, way, protocol, port, priority }: RichParts): Addition {
  const side = way === 'in' ? 'source' : 'destination';
  return richRuleOf(`family="ipv${version}"`, side, `address="${address}"`, protocol, port, priority);
}

function richRuleOf(
  family: string | undefined,
  side: 'source' | 'destination',
  who: string,
  protocol: string,
  port: string | undefined,
  priority: number | undefined,
): Addition {
  const attributes = [
    ...(priority === undefined ? [] : [`priority="${priority}"`]),
    ...(family === undefined ? [] : [family]),
  ];
  const head = ['rule', ...attributes].join(' ');
  const what =
    port === undefined ? `protocol value="${protocol}"` : `port port="${port}" protocol="${protocol}"`;
  return {
    option: `--add-rich-rule='${head} ${side} ${who} ${what} accept'`,
    xml: `<${head}><${side} ${who}/><${what}/><accept/></rule>`,
  };
}

/** Rich rules for access, one for each address and port range, or on ipsets; `undefined` for more sources than a command takes. */
function additionsOf(
  rules: readonly Access[],
  way: 'in' | 'out',
  priority: number | undefined,
): Additions | undefined {
  const each = rules.map((rule) => ({
    rule,
    addresses: rule.sources.flatMap((source) => prefixesOf(rule.version, source)),
    ports: rule.ports.length === 0 ? [undefined] : rule.ports.map(portText),
  }));
  if (each.reduce((n, { addresses }) => n + addresses.length, 0) > MOST_SOURCES) return undefined;
  const isMany =
    each.reduce((n, { addresses, ports }) => n + addresses.length * ports.length, 0) > MOST_RULES;
  const names = new Set<string>();
  const before: string[] = [];
  const additions: Addition[] = [];
  for (const { rule, addresses, ports } of each) {
    const { version } = rule;
    const protocol = formatProtocol(rule.protocol);
    if (!isMany || addresses.length === 1) {
      for (const address of addresses)
        for (const port of ports)
          additions.push(richRule({ version, address, way, protocol, port, priority }));
      continue;
    }
    const name = freeSetName(`nw-${version === 6 ? 'v6-' : ''}${protocol}-${ports[0] ?? 'all'}`, names);
    before.push(...newIpset(name, version, addresses));
    const side = way === 'in' ? 'source' : 'destination';
    for (const port of ports)
      additions.push(richRuleOf(undefined, side, `ipset="${name}"`, protocol, port, priority));
  }
  return { before, additions };
}

function newIpset(name: string, version: IpVersion, addresses: readonly string[]): string[] {
  const family = version === 6 ? ' --option=family=inet6' : '';
  return [
    `firewall-cmd --permanent --new-ipset=${name} --type=hash:net${family}`,
    ...addresses.map((address) => `firewall-cmd --permanent --ipset=${name} --add-entry=${address}`),
  ];
}

const RUNTIME_ONLY =
  'No file of the export makes this rule: it was added at run time only, and the reload ends it, with all else that was changed so.';

/** A rule of firewalld's own table where no file says which element it comes from. */
function replaceUntold(place: RulePlace, rules: readonly WantedRule[], known: ChangeContext): Advice {
  const { table, chain, rule } = place;
  const holder = holderOfChain(table, chain.name);
  if (holder === undefined || !NAME.test(holder.name)) return { commands: [], note: whereToChange(table) };
  const told = additionsOf(rules.filter(isAccess), 'in', undefined);
  if (told === undefined) return { commands: [], note: TOO_MANY_SOURCES };
  const to = commandTo(holder);
  const test = readTest(rule.matches);
  const adding = [...told.before, ...told.additions.map(({ option }) => `${to} ${option}`)];
  const isPort =
    rule.verdict.kind === 'accept' &&
    /_allow$/.test(chain.name) &&
    test?.protocol !== undefined &&
    test.dports?.length === 1 &&
    test.saddr === undefined &&
    test.daddr === undefined &&
    test.sports === undefined;
  const base = {
    dialect: 'firewalld',
    replace: rule.text,
    with: told.additions.map(({ xml }) => xml),
  } as const;
  if (known.isRuntimeOnly === true) {
    const command = [...adding, RELOAD].join(NEXT);
    return { commands: [{ ...base, command }], note: RUNTIME_ONLY };
  }
  if (!isPort) {
    const note = `The rule comes from ${holder.kind} ${holder.name}: "${to} --list-all" shows the element it is made of. Take that away there, with "firewall-cmd --permanent", and not the rule, which firewalld writes anew at every reload. With the files of /etc/firewalld among the exports, the command would stand here.`;
    return { commands: told.additions.length === 0 ? [] : [{ ...base, command: '' }], note };
  }
  const port = `${portText(test.dports[0]!)}/${formatProtocol(test.protocol)}`;
  const lines = [...adding, `${to} --remove-port=${port}`, RELOAD];
  const note = `If it answers NOT_ENABLED for ${port}, a service opens the port: "${to} --list-services" shows which, and --remove-service takes it away. ${RELOAD_NOTE}`;
  return { commands: [{ ...base, command: lines.join(NEXT) }], note };
}

/** Rich rules where the packets are stopped: in the zone or policy that decides them. */
function insertRules(change: Extract<Change, { readonly kind: 'insert' }>): Advice {
  const { table, chain, before, direction } = change;
  const holder = before?.configured?.holder ?? holderOfChain(table, chain.name);
  if (holder === undefined || !NAME.test(holder.name)) return { commands: [], note: whereToChange(table) };
  const denial = priorityBefore(chain.name, before);
  if (denial !== undefined && denial.priority < LOWEST_PRIORITY)
    return {
      commands: [],
      note: `The rich rule "${before?.text}" has the lowest priority there is: nothing can stand before it. Change or remove it.`,
    };
  const told = additionsOf(change.rules.filter(isAccess), direction, denial?.priority);
  if (told === undefined) return { commands: [], note: TOO_MANY_SOURCES };
  const to = commandTo(holder);
  const lines = [...told.before, ...told.additions.map(({ option }) => `${to} ${option}`), RELOAD];
  const notes = [
    ...(denial === undefined ? [] : [denial.note]),
    ...(before?.handle === undefined ? [] : [RELOAD_NOTE]),
  ];
  return {
    commands: [
      {
        dialect: 'firewalld',
        replace: null,
        with: told.additions.map(({ xml }) => xml),
        command: lines.join(NEXT),
      },
    ],
    ...(notes.length === 0 ? {} : { note: notes.join(' ') }),
  };
}

const LOWEST_PRIORITY = -32_768;

/** The priority that puts a rich rule before a denial; `undefined` where the usual place comes first anyway. */
function priorityBefore(
  chain: string,
  before: Rule | undefined,
): { readonly priority: number; readonly note: string } | undefined {
  const isEarly = /_pre$/.test(chain);
  if (before === undefined || (!isEarly && !/_deny$/.test(chain))) return undefined;
  const given = /^rule priority="(-?\d{1,5})"/.exec(before.configured?.value ?? '')?.[1];
  const own = given === undefined ? (isEarly ? LOWEST_PRIORITY + 1 : 0) : Number(given);
  return {
    priority: own - 1,
    note: `The ${before.configured?.element === 'icmp-block' ? 'ICMP block' : 'rich rule'} "${before.text}" stops these packets before anything is let in: the new rules stand before it by their priority.`,
  };
}
