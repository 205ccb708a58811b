/** Loose files of one host whose names tell the format and not the host: `iptables.rules` beside `ip6tables.rules`. */

/** A file that no pattern claims, with the host that its place gives it. */
export interface PlacedFile {
  readonly path: string;
  readonly host: string;
  /** The scanned folder, and the host name that it gives. */
  readonly folder: string;
  readonly folderName: string;
}

/** Files that belong to one host although their names differ. */
export interface JoinedFiles {
  readonly files: readonly string[];
  readonly host: string;
}

/** Names that say what a file holds. They are no names of hosts, unless one is declared so. */
const GENERIC_NAME =
  /^(?:ip6?tables(?:[-_]save)?|ipsets?(?:[-_]save)?|rules|ruleset|nft(?:ables)?(?:[-_](?:rules|ruleset))?|firewall|nsrports)$/i;

/** The part by which the two IP versions of one export differ. */
const VERSION_TAIL = /^(.+?)[-_.](?:ip(6)?tables(?:[-_]save)?|(?:ipv?|v)(?:4|(6)))$/i;

/**
 * Finds loose files that are exports of one host. Two that differ by nothing but the IP version (`a-iptables`, `a-ip6tables`) belong to
 * the host named by the rest. Where a scanned folder holds nothing but files with names of formats, they belong to the host that the folder
 * is named after. If that is wrong, the same table stands in two of them, which is told and never merged.
 */
export function joinLooseFiles(
  placed: readonly PlacedFile[],
  declared: readonly string[],
): readonly JoinedFiles[] {
  const known = new Set(declared.map((name) => name.toLowerCase()));
  const folders = new Map<string, PlacedFile[]>();
  for (const file of placed) {
    const list = folders.get(file.folder);
    if (list === undefined) folders.set(file.folder, [file]);
    else list.push(file);
  }
  const joined: JoinedFiles[] = [];
  for (const files of folders.values()) {
    const paired = pairVersions(files, known);
    const isGeneric = (host: string) => GENERIC_NAME.test(host) && !known.has(host.toLowerCase());
    const loose = paired.filter((file) => isGeneric(file.host));
    const { folderName } = files[0]!;
    const isOneHost =
      files.length > 1 &&
      loose.length > 0 &&
      paired.every((file) => file.host === folderName || isGeneric(file.host));
    if (isOneHost) joined.push({ files: loose.map((file) => file.path), host: folderName });
    else joined.push(...groupsOf(paired.filter((file, i) => file.host !== files[i]!.host)));
  }
  return joined;
}

/** The files with the hosts that pairs of IP versions give them. */
function pairVersions(files: readonly PlacedFile[], known: ReadonlySet<string>): readonly PlacedFile[] {
  const rests = files.map(({ host }) => {
    const found = known.has(host.toLowerCase()) ? null : VERSION_TAIL.exec(host);
    return found === null
      ? undefined
      : { rest: found[1]!, version: (found[2] ?? found[3]) === undefined ? 4 : 6 };
  });
  const versions = new Map<string, Set<number>>();
  for (const tail of rests)
    if (tail !== undefined) versions.set(tail.rest, (versions.get(tail.rest) ?? new Set()).add(tail.version));
  return files.map((file, i) => {
    const tail = rests[i];
    return tail !== undefined && versions.get(tail.rest)!.size === 2 ? { ...file, host: tail.rest } : file;
  });
}

function groupsOf(files: readonly PlacedFile[]): readonly JoinedFiles[] {
  const groups = new Map<string, string[]>();
  for (const { host, path } of files) groups.set(host, [...(groups.get(host) ?? []), path]);
  return [...groups].map(([host, paths]) => ({ host, files: paths }));
}
