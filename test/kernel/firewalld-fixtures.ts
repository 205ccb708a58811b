import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FirewalldFiles } from './firewalld-run.ts';
import type { AimOptions } from './packets.ts';

/** A whole configuration with how to aim at it. */
export interface FirewalldFixture {
  readonly name: string;
  readonly files: FirewalldFiles;
  readonly options: FirewalldFixtureOptions;
}

/** `options.json` of a fixture. */
export interface FirewalldFixtureOptions extends AimOptions {
  /** firewalld refuses it and runs its stock configuration. */
  readonly failed?: boolean;
  /** The answer hangs on what no export tells (limits, reverse routes): unknown answers are right. */
  readonly unknown?: boolean;
  /** What `nft -j` here does not print of it: then only the XML is compared. */
  readonly jsonLoses?: string;
  /** Why the XML is read otherwise on purpose than the firewalld here does: then only nft JSON is compared. */
  readonly xmlDiffers?: string;
}

const ROOT = fileURLToPath(new URL('../../fixtures/kernel/firewalld/', import.meta.url));

/** What a fixture without a `firewalld.conf` of its own gets. */
const USUAL_CONF = 'DefaultZone=public\n';

/** Configurations below `fixtures/kernel/firewalld`: a folder each with the files of `/etc/firewalld`, and `options.json`. */
export function readFirewalldFixtures(): FirewalldFixture[] {
  return readdirSync(ROOT)
    .sort()
    .map((name) => {
      const { 'options.json': options, ...files } = readTree(join(ROOT, name));
      // The file is ours; an option that does not exist has no effect and shows in review.
      const parsed = JSON.parse(options ?? '{}') as FirewalldFixtureOptions;
      return { name, files: { 'firewalld.conf': USUAL_CONF, ...files }, options: parsed };
    });
}

/** Whole configurations of real hosts, each in `NAME/etc-firewalld`. */
export function readFirewalldCorpus(folder: string): FirewalldFixture[] {
  return readdirSync(folder)
    .sort()
    .filter((name) => existsSync(join(folder, name, 'etc-firewalld')))
    .map((name) => {
      return { name, files: readTree(join(folder, name, 'etc-firewalld')), options: {} };
    });
}

function readTree(root: string): Record<string, string> {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((path) => [relative(root, path), readFileSync(path, 'utf8')]));
}
