/** Reads direct.xml. A bad file is not fatal: firewalld keeps what it read before the first error. */
import type { Origin } from '../../model/index.ts';
import type { Direct, DirectRule } from './configuration.ts';
import { attributeOf } from './read-element.ts';
import { GRAMMARS } from './read-grammar.ts';
import { type ProblemLog, quote } from './read-log.ts';
import { parsePythonInt } from './read-values.ts';
import type { XmlElement, XmlHandler } from './xml.ts';

const TABLES: Readonly<Record<string, readonly string[]>> = {
  ipv4: ['security', 'raw', 'mangle', 'nat', 'filter'],
  ipv6: ['security', 'raw', 'mangle', 'nat', 'filter'],
  eb: ['broute', 'nat', 'filter'],
};

/** Collects direct.xml. */
export class DirectReader implements XmlHandler {
  readonly #log: ProblemLog;
  readonly #chains: { family: string; table: string; chain: string; origin: Origin }[] = [];
  readonly #rules: DirectRule[] = [];
  readonly #passthroughs: { family: string; args: string; origin: Origin }[] = [];
  readonly #seen = new Set<string>();
  #root: Origin | undefined;
  /** The last `<rule>` and the last `<passthrough>` that began: firewalld keeps one of each, whatever stands inside. */
  readonly #open = new Map<string, XmlElement>();
  /** Set by the first error: firewalld reads no further. */
  #stopped = false;

  constructor(log: ProblemLog) {
    this.#log = log;
  }

  note(detail: string, origin: Origin): void {
    this.#log.note(origin, detail);
  }

  start(element: XmlElement): void {
    if (this.#stopped) return;
    const { name, origin } = element;
    const grammar = Object.hasOwn(GRAMMARS.direct, name) ? GRAMMARS.direct[name] : undefined;
    if (grammar === undefined) {
      this.stop(origin, `unknown element <${name.slice(0, 60)}> in direct.xml`);
      return;
    }
    const missing = grammar.required.find((attribute) => !element.attributes.has(attribute));
    const extra = [...element.attributes.keys()].find((attribute) => !grammar.required.includes(attribute));
    if (missing !== undefined) this.stop(origin, `<${name}> has no attribute "${missing}"`);
    else if (extra !== undefined) this.stop(origin, `unknown attribute ${quote(extra)} of <${name}>`);
    else if (name === 'direct' && this.#root !== undefined) this.stop(origin, 'a second <direct>');
    else if (name === 'direct') this.#root = origin;
    else if (this.#root === undefined) this.#log.skipped(origin, `<${name}> outside of <direct>`);
    else if (name === 'chain') this.#chain(element);
    else if (name === 'rule' && !Object.hasOwn(TABLES, attributeOf(element, 'ipv') ?? ''))
      this.stop(origin, `the IP version ${quote(attributeOf(element, 'ipv') ?? '')} is none`);
    else this.#open.set(name, element);
  }

  end(name: string, text: string, origin: Origin): void {
    if (this.#stopped || (name !== 'rule' && name !== 'passthrough')) return;
    const element = this.#open.get(name);
    this.#open.delete(name);
    // firewalld turns line breaks into spaces and forgets what stood before an inner tag.
    const args = text.replaceAll('\n', ' ');
    if (args === '')
      this.#log.skipped(element?.origin ?? origin, `<${name}> of direct.xml without arguments`);
    else if (element === undefined) this.stop(origin, `</${name}> where no <${name}> is open`);
    else {
      const place = { ...element.origin, endLine: origin.endLine, endColumn: origin.endColumn };
      if (!isSplittable(args)) this.stop(place, 'the arguments of a direct rule have an open quotation mark');
      else if (name === 'rule') this.#rule(element, args, place);
      else this.#passthrough(element, args, place);
    }
  }

  /** Ends the reading: the rest of the file has no effect. */
  stop(origin: Origin, detail: string): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#log.skipped(origin, `${detail}; direct.xml counts up to here, the rest of it`);
  }

  direct(): Direct | undefined {
    if (this.#root === undefined) return undefined;
    return {
      chains: this.#chains,
      rules: this.#rules,
      passthroughs: this.#passthroughs,
      origin: this.#root,
    };
  }

  #chain(element: XmlElement): void {
    const family = attributeOf(element, 'ipv') ?? '';
    const table = attributeOf(element, 'table') ?? '';
    const chain = attributeOf(element, 'chain') ?? '';
    if (!this.#checkTable(element.origin, family, table)) return;
    if (this.#isNew(`${family}\n${table}\n${chain}`, element.origin, 'the direct chain'))
      this.#chains.push({ family, table, chain, origin: element.origin });
  }

  #rule(element: XmlElement, args: string, origin: Origin): void {
    const family = attributeOf(element, 'ipv') ?? '';
    const table = attributeOf(element, 'table') ?? '';
    const chain = attributeOf(element, 'chain') ?? '';
    const priority = parsePythonInt(attributeOf(element, 'priority') ?? '');
    if (priority === undefined) {
      this.stop(
        origin,
        `the priority ${quote(attributeOf(element, 'priority') ?? '')} of a direct rule is no number`,
      );
      return;
    }
    if (!this.#checkTable(origin, family, table)) return;
    if (this.#isNew(`${family}\n${table}\n${chain}\n${priority}\n${args}`, origin, 'the direct rule'))
      this.#rules.push({ family, table, chain, priority, args, origin });
  }

  #passthrough(element: XmlElement, args: string, origin: Origin): void {
    const family = attributeOf(element, 'ipv') ?? '';
    if (!Object.hasOwn(TABLES, family)) this.stop(origin, `the IP version ${quote(family)} is none`);
    else if (this.#isNew(`${family}\n${args}`, origin, 'the passthrough rule'))
      this.#passthroughs.push({ family, args, origin });
  }

  #checkTable(origin: Origin, family: string, table: string): boolean {
    const tables = Object.hasOwn(TABLES, family) ? TABLES[family]! : undefined;
    if (tables === undefined) this.stop(origin, `the IP version ${quote(family)} is none`);
    else if (!tables.includes(table)) this.stop(origin, `${quote(table)} is no table of ${family}`);
    else return true;
    return false;
  }

  #isNew(key: string, origin: Origin, what: string): boolean {
    if (!this.#seen.has(key)) {
      this.#seen.add(key);
      return true;
    }
    this.#log.note(origin, `${what} stands here a second time`);
    return false;
  }
}

/** Whether a shell could split the text: every quotation mark is closed, the last backslash escapes something. */
function isSplittable(text: string): boolean {
  let quoteMark = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quoteMark === "'") {
      if (c === "'") quoteMark = '';
    } else if (c === '\\') {
      if (++i >= text.length) return false;
    } else if (c === quoteMark) quoteMark = '';
    else if (quoteMark === '' && (c === '"' || c === "'")) quoteMark = c;
  }
  return quoteMark === '';
}
