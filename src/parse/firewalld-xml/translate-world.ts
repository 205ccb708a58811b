import type {
  Condition,
  ConfiguredElement,
  Match,
  Origin,
  ParseDiagnostic,
  Verdict,
} from '../../model/index.ts';
import type { IpVersion } from '../../net/index.ts';
import type { ConfigurationProblem, Icmptype, Service } from './configuration.ts';
import type { ChainBuilder, RuleDraft } from './translate-chains.ts';
import type { SetMatches } from './translate-sets.ts';

/** Where the rules of one zone or policy go. A chain's name without its last part (`_allow`, …); `undefined`: firewalld has none. */
export interface Holder {
  /** `zone public`, `policy backup`. */
  readonly label: string;
  readonly of: ConfiguredElement['holder'];
  /** What is admitted to the host (or, in a policy, to where it leads). */
  readonly filter: string;
  /** Rules that only mark or change packets: in a zone they stand where it forwards. */
  readonly passing: string;
  readonly natIn: string | undefined;
  readonly natOut: string | undefined;
  readonly mangle: string | undefined;
  readonly inversion: boolean;
}

/** What every part of the translation needs. One for each host. */
export interface World {
  readonly builder: ChainBuilder;
  readonly services: ReadonlyMap<string, Service>;
  readonly icmptypes: ReadonlyMap<string, Icmptype>;
  readonly sets: SetMatches;
  /** `unicast`, `broadcast`, `multicast`, `all`, or `undefined` where denied packets are not logged. */
  readonly logDenied: string | undefined;
  /** `FirewallBackend=iptables`. */
  readonly isIptables: boolean;
  /** ICMP of every kind, as the backend asks for it. */
  readonly anyIcmp: Match;
  readonly remarks: Remarks;
  /** Names taken from firewalld's own definitions, by kind. */
  readonly assumed: Assumed;
  /** Origin that definitions have which are not in the export. */
  readonly stockOrigin: Origin;
  /** What the kernel would refuse. */
  readonly refusals: ConfigurationProblem[];
}

/** Says things about the configuration, each once. */
export class Remarks {
  readonly #all: ParseDiagnostic[] = [];
  readonly #keys = new Set<string>();

  add(kind: ParseDiagnostic['kind'], incomplete: boolean, origin: Origin, detail: string): void {
    const key = `${origin.file}:${origin.line}:${origin.column}:${detail}`;
    if (this.#keys.has(key)) return;
    this.#keys.add(key);
    this.#all.push({ kind, incomplete, origin, detail });
  }

  finish(): readonly ParseDiagnostic[] {
    return this.#all;
  }
}

/** Which definitions were needed that no file of the export holds. */
export class Assumed {
  readonly #names = new Map<string, Set<string>>();

  add(kind: 'service' | 'zone' | 'policy' | 'icmptype', name: string): void {
    const names = this.#names.get(kind);
    if (names === undefined) this.#names.set(kind, new Set([name]));
    else names.add(name);
  }

  /** `zone public; services ssh, dhcpv6-client`; empty where nothing was assumed. */
  inWords(): string {
    return [...this.#names]
      .map(([kind, names]) => {
        const word = names.size === 1 ? kind : kind === 'policy' ? 'policies' : `${kind}s`;
        return `${word} ${[...names].join(', ')}`;
      })
      .join('; ');
  }
}

/** IP versions of an icmptype; both where it is not known. */
export function versionsOf(icmptype: Icmptype | undefined): readonly IpVersion[] {
  if (icmptype === undefined) return [4, 6];
  const versions: IpVersion[] = [];
  if (icmptype.ipv4) versions.push(4);
  if (icmptype.ipv6) versions.push(6);
  return versions;
}

export const ACCEPT: Verdict = { kind: 'accept' };
export const DROP: Verdict = { kind: 'drop' };
export const CONTINUE: Verdict = { kind: 'continue' };
/** How firewalld rejects on its own account. */
export const REJECT: Verdict = { kind: 'reject', with: 'icmpx admin-prohibited' };

/** An element of a zone or policy, for the rules it makes. */
export function configured(
  holder: Pick<Holder, 'of'>,
  element: ConfiguredElement['element'],
  value: string,
): { readonly configured: ConfiguredElement } {
  return { configured: { holder: holder.of, element, value, valueIsWhole: true } };
}

/** A match without a text of its own: a dependency that nft adds. */
export function needs(condition: Condition): Match {
  return { text: '', condition };
}

/** Adds a rule to a chain that firewalld may lack for the zone or policy; then it cannot load anything. */
export function addTo(
  chain: string | undefined,
  suffix: string,
  draft: RuleDraft,
  holder: Holder,
  world: World,
  priority = 0,
): void {
  if (chain !== undefined && world.builder.has(`${chain}_${suffix}`))
    world.builder.add(`${chain}_${suffix}`, draft, priority);
  else
    world.refusals.push({
      consequence: 'fatal',
      origin: draft.origin,
      detail: `firewalld has no chain for "${draft.text}" in ${holder.label}`,
    });
}
