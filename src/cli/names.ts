import { closestWord } from '../rulepack/index.ts';

/** Most names that a message lists. */
const MAX_LISTED = 12;

/** `no profile is called gide; did you mean guide?`, or the names there are. Names come from our own lists. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const sentence = `no ${what} is called ${JSON.stringify(name)}`;
  const close = closestWord(name, known);
  if (close !== undefined) return `${sentence}; did you mean ${close}?`;
  if (known.length === 0) return `${sentence}; there is none at all`;
  return known.length > MAX_LISTED
    ? `${sentence}; "nwaudit rules" lists them`
    : `${sentence}; there are ${known.join(', ')}`;
}
