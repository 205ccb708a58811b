import { createHash } from 'node:crypto';

/** What makes a finding the same finding in the next run. No line, column, handle, counter or severity. */
export interface FingerprintParts {
  readonly host: string | null;
  readonly check: string;
  readonly hook: string | null;
  /**
   * What the finding is about: family, table, chain and `normalizeRuleText` of the blamed rule, or the flow
   * that is missing. The order counts.
   */
  readonly meaning: readonly string[];
}

/** Version of the recipe. A change of anything in this file that changes a fingerprint needs a new one. */
export const FINGERPRINT_VERSION = 'nwaudit/v1';

/**
 * Identity of a finding across runs: `nwaudit/v1:` and the first 32 hex digits of the SHA-256 of the parts as a
 * JSON array, which no other parts share. The host counts in lower case (names are case-insensitive, RFC 4343).
 */
export function fingerprintOf(parts: FingerprintParts): string {
  const host = parts.host === null ? null : parts.host.toLowerCase();
  const encoded = JSON.stringify([host, parts.check, parts.hook, ...parts.meaning]);
  return `${FINGERPRINT_VERSION}:${createHash('sha256').update(encoded, 'utf8').digest('hex').slice(0, 32)}`;
}

/** For each fingerprint, how many equal ones there are up to and including it: 1 for the first. */
export function numberOccurrences(fingerprints: readonly string[]): number[] {
  const seen = new Map<string, number>();
  return fingerprints.map((fingerprint) => {
    const number = (seen.get(fingerprint) ?? 0) + 1;
    seen.set(fingerprint, number);
    return number;
  });
}
