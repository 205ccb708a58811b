/** Paths as lists of segments, and patterns over them. Paths are written with `/` on every system. */
import { matchesWildcards } from './host-name.ts';

/**
 * The segments of a path; an absolute path begins with an empty one. `.` and doubled slashes vanish, `..` takes
 * back the segment before it where there is one.
 */
export function segmentsOf(path: string): string[] {
  const segments: string[] = path.startsWith('/') ? [''] : [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    const last = segments[segments.length - 1];
    if (segment !== '..' || last === undefined || last === '..') segments.push(segment);
    else if (last !== '') segments.pop();
  }
  return segments;
}

/** The segments of `path` below `folder`, or `undefined` when it is not in there. Empty when they are the same. */
export function segmentsBelow(folder: readonly string[], path: readonly string[]): string[] | undefined {
  if (folder.length > path.length || folder.some((segment, i) => segment !== path[i])) return undefined;
  // The current folder contains no absolute path and nothing above itself.
  if (folder.length === 0 && (path[0] === '' || path[0] === '..')) return undefined;
  return path.slice(folder.length);
}

/** A pattern over paths: `*` and `?` within a segment, `**` for any number of segments. */
export interface PathPattern {
  readonly segments: readonly string[];
  /** Written with a `/` at its end: matches what is in the folder, not a file of that name. */
  readonly folderOnly: boolean;
}

export function parsePathPattern(text: string): PathPattern {
  const segments = segmentsOf(text);
  // Two `**` in a row mean the same as one.
  const collapsed = segments.filter((segment, i) => segment !== '**' || segments[i - 1] !== '**');
  return { segments: collapsed, folderOnly: text.endsWith('/') };
}

/** Whether the pattern matches the path, or a folder that contains it. Case counts. */
export function matchesPath(pattern: PathPattern, path: readonly string[]): boolean {
  // Positions in the path that the pattern read so far can have reached.
  let reached = new Set([0]);
  for (const segment of pattern.segments) {
    const next = new Set<number>();
    if (segment === '**') {
      const first = Math.min(...reached);
      for (let at = first; at <= path.length; at++) next.add(at);
    } else {
      for (const at of reached) {
        const name = path[at];
        if (name !== undefined && matchesWildcards(segment, name, true)) next.add(at + 1);
      }
    }
    if (next.size === 0) return false;
    reached = next;
  }
  if (!pattern.folderOnly) return true;
  return [...reached].some((at) => at < path.length);
}
