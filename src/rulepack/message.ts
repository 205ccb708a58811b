import { SEVERITIES, type Severity } from '../finding/index.ts';
import type { Case, CheckDefinition } from './rulepack.ts';

/** Facts of one finding by name, as an evaluator yields them. */
export type Facts = Readonly<Record<string, string | boolean>>;

/** A check asked for a fact that its evaluator does not give: a defect of nwaudit or of a rule pack's author. */
export class MissingFactError extends Error {
  override readonly name = 'MissingFactError';
}

/** Placeholder of a message template: a fact's name in braces. */
const PLACEHOLDER = /\{([a-zA-Z][a-zA-Z0-9_-]*)\}/g;

/** Names of the facts a message template asks for, each once, in order of appearance. */
export function placeholdersOf(template: string): string[] {
  return [...new Set([...template.matchAll(PLACEHOLDER)].map((match) => match[1] ?? ''))];
}

/** What is left of a template when its placeholders are taken out. */
export function withoutPlaceholders(template: string): string {
  return template.replace(PLACEHOLDER, '');
}

/**
 * The template with every `{name}` replaced by that fact. Replaced text is not looked at again, so a fact that
 * contains braces stays as it is.
 *
 * @throws MissingFactError when a fact is missing.
 */
export function renderMessage(template: string, facts: Readonly<Record<string, string>>): string {
  return template.replace(PLACEHOLDER, (_, name: string) => {
    const value = Object.hasOwn(facts, name) ? facts[name] : undefined;
    if (value === undefined) {
      const given = Object.keys(facts).sort().join(', ') || 'none';
      throw new MissingFactError(`the message "${template}" needs the fact "${name}"; given: ${given}`);
    }
    return value;
  });
}

/**
 * The value of the first case that holds for the facts.
 *
 * @throws MissingFactError when no case holds, which the loader rules out by demanding a default.
 */
export function selectCase<T extends string>(value: T | readonly Case<T>[], facts: Facts): T {
  if (typeof value === 'string') return value;
  for (const candidate of value) {
    const { when } = candidate;
    if (when === undefined) return candidate.is;
    if (
      Object.entries(when).every(([name, wanted]) => Object.hasOwn(facts, name) && facts[name] === wanted)
    ) {
      return candidate.is;
    }
  }
  throw new MissingFactError(`no case holds for the facts ${JSON.stringify(facts)}, and there is no default`);
}

/** Severity of a finding of this check with these facts. */
export function severityOf(check: CheckDefinition, facts: Facts): Severity {
  return selectCase(check.severity, facts);
}

/** Message template for these facts, still with placeholders. */
export function messageTemplateOf(check: CheckDefinition, facts: Facts): string {
  return selectCase(check.message, facts);
}

/** Highest severity a finding of this check can have. */
export function highestSeverityOf(check: CheckDefinition): Severity {
  const given = typeof check.severity === 'string' ? [check.severity] : check.severity.map((one) => one.is);
  return SEVERITIES.findLast((severity) => given.includes(severity)) ?? 'info';
}
