/** Which host a file belongs to (design.md, 4.1). */
import { parseAddress } from '../net/index.ts';
import { matchesPath, type PathPattern, parsePathPattern, segmentsBelow, segmentsOf } from './file-path.ts';
import { unifyHostNames } from './host-name.ts';
import type { ConfigOrigin, Inventory } from './inventory.ts';
import { joinLooseFiles, type PlacedFile } from './join-loose-files.ts';

/** Endings that say what a file holds, not whose it is. */
const KNOWN_ENDINGS = /\.(?:rules|v4|v6|save|txt|json|xml|iptables|ip6tables|nft|ipset|nsrports)$/i;

/** Folders of a firewalld configuration. Source: firewalld(1), "Directories". */
const FIREWALLD_FOLDERS: ReadonlySet<string> = new Set([
  'zones',
  'services',
  'ipsets',
  'policies',
  'icmptypes',
  'helpers',
]);

const FIREWALLD_FILES: ReadonlySet<string> = new Set([
  'firewalld.conf',
  'direct.xml',
  'lockdown-whitelist.xml',
]);

/** Names of folders that hold a host's files without being named after it. */
const GENERIC_FOLDER = /^(?:etc|(?:etc[-_.])?firewalld(?:[-_.](?:conf|config|d))?)$/i;

/** Folders in a host's folder that are named after what they hold, or after where it was. */
const CONTENT_FOLDER =
  /^(?:usr|var|lib|default|sysconfig|network[a-z-]*|system-connections|ip6?tables.*|nft.*|ipset.*|netfilter.*|nsr.*|rules.*|v[46]|ipv[46]|firewall.*|conf.*|exports?|saved?|runtime|permanent)$/i;

/** Host of files in a folder that has no name here: the current folder, when the caller does not say what it is. */
const UNNAMED_HOST = 'unnamed-host';

/** What the paths alone do not tell. */
export interface AssignmentOptions {
  /** `--host NAME`: every file belongs to this host. */
  readonly host?: string;
  /** Absolute path of the current folder, to name the host of `.` and of files beside `zones/`. */
  readonly currentFolder?: string;
}

/** Something about the assignment that the user should know. */
export interface AssignmentProblem {
  /**
   * - `several-patterns`: `exports:` of several hosts claim a file; the first one declared got it.
   * - `ambiguous-name`: a short name could mean several fully qualified ones; all are kept apart.
   * - `several-places`: files from different scanned paths came together in one host because of equal names.
   * - `unmatched-pattern`: an `exports:` pattern that fits no file.
   * - `several-folders`: folders in a host's folder that may be hosts themselves.
   * - `joined-files`: loose files whose names say what they hold, not whose it is, came together in one host.
   */
  readonly kind:
    | 'several-patterns'
    | 'ambiguous-name'
    | 'several-places'
    | 'unmatched-pattern'
    | 'several-folders'
    | 'joined-files';
  /** One sentence. Names and paths stand in it as they are. */
  readonly detail: string;
  readonly files: readonly string[];
  readonly hosts: readonly string[];
  /** Place in the configuration, where the problem has one. */
  readonly origin?: ConfigOrigin;
}

/** Hosts of files. */
export interface HostAssignment {
  /** Path as given, to the name of its host. Has every path given. */
  readonly hosts: ReadonlyMap<string, string>;
  readonly problems: readonly AssignmentProblem[];
}

/**
 * Assigns every file to a host: by `host` of the options, else by `exports:` patterns, else by the first folder
 * below the scanned path (a folder in it that is called after a declared host goes before), else by the name of the file; files named like `iptables.rules` belong to the folder's host
 * (`joinLooseFiles`). `roots` are the scanned paths as given; of nested ones the outer counts. Names that mean one host are joined afterwards (`unifyHostNames`).
 */
export function assignFilesToHosts(
  files: readonly { readonly path: string }[],
  roots: readonly string[],
  inventory?: Inventory,
  options: AssignmentOptions = {},
): HostAssignment {
  const problems: AssignmentProblem[] = [];
  const declared = (inventory?.hosts ?? []).filter((host) => !host.isPattern).map((host) => host.name);
  const tree = new ScannedTree(files, roots, options.currentFolder, declared);
  const patterns = new PatternTable(inventory);
  const named = new Map<string, string>();
  const placeOf = new Map<string, string>();
  const placed: PlacedFile[] = [];
  for (const { path } of files) {
    const claims = options.host === undefined ? patterns.claimsOf(tree.candidatePaths(path)) : [];
    const [claim] = claims;
    const host = options.host ?? claim?.host ?? tree.hostByPlace(path);
    named.set(path, host);
    if (options.host === undefined && claim === undefined) {
      placeOf.set(path, tree.rootOf(path));
      placed.push({ path, host, ...tree.folderOf(path) });
    }
    if (claims.length > 1) problems.push(severalPatterns(path, claims));
  }
  for (const { files: joined, host } of joinLooseFiles(placed, declared)) {
    for (const path of joined) named.set(path, host);
    problems.push(joinedFiles(joined, host));
  }
  const byAddress = hostsByAddress(inventory);
  const found = [...new Set(named.values())].map(byAddress);
  const { canonical, ambiguous } = unifyHostNames(found, declared);
  const hosts = new Map<string, string>();
  for (const [path, name] of named) {
    const known = byAddress(name);
    hosts.set(path, canonical.get(known) ?? known);
  }
  for (const { name, candidates } of ambiguous) problems.push(ambiguousName(name, candidates));
  problems.push(...findSharedPlaces(hosts, placeOf));
  if (options.host === undefined) problems.push(...findNestedFolders(placed, tree), ...patterns.unmatched());
  return { hosts, problems };
}

/** Declared hosts by address: a file named by an address belongs to the host that has exactly this one. */
function hostsByAddress(inventory: Inventory | undefined): (name: string) => string {
  const owners = new Map<string, string>();
  for (const host of inventory?.hosts ?? []) {
    for (const { version, range } of host.addresses) {
      if (range.lo === range.hi) owners.set(`${version}:${range.lo}`, host.name);
    }
  }
  return (name) => {
    const address = parseAddress(name);
    return address === undefined ? name : (owners.get(`${address.version}:${address.value}`) ?? name);
  };
}

/** The name a loose file gives its host: without known endings, however many; other dots stay. */
export function hostNameOfFile(fileName: string): string {
  if (fileName === '-') return 'standard-input';
  let name = fileName;
  while (KNOWN_ENDINGS.test(name)) name = name.replace(KNOWN_ENDINGS, '');
  return name === '' || name === '.' ? fileName.replace(/^\.+/, '') || UNNAMED_HOST : name;
}

/** The scanned paths and what lies in them. */
class ScannedTree {
  readonly #roots: readonly { readonly text: string; readonly segments: readonly string[] }[];
  readonly #currentFolder: readonly string[];
  /** Roots that look like /etc/firewalld, by their text. */
  readonly #firewalldRoots = new Set<string>();
  readonly #rootOfPath = new Map<string, string>();
  /** Declared names by lower case. */
  readonly #declared: ReadonlyMap<string, string>;

  constructor(
    files: readonly { readonly path: string }[],
    roots: readonly string[],
    currentFolder: string | undefined,
    declared: readonly string[],
  ) {
    this.#declared = new Map(declared.map((name) => [name.toLowerCase(), name]));
    this.#currentFolder = segmentsOf(currentFolder ?? '');
    this.#roots = roots
      .map((text) => ({ text, segments: segmentsOf(text) }))
      .sort((a, b) => a.segments.length - b.segments.length);
    for (const { path } of files) {
      const segments = segmentsOf(path);
      const root = this.#roots.find((candidate) => segmentsBelow(candidate.segments, segments) !== undefined);
      if (root === undefined) continue;
      this.#rootOfPath.set(path, root.text);
      if (isFirewalldPart(segments.slice(root.segments.length))) this.#firewalldRoots.add(root.text);
    }
  }

  /** The scanned path that contains the file; the file itself when none does. */
  rootOf(path: string): string {
    return this.#rootOfPath.get(path) ?? path;
  }

  /** The scanned folder that the file is in, or the folder of a file that was given by its own path. */
  folderOf(path: string): Pick<PlacedFile, 'folder' | 'folderName'> {
    const root = segmentsOf(this.rootOf(path));
    const isFile = segmentsBelow(root, segmentsOf(path))?.length === 0;
    const folder = isFile ? root.slice(0, -1) : root;
    return { folder: folder.join('/'), folderName: this.#nameOfSegments(folder) };
  }

  /** The path as patterns may mean it: as given, and below the scanned path. */
  candidatePaths(path: string): string[][] {
    const segments = segmentsOf(path);
    const below = segmentsBelow(segmentsOf(this.rootOf(path)), segments) ?? [];
    return below.length === 0 || below.length === segments.length ? [segments] : [segments, below];
  }

  hostByPlace(path: string): string {
    const root = this.rootOf(path);
    const segments = segmentsOf(path);
    const below = segmentsBelow(segmentsOf(root), segments) ?? [];
    const [folder] = below;
    const inFirewalld = isFirewalldPart(below) && this.#firewalldRoots.has(root);
    if (below.length >= 2 && folder !== undefined && !GENERIC_FOLDER.test(folder) && !inFirewalld) {
      if (this.#declared.has(folder.toLowerCase())) return folder;
      const inside = below.slice(1, -1).find((name) => this.#declared.has(name.toLowerCase()));
      return inside ?? folder;
    }
    if (below.length >= 2) return this.#nameOfFolder(root);
    return this.#hostOfLooseFile(root, segments, inFirewalld);
  }

  /** The folder in the first folder below the scanned path that a file lies in, where its name may be that of a host. */
  folderInside(path: string): string | undefined {
    const below = segmentsBelow(segmentsOf(this.rootOf(path)), segmentsOf(path)) ?? [];
    const [, inside] = below;
    if (below.length < 3 || inside === undefined) return undefined;
    const isContent =
      GENERIC_FOLDER.test(inside) || CONTENT_FOLDER.test(inside) || FIREWALLD_FOLDERS.has(inside);
    return isContent ? undefined : inside;
  }

  /** A loose file, except inside a folder that looks like /etc/firewalld: `X/firewalld/zones/public.xml`. */
  #hostOfLooseFile(root: string, segments: readonly string[], inFirewalld: boolean): string {
    if (inFirewalld) return this.#nameOfFolder(root);
    const parent = segments[segments.length - 2];
    const grandparent = segments[segments.length - 3];
    if (parent !== undefined && grandparent !== undefined && FIREWALLD_FOLDERS.has(parent)) {
      if (GENERIC_FOLDER.test(grandparent)) return this.#nameOfSegments(segments.slice(0, -3));
    }
    const fileName = segments[segments.length - 1] ?? '';
    if (parent !== undefined && FIREWALLD_FILES.has(fileName) && GENERIC_FOLDER.test(parent)) {
      return this.#nameOfSegments(segments.slice(0, -2));
    }
    return hostNameOfFile(fileName);
  }

  #nameOfFolder(root: string): string {
    return this.#nameOfSegments(segmentsOf(root));
  }

  /** The name of the folder, or of the nearest one above it that is not generic. */
  #nameOfSegments(segments: readonly string[]): string {
    const isAbsolute = segments[0] === '';
    const whole = isAbsolute ? [...segments] : segmentsOf([...this.#currentFolder, ...segments].join('/'));
    while (GENERIC_FOLDER.test(whole[whole.length - 1] ?? '')) whole.pop();
    const name = whole[whole.length - 1];
    return name === undefined || name === '' || name === '..' ? UNNAMED_HOST : name;
  }
}

function isFirewalldPart(below: readonly string[]): boolean {
  const [first, ...rest] = below;
  if (first === undefined) return false;
  return rest.length === 0 ? FIREWALLD_FILES.has(first) : FIREWALLD_FOLDERS.has(first);
}

interface Claim {
  readonly host: string;
  readonly pattern: PathPattern;
  readonly text: string;
  readonly origin: ConfigOrigin;
}

/** All `exports:` patterns, found quickly by their first segment where that is a plain name. */
class PatternTable {
  readonly #claims: Claim[] = [];
  readonly #byFirstSegment = new Map<string, Claim[]>();
  readonly #others: Claim[] = [];
  readonly #matched = new Set<Claim>();
  readonly #base: readonly string[];

  constructor(inventory: Inventory | undefined) {
    // Patterns are relative to the folder of nwaudit.yaml.
    this.#base = segmentsOf(inventory?.file ?? '').slice(0, -1);
    for (const host of inventory?.hosts ?? []) {
      for (const { pattern, origin } of host.exports) {
        const claim = { host: host.name, pattern: parsePathPattern(pattern), text: pattern, origin };
        this.#claims.push(claim);
        const [first] = claim.pattern.segments;
        if (first === undefined || /[*?]/.test(first)) this.#others.push(claim);
        else this.#byFirstSegment.set(first, [...(this.#byFirstSegment.get(first) ?? []), claim]);
      }
    }
  }

  /** Claims on a file by different hosts, in the order declared. */
  claimsOf(paths: readonly (readonly string[])[]): Claim[] {
    const whole = paths[0] ?? [];
    const fromBase = segmentsBelow(this.#base, whole);
    const candidates = fromBase === undefined ? paths : [...paths, fromBase];
    const byHost = new Map<string, Claim>();
    for (const path of candidates) {
      for (const claim of [...(this.#byFirstSegment.get(path[0] ?? '') ?? []), ...this.#others]) {
        if (!matchesPath(claim.pattern, path)) continue;
        this.#matched.add(claim);
        if (!byHost.has(claim.host)) byHost.set(claim.host, claim);
      }
    }
    return [...byHost.values()].sort((a, b) => this.#claims.indexOf(a) - this.#claims.indexOf(b));
  }

  unmatched(): AssignmentProblem[] {
    return this.#claims
      .filter((claim) => !this.#matched.has(claim))
      .map(({ host, text, origin }) => ({
        kind: 'unmatched-pattern',
        detail: `exports: ${text} of ${host} fits no file that was read`,
        files: [],
        hosts: [host],
        origin,
      }));
  }
}

function severalPatterns(path: string, claims: readonly Claim[]): AssignmentProblem {
  const hosts = claims.map((claim) => claim.host);
  const detail = `${path} is claimed by exports: of ${hosts.join(', ')}; it counts for ${hosts[0]}`;
  const origin = claims[1]?.origin;
  return { kind: 'several-patterns', detail, files: [path], hosts, ...(origin !== undefined && { origin }) };
}

function joinedFiles(files: readonly string[], host: string): AssignmentProblem {
  const detail = `${files.join(', ')} count as exports of one host, ${host}, since their names say what they hold and not whose it is; put each host's files into a folder of its own, named after it`;
  return { kind: 'joined-files', detail, files, hosts: [host] };
}

function ambiguousName(name: string, candidates: readonly string[]): AssignmentProblem {
  const detail = `${name} could mean ${candidates.join(' or ')}; they are judged as different hosts`;
  return { kind: 'ambiguous-name', detail, files: [], hosts: [name, ...candidates] };
}

/** Hosts whose files are of several parts, each with the first file of every part. */
function hostsInParts(
  files: readonly { readonly host: string; readonly part: string; readonly path: string }[],
): [string, ReadonlyMap<string, string>][] {
  const byHost = new Map<string, Map<string, string>>();
  for (const { host, part, path } of files) {
    const parts = byHost.get(host) ?? new Map<string, string>();
    if (!parts.has(part)) parts.set(part, path);
    byHost.set(host, parts);
  }
  return [...byHost].filter(([, parts]) => parts.size > 1);
}

/** Hosts named after a folder with further folders in it, each of which may be a host's: `exports/site-a/client-01`. */
function findNestedFolders(placed: readonly PlacedFile[], tree: ScannedTree): AssignmentProblem[] {
  const inner = placed.flatMap(({ path, host }) => {
    const part = tree.folderInside(path);
    return part === undefined || part.toLowerCase() === host.toLowerCase() ? [] : [{ host, part, path }];
  });
  const problems: AssignmentProblem[] = [];
  for (const [host, folders] of hostsInParts(inner)) {
    const files = [...folders.values()];
    const detail = `${files.slice(0, 4).join(', ')} count as exports of one host, ${host}, the folder that ${[...folders.keys()].slice(0, 4).join(', ')} lie in; if each of them is a host, scan the folder ${host} itself, or declare them under hosts: in nwaudit.yaml`;
    problems.push({ kind: 'several-folders', detail, files, hosts: [host] });
  }
  return problems;
}

/** Hosts whose files come from different scanned paths: equal names need not mean one host. */
function findSharedPlaces(
  hosts: ReadonlyMap<string, string>,
  placeOf: ReadonlyMap<string, string>,
): AssignmentProblem[] {
  const placed = [...placeOf].map(([path, part]) => ({ host: hosts.get(path) ?? '', part, path }));
  const problems: AssignmentProblem[] = [];
  for (const [host, places] of hostsInParts(placed)) {
    const files = [...places.values()];
    const detail = `${files.join(', ')} count as exports of one host, ${host}; name them with exports: if they are not`;
    problems.push({ kind: 'several-places', detail, files, hosts: [host] });
  }
  return problems;
}
