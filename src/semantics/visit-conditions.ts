import type { Condition, Rule } from '../model/index.ts';

/** Visits every condition of a rule, nested ones included. */
export function visitConditions(rule: Rule, visit: (condition: Condition) => void): void {
  const walk = (condition: Condition): void => {
    visit(condition);
    switch (condition.kind) {
      case 'all':
      case 'any':
        for (const part of condition.of) walk(part);
        return;
      case 'not':
      case 'original':
        walk(condition.of);
        return;
      default:
        return;
    }
  };
  for (const match of rule.matches) walk(match.condition);
}
