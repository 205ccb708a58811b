/** What a file of an export is: by its content, its folder and its name. */
import { isIfcfg, isProfile } from './bindings.ts';
import type { ObjectKind } from './read-grammar.ts';
import { holdsSettings } from './read-settings.ts';

/** What a file is taken for. */
export type FileKind =
  | ObjectKind
  | 'lockdown'
  | 'settings'
  | 'profile'
  | 'ifcfg'
  /** Ends in something behind `.xml` or `.conf`: a backup, which firewalld passes over. */
  | 'ignored'
  | 'unknown';

/** A file with its place among firewalld's. */
export interface PlacedFile {
  readonly kind: FileKind;
  /** Name of the object: base name without `.xml`, for parts of a combined zone `NAME/PART`. */
  readonly name: string;
  /** Whether the path shows that this is the object's name on the host (`zones/public.xml`). */
  readonly isPlaced: boolean;
  /** Whether it is a definition of the distribution (`/usr/lib/firewalld`), which `/etc/firewalld` replaces. */
  readonly isStock: boolean;
}

const KIND_OF_FOLDER: Readonly<Record<string, ObjectKind>> = {
  zones: 'zone',
  policies: 'policy',
  services: 'service',
  ipsets: 'ipset',
  icmptypes: 'icmptype',
  helpers: 'helper',
};

const ROOTS: Readonly<Record<string, FileKind>> = {
  zone: 'zone',
  policy: 'policy',
  service: 'service',
  ipset: 'ipset',
  icmptype: 'icmptype',
  helper: 'helper',
  direct: 'direct',
  whitelist: 'lockdown',
};

/** What firewalld (`.old`), packages and editors leave beside `firewalld.conf`. */
const SETTINGS_BACKUP = /^firewalld\.conf(?:[._-](?:old|bak|backup|orig|save|rpm\w+|dpkg-\w+|\d[\w.-]*)|~)$/i;

/** Folders that hold firewalld configurations, as far as the paths of an export show it: those with a known file or folder. */
export function findFirewalldFolders(paths: readonly string[]): ReadonlySet<string> {
  const folders = new Set<string>();
  for (const path of paths) {
    const steps = splitPath(path);
    const base = steps[steps.length - 1]!;
    if (base === 'firewalld.conf' || base === 'direct.xml' || base === 'lockdown-whitelist.xml')
      folders.add(steps.slice(0, -1).join('/'));
    const kind = kindOfFolder(steps[steps.length - 2]);
    if (kind !== undefined && base.endsWith('.xml')) folders.add(steps.slice(0, -2).join('/'));
    const firewalld = steps.lastIndexOf('firewalld');
    if (firewalld >= 0) folders.add(steps.slice(0, firewalld + 1).join('/'));
  }
  return folders;
}

/** What a file is. `folders` are those of the whole export. */
export function placeFile(path: string, text: string, folders: ReadonlySet<string>): PlacedFile {
  const steps = splitPath(path);
  const base = steps[steps.length - 1]!;
  const parent = steps[steps.length - 2];
  const isStock = /(^|\/)usr\/lib\/firewalld\//.test(path.replaceAll('\\', '/'));
  const inFolder = kindOfFolder(parent);
  const zones = steps.lastIndexOf('zones', -3);
  const isPart =
    inFolder === undefined && zones >= 0 && folders.has(steps.slice(0, zones).join('/')) && !isStock;
  const expected = isPart ? 'zone' : inFolder;
  const kind = kindOf(text, path, base, expected);
  const name = isPart ? `${parent}/${stripXml(base)}` : stripXml(base);
  return { kind, name, isPlaced: expected !== undefined && expected === kind, isStock };
}

function kindOf(text: string, path: string, base: string, expected: ObjectKind | undefined): FileKind {
  if (base === 'lockdown-whitelist.xml') return 'lockdown';
  if (base === 'direct.xml') return 'direct';
  if (SETTINGS_BACKUP.test(base)) return 'ignored';
  const root = findRoot(text);
  if (root === undefined && expected === undefined) {
    if (base.startsWith('firewalld.conf') || holdsSettings(text)) return 'settings';
    if (isProfile(text, path)) return 'profile';
    if (isIfcfg(text, path)) return 'ifcfg';
  }
  const isBackup = base.includes('.xml') && !base.endsWith('.xml');
  if (isBackup || (expected !== undefined && !base.endsWith('.xml'))) return 'ignored';
  // firewalld goes by the folder: what the file says it is matters only where there is none.
  if (expected !== undefined) return expected;
  return root === undefined || !Object.hasOwn(ROOTS, root) ? 'unknown' : ROOTS[root]!;
}

/** Name of the first start tag, behind declarations and comments; `undefined` where the text is no XML. */
function findRoot(text: string): string | undefined {
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  for (;;) {
    while (/\s/.test(text[at] ?? '')) at++;
    if (text[at] !== '<') return undefined;
    const skipped = text.startsWith('<!--', at)
      ? '-->'
      : /^<[?!]/.test(text.slice(at, at + 2))
        ? '>'
        : undefined;
    if (skipped === undefined) return /^<([^\s/>]{1,100})/.exec(text.slice(at, at + 102))?.[1];
    const end = text.indexOf(skipped, at);
    if (end < 0) return undefined;
    at = end + skipped.length;
  }
}

function kindOfFolder(folder: string | undefined): ObjectKind | undefined {
  return folder !== undefined && Object.hasOwn(KIND_OF_FOLDER, folder) ? KIND_OF_FOLDER[folder] : undefined;
}

function splitPath(path: string): string[] {
  return path.replaceAll('\\', '/').split('/');
}

function stripXml(base: string): string {
  return base.replace(/\.xml$/, '');
}
