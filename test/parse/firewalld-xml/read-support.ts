import type { FirewalldConfiguration } from '../../../src/parse/firewalld-xml/configuration.ts';
import { type FirewalldFile, readFirewalldFiles } from '../../../src/parse/firewalld-xml/read-files.ts';

/** Reads files given by their paths below /etc. */
export function readFiles(files: Readonly<Record<string, string>>): FirewalldConfiguration {
  return readFirewalldFiles(toFiles(files));
}

export function toFiles(files: Readonly<Record<string, string>>): readonly FirewalldFile[] {
  return Object.entries(files).map(([path, text]) => ({ path: `etc/firewalld/${path}`, text }));
}

/** Problems in short: consequence, place, text. */
export function problemsOf({ problems }: FirewalldConfiguration): readonly string[] {
  return problems.map(({ consequence, uncertain, origin, detail }) => {
    const certainty = uncertain === true ? '?' : '';
    return `${consequence}${certainty} ${origin.line}:${origin.column} ${detail}`;
  });
}

/** What one zone file says, and the problems with it. */
export function readZone(content: string): FirewalldConfiguration {
  return readFiles({ 'zones/test.xml': `<zone>${content}</zone>` });
}
