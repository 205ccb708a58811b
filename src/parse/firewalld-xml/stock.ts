/** What firewalld's package defines itself, for names that the files of an export use and do not define. */
import type { Origin } from '../../model/index.ts';
import type {
  Icmptype,
  NamedElement,
  Policy,
  PortElement,
  RichRule,
  Service,
  StockDefinitions,
  Zone,
} from './configuration.ts';
import {
  STOCK_HELPERS,
  STOCK_ICMPTYPES,
  STOCK_POLICIES,
  STOCK_SERVICES,
  STOCK_VERSION,
  STOCK_ZONES,
} from './stock-facts.ts';

export { STOCK_VERSION } from './stock-facts.ts';

/**
 * Whose package. `rhel`: Red Hat Enterprise Linux 8 to 10 and its rebuilds, whose package adds the service `cockpit` to some
 * zones. `upstream`: firewalld as published, Debian, Ubuntu, SUSE, and Fedora's zones of the same names.
 */
export type Distribution = 'upstream' | 'rhel';

/** Zones to which the package of RHEL adds `cockpit` (the rpm's patch; `public` seen on RHEL 8 and 9). */
export const COCKPIT_ZONES: ReadonlySet<string> = new Set(['public', 'home', 'internal', 'work']);

/** Zones of distributions, which exist there and nowhere else. Source: firewalld's repository, folder config. */
const DISTRIBUTION_ZONES: Readonly<Record<string, string>> = {
  FedoraServer: 'service ssh; service dhcpv6-client; service cockpit; forward',
  FedoraWorkstation:
    'service dhcpv6-client; service ssh; service samba-client; port 1025-65535/udp; port 1025-65535/tcp; forward',
};

type Phrase = readonly [verb: string, ...rest: readonly string[]];

function phrasesOf(text: string): readonly Phrase[] {
  if (text === '') return [];
  return text.split('; ').map((phrase) => {
    const [verb = '', ...rest] = phrase.split(' ');
    return [verb, ...rest];
  });
}

/** Builds the definitions of one origin: the place in the export that stands for what is not in it. */
class Maker {
  readonly #origin: Origin;

  constructor(origin: Origin) {
    this.#origin = origin;
  }

  service(name: string, text: string): Service {
    const phrases = phrasesOf(text);
    const ipv4 = wordAfter(phrases, 'ipv4');
    const ipv6 = wordAfter(phrases, 'ipv6');
    return {
      name,
      ports: this.#ports(phrases, 'port'),
      protocols: this.#named(phrases, 'protocol'),
      sourcePorts: this.#ports(phrases, 'source-port'),
      includes: this.#named(phrases, 'include'),
      helpers: this.#named(phrases, 'helper'),
      destination:
        ipv4 === undefined && ipv6 === undefined ? undefined : { ipv4, ipv6, origin: this.#origin },
      origin: this.#origin,
    };
  }

  zone(name: string, text: string): Zone {
    const phrases = phrasesOf(text);
    return {
      ...this.#zoneOrPolicy(name, phrases),
      interfaces: [],
      sources: [],
      icmpBlockInversion: undefined,
      forward: this.#flag(phrases, 'forward'),
      ingressPriority: undefined,
      egressPriority: undefined,
    };
  }

  policy(name: string, text: string): Policy {
    const phrases = phrasesOf(text);
    return {
      ...this.#zoneOrPolicy(name, phrases),
      priority: wordAfter(phrases, 'priority'),
      ingressZones: this.#named(phrases, 'ingress-zone'),
      egressZones: this.#named(phrases, 'egress-zone'),
      disabled: false,
    };
  }

  icmptype(name: string, text: string): Icmptype {
    return { name, ipv4: text.includes('4'), ipv6: text.includes('6'), origin: this.#origin };
  }

  helper(name: string): NamedElement {
    return { name, origin: this.#origin };
  }

  #zoneOrPolicy(name: string, phrases: readonly Phrase[]) {
    return {
      name,
      target: wordAfter(phrases, 'target'),
      services: this.#named(phrases, 'service'),
      ports: this.#ports(phrases, 'port'),
      protocols: this.#named(phrases, 'protocol'),
      sourcePorts: this.#ports(phrases, 'source-port'),
      icmpBlocks: this.#named(phrases, 'icmp-block'),
      masquerade: this.#flag(phrases, 'masquerade'),
      forwardPorts: [],
      richRules: phrases.filter(([verb]) => verb === 'rule').map((phrase) => this.#rule(phrase)),
      origin: this.#origin,
    };
  }

  /** `rule ipv6 icmp-type redirect accept`, the only kind there is. */
  #rule([, family, , name]: Phrase): RichRule {
    const origin = this.#origin;
    return {
      family,
      priority: undefined,
      source: undefined,
      destination: undefined,
      elements: [{ kind: 'icmp-type', name: name ?? '', origin }],
      logs: [],
      actions: [{ kind: 'accept', rejectType: undefined, mark: undefined, limit: undefined, origin }],
      origin,
    };
  }

  #named(phrases: readonly Phrase[], verb: string): readonly NamedElement[] {
    return phrases
      .filter((p) => p[0] === verb)
      .map(([, name]) => ({ name: name ?? '', origin: this.#origin }));
  }

  #ports(phrases: readonly Phrase[], verb: string): readonly PortElement[] {
    return phrases
      .filter((p) => p[0] === verb)
      .map(([, text = '']) => {
        const [port = '', protocol = ''] = text.split('/');
        return { port, protocol, origin: this.#origin };
      });
  }

  #flag(phrases: readonly Phrase[], verb: string): Origin | undefined {
    return phrases.some((p) => p[0] === verb) ? this.#origin : undefined;
  }
}

function wordAfter(phrases: readonly Phrase[], verb: string): string | undefined {
  return phrases.find((p) => p[0] === verb)?.[1];
}

/**
 * firewalld's own definitions, all with `origin`. The zones are those of firewalld as published; see `COCKPIT_ZONES` for what
 * distributions add. Zones that only one distribution has are there when `alsoZones` names them.
 */
export function stockDefinitions(origin: Origin, alsoZones: readonly string[] = []): StockDefinitions {
  const make = new Maker(origin);
  const each = <T>(facts: Readonly<Record<string, string>>, one: (name: string, text: string) => T): T[] =>
    Object.entries(facts).map(([name, text]) => one(name, text));
  const extra = alsoZones.filter(
    (name) => Object.hasOwn(DISTRIBUTION_ZONES, name) && !Object.hasOwn(STOCK_ZONES, name),
  );
  return {
    services: each(STOCK_SERVICES, (name, text) => make.service(name, text)),
    zones: [
      ...each(STOCK_ZONES, (name, text) => make.zone(name, text)),
      ...extra.map((name) => make.zone(name, DISTRIBUTION_ZONES[name]!)),
    ],
    policies: each(STOCK_POLICIES, (name, text) => make.policy(name, text)),
    icmptypes: each(STOCK_ICMPTYPES, (name, text) => make.icmptype(name, text)),
    helpers: Object.keys(STOCK_HELPERS).map((name) => make.helper(name)),
    ipsets: [],
  };
}

/** What the definitions are from, in words. */
export const STOCK_NAME = `firewalld ${STOCK_VERSION}`;
