import type { Finding } from './finding.ts';

/** A person's written decision to accept findings as they stand. Absent parts match everything. */
export interface WaiverTerms {
  readonly check: string;
  /** Host name, in which `*` stands for any number of characters; case does not count. */
  readonly host?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly reason: string;
  readonly owner: string;
  /** ISO date (YYYY-MM-DD); the last day on which the waiver holds. */
  readonly expires: string;
}

/** What waivers did to a list of findings. */
export interface WaiverResult<W extends WaiverTerms> {
  /** The same findings in the same order, with `suppression` set where a waiver holds. */
  readonly findings: readonly Finding[];
  /** Waivers still in force that match no finding. */
  readonly unused: readonly W[];
  /** Waivers past their date. They suppress nothing. */
  readonly expired: readonly W[];
}

/**
 * Applies waivers to findings. The first waiver in force that matches gives the suppression; a finding that a
 * baseline suppresses becomes waived, since the waiver carries a person's reason. Input that was not read may
 * hide anything, so the check `unread-input` takes only a waiver that names one host; `too-wide-declaration` one that names a host or the
 * finding, since a waiver for all that hides would hide itself.
 *
 * `today` is an ISO date; both dates are compared as text.
 */
export function applyWaivers<W extends WaiverTerms>(
  findings: readonly Finding[],
  waivers: readonly W[],
  today: string,
): WaiverResult<W> {
  const inForce = waivers.filter((waiver) => waiver.expires >= today);
  const byCheck = new Map<string, W[]>();
  for (const waiver of inForce) byCheck.set(waiver.check, [...(byCheck.get(waiver.check) ?? []), waiver]);
  const used = new Set<W>();
  const waived = findings.map((finding) => {
    const matching = (byCheck.get(finding.check) ?? []).filter((waiver) => matches(waiver, finding));
    for (const waiver of matching) used.add(waiver);
    const [first] = matching;
    if (first === undefined) return finding;
    const { reason, owner, expires } = first;
    return { ...finding, suppression: { kind: 'waiver' as const, reason, owner, expires } };
  });
  return {
    findings: waived,
    unused: inForce.filter((waiver) => !used.has(waiver)),
    expired: waivers.filter((waiver) => waiver.expires < today),
  };
}

function matches(waiver: WaiverTerms, finding: Finding): boolean {
  if (waiver.check !== finding.check) return false;
  if (finding.check === 'unread-input' && !namesOneHost(waiver)) return false;
  if (finding.check === 'too-wide-declaration' && waiver.fingerprint === undefined && !namesOneHost(waiver))
    return false;
  if (waiver.fingerprint !== undefined && waiver.fingerprint !== finding.fingerprint) return false;
  return (
    waiver.host === undefined ||
    (finding.host !== null && matchesHostPattern(waiver.host.toLowerCase(), finding.host.toLowerCase()))
  );
}

function namesOneHost({ host }: WaiverTerms): boolean {
  return host !== undefined && !host.includes('*');
}

/** Whether `name` fits `pattern`, in which `*` stands for any number of characters. Linear in the length of both. */
export function matchesHostPattern(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  const first = parts[0] ?? '';
  const last = parts[parts.length - 1] ?? '';
  if (parts.length === 1) return pattern === name;
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length)
    return false;
  let at = first.length;
  const end = name.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
