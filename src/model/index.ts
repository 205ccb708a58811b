/** The normalized ruleset: what a host's exports say, independent of the format they came in. */
export * from './condition.ts';
export * from './diagnostic.ts';
export * from './field.ts';
export * from './named-set.ts';
export * from './origin.ts';
export * from './packet.ts';
export * from './parse-result.ts';
export * from './port-ranges.ts';
export * from './ruleset.ts';
