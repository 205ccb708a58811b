/** A profile as a table: who may open connections to whom, on which ports, how sure that is and what it rests on. */
import { formatProtocol, type Interval } from '../net/index.ts';
import type { Flow, FlowCondition, Profile } from './rulepack.ts';

/** One row of the matrix, every cell as text. */
export interface MatrixRow {
  readonly flow: string;
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly protocol: string;
  /** `7937`, `9000-9001`, `RANGE` for the receiving host's service range. */
  readonly ports: readonly string[];
  readonly need: string;
  /** Empty where the profile does not say. */
  readonly confidence: string;
  /** Empty where the flow holds always. */
  readonly when: string;
  /** What it rests on: section titles of the guide, or ids of sources. */
  readonly source: string;
  readonly note: string;
}

/** The flows of a profile as rows, in its order. */
export function profileMatrix(profile: Profile): MatrixRow[] {
  return profile.flows.map((flow) => ({
    flow: flow.id,
    from: flow.from,
    to: flow.to,
    protocol: formatProtocol(flow.protocol),
    ports: flow.ports.map((term) => (term.kind === 'ports' ? describeRange(term.range) : 'RANGE')),
    need: needOf(flow),
    confidence: flow.confidence ?? '',
    when: conditionOf(flow.when),
    source: flow.sources.length > 0 ? flow.sources.map(({ id }) => id).join(', ') : flow.where,
    note: (flow.note ?? '').replace(/\s+/g, ' ').trim(),
  }));
}

function describeRange({ lo, hi }: Interval): string {
  return lo === hi ? String(lo) : `${lo}-${hi}`;
}

function needOf({ need, anyPort }: Flow): string {
  if (need === 'vendor') return 'vendor only';
  return anyPort ? `${need} (one port is enough)` : need;
}

function conditionOf({ roles, withoutRoles, features, servicePorts }: FlowCondition): string {
  return [
    ...roles.map((role) => `role ${role} is there`),
    ...withoutRoles.map((role) => `role ${role} is not there`),
    ...features.map((feature) => `feature ${feature}`),
    ...(servicePorts === undefined ? [] : [`service_ports of the receiver ${servicePorts}`]),
  ].join(', ');
}

/** The profile as data: for `--format json`. */
export function profileObject(profile: Profile): object {
  return {
    id: profile.id,
    title: profile.title,
    description: profile.description,
    roles: profile.roles,
    features: profile.features,
    serviceRange: profile.serviceRange === undefined ? null : describeRange(profile.serviceRange),
    fixedPorts: profile.fixedPorts,
    adminPorts: profile.adminPorts.map(({ port, title, servedBy, elseServedBy }) => ({
      port,
      title: title ?? null,
      servedBy,
      elseServedBy,
    })),
    neverRemote: profile.neverRemote.map(({ port, protocol, title }) => ({
      port,
      protocol: formatProtocol(protocol),
      title,
    })),
    flows: profileMatrix(profile),
    sources: profile.sources,
  };
}

/** The profile as Markdown, below a heading of the first level. Nothing in it is taken for Markdown or HTML. */
export function profileMarkdown(profile: Profile): string {
  const rows = profileMatrix(profile);
  const parts = [
    `# Profile ${cell(profile.id)}: ${cell(profile.title)}`,
    profile.description.split('\n').map(escaped).join('\n'),
    rangeSentence(profile),
    '## Who may open connections to whom',
    table(
      ['flow', 'from', 'to', 'ports', 'need', 'confidence', 'when', 'source', 'note'],
      rows.map((row) => [
        row.flow,
        row.from.join(', '),
        row.to.join(', '),
        `${row.protocol} ${row.ports.join(', ')}`,
        row.need,
        row.confidence,
        row.when,
        row.source,
        row.note,
      ]),
    ),
  ];
  if (profile.adminPorts.length > 0)
    parts.push(
      '## Administration ports',
      table(
        ['port', 'what listens', 'served by', 'else served by'],
        profile.adminPorts.map((a) => [
          `tcp ${a.port}`,
          a.title ?? '',
          a.servedBy.join(', '),
          a.elseServedBy.join(', '),
        ]),
      ),
    );
  if (profile.neverRemote.length > 0)
    parts.push(
      '## Never from another host',
      table(
        ['port', 'what listens', 'confidence', 'source', 'note'],
        profile.neverRemote.map((n) => [
          `${formatProtocol(n.protocol)} ${n.port}`,
          n.title,
          n.confidence ?? '',
          n.sources.map(({ id }) => id).join(', '),
          (n.note ?? '').replace(/\s+/g, ' ').trim(),
        ]),
      ),
    );
  if (profile.sources.length > 0)
    parts.push(
      '## Sources',
      profile.sources.map(({ id, title }) => `- ${cell(id)}: ${cell(title)}`).join('\n'),
    );
  return `${parts.join('\n\n')}\n`;
}

function rangeSentence({ serviceRange, rangeWithout }: Profile): string {
  if (serviceRange === undefined) return 'It has no service range.';
  const without = rangeWithout.length === 0 ? '' : ` ${rangeWithout.join(', ')} and`;
  return `RANGE is the service range of the receiving host, ${describeRange(serviceRange)} unless it is declared narrower, without${without} the administration ports that the host serves.`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

/** One line of text inside a table. */
function cell(text: string): string {
  return escaped(text.replace(/[\s\u2028\u2029]+/g, ' ').trim());
}

function escaped(text: string): string {
  return text.replace(/[\\`*_<>[\]|&~#]/g, (character) => `\\${character}`);
}
