/** Examples of checks, run: for their documentation, and for those who write checks. */
import type { Finding, Report } from '../finding/index.ts';
import { decodeInventoryData } from '../inventory/index.ts';
import {
  type CheckDefinition,
  type Example,
  type ExpectedFinding,
  type Profile,
  REPORTS_GAPS,
} from '../rulepack/index.ts';
import { scan } from '../scan.ts';

/** The day on which examples and documented runs take place: expiry dates in them are meant for it. */
export const EXAMPLE_DAY = '2026-11-22';

/**
 * What one check says about an example. Of the others only those run that waivers in its configuration name.
 *
 * @throws RangeError when the configuration of the example cannot be used.
 */
export function runExample(
  example: Example,
  check: CheckDefinition,
  profile: Profile,
  all: readonly CheckDefinition[] = [],
): Report {
  const inputs = Object.entries(example.files).map(([path, text]) => ({
    path,
    bytes: new TextEncoder().encode(text),
  }));
  const inventory = example.config === undefined ? undefined : inventoryOf(example, profile, check.id);
  const waived = new Set(inventory?.waivers.map((waiver) => waiver.check));
  const report = scan(inputs, {
    version: '0.0.0',
    profile,
    checks: [check, ...all.filter((one) => one !== check && waived.has(one.id))],
    ...(inventory === undefined ? {} : { inventory }),
    roots: ['.'],
    today: EXAMPLE_DAY,
    failOn: 'medium',
    allowIncomplete: false,
    exitZero: false,
  });
  return { ...report, findings: report.findings.filter((finding) => finding.check === check.id) };
}

function inventoryOf(example: Example, profile: Profile, id: string) {
  const roles = profile.roles.map((role) => role.id);
  const { inventory, problems } = decodeInventoryData(example.config, 'nwaudit.yaml', { roles });
  if (inventory !== undefined) return inventory;
  const texts = problems.map(({ path, message }) => `${path}: ${message}`).join('; ');
  throw new RangeError(`the configuration of an example of ${id} cannot be used: ${texts}`);
}

/** Where findings of an example differ from what it expects, one sentence each; empty when it is right. */
export function compareExample(example: Example, findings: readonly Finding[]): string[] {
  const { expect } = example;
  const problems: string[] = [];
  if (findings.length !== expect.length)
    problems.push(`expected ${findingCount(expect.length)}, found ${findingCount(findings.length)}`);
  findings.forEach((finding, i) => {
    const expected = expect[i];
    const differing = expected === undefined ? [] : differences(expected, finding);
    if (expected === undefined || differing.length > 0)
      problems.push(`${differing.map((one) => `${one}; `).join('')}found ${describeFinding(finding)}`);
  });
  return problems;
}

/**
 * What of an example was not read or not judged whole, one sentence each. Rules that nobody read show nothing about a check: it is silent,
 * or speaks, for another reason than the example says. None for the check that is about such files.
 */
export function gapsOf({ inputs, hosts, diagnostics }: Report, check: CheckDefinition): string[] {
  if (check.evaluate === REPORTS_GAPS) return [];
  const told = diagnostics.filter(({ incomplete }) => incomplete);
  const untold = inputs.filter(({ file, whole }) => !whole && told.every((d) => d.origin.file !== file));
  return [
    ...told.map(({ origin, detail }) => `not read whole: ${origin.file}:${origin.line}: ${detail}`),
    ...untold.map(({ file }) => `not read whole: ${file}`),
    ...hosts.flatMap(({ name, notRun }) =>
      notRun.map(({ reason }) => `not run to its end on ${name}: ${reason}`),
    ),
  ];
}

function findingCount(count: number): string {
  return count === 0 ? 'no finding' : count === 1 ? '1 finding' : `${count} findings`;
}

function differences(
  expected: ExpectedFinding,
  { host, origin, severity, certainty, unknowns }: Finding,
): string[] {
  const actual = { host, line: origin?.line, severity, certainty };
  return (['host', 'line', 'severity', 'certainty'] as const)
    .filter((key) => expected[key] !== undefined && expected[key] !== actual[key])
    .map((key) => {
      const because =
        key === 'host' && host === null
          ? ', but it is about no single host'
          : key === 'certainty' && unknowns.length > 0
            ? `, but it hangs on ${unknowns.join(' and ')}`
            : '';
      return `expected ${key} ${expected[key]}${because}`;
    });
}

/** `a.rules:3: possible, high: message`, as pages show it. */
export function describeFinding({ origin, severity, certainty, message }: Finding): string {
  const place = origin === null ? '' : `${origin.file}:${origin.line}: `;
  return `${place}${certainty === 'possible' ? 'possible, ' : ''}${severity}: ${message}`;
}
