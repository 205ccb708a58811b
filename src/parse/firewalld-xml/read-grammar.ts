/** Which elements and attributes each kind of file may have. Facts: firewalld 1.3.3 and the manual pages of 2.x. */

/** Kinds of files, as their root elements are called. */
export type ObjectKind = 'zone' | 'policy' | 'service' | 'ipset' | 'icmptype' | 'helper' | 'direct';

/** Elements that only firewalld 2.x takes. */
export const ELEMENTS_OF_2: readonly string[] = ['disable'];

/** Attributes of one element: those that must stand there, those that may, and those that only firewalld 2.x takes. */
export interface ElementGrammar {
  readonly required: readonly string[];
  readonly optional: readonly string[];
  readonly version2: readonly string[];
}

function element(
  required: readonly string[] = [],
  optional: readonly string[] = [],
  version2: readonly string[] = [],
): ElementGrammar {
  return { required, optional, version2 };
}

type Grammar = Readonly<Record<string, ElementGrammar>>;

const TEXTS: Grammar = { short: element(), description: element() };

/** What zones and policies share. */
const RULES: Grammar = {
  ...TEXTS,
  service: element(['name']),
  port: element(['port', 'protocol']),
  'icmp-block': element(['name']),
  'icmp-type': element(['name']),
  'forward-port': element(['port', 'protocol'], ['to-port', 'to-addr']),
  rule: element([], ['family', 'priority']),
  source: element([], ['address', 'mac', 'invert', 'family', 'ipset']),
  destination: element([], ['address', 'invert', 'ipset']),
  protocol: element(['value']),
  'source-port': element(['port', 'protocol']),
  log: element([], ['prefix', 'level']),
  nflog: element([], ['group', 'prefix', 'queue-size']),
  audit: element(),
  accept: element(),
  reject: element([], ['type']),
  drop: element(),
  mark: element(['set']),
  limit: element(['value'], [], ['burst']),
  'tcp-mss-clamp': element([], ['value']),
};

/** Elements of each kind of file. Nesting is free: firewalld does not look at it. */
export const GRAMMARS: Readonly<Record<ObjectKind, Grammar>> = {
  zone: {
    ...RULES,
    zone: element(
      [],
      ['name', 'immutable', 'target', 'version'],
      ['priority', 'ingress-priority', 'egress-priority'],
    ),
    forward: element(),
    interface: element(['name']),
    'icmp-block-inversion': element(),
    masquerade: element([], ['enabled']),
  },
  policy: {
    ...RULES,
    policy: element(['target'], ['version', 'priority']),
    masquerade: element(),
    'ingress-zone': element(['name']),
    'egress-zone': element(['name']),
    disable: element(),
  },
  service: {
    ...TEXTS,
    service: element([], ['name', 'version']),
    port: element(['port', 'protocol']),
    protocol: element(['value']),
    module: element(['name']),
    destination: element([], ['ipv4', 'ipv6']),
    'source-port': element(['port', 'protocol']),
    include: element(['service']),
    helper: element(['name']),
  },
  ipset: {
    ...TEXTS,
    ipset: element(['type'], ['version']),
    option: element(['name'], ['value']),
    entry: element(),
  },
  icmptype: {
    ...TEXTS,
    icmptype: element([], ['name', 'version']),
    destination: element([], ['ipv4', 'ipv6']),
  },
  helper: {
    ...TEXTS,
    helper: element(['module'], ['name', 'version', 'family']),
    port: element(['port', 'protocol']),
  },
  direct: {
    direct: element(),
    chain: element(['ipv', 'table', 'chain']),
    rule: element(['ipv', 'table', 'chain', 'priority']),
    passthrough: element(['ipv']),
  },
};

/** Characters a name may have beside letters and digits, by kind of file. */
export const NAME_CHARACTERS: Readonly<Record<ObjectKind, string>> = {
  zone: '_-/',
  policy: '_-/',
  service: '_-',
  ipset: '_-:.',
  icmptype: '_-',
  helper: '-.',
  direct: '',
};

/** Most characters of a name before its "/": chain names are made of it. Other kinds have no limit. */
export const NAME_LENGTHS: Partial<Readonly<Record<ObjectKind, number>>> = { zone: 17, policy: 18 };
