import type { Mapping } from './decode.ts';

/** What stands under `when` of a check, a line of YAML for each predicate. Texts are not quoted. */
export function predicateLines(when: Mapping): string[] {
  return Object.entries(when).map(([name, option]) => `${name}: ${onOneLine(option)}`);
}

function onOneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(onOneLine).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  return `{ ${Object.entries(value)
    .map(([key, one]) => `${key}: ${onOneLine(one)}`)
    .join(', ')} }`;
}
