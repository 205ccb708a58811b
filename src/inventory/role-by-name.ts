/** Roles guessed from host names (design.md, 4.1, "Roles by name"). Only whole words of a name count. */

const ROLE_OF_WORD: ReadonlyMap<string, string> = new Map([
  ['client', 'client'],
  ['sn', 'storage-node'],
  ['storage', 'storage-node'],
  ['storagenode', 'storage-node'],
  ['nmc', 'nmc'],
  ['auth', 'auth'],
  ['authc', 'auth'],
]);

/** Words that make a `server` beside them a NetWorker server. */
const BACKUP_WORDS: ReadonlySet<string> = new Set(['nw', 'nsr', 'networker', 'backup', 'bk']);

/** The words of a name: split at `-`, `_`, `.` and digits, in lower case. */
export function wordsOfName(name: string): string[] {
  return name
    .toLowerCase()
    .split(/[-_.\d]+/)
    .filter((word) => word !== '');
}

/**
 * Roles for each of `names`; an empty list where the name says nothing. A `server` counts beside a word such as
 * nw or backup; without one only when no other of `allNames` has the word, no server is known (`hasServer`), and
 * the name says no other role (an nmc-server is no NetWorker server).
 */
export function guessRolesByName(
  names: readonly string[],
  allNames: readonly string[],
  hasServer: boolean,
): ReadonlyMap<string, readonly string[]> {
  const serverNames = allNames.filter((name) => wordsOfName(name).includes('server'));
  const guesses = new Map<string, readonly string[]>();
  for (const name of names) {
    const words = wordsOfName(name);
    const roles = new Set<string>();
    if (isServerBesideBackupWord(words)) roles.add('server');
    for (const word of words) {
      const role = ROLE_OF_WORD.get(word);
      if (role !== undefined) roles.add(role);
    }
    const isOnlyServer = serverNames.length === 1 && serverNames[0] === name && !hasServer;
    if (roles.size === 0 && isOnlyServer) roles.add('server');
    guesses.set(name, [...roles]);
  }
  return guesses;
}

function isServerBesideBackupWord(words: readonly string[]): boolean {
  return words.some(
    (word, i) =>
      word === 'server' && (BACKUP_WORDS.has(words[i - 1] ?? '') || BACKUP_WORDS.has(words[i + 1] ?? '')),
  );
}
