import type { ResolvedHost } from '../inventory/index.ts';
import type { PacketHook, ParseDiagnostic, Ruleset } from '../model/index.ts';
import type { IpVersion } from '../net/index.ts';
import type { Profile } from '../rulepack/index.ts';
import {
  analysePath,
  DEFAULT_MOST_UNKNOWNS,
  type Decision,
  decisionsOf,
  HostSpace,
  type PathAnalysis,
  sharedSpace,
  visitConditions,
} from '../semantics/index.ts';
import { isNearlyUnused, limitReached } from './budget.ts';
import type { Estate } from './peers.ts';

/** A check that went past a budget of its host. */
export interface NotRunCheck {
  /** Its id. */
  readonly check: string;
  /** Why, as a part of a sentence. */
  readonly reason: string;
}

/** What was read of one host. */
export interface HostInput {
  readonly host: ResolvedHost;
  readonly ruleset: Ruleset;
  /** What firewalld would load at its next reload, where it is known beside what runs. */
  readonly permanent?: Ruleset | undefined;
  /** Files that belong to the host. */
  readonly files: readonly string[];
  /** Diagnostics about those files. */
  readonly diagnostics: readonly ParseDiagnostic[];
  /** Checks that were tried before and went past a budget. */
  readonly notRun?: readonly NotRunCheck[];
}

/** Limits of the work on one host. */
export interface HostLimits {
  /** Size limit of packet sets in diagram nodes; absent: the default. */
  readonly nodeBudget?: number | undefined;
  /** Steps for every node of it; absent: the default. */
  readonly stepsPerNode?: number;
  /** Rule visits on all ways through the host; absent: the default. */
  readonly mostVisits?: number;
  /** What is known to go past the limits, by key of `once`; added to. */
  readonly hopeless?: Map<string, Error>;
}

function newSpace({ ruleset }: HostInput, { nodeBudget, stepsPerNode, mostVisits }: HostLimits): HostSpace {
  return new HostSpace(
    ruleset,
    nodeBudget,
    sharedSpace([ruleset], nodeBudget, stepsPerNode),
    DEFAULT_MOST_UNKNOWNS,
    mostVisits,
  );
}

/** One host under audit: its rule set, its packet sets (made when first asked for), and the estate around it. */
export class HostContext {
  readonly input: HostInput;
  readonly estate: Estate;
  readonly space: HostSpace;
  /** Size limit of the host's packet sets in diagram nodes; `undefined`: the default. */
  readonly nodeBudget: number | undefined;
  readonly #paths: Map<string, PathAnalysis>;
  readonly #decisions: Map<PathAnalysis, readonly (readonly Decision[])[]>;
  readonly #memo = new Map<string, unknown>();
  readonly #hopeless: Map<string, Error>;

  /** `same`: a context of the same input, whose packet sets this one shares. */
  constructor(input: HostInput, estate: Estate, limits: HostLimits = {}, same?: HostContext) {
    this.input = input;
    this.estate = estate;
    this.nodeBudget = limits.nodeBudget;
    this.space = same === undefined ? newSpace(input, limits) : same.space;
    // What is too much under one profile need not be under another.
    this.#hopeless = same === undefined ? (limits.hopeless ?? new Map()) : new Map();
    this.#paths = same === undefined ? new Map() : same.#paths;
    this.#decisions = same === undefined ? new Map() : same.#decisions;
  }

  /** The same host and packet sets, judged by another profile. What was computed under this one is not taken over. */
  underProfile(profile: Profile): HostContext {
    return this.once(`under profile ${profile.id}`, () => {
      const limits = this.nodeBudget === undefined ? {} : { nodeBudget: this.nodeBudget };
      return new HostContext(this.input, { ...this.estate, profile }, limits, this);
    });
  }

  get host(): ResolvedHost {
    return this.input.host;
  }

  /** IP versions whose rules were exported: an absent version is unjudged, never clean. */
  get versions(): IpVersion[] {
    const has = (family: string) =>
      this.input.ruleset.tables.some((t) => t.family === family || t.family === 'inet');
    return ([4, 6] as const).filter((v) => has(v === 4 ? 'ip' : 'ip6'));
  }

  /** Interface names that some rule names in full. */
  get mentioned(): ReadonlySet<string> {
    return this.once('mentioned interfaces', () => {
      const names = new Set<string>();
      for (const table of this.input.ruleset.tables) {
        for (const chain of table.chains) {
          for (const rule of chain.rules) {
            visitConditions(rule, (c) => {
              if (c.kind === 'interface' && !c.prefix) names.add(c.name);
            });
          }
        }
      }
      return names;
    });
  }

  path(path: PacketHook, version: IpVersion): PathAnalysis {
    const key = `${path} ${version}`;
    let analysis = this.#paths.get(key);
    if (analysis === undefined) {
      analysis = this.#within(`path ${key}`, () => analysePath(this.space, path, version));
      this.#paths.set(key, analysis);
    }
    return analysis;
  }

  /** Decisions of every base chain of a path, in the order of its runs. */
  decisions(analysis: PathAnalysis): readonly (readonly Decision[])[] {
    let all = this.#decisions.get(analysis);
    if (all === undefined) {
      all = analysis.runs.map((run) => decisionsOf(this.space, run));
      this.#decisions.set(analysis, all);
    }
    return all;
  }

  /** Jumps nested beyond use. Loops and jumps to missing chains are the parser's to report. */
  troubles(): ParseDiagnostic[] {
    const seen = new Set<string>();
    const out: ParseDiagnostic[] = [];
    for (const analysis of this.#paths.values()) {
      for (const { kind, table, chain } of analysis.troubles) {
        const key = `${kind} ${table.family} ${table.name} ${chain}`;
        if (kind !== 'depth' || seen.has(key)) continue;
        seen.add(key);
        const origin = table.chains.find((c) => c.name === chain)?.origin ?? table.origin;
        out.push({
          kind: 'contradiction',
          incomplete: true,
          origin,
          detail: `jumps to chain ${chain} of table ${table.name} are nested too deeply; what happens there is taken as unknown`,
        });
      }
    }
    return out;
  }

  /** A value computed once per host, for evaluators that share work. `key` names the value and its type. */
  once<T>(key: string, compute: () => T): T {
    if (!this.#memo.has(key)) this.#memo.set(key, this.#within(key, compute));
    // The key names the type: every key is used with one compute function.
    return this.#memo.get(key) as T;
  }

  /** Lets go of the memory of the packet sets; the context cannot be used afterwards. */
  release(): void {
    this.space.space.release();
  }

  /** Remembers what goes past the limits although hardly anything was used when it began: it is not tried again. */
  #within<T>(key: string, compute: () => T): T {
    const known = this.#hopeless.get(key);
    if (known !== undefined) throw known;
    const hadAll = isNearlyUnused(this.space);
    try {
      return compute();
    } catch (error) {
      if (hadAll && error instanceof Error && limitReached(error) !== undefined)
        this.#hopeless.set(key, error);
      throw error;
    }
  }
}
