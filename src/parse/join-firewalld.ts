/**
 * Puts the firewalld files of a host beside what its other exports show. See docs/decisions/two-exports.md.
 */
import {
  type Chain,
  EMPTY_RULESET,
  type Match,
  type NamedSet,
  type Origin,
  type ParseDiagnostic,
  type Ruleset,
  type Table,
} from '../model/index.ts';
import { quote } from './diagnostic-log.ts';
import {
  type Distribution,
  type FirewalldFile,
  type InterfaceBinding,
  parseFirewalld,
  readFirewalldFiles,
} from './firewalld-xml/index.ts';

/** What a host's firewalld files add to its rules. */
export interface JoinedFirewalld {
  /** What runs: the other exports alone where they show what firewalld loaded, else both. */
  readonly ruleset: Ruleset;
  /** What firewalld would load from its files, where something else shows what runs; the two are compared. */
  readonly permanent: Ruleset | undefined;
  /** What the files alone say, for counting. */
  readonly own: Ruleset;
  readonly diagnostics: readonly ParseDiagnostic[];
}

/** What is known of a host beside its files. */
export interface FirewalldContext {
  /** Zone of each interface as `nwaudit.yaml` declares them; `undefined` where it declares none. */
  readonly interfaces: readonly InterfaceBinding[] | undefined;
  /** Whose package of firewalld it has; `undefined`: told from the files where they show it. */
  readonly distribution: Distribution | undefined;
  /** Whether JSON of nft is among the other exports: it shows what firewalld loaded, or that it loaded nothing. */
  readonly hasNftJson: boolean;
}

/**
 * Joins firewalld files with the rules that the other files of the host show. Where those include what firewalld loaded (JSON of nft, or
 * iptables-save of firewalld's iptables backend), they are what runs.
 */
export function joinFirewalld(
  files: readonly FirewalldFile[],
  others: Ruleset,
  { interfaces, distribution, hasNftJson }: FirewalldContext,
): JoinedFirewalld {
  if (files.length === 0)
    return { ruleset: others, permanent: undefined, own: EMPTY_RULESET, diagnostics: [] };
  const runs = hasNftJson || others.tables.some(isIptablesBackend);
  const running = runs ? runningBindings(others, files) : [];
  const bindings = [...(interfaces ?? []), ...running];
  const parsed = parseFirewalld(files, {
    ...(interfaces === undefined && !runs ? {} : { interfaces: bindings }),
    ...(distribution === undefined ? {} : { distribution }),
  });
  const own = parsed.ruleset;
  if (own.tables.length === 0)
    return { ruleset: others, permanent: undefined, own, diagnostics: parsed.diagnostics };
  const diagnostics = [...parsed.diagnostics, ...bindingNotes(running)];
  if (runs) return { ruleset: others, permanent: own, own, diagnostics };
  const { tables, left } = withoutShown(own.tables, others.tables);
  for (const table of left) diagnostics.push(directNote(table, others));
  return {
    ruleset: {
      tables: [...others.tables, ...tables],
      namedSets: [...others.namedSets, ...missingSets(own.namedSets, others.namedSets)],
    },
    permanent: undefined,
    own,
    diagnostics,
  };
}

/** iptables-save of a host whose firewalld writes its zones with iptables. */
function isIptablesBackend(table: Table): boolean {
  return table.chains.some(({ name }) => name === 'INPUT_ZONES' || name === 'INPUT_ZONES_SOURCE');
}

/** Tables of direct rules that an export of the host shows as they are. */
function withoutShown(
  own: readonly Table[],
  others: readonly Table[],
): { readonly tables: readonly Table[]; readonly left: readonly Table[] } {
  const isShown = (table: Table) =>
    others.some((other) => other.family === table.family && other.name === table.name);
  return { tables: own.filter((table) => !isShown(table)), left: own.filter(isShown) };
}

function directNote(table: Table, others: Ruleset): ParseDiagnostic {
  const shown = others.tables.find((other) => other.family === table.family && other.name === table.name);
  return {
    kind: 'note',
    incomplete: false,
    origin: table.origin,
    detail: `the direct rules of table ${quote(table.name)} (${table.family}) are taken from ${shown?.origin.file ?? 'the other export'}, which shows what runs`,
  };
}

function missingSets(own: readonly NamedSet[], others: readonly NamedSet[]): readonly NamedSet[] {
  const known = new Set(others.map(({ name }) => name));
  return own.filter(({ name }) => !known.has(name));
}

/** `filter_INPUT_ZONES` of firewalld 0.6 to 2.x, and `INPUT_ZONES` of its iptables backend. */
const DISPATCH_CHAIN = /^(?:filter_)?INPUT_ZONES(?:_IFACES)?$/;
const ZONE_CHAIN = /^(?:filter_)?IN_(.+)$/;

/** Interfaces that the running firewall binds to a zone and no file does: NetworkManager, or a change that was not made permanent. */
function runningBindings(ruleset: Ruleset, files: readonly FirewalldFile[]): readonly InterfaceBinding[] {
  const configured = readFirewalldFiles(files);
  const known = new Set([
    ...configured.zones.flatMap((zone) => zone.interfaces.map(({ name }) => name)),
    ...configured.bindings.map((binding) => binding.interface),
  ]);
  const found = new Map<string, InterfaceBinding>();
  for (const table of ruleset.tables) {
    for (const chain of table.chains) {
      if (!DISPATCH_CHAIN.test(chain.name)) continue;
      for (const binding of bindingsIn(chain)) {
        if (!known.has(binding.interface) && !found.has(binding.interface))
          found.set(binding.interface, binding);
      }
    }
  }
  return [...found.values()];
}

function bindingsIn(chain: Chain): InterfaceBinding[] {
  return chain.rules.flatMap(({ matches, verdict, origin }) => {
    if (verdict.kind !== 'goto' && verdict.kind !== 'jump') return [];
    const zone = ZONE_CHAIN.exec(verdict.chain)?.[1];
    const name = onlyInterface(matches);
    return zone === undefined || name === undefined ? [] : [{ interface: name, zone, origin }];
  });
}

/** The interface a rule asks for, where it asks for nothing else. A prefix is written as firewalld does, `eth+`. */
function onlyInterface(matches: readonly Match[]): string | undefined {
  const [match] = matches;
  if (matches.length !== 1 || match === undefined) return undefined;
  const { condition } = match;
  if (condition.kind !== 'interface' || condition.field !== 'iif' || condition.name === '') return undefined;
  return `${condition.name}${condition.prefix ? '+' : ''}`;
}

/** Most interfaces that a note names. */
const MOST_NAMED = 8;

function bindingNotes(bindings: readonly InterfaceBinding[]): ParseDiagnostic[] {
  const [first] = bindings;
  if (first === undefined) return [];
  const named = bindings.slice(0, MOST_NAMED).map((b) => `${b.interface} in zone ${b.zone}`);
  const more = bindings.length > MOST_NAMED ? ` and ${bindings.length - MOST_NAMED} more` : '';
  return [
    {
      kind: 'note',
      incomplete: false,
      origin: first.origin,
      detail: `only the running firewall shows ${named.join(', ')}${more}; it is assumed that NetworkManager keeps this, as it does not stand in the zone files`,
    },
  ];
}

/** Rules of a ruleset that an element of one file stands for; what firewalld adds of its own is not counted. */
export function partOf({ tables }: Ruleset, file: string): Ruleset {
  const isHere = (origin: Origin) => origin.file === file && origin.path !== null;
  const here = tables.flatMap((table) => {
    const chains = table.chains.flatMap((chain) => {
      const rules = chain.rules.filter((rule) => isHere(rule.origin));
      return rules.length === 0 ? [] : [{ ...chain, rules }];
    });
    return chains.length === 0 ? [] : [{ ...table, chains }];
  });
  return here.length === 0 ? EMPTY_RULESET : { tables: here, namedSets: [] };
}
