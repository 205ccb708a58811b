import { ALL_SCOPES, type NamedRole, type Predicate, readTexts } from './predicate.ts';

/** The host has one of the roles, declared or guessed from its name. */
export const role: Predicate = {
  name: 'role',
  kind: 'host',
  description: 'The host has this role, or one of these',
  takes: 'a role of the profile, or a list',
  scopes: ALL_SCOPES,
  examples: [{ yaml: '[storage-node, data-domain]', means: 'only these hosts are looked at' }],
  read: (value, path, decoder) => {
    const roles = readTexts(value, path, decoder);
    const named: NamedRole[] = roles.map((one, i) => ({
      role: one,
      path: Array.isArray(value) ? [...path, i] : path,
    }));
    return {
      kind: 'host',
      roles: named,
      holds: ({ host }) => host.roles.some((one) => roles.includes(one)),
    };
  },
};
