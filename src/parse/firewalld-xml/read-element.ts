import type { Origin } from '../../model/index.ts';
import type { PortElement } from './configuration.ts';
import { ELEMENTS_OF_2, GRAMMARS, type ObjectKind } from './read-grammar.ts';
import { type ProblemLog, quote } from './read-log.ts';
import { isPortProtocol, isProtocol, parsePortRange } from './read-values.ts';
import type { XmlElement } from './xml.ts';

/** Value of an attribute, or `undefined` where it is absent. */
export function attributeOf(element: XmlElement, name: string): string | undefined {
  return element.attributes.get(name)?.value;
}

/** Place of an attribute, or of the element where it is absent. */
export function placeOf(element: XmlElement, name: string): Origin {
  return element.attributes.get(name)?.origin ?? element.origin;
}

/**
 * Whether the element may stand in a file of `kind` with these attributes. What firewalld refuses is told; unknown
 * attributes are otherwise passed over, so the answer is `false` only where the element cannot be used.
 */
export function checkGrammar(kind: ObjectKind, element: XmlElement, log: ProblemLog): boolean {
  const grammars = GRAMMARS[kind];
  const grammar = Object.hasOwn(grammars, element.name) ? grammars[element.name] : undefined;
  if (grammar === undefined) {
    log.fatal(element.origin, `unknown element <${shorten(element.name)}> in a ${kind} file`);
    return false;
  }
  if (ELEMENTS_OF_2.includes(element.name)) log.version2(element.origin, `<${element.name}>`);
  let usable = true;
  for (const name of grammar.required) {
    if (element.attributes.has(name)) continue;
    log.fatal(element.origin, `<${element.name}> has no attribute "${name}"`);
    usable = false;
  }
  for (const attribute of element.attributes.values()) {
    if (grammar.required.includes(attribute.name) || grammar.optional.includes(attribute.name)) continue;
    if (grammar.version2.includes(attribute.name))
      log.version2(attribute.origin, `the attribute "${attribute.name}" of <${element.name}>`);
    else log.fatal(attribute.origin, `unknown attribute ${quote(attribute.name)} of <${element.name}>`);
  }
  return usable;
}

function shorten(name: string): string {
  return name.length <= 60 ? name : `${name.slice(0, 60)}…`;
}

/** A port with its protocol, checked; `undefined` where it cannot be used, and then said why. */
export function readPort(element: XmlElement, log: ProblemLog): PortElement | undefined {
  const port = attributeOf(element, 'port') ?? '';
  const protocol = attributeOf(element, 'protocol') ?? '';
  const isPort = checkPort(element, 'port', log);
  const isKnown = isPortProtocol(protocol);
  if (!isKnown)
    log.fatal(
      placeOf(element, 'protocol'),
      `${quote(protocol)} is no protocol with ports (tcp, udp, sctp, dccp)`,
    );
  return isPort && isKnown ? { port, protocol, origin: element.origin } : undefined;
}

/** Whether an attribute is a port or range; says what firewalld does otherwise. */
export function checkPort(element: XmlElement, attribute: string, log: ProblemLog): boolean {
  const text = attributeOf(element, attribute) ?? '';
  const range = parsePortRange(text);
  if (range === 'name') {
    log.uncertain(placeOf(element, attribute), `the port ${quote(text)} is a name nwaudit does not know`);
    return false;
  }
  if (range === undefined) log.fatal(placeOf(element, attribute), `${quote(text)} is no port`);
  return range !== undefined;
}

/** Whether an attribute is a protocol; says that firewalld refuses it otherwise. */
export function checkProtocol(element: XmlElement, attribute: string, log: ProblemLog): boolean {
  const text = attributeOf(element, attribute) ?? '';
  if (isProtocol(text)) return true;
  log.fatal(placeOf(element, attribute), `${quote(text)} is no protocol`);
  return false;
}
