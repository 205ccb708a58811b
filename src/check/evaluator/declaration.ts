import { checkDeclarations, type DeclarationFact } from '../../inventory/index.ts';
import { listed } from '../describe.ts';
import { evidence, plainOrigin } from '../evidence.ts';
import { choiceOption, type Evaluator } from './evaluator.ts';
import { wideExceptions, wideServiceRanges } from './wide-range.ts';
import { wideWaivers } from './wide-waiver.ts';

const KINDS = ['expired-exception', 'expired-waiver'] as const;

/** Declarations of the configuration that have had their day; the option `kind` says which. */
export const expiredDeclaration: Evaluator = {
  scope: 'run',
  *run(context, options) {
    const kind = choiceOption(options, 'kind', KINDS);
    const { inventory, hosts, today } = context.estate;
    if (inventory === undefined) return;
    for (const fact of checkDeclarations(inventory, hosts, today)) {
      if (fact.kind !== kind) continue;
      const declared = fact.kind === 'expired-exception' ? fact.exception : fact.waiver;
      const name = fact.kind === 'expired-exception' ? fact.exception.id : fact.waiver.check;
      yield evidence({
        host: null,
        origin: plainOrigin(fact.origin),
        facts: {
          name,
          expires: declared.expires,
          reason: declared.reason,
          owner: declared.owner || 'nobody named',
        },
        meaning: [name, declared.reason],
      });
    }
  },
};

/** Declarations wide enough to hide what they should not: `too-wide-declaration`. */
export const wideDeclaration: Evaluator = {
  scope: 'report',
  *run(context) {
    const { inventory, hosts, today } = context.estate;
    yield* wideServiceRanges(context.estate);
    if (inventory === undefined) return;
    yield* wideExceptions(context.estate);
    yield* wideWaivers(context);
    const wide = checkDeclarations(inventory, hosts, today).filter(
      (fact): fact is WideFact => fact.kind === 'too-wide' || fact.kind === 'contains-other-roles',
    );
    for (const fact of joinRanges(wide)) {
      yield evidence({
        host: null,
        origin: plainOrigin(fact.origin),
        facts: {
          declaration: nameOf(fact),
          ranges: listed(fact.ranges),
          hosts: fact.kind === 'too-wide' ? 'none' : listed(fact.hosts),
          kind: fact.kind,
          count: 'none',
          usual: '',
          system: '',
          severity: 'none',
        },
        meaning: [fact.kind, fact.declaration, fact.name, ...fact.ranges],
      });
    }
  },
};

type WideFact = Extract<DeclarationFact, { readonly name: string }>;

/** Facts of one kind about several ranges of one declaration as one, at the place of the first. */
function joinRanges(facts: readonly WideFact[]): WideFact[] {
  const joined = new Map<string, WideFact>();
  for (const fact of facts) {
    const key = JSON.stringify([fact.kind, fact.declaration, fact.name]);
    const first = joined.get(key);
    const ranges = [...(first?.ranges ?? []), ...fact.ranges];
    if (first?.kind === 'contains-other-roles' && fact.kind === 'contains-other-roles')
      joined.set(key, { ...first, ranges, hosts: [...new Set([...first.hosts, ...fact.hosts])] });
    else joined.set(key, { ...(first ?? fact), ranges });
  }
  return [...joined.values()];
}

function nameOf(fact: WideFact): string {
  switch (fact.declaration) {
    case 'admin-networks':
      return 'admin_networks';
    case 'role-networks':
      return `role_networks of ${fact.name}`;
    case 'host-addresses':
      return `the addresses of ${fact.name}`;
    case 'exception':
      return `the exception ${fact.name}`;
  }
}
