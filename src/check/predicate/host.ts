import { hostIsNamed } from '../packet-option.ts';
import { ALL_SCOPES, type Predicate, readTexts } from './predicate.ts';

/** The host has one of the names; case does not matter. */
export const host: Predicate = {
  name: 'host',
  kind: 'host',
  description: 'The host has this name, or one of these; `*` stands for any characters',
  takes: 'a name or a pattern, or a list',
  scopes: ALL_SCOPES,
  examples: [{ yaml: '"db-*"', means: 'only hosts whose name begins with db- are looked at' }],
  read: (value, path, decoder) => {
    const patterns = readTexts(value, path, decoder);
    return { kind: 'host', roles: [], holds: (context) => hostIsNamed(patterns, context.host.name) };
  },
};
