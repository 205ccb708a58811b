/** Reads zones and policies, element by element as firewalld does: it looks at the order of tags, not at their nesting. */
import type { Origin } from '../../model/index.ts';
import type {
  ForwardPortElement,
  NamedElement,
  Policy,
  PortElement,
  RichElement,
  RichRule,
  Zone,
  ZoneSource,
} from './configuration.ts';
import { attributeOf, checkGrammar, checkPort, checkProtocol, placeOf, readPort } from './read-element.ts';
import { type ProblemLog, quote, startOfFile } from './read-log.ts';
import { checkRule, type EndpointDraft, isUint16, type RuleDraft, ruleKey } from './read-rule.ts';
import { isIpv4, isIpv4Network, isIpv6, isIpv6Network, isMac, isYes, parsePythonInt } from './read-values.ts';
import type { XmlElement, XmlHandler } from './xml.ts';

const ZONE_TARGETS: readonly string[] = ['ACCEPT', '%%REJECT%%', 'DROP', 'default', '{chain}_{zone}'];
const POLICY_TARGETS: readonly string[] = ['ACCEPT', 'REJECT', 'DROP', 'CONTINUE'];
const LOG_LEVELS: readonly string[] = [
  'emerg',
  'alert',
  'crit',
  'error',
  'warning',
  'notice',
  'info',
  'debug',
];

/** Elements that are a rich rule's matter inside a rule and the zone's outside. */
const ELEMENTS: readonly string[] = [
  'service',
  'port',
  'protocol',
  'source-port',
  'icmp-block',
  'icmp-type',
  'masquerade',
  'forward-port',
  'tcp-mss-clamp',
];

type LimitHolder = 'action' | 'log' | 'audit';

/** Collects one zone or policy file. `zone()` and `policy()` give what was read so far. */
export class ZoneReader implements XmlHandler {
  readonly #kind: 'zone' | 'policy';
  readonly #log: ProblemLog;
  readonly #seen = new Set<string>();
  #root: Origin;
  #hasRoot = false;
  #target: string | undefined;
  #priority: string | undefined;
  #ingressPriority: string | undefined;
  #egressPriority: string | undefined;
  #disabled = false;
  readonly #services: NamedElement[] = [];
  readonly #ports: PortElement[] = [];
  readonly #protocols: NamedElement[] = [];
  readonly #sourcePorts: PortElement[] = [];
  readonly #icmpBlocks: NamedElement[] = [];
  readonly #forwardPorts: ForwardPortElement[] = [];
  readonly #richRules: RichRule[] = [];
  readonly #interfaces: NamedElement[] = [];
  readonly #sources: ZoneSource[] = [];
  readonly #ingressZones: NamedElement[] = [];
  readonly #egressZones: NamedElement[] = [];
  #masquerade: Origin | undefined;
  #forward: Origin | undefined;
  #inversion: Origin | undefined;
  #rule: RuleDraft | undefined;
  /** What made firewalld stop listening until the next end of a rule. */
  #deaf: { readonly inRule: boolean; readonly origin: Origin; skipped: number } | undefined;
  #limitHolder: LimitHolder | undefined;
  /** The rule the holder belongs to: a limit may come after the rule's end. */
  #limitRule: RuleDraft | undefined;

  constructor(kind: 'zone' | 'policy', file: string, log: ProblemLog) {
    this.#kind = kind;
    this.#root = startOfFile(file);
    this.#log = log;
  }

  note(detail: string, origin: Origin): void {
    this.#log.note(origin, detail);
  }

  start(element: XmlElement): void {
    if (this.#deaf !== undefined) {
      this.#deaf.skipped++;
      return;
    }
    if (!checkGrammar(this.#kind, element, this.#log)) return;
    const { name } = element;
    if (name === 'rule') this.#startRule(element);
    else if (ELEMENTS.includes(name)) this.#element(element);
    else if (name === 'destination') this.#destination(element);
    else if (name === 'accept' || name === 'reject' || name === 'drop' || name === 'mark')
      this.#action(element, name);
    else if (name === 'log' || name === 'nflog') this.#logElement(element, name);
    else if (name === 'audit') this.#audit(element);
    else if (name === 'limit') this.#limit(element);
    else if (name === 'source') this.#source(element);
    else if (this.#kind === 'zone') this.#zoneElement(element);
    else this.#policyElement(element);
  }

  end(name: string): void {
    if (name === 'rule') this.#endRule();
    // firewalld forgets the holder at these ends only: a <limit> behind <nflog/> is still the log's.
    else if (['accept', 'reject', 'drop', 'mark', 'log', 'audit'].includes(name))
      this.#limitHolder = undefined;
  }

  /** To be called behind the last tag. */
  finish(): void {
    this.#reportDeafness();
  }

  zone(name: string): Zone {
    return {
      ...this.#shared(name),
      interfaces: this.#interfaces,
      sources: this.#sources,
      icmpBlockInversion: this.#inversion,
      forward: this.#forward,
      ingressPriority: this.#ingressPriority,
      egressPriority: this.#egressPriority,
    };
  }

  policy(name: string): Policy {
    return {
      ...this.#shared(name),
      priority: this.#priority,
      ingressZones: this.#ingressZones,
      egressZones: this.#egressZones,
      disabled: this.#disabled,
    };
  }

  #setRoot(origin: Origin): void {
    if (!this.#hasRoot) this.#root = origin;
    this.#hasRoot = true;
  }

  #shared(name: string) {
    return {
      name,
      target: this.#target,
      services: this.#services,
      ports: this.#ports,
      protocols: this.#protocols,
      sourcePorts: this.#sourcePorts,
      icmpBlocks: this.#icmpBlocks,
      masquerade: this.#masquerade,
      forwardPorts: this.#forwardPorts,
      richRules: this.#richRules,
      origin: this.#root,
    };
  }

  /** firewalld passes over every tag until a rule ends. */
  #stopListening(origin: Origin, detail: string): void {
    this.#log.skipped(origin, detail);
    this.#deaf = { inRule: this.#rule !== undefined, origin, skipped: 0 };
  }

  #reportDeafness(): void {
    const deaf = this.#deaf;
    if (deaf === undefined || deaf.inRule || deaf.skipped === 0) return;
    this.#log.skipped(
      deaf.origin,
      `after <${this.#lastName(deaf.origin)}> outside of a rich rule come ${deaf.skipped} elements before the next </rule>`,
    );
  }

  #lastName(origin: Origin): string {
    return /([^/[]+)(?:\[\d+\])?$/.exec(origin.path ?? '')?.[1] ?? '';
  }

  #startRule(element: XmlElement): void {
    const family = attributeOf(element, 'family');
    const priority = attributeOf(element, 'priority');
    if (family !== undefined && family !== 'ipv4' && family !== 'ipv6') {
      this.#log.skipped(placeOf(element, 'family'), `a rich rule of the unknown family ${quote(family)}`);
      this.#deaf = { inRule: true, origin: element.origin, skipped: 0 };
      return;
    }
    if (priority !== undefined && parsePythonInt(priority) === undefined)
      this.#log.fatal(placeOf(element, 'priority'), `the priority ${quote(priority)} is no number`);
    if (this.#rule !== undefined)
      this.#log.skipped(this.#rule.origin, 'a rich rule in which another one begins');
    this.#rule = {
      family,
      priority,
      source: undefined,
      destination: undefined,
      element: undefined,
      log: undefined,
      audit: undefined,
      action: undefined,
      origin: element.origin,
    };
  }

  #endRule(): void {
    const rule = this.#rule;
    if (this.#deaf !== undefined) {
      this.#reportDeafness();
    } else if (rule !== undefined) {
      const checked = checkRule(rule);
      if (checked.kind === 'refused') this.#log[checked.consequence](rule.origin, checked.detail);
      else if (this.#isNew(`rule ${ruleKey(checked.rule)}`, rule.origin, 'the rich rule'))
        this.#richRules.push(checked.rule);
    }
    this.#rule = undefined;
    this.#deaf = undefined;
  }

  /** Whether this is the first of its kind; says otherwise that it has no effect. */
  #isNew(key: string, origin: Origin, what: string): boolean {
    if (!this.#seen.has(key)) {
      this.#seen.add(key);
      return true;
    }
    this.#log.note(origin, `${what} stands here a second time`);
    return false;
  }

  #element(element: XmlElement): void {
    const rule = this.#rule;
    if (rule === undefined) {
      this.#ownElement(element);
      return;
    }
    if (rule.element !== undefined)
      this.#stopListening(rule.origin, `a rich rule with both <${rule.element.kind}> and <${element.name}>`);
    else rule.element = toRichElement(element);
  }

  /** An element of the zone or policy itself. */
  #ownElement(element: XmlElement): void {
    const { name, origin } = element;
    switch (name) {
      case 'service':
        this.#named(this.#services, element, 'name');
        return;
      case 'icmp-block':
        this.#named(this.#icmpBlocks, element, 'name');
        return;
      case 'protocol':
        if (checkProtocol(element, 'value', this.#log)) this.#named(this.#protocols, element, 'value');
        return;
      case 'port':
      case 'source-port': {
        const port = readPort(element, this.#log);
        if (port !== undefined && this.#isNew(`${name} ${port.port} ${port.protocol}`, origin, `the ${name}`))
          (name === 'port' ? this.#ports : this.#sourcePorts).push(port);
        return;
      }
      case 'masquerade':
        this.#masquerade ??= origin;
        if (!isYes(attributeOf(element, 'enabled') ?? 'yes'))
          this.#log.note(placeOf(element, 'enabled'), '<masquerade> masquerades whatever "enabled" says');
        return;
      case 'forward-port':
        this.#forwardPort(element);
        return;
      case 'tcp-mss-clamp':
        if (attributeOf(element, 'value') === undefined)
          this.#log.fatal(origin, '<tcp-mss-clamp> without a value outside of a rich rule');
        else this.#log.skipped(origin, '<tcp-mss-clamp> outside of a rich rule');
        return;
      default:
        this.#log.skipped(origin, `<${name}> outside of a rich rule`);
    }
  }

  #named(list: NamedElement[], element: XmlElement, attribute: string): void {
    const name = attributeOf(element, attribute) ?? '';
    if (this.#isNew(`${element.name} ${name}`, element.origin, `${element.name} ${quote(name)}`))
      list.push({ name, origin: element.origin });
  }

  #forwardPort(element: XmlElement): void {
    const port = readPort(element, this.#log);
    const toPort = attributeOf(element, 'to-port') || undefined;
    const toAddress = attributeOf(element, 'to-addr') || undefined;
    const isFine = toPort === undefined || checkPort(element, 'to-port', this.#log);
    if (toAddress !== undefined && !isIpv4(toAddress) && !isIpv6(toAddress)) {
      this.#log.fatal(placeOf(element, 'to-addr'), `${quote(toAddress)} is no address`);
      return;
    }
    if (port === undefined || !isFine) return;
    if (toPort === undefined && toAddress === undefined) {
      this.#log.fatal(element.origin, '<forward-port> has neither "to-port" nor "to-addr"');
      return;
    }
    const key = `forward-port ${port.port} ${port.protocol} ${toPort ?? ''} ${toAddress ?? ''}`;
    if (this.#isNew(key, element.origin, 'the forward-port'))
      this.#forwardPorts.push({ ...port, toPort, toAddress });
  }

  #destination(element: XmlElement): void {
    const rule = this.#rule;
    if (rule === undefined) {
      this.#stopListening(element.origin, '<destination> outside of a rich rule');
      return;
    }
    if (rule.destination !== undefined) {
      this.#log.skipped(element.origin, 'the second <destination> of a rich rule');
      return;
    }
    rule.destination = this.#endpoint(element, false);
  }

  #source(element: XmlElement): void {
    const rule = this.#rule;
    if (rule === undefined) {
      if (this.#kind === 'zone') this.#zoneSource(element);
      else this.#stopListening(element.origin, '<source> outside of a rich rule');
      return;
    }
    if (rule.source !== undefined) {
      this.#stopListening(rule.origin, 'a rich rule with more than one <source>');
      return;
    }
    rule.source = this.#endpoint(element, true);
  }

  #endpoint(element: XmlElement, mayBeMac: boolean): EndpointDraft {
    const address = attributeOf(element, 'address') || undefined;
    const mac = mayBeMac ? attributeOf(element, 'mac') || undefined : undefined;
    const ipset = attributeOf(element, 'ipset') || undefined;
    if (address === undefined && mac === undefined && ipset === undefined)
      this.#log.fatal(element.origin, `the <${element.name}> of a rich rule has no address`);
    const invert = isYes(attributeOf(element, 'invert') ?? '');
    return { address, mac: mac?.toUpperCase(), ipset, invert, origin: element.origin };
  }

  #action(element: XmlElement, kind: 'accept' | 'reject' | 'drop' | 'mark'): void {
    const rule = this.#rule;
    if (rule === undefined) {
      this.#stopListening(element.origin, `<${kind}> outside of a rich rule`);
      return;
    }
    if (rule.action !== undefined) {
      this.#stopListening(rule.origin, 'a rich rule with more than one action');
      return;
    }
    const rejectType = kind === 'reject' ? attributeOf(element, 'type') || undefined : undefined;
    const mark = kind === 'mark' ? attributeOf(element, 'set') : undefined;
    rule.action = { kind, rejectType, mark, limit: undefined, origin: element.origin };
    this.#holdLimit(rule, 'action');
  }

  #logElement(element: XmlElement, kind: 'log' | 'nflog'): void {
    const rule = this.#rule;
    if (rule === undefined || rule.log !== undefined) {
      const detail =
        rule === undefined ? `<${kind}> outside of a rich rule` : 'the second log of a rich rule';
      this.#log.skipped(element.origin, detail);
      return;
    }
    const level = attributeOf(element, 'level');
    const prefix = attributeOf(element, 'prefix');
    const numbers = [attributeOf(element, 'group'), attributeOf(element, 'queue-size')];
    const bad =
      (level !== undefined && !LOG_LEVELS.includes(level) && `the log level ${quote(level)}`) ||
      (prefix !== undefined &&
        (prefix === '' || [...prefix].length > 127) &&
        'a log prefix without or with over 127 characters') ||
      (numbers.some((text) => text !== undefined && !isUint16(text)) && 'an nflog number that is none');
    if (bad !== false) {
      this.#stopListening(rule.origin, `a rich rule with ${bad}`);
      return;
    }
    const values = [prefix, ...numbers].filter((text) => text !== undefined);
    rule.log = { kind, limit: undefined, origin: element.origin, values };
    this.#holdLimit(rule, 'log');
  }

  #audit(element: XmlElement): void {
    const rule = this.#rule;
    if (rule === undefined) this.#log.skipped(element.origin, '<audit> outside of a rich rule');
    else if (rule.audit !== undefined)
      this.#stopListening(rule.origin, 'a rich rule with more than one <audit>');
    else {
      rule.audit = { kind: 'audit', limit: undefined, origin: element.origin };
      this.#holdLimit(rule, 'audit');
    }
  }

  #holdLimit(rule: RuleDraft, holder: LimitHolder): void {
    this.#limitRule = rule;
    this.#limitHolder = holder;
  }

  #limit(element: XmlElement): void {
    const holder = this.#limitHolder;
    const rule = this.#limitRule;
    const held = holder === undefined ? undefined : rule?.[holder];
    if (holder === undefined || rule === undefined || held === undefined) {
      this.#stopListening(element.origin, '<limit> outside of an action, log or audit');
      return;
    }
    if (held.limit !== undefined) {
      this.#stopListening(rule.origin, 'a rich rule with more than one <limit> at one place');
      return;
    }
    const limit = attributeOf(element, 'value') ?? '';
    if (holder === 'action') rule.action = { ...rule.action!, limit };
    else if (holder === 'log') rule.log = { ...rule.log!, limit };
    else rule.audit = { ...rule.audit!, limit };
  }

  #zoneElement(element: XmlElement): void {
    const { name, origin } = element;
    switch (name) {
      case 'zone':
        this.#zoneRoot(element);
        return;
      case 'forward':
        this.#forward ??= origin;
        return;
      case 'icmp-block-inversion':
        this.#inversion ??= origin;
        return;
      case 'interface':
        if (this.#rule !== undefined)
          this.#stopListening(this.#rule.origin, 'a rich rule with an <interface>');
        else this.#named(this.#interfaces, element, 'name');
        return;
    }
  }

  #zoneRoot(element: XmlElement): void {
    this.#setRoot(element.origin);
    const target = attributeOf(element, 'target');
    if (target !== undefined && !ZONE_TARGETS.includes(target))
      this.#log.fatal(placeOf(element, 'target'), `${quote(target)} is no target of a zone`);
    else if (target !== undefined && target !== 'default' && target !== '{chain}_{zone}')
      this.#target = target;
    for (const name of ['priority', 'ingress-priority', 'egress-priority']) {
      const value = attributeOf(element, name);
      if (value === undefined) continue;
      if (parsePythonInt(value) === undefined)
        this.#log.fatal(placeOf(element, name), `the priority ${quote(value)} is no number`);
      else {
        if (name !== 'egress-priority') this.#ingressPriority = value;
        if (name !== 'ingress-priority') this.#egressPriority = value;
      }
    }
    for (const name of ['name', 'immutable'])
      if (element.attributes.has(name))
        this.#log.note(placeOf(element, name), `the attribute "${name}" of <zone> has no effect`);
  }

  #zoneSource(element: XmlElement): void {
    const address = attributeOf(element, 'address');
    const ipset = attributeOf(element, 'ipset');
    if (address === undefined && ipset === undefined) {
      const detail = element.attributes.has('mac')
        ? 'a zone\'s <source> with "mac" (a MAC address goes into "address")'
        : "a zone's <source> without address or ipset";
      this.#log.skipped(element.origin, detail);
    } else if (address !== undefined && ipset !== undefined)
      this.#log.skipped(element.origin, "a zone's <source> with both address and ipset");
    else if (element.attributes.has('invert'))
      this.#log.skipped(element.origin, 'a zone\'s <source> with "invert"');
    else if (address !== undefined) this.#zoneAddress(element, address);
    else this.#zoneIpset(element, ipset ?? '');
  }

  #zoneAddress(element: XmlElement, address: string): void {
    if (!isIpv4Network(address) && !isIpv6Network(address) && !isMac(address)) {
      this.#log.fatal(placeOf(element, 'address'), `${quote(address)} is no address, network or MAC address`);
      return;
    }
    if (this.#isNew(`source ${address}`, element.origin, `source ${quote(address)}`))
      this.#sources.push({ kind: 'address', value: address, origin: element.origin });
  }

  #zoneIpset(element: XmlElement, name: string): void {
    const key = `source ipset:${name}`;
    if (this.#seen.has(key)) {
      // firewalld 1.3.3 stumbles over its own warning here.
      this.#log.fatal(element.origin, `the ipset ${quote(name)} is a source of the zone twice`);
      return;
    }
    this.#seen.add(key);
    this.#sources.push({ kind: 'ipset', value: name, origin: element.origin });
  }

  #policyElement(element: XmlElement): void {
    const { name, origin } = element;
    if (name === 'ingress-zone') this.#named(this.#ingressZones, element, 'name');
    else if (name === 'egress-zone') this.#named(this.#egressZones, element, 'name');
    else if (name === 'disable') this.#disabled = true;
    else if (name === 'policy') {
      this.#setRoot(origin);
      const target = attributeOf(element, 'target') ?? '';
      const priority = attributeOf(element, 'priority');
      if (!POLICY_TARGETS.includes(target))
        this.#log.fatal(placeOf(element, 'target'), `${quote(target)} is no target of a policy`);
      else this.#target = target;
      if (priority !== undefined && parsePythonInt(priority) === undefined)
        this.#log.fatal(placeOf(element, 'priority'), `the priority ${quote(priority)} is no number`);
      else if (priority !== undefined) this.#priority = priority;
    }
  }
}

function toRichElement(element: XmlElement): RichElement {
  const { name, origin } = element;
  const port = attributeOf(element, 'port') ?? '';
  const protocol = attributeOf(element, 'protocol') ?? '';
  switch (name) {
    case 'service':
    case 'icmp-block':
    case 'icmp-type':
      return { kind: name, name: attributeOf(element, 'name') ?? '', origin };
    case 'protocol':
      return { kind: 'protocol', name: attributeOf(element, 'value') ?? '', origin };
    case 'port':
    case 'source-port':
      return { kind: name, port, protocol, origin };
    case 'forward-port': {
      const toPort = attributeOf(element, 'to-port') || undefined;
      const toAddress = attributeOf(element, 'to-addr') || undefined;
      return { kind: 'forward-port', port, protocol, toPort, toAddress, origin };
    }
    case 'tcp-mss-clamp': {
      const value = attributeOf(element, 'value');
      return {
        kind: 'tcp-mss-clamp',
        value: value === undefined || value === 'None' ? 'pmtu' : value,
        origin,
      };
    }
    default:
      return { kind: 'masquerade', origin };
  }
}
