import type {
  BaseChain,
  Chain,
  ConfiguredElement,
  Match,
  Origin,
  Rule,
  Statement,
  Table,
  Verdict,
} from '../../model/index.ts';

/** A rule before it has its place in a chain. */
export interface RuleDraft {
  readonly matches: readonly Match[];
  readonly statements?: readonly Statement[];
  readonly verdict: Verdict;
  /** What an administrator of firewalld calls it. */
  readonly text: string;
  readonly origin: Origin;
  /** The element it is made of. */
  readonly configured?: ConfiguredElement;
}

interface ChainDraft {
  readonly name: string;
  readonly base: BaseChain | undefined;
  readonly origin: Origin;
  readonly rules: { readonly priority: number; readonly draft: RuleDraft }[];
}

/** Collects the chains of one table. Rules of a chain stand by ascending priority, equal ones in the order they came. */
export class ChainBuilder {
  readonly #chains = new Map<string, ChainDraft>();

  /** Adds a chain; one that is there stays. */
  declare(name: string, origin: Origin, base?: BaseChain): void {
    if (!this.#chains.has(name)) this.#chains.set(name, { name, base, origin, rules: [] });
  }

  has(name: string): boolean {
    return this.#chains.has(name);
  }

  /** Adds a rule to a chain that was declared. */
  add(chain: string, draft: RuleDraft, priority = 0): void {
    this.#chains.get(chain)?.rules.push({ priority, draft });
  }

  /** `jump` without a test. */
  jump(chain: string, target: string, origin: Origin): void {
    this.add(chain, {
      matches: [],
      verdict: { kind: 'jump', chain: target },
      text: `jump ${target}`,
      origin,
    });
  }

  /** The table as firewalld names it. */
  finish(origin: Origin, more: readonly Chain[] = []): Table {
    const chains = [...this.#chains.values()].map(
      ({ name, base, origin: place, rules }): Chain => ({
        name,
        base,
        origin: place,
        rules: rules
          .map((rule, index) => ({ ...rule, index }))
          .sort((a, b) => a.priority - b.priority || a.index - b.index)
          .map(({ draft }, index) => toRule(draft, index + 1)),
      }),
    );
    return {
      family: 'inet',
      name: 'firewalld',
      dialect: 'firewalld',
      dormant: false,
      chains: [...chains, ...more],
      origin,
    };
  }
}

function toRule(draft: RuleDraft, number: number): Rule {
  return {
    matches: draft.matches,
    statements: draft.statements ?? [],
    verdict: draft.verdict,
    text: draft.text,
    comment: undefined,
    counters: undefined,
    number,
    handle: undefined,
    origin: draft.origin,
    ...(draft.configured === undefined ? {} : { configured: draft.configured }),
  };
}
