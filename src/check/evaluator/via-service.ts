import { normalizeRuleText } from '../../finding/index.ts';
import type { ConfiguredService } from '../../model/index.ts';
import { TCP } from '../../net/index.ts';
import { elementOf } from '../counterpart.ts';
import { describeExposure, describeService, describeSources, describeWitness, listed } from '../describe.ts';
import { type Evidence, evidence, plainOrigin, ruleOrigin } from '../evidence.ts';
import { inputExposures } from '../exposure.ts';
import type { ExposureClass, HostExposure, SourceKind } from '../exposure-region.ts';
import type { HostContext } from '../host-context.ts';
import type { Evaluator } from './evaluator.ts';

/** Exposures whose ports are admin ports. */
const ADMIN_CLASSES: ReadonlySet<ExposureClass> = new Set([
  'admin-port-beyond-admin-network',
  'admin-port-on-wrong-host',
  'admin-port-inside-open-range',
]);

/** Most serious first. */
const SOURCE_KINDS: readonly SourceKind[] = ['any', 'narrow', 'admin', 'vendor'];

/**
 * Admin ports that somebody reaches without being entitled to, because a zone names a service and its definition has the port. One finding a
 * rule, beside the exposure's own.
 */
export const viaService: Evaluator = {
  scope: 'host',
  *run(context) {
    const byRule = new Map<object, Evidence>();
    const exposures = inputExposures(context).filter((one) => ADMIN_CLASSES.has(one.class));
    const rank = ({ source }: HostExposure) => SOURCE_KINDS.indexOf(source);
    for (const found of [...exposures].sort((a, b) => rank(a) - rank(b))) {
      const { table, chain, rule } = found;
      if (table === undefined || chain === undefined || rule === undefined || byRule.has(rule)) continue;
      const service = elementOf(context, { table, chain, rule })?.service;
      if (service !== undefined) byRule.set(rule, toEvidence(context, found, service));
    }
    yield* byRule.values();
  },
};

function toEvidence(context: HostContext, found: HostExposure, service: ConfiguredService): Evidence {
  const { host } = context;
  const { table, chain, rule, entitledPeers, source } = found;
  const names = found.class === 'admin-port-on-wrong-host' ? [] : entitledPeers.map((p) => p.name);
  const witness = found.witness();
  return evidence({
    host: host.name,
    hook: 'input',
    origin:
      table === undefined || chain === undefined || rule === undefined
        ? null
        : ruleOrigin(table, chain, rule),
    related:
      service.definition === undefined
        ? []
        : [{ origin: plainOrigin(service.definition), label: 'defines the service' }],
    facts: {
      host: host.name,
      service: service.name,
      definition: definitionText(service),
      opened: describeService([TCP], found.ports),
      sources: describeSources(found.sources),
      source,
      entitled: names.length === 0 ? 'nobody' : listed(names),
    },
    certainty: found.certain ? 'certain' : 'possible',
    unknowns: found.unknowns,
    exposure: describeExposure(found.sources, found.entitled, found.protocols, found.ports),
    witness: witness === undefined ? null : describeWitness('input', witness, context.mentioned),
    note: `The commands for it stand at ${found.class} of the same rule.`,
    meaning: [service.name, chain?.name ?? '', rule === undefined ? '' : normalizeRuleText(rule.text)],
  });
}

/** Whose definition has the port, as the end of a sentence. */
function definitionText({ name, definedBy, definition }: ConfiguredService): string {
  const included = definedBy === name ? '' : `it includes the service ${definedBy}, and `;
  const whose =
    definition === undefined
      ? "firewalld's own definition, which is assumed, since the export does not hold it,"
      : `its definition in ${definition.file}`;
  return `${included}${whose} has the port`;
}
