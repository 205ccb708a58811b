/** Both sides of a policy: what firewalld asks of where a packet comes from and where it goes, and which two go together. */
import type { Match } from '../../model/index.ts';
import type { IpVersion } from '../../net/index.ts';
import type { ZoneSource } from './configuration.ts';
import { any, parseMac } from './translate-matches.ts';
import { ipsetVersion } from './translate-sets.ts';
import type { World } from './translate-world.ts';

/** One thing a zone is bound to, as a test of one side of a policy. */
export interface Side {
  readonly match: Match;
  /** Header that the test looks at; `undefined` for interfaces and for sets of several parts, which firewalld does not look into. */
  readonly header: 'ip' | 'ip6' | 'ether' | undefined;
  /** IP version that the kernel sees in the test. */
  readonly version: IpVersion | undefined;
}

/** The test of an interface. */
export function interfaceSide(match: Match): Side {
  return { match, header: undefined, version: undefined };
}

/** The test of a zone's source. */
export function sourceSide({ kind, value }: ZoneSource, match: Match, world: World): Side {
  if (kind === 'ipset') {
    const ipset = world.sets.get(value);
    const version = ipset === undefined ? undefined : ipsetVersion(ipset);
    const isPlain = ipset !== undefined && !ipset.type.includes(',');
    return { match, header: isPlain ? headerOf(version) : undefined, version };
  }
  const version = parseMac(value) !== undefined ? undefined : value.includes(':') ? 6 : 4;
  return { match, header: headerOf(version), version };
}

function headerOf(version: IpVersion | undefined): 'ip' | 'ip6' | 'ether' {
  return version === undefined ? 'ether' : version === 6 ? 'ip6' : 'ip';
}

/** firewalld writes one rule for each pair. More pairs than these are asked together, which gives the same verdicts. */
const MOST_PAIRS = 256;

/** What the rules of a policy test, and two tests that nft refuses in one rule, if there are any. */
export interface Pairs {
  readonly rules: readonly (readonly Match[])[];
  readonly refused: readonly [Match, Match] | undefined;
}

const EVERYTHING: readonly (readonly Side[])[] = [[]];

/**
 * The tests of each rule; a side that is `undefined` means every packet. Of two sides firewalld pairs only what looks at the same header,
 * so that a MAC address does not go with an IP address. It does not look into sets of several parts; those with the other IP version
 * nft refuses. With the iptables backend everything is paired.
 */
export function pairsOf(
  from: readonly Side[] | undefined,
  to: readonly Side[] | undefined,
  isIptables: boolean,
): Pairs {
  const isMany = (from?.length ?? 1) * (to?.length ?? 1) > MOST_PAIRS;
  const rules: (readonly Match[])[] = [];
  let refused: Pairs['refused'];
  for (const first of from === undefined ? EVERYTHING : groupsOf(from, isMany))
    for (const second of to === undefined ? EVERYTHING : groupsOf(to, isMany)) {
      const [one, other] = [first[0], second[0]];
      if (one !== undefined && other !== undefined && !isIptables) {
        if (differ(one.header, other.header)) continue;
        if (differ(one.version, other.version)) refused ??= [one.match, other.match];
      }
      rules.push([first, second].flatMap((group) => together(group.map(({ match }) => match))));
    }
  return { rules, refused };
}

function differ<T>(one: T | undefined, other: T | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other;
}

/** Sides that may be asked together because they pair with the same others. */
function groupsOf(sides: readonly Side[], isMany: boolean): readonly (readonly Side[])[] {
  if (!isMany) return sides.map((side) => [side]);
  const groups = new Map<string, Side[]>();
  for (const side of sides) {
    const key = `${side.header} ${side.version}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [side]);
    else group.push(side);
  }
  return [...groups.values()];
}

function together(matches: readonly Match[]): readonly Match[] {
  const [first] = matches;
  if (first === undefined || matches.length === 1) return matches;
  const text = `${first.text} and ${matches.length - 1} more`;
  return [{ text, condition: any(...matches.map(({ condition }) => condition)) }];
}
