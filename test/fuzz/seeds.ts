/** Inputs to start from: the repository's fixtures, and, where there is one, a folder of real exports. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeText, detectFormat } from '../../src/parse/index.ts';
import { DESIGN_EXAMPLE } from '../inventory/design-example.ts';
import { type FuzzFile, type FuzzInput, filesBelow, loadCases, ROOT, sizeOf } from './input.ts';

/** Longer inputs are no seeds: fuzzing them would be mostly waiting. */
const LONGEST_SEED = 64 * 1024;

export interface Seeds {
  /** Single files by what they are detected as; `other` for the rest. */
  readonly byFormat: ReadonlyMap<string, readonly FuzzFile[]>;
  /** Copies of /etc/firewalld, and files that stand for one. */
  readonly firewalld: readonly FuzzInput[];
  /** Files of one host or of several, as a scan gets them. */
  readonly bundles: readonly FuzzInput[];
  readonly inventories: readonly FuzzInput[];
  readonly rulePacks: readonly FuzzInput[];
  readonly packets: readonly FuzzInput[];
  /** Inputs that once failed. */
  readonly regressions: ReadonlyMap<string, readonly FuzzInput[]>;
}

/** Collects them. `corpus`: a folder of further exports, `undefined` for none. */
export function collectSeeds(corpus: string | undefined): Seeds {
  const fixtures = ['fixtures', 'docs/examples'].flatMap((folder) =>
    filesBelow(join(ROOT, folder), LONGEST_SEED).filter(({ path }) => !path.startsWith('regression/')),
  );
  const further = corpus === undefined ? [] : filesBelow(corpus, LONGEST_SEED);
  const byFormat = new Map<string, FuzzFile[]>();
  for (const file of [...fixtures, ...further]) {
    const { text, encoding } = decodeText(file.bytes);
    const found = detectFormat(text, file.path, encoding === 'binary' ? 'binary' : undefined);
    const format = found.kind === 'export' ? found.format : 'other';
    byFormat.set(format, [...(byFormat.get(format) ?? []), file]);
  }
  const bundles = bundlesOf(fixtures);
  const roots = [...firewalldRoots(fixtures), ...firewalldRoots(further)];
  const rules = filesBelow(join(ROOT, 'rules')).filter(({ path }) => path.endsWith('.yaml'));
  const isInventory = ({ path, bytes }: FuzzFile): boolean =>
    /nwaudit\.yaml$/.test(path) ||
    (/\.ya?ml$/.test(path) && /^(?:hosts|admin_networks):/m.test(Buffer.from(bytes).toString()));
  const regressions = new Map<string, FuzzInput[]>();
  for (const { target, input } of loadCases())
    if (sizeOf(input) <= LONGEST_SEED) regressions.set(target, [...(regressions.get(target) ?? []), input]);
  return {
    byFormat,
    firewalld: roots,
    bundles,
    inventories: [
      [{ path: 'nwaudit.yaml', bytes: Buffer.from(DESIGN_EXAMPLE) }],
      ...fixtures.filter(isInventory).map(({ bytes }) => [{ path: 'nwaudit.yaml', bytes }]),
    ],
    rulePacks: rules.map((file) => [file]),
    packets: fixtures
      .filter(({ path }) => path.endsWith('.jsonl'))
      .map(({ bytes }) => [{ path: 'p.jsonl', bytes }]),
    regressions,
  };
}

/** The files of each fixture folder that holds exports, with the lab's configuration. */
function bundlesOf(files: readonly FuzzFile[]): FuzzInput[] {
  const groups = new Map<string, FuzzFile[]>();
  for (const { path, bytes } of files) {
    const [top, name] = path.split('/');
    if (
      !['lab', 'equivalent', 'first-run', 'rulesets', 'kernel'].includes(top ?? '') ||
      /\.(?:expected\.json|nft|yaml)$/.test(path)
    )
      continue;
    if (path.endsWith('options.json') || path.endsWith('packets.jsonl')) continue;
    const group = top === 'kernel' ? path.split('/').slice(0, 3).join('/') : `${top}/${name}`;
    const inner = path.slice(group.length + 1);
    if (inner === '') continue;
    const place = top === 'lab' ? inner : `host-01/${inner}`;
    groups.set(group, [...(groups.get(group) ?? []), { path: place, bytes }]);
  }
  const lab = join(ROOT, 'fixtures/lab/nwaudit.yaml');
  const configuration = existsSync(lab) ? [{ path: 'nwaudit.yaml', bytes: readFileSync(lab) }] : [];
  const found = [...groups].map(([group, group_files]) =>
    group.startsWith('lab/') ? [...configuration, ...group_files] : group_files,
  );
  // One host at a time is quicker, and shows as much.
  const single = found.flatMap((input) =>
    input
      .filter(({ path }) => /\.(?:rules|v4|v6|txt|json|iptables|ip6tables)$/.test(path))
      .map((file) => [
        { path: `client-01/${file.path.slice(file.path.lastIndexOf('/') + 1)}`, bytes: file.bytes },
        ...configuration,
      ]),
  );
  return [...found, ...single].filter((input) => sizeOf(input) <= LONGEST_SEED);
}

/** Folders with a `zones`, `services` or the like, or a `firewalld.conf`, each as one input below `firewalld/`. */
function firewalldRoots(files: readonly FuzzFile[]): FuzzInput[] {
  const groups = new Map<string, FuzzFile[]>();
  for (const { path, bytes } of files) {
    const found =
      /^(.*?)(?:firewalld\/|etc-firewalld\/)((?:zones|services|policies|ipsets|icmptypes|helpers)\/.+|direct\.xml|firewalld\.conf)$/.exec(
        path,
      );
    if (found === null) continue;
    const [, root = '', inner = ''] = found;
    groups.set(root, [...(groups.get(root) ?? []), { path: `firewalld/${inner}`, bytes }]);
  }
  return [...groups.values()].filter((input) => sizeOf(input) <= LONGEST_SEED);
}
