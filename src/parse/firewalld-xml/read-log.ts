import type { Origin } from '../../model/index.ts';
import type { ConfigurationProblem } from './configuration.ts';

/** Problems of each consequence that are kept; one more says that there are more. */
const MOST_PROBLEMS = 5_000;

/** Collects what is wrong with the files of one host. */
export class ProblemLog {
  readonly problems: ConfigurationProblem[] = [];
  /** First place with something only firewalld 2.x takes. */
  needsVersion2: Origin | undefined;
  readonly #counts = { fatal: 0, skipped: 0, note: 0 };

  /** firewalld refuses the whole configuration because of this. */
  fatal(origin: Origin, detail: string): void {
    this.#add({ consequence: 'fatal', origin, detail });
  }

  /** firewalld leaves this part out. */
  skipped(origin: Origin, detail: string): void {
    this.#add({ consequence: 'skipped', origin, detail });
  }

  note(origin: Origin, detail: string): void {
    this.#add({ consequence: 'note', origin, detail });
  }

  /** nwaudit leaves this part out and does not know what firewalld does. */
  uncertain(origin: Origin, detail: string): void {
    this.#add({ consequence: 'skipped', uncertain: true, origin, detail });
  }

  /** nwaudit goes on with this part and does not know what firewalld does. */
  doubt(origin: Origin, detail: string): void {
    this.#add({ consequence: 'note', uncertain: true, origin, detail });
  }

  /** Remembers the place of something that firewalld 1.x refuses. */
  version2(origin: Origin, what: string): void {
    if (this.needsVersion2 !== undefined) return;
    this.needsVersion2 = origin;
    this.note(
      origin,
      `${what} is new in firewalld 2; version 1 refuses the whole configuration because of it`,
    );
  }

  #add(problem: ConfigurationProblem): void {
    const { consequence, origin } = problem;
    const count = ++this.#counts[consequence];
    if (count <= MOST_PROBLEMS) this.problems.push(problem);
    else if (count === MOST_PROBLEMS + 1) {
      const detail = 'there are more problems of this kind than can be shown';
      this.problems.push({ consequence: 'note', origin, detail });
    }
  }
}

const QUOTED_CHARACTERS = 100;

/** `text` in quotation marks for a message, shortened to about 100 characters. */
export function quote(text: string): string {
  return `"${text.length <= QUOTED_CHARACTERS ? text : `${text.slice(0, QUOTED_CHARACTERS)}…`}"`;
}

/** A problem with what follows from it, as a sentence without capital and full stop. */
export function describeProblem(problem: ConfigurationProblem): string {
  if (problem.uncertain === true)
    return `${problem.detail}; nwaudit does not know what firewalld makes of it`;
  switch (problem.consequence) {
    case 'fatal':
      return `${problem.detail}: firewalld refuses its whole configuration because of this and runs the stock one instead`;
    case 'skipped':
      return `${problem.detail}: firewalld leaves this out`;
    case 'note':
      return problem.detail;
  }
}

/** The place of what has none within a file. */
export function startOfFile(file: string): Origin {
  return { file, line: 1, column: 1, endLine: 1, endColumn: 1, path: null };
}
