/** Reads services, icmptypes and helpers. */
import type { Origin } from '../../model/index.ts';
import type { Icmptype, NamedElement, PortElement, Service } from './configuration.ts';
import { attributeOf, checkGrammar, checkProtocol, placeOf, readPort } from './read-element.ts';
import { type ProblemLog, quote, startOfFile } from './read-log.ts';
import { isNetworkOf, isYes } from './read-values.ts';
import type { XmlElement, XmlHandler } from './xml.ts';

/** Collects one service file. */
export class ServiceReader implements XmlHandler {
  readonly #log: ProblemLog;
  readonly #ports: PortElement[] = [];
  readonly #protocols: NamedElement[] = [];
  readonly #sourcePorts: PortElement[] = [];
  readonly #includes: NamedElement[] = [];
  readonly #helpers: NamedElement[] = [];
  readonly #seen = new Set<string>();
  readonly #destination = new Map<'ipv4' | 'ipv6', string>();
  #destinationOrigin: Origin | undefined;
  #root: Origin;

  constructor(file: string, log: ProblemLog) {
    this.#root = startOfFile(file);
    this.#log = log;
  }

  note(detail: string, origin: Origin): void {
    this.#log.note(origin, detail);
  }

  start(element: XmlElement): void {
    if (!checkGrammar('service', element, this.#log)) return;
    const { name, origin } = element;
    if (name === 'service') this.#root = origin;
    else if (name === 'port' && attributeOf(element, 'port') === '') {
      // Without a number, the port element is the whole protocol.
      if (checkProtocol(element, 'protocol', this.#log)) this.#named(this.#protocols, element, 'protocol');
    } else if (name === 'port') this.#port(this.#ports, element);
    else if (name === 'source-port') this.#port(this.#sourcePorts, element);
    else if (name === 'protocol') {
      if (checkProtocol(element, 'value', this.#log)) this.#named(this.#protocols, element, 'value');
    } else if (name === 'module') this.#module(element);
    else if (name === 'helper') this.#named(this.#helpers, element, 'name');
    else if (name === 'include') this.#named(this.#includes, element, 'service');
    else if (name === 'destination') this.#addresses(element);
  }

  end(): void {}

  service(name: string): Service {
    const destination =
      this.#destination.size === 0
        ? undefined
        : {
            ipv4: this.#destination.get('ipv4'),
            ipv6: this.#destination.get('ipv6'),
            origin: this.#destinationOrigin ?? this.#root,
          };
    return {
      name,
      ports: this.#ports,
      protocols: this.#protocols,
      sourcePorts: this.#sourcePorts,
      includes: this.#includes,
      helpers: this.#helpers,
      destination,
      origin: this.#root,
    };
  }

  #port(list: PortElement[], element: XmlElement): void {
    const port = readPort(element, this.#log);
    if (port === undefined) return;
    if (this.#isNew(`${element.name} ${port.port} ${port.protocol}`, element, `the <${element.name}>`))
      list.push(port);
  }

  #named(list: NamedElement[], element: XmlElement, attribute: string): void {
    const name = attributeOf(element, attribute) ?? '';
    const kind = list === this.#protocols ? 'protocol' : element.name;
    if (this.#isNew(`${kind} ${name}`, element, `${kind} ${quote(name)}`))
      list.push({ name, origin: element.origin });
  }

  /** Whether this is the first of its kind; says otherwise that it has no effect. */
  #isNew(key: string, element: XmlElement, what: string): boolean {
    if (!this.#seen.has(key)) {
      this.#seen.add(key);
      return true;
    }
    this.#log.note(element.origin, `${what} stands here a second time`);
    return false;
  }

  #module(element: XmlElement): void {
    let name = attributeOf(element, 'name') ?? '';
    if (name.startsWith('nf_conntrack_')) name = name.replaceAll('nf_conntrack_', '').replaceAll('_', '-');
    if (name.length < 2) this.#log.fatal(placeOf(element, 'name'), `${quote(name)} is no module`);
    else if (this.#isNew(`module ${name}`, element, `the module ${quote(name)}`))
      this.#helpers.push({ name, origin: element.origin });
  }

  #addresses(element: XmlElement): void {
    for (const family of ['ipv4', 'ipv6'] as const) {
      const value = attributeOf(element, family);
      if (value === undefined) continue;
      if (!isNetworkOf(family, value)) {
        this.#log.fatal(placeOf(element, family), `${quote(value)} is no ${family} address or network`);
        continue;
      }
      if (this.#destination.has(family))
        this.#log.note(placeOf(element, family), `a second destination for ${family} has no effect`);
      else {
        if (this.#destination.size === 0) this.#destinationOrigin = element.origin;
        this.#destination.set(family, value);
      }
    }
  }
}

/** Collects one icmptype file. */
export class IcmptypeReader implements XmlHandler {
  readonly #log: ProblemLog;
  readonly #families = new Set<string>();
  #root: Origin;

  constructor(file: string, log: ProblemLog) {
    this.#root = startOfFile(file);
    this.#log = log;
  }

  note(detail: string, origin: Origin): void {
    this.#log.note(origin, detail);
  }

  start(element: XmlElement): void {
    if (!checkGrammar('icmptype', element, this.#log)) return;
    if (element.name === 'icmptype') this.#root = element.origin;
    else if (element.name === 'destination') {
      for (const family of ['ipv4', 'ipv6'])
        if (isYes(attributeOf(element, family) ?? '')) this.#families.add(family);
    }
  }

  end(): void {}

  icmptype(name: string): Icmptype {
    const both = this.#families.size === 0;
    return {
      name,
      ipv4: both || this.#families.has('ipv4'),
      ipv6: both || this.#families.has('ipv6'),
      origin: this.#root,
    };
  }
}

/** Collects one helper file: only its name matters, a helper admits nothing by itself. */
export class HelperReader implements XmlHandler {
  readonly #log: ProblemLog;
  #root: Origin;

  constructor(file: string, log: ProblemLog) {
    this.#root = startOfFile(file);
    this.#log = log;
  }

  note(detail: string, origin: Origin): void {
    this.#log.note(origin, detail);
  }

  start(element: XmlElement): void {
    if (!checkGrammar('helper', element, this.#log)) return;
    if (element.name === 'port') readPort(element, this.#log);
    if (element.name !== 'helper') return;
    this.#root = element.origin;
    const family = attributeOf(element, 'family');
    const module = attributeOf(element, 'module') ?? '';
    if (family !== undefined && family !== 'ipv4' && family !== 'ipv6')
      this.#log.fatal(placeOf(element, 'family'), `${quote(family)} is neither "ipv4" nor "ipv6"`);
    if (!module.startsWith('nf_conntrack_') || module.replaceAll('nf_conntrack_', '') === '')
      this.#log.fatal(placeOf(element, 'module'), `${quote(module)} is no connection tracking module`);
  }

  end(): void {}

  helper(name: string): NamedElement {
    return { name, origin: this.#root };
  }
}
