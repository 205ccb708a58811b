/** Most names that a message lists. */
const MAX_LISTED = 12;

/** `no profile is called gide; did you mean guide?`, or the names there are. Names come from our own lists. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const sentence = `no ${what} is called ${JSON.stringify(name)}`;
  const close = known.find(
    (candidate) => countEdits(name.toLowerCase(), candidate) <= Math.max(1, name.length / 4),
  );
  if (close !== undefined) return `${sentence}; did you mean ${close}?`;
  if (known.length === 0) return `${sentence}; there is none at all`;
  return known.length > MAX_LISTED
    ? `${sentence}; "nwaudit rules" lists them`
    : `${sentence}; there are ${known.join(', ')}`;
}

/** Levenshtein distance; a large number for texts too long to be a slip of the pen. */
function countEdits(a: string, b: string): number {
  if (a.length > 64 || b.length > 64) return 64;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
