import type { Condition, ParseDiagnostic, Rule, Table } from '../../model/index.ts';
import { DiagnosticLog, type Place, quote, shorten } from '../diagnostic-log.ts';
import { printWord, splitSavedLine, type Word } from '../words.ts';
import { convertRule } from './convert-rule.ts';
import { type FamilyDecision, familyOfFile, familyOfHeader, familyOfLines } from './family.ts';
import { type Line, placeOf, type ScriptCommand } from './lines.ts';
import { type Command, type RuleCommand, type RuleSyntax, readRule } from './rule-syntax.ts';
import { isSameTable } from './same-table.ts';
import type { RuleContext } from './spec.ts';
import { BUILTIN_CHAINS, TableBuilder, unknownRule } from './table-builder.ts';

/** A run of lines that describe one table. */
interface Section {
  /** `table`: begun by `*NAME`. `loose`: rules without a table line, as `iptables -S` prints them. */
  readonly kind: 'table' | 'loose';
  readonly name: string | undefined;
  readonly header: 'ip' | 'ip6' | undefined;
  readonly place: Place;
  readonly lines: Line[];
  committed: boolean;
  /** Of a loose section: chains whose policy was given, and whether a rule was seen. */
  readonly policies: Set<string>;
  hasRules: boolean;
  declares: boolean;
}

/** Reads the lines of one file into tables. One use per file. */
export class FileReader {
  readonly #log: DiagnosticLog;
  readonly #lines: readonly Line[];
  readonly #forced: 'ip' | 'ip6' | undefined;
  readonly #fileFamily: FamilyDecision;
  readonly #sections: Section[] = [];
  readonly #scripts = new Map<string, TableBuilder>();
  readonly #tables = new Map<string, Table>();
  #open: Section | undefined;
  #hasTables = false;
  #header: 'ip' | 'ip6' | undefined;
  #prose: Line[] = [];
  readonly #scriptLines: Line[] = [];
  /** Rules outside every table, by the chain they name. */
  readonly #strays = new Map<string, Rule[]>();

  constructor(lines: readonly Line[], file: string, forced: 'ip' | 'ip6' | undefined) {
    this.#lines = lines;
    this.#log = new DiagnosticLog(file);
    this.#forced = forced;
    this.#fileFamily = familyOfFile(lines, file);
  }

  /** Everything the lines say. `crlf`: where the first line with a CR stands. */
  read(crlf: Place | undefined): {
    readonly tables: readonly Table[];
    readonly diagnostics: readonly ParseDiagnostic[];
  } {
    if (crlf !== undefined) {
      this.#log.add(
        'note',
        false,
        crlf,
        'lines end with CR LF; they are read, but iptables-restore refuses such a file',
      );
    }
    for (const line of this.#lines) this.#sort(line);
    this.#close();
    this.#flushProse();
    this.#hasTables = this.#sections.some((s) => s.kind === 'table');
    for (const section of this.#sections) this.#readSection(section);
    this.#runScript();
    for (const builder of this.#scripts.values()) if (!builder.isEmpty) this.#addTable(builder.finish());
    return {
      tables: [...this.#tables.values()].map((t) => this.#withStrays(t)),
      diagnostics: this.#log.finish(),
    };
  }

  /** Puts a line into the section it belongs to. */
  #sort(line: Line): void {
    if (line.kind !== 'prose' || this.#open?.kind === 'table') this.#flushProse();
    switch (line.kind) {
      case 'comment':
        this.#readComment(line);
        return;
      case 'table':
        this.#begin('table', line, line.text.slice(line.start + 1));
        return;
      case 'commit':
        this.#commit(line);
        return;
      case 'script':
        if (line.prompt || this.#open?.kind === 'loose') this.#close();
        if (this.#open !== undefined) this.#add(this.#open, line);
        else this.#scriptLines.push(line);
        return;
      case 'prose':
        this.#sortProse(line);
        return;
      case 'chain':
      case 'rule':
      case 'too-long':
        if (this.#open === undefined || this.#startsAnew(line)) this.#begin('loose', line, undefined);
        this.#add(this.#open!, line);
    }
  }

  #begin(kind: Section['kind'], line: Line, name: string | undefined): void {
    this.#close();
    this.#open = {
      kind,
      name,
      header: this.#header,
      place: placeOf(line),
      lines: [],
      committed: false,
      policies: new Set(),
      hasRules: false,
      declares: false,
    };
    this.#sections.push(this.#open);
  }

  #close(): void {
    this.#open = undefined;
  }

  #commit(line: Line): void {
    if (this.#open === undefined)
      this.#log.add('note', false, placeOf(line), 'COMMIT stands outside a table');
    else this.#open.committed = true;
    this.#close();
  }

  /** `-P CHAIN` again after rules: the next table of several printed by `iptables -S`. */
  #startsAnew(line: Line): boolean {
    const section = this.#open;
    if (section?.kind !== 'loose') return false;
    const policy = /^-P (\S+)/.exec(line.text.slice(line.start, line.start + 100))?.[1];
    return policy !== undefined && (section.hasRules || section.policies.has(policy));
  }

  #add(section: Section, line: Line): void {
    section.lines.push(line);
    if (section.kind !== 'loose') return;
    const begin = line.text.slice(line.start, line.start + 100);
    const policy = /^-P (\S+)/.exec(begin)?.[1];
    if (policy !== undefined) section.policies.add(policy);
    section.hasRules ||= begin.startsWith('-A');
    section.declares ||= line.kind === 'chain' || begin.startsWith('-P ') || begin.startsWith('-N ');
  }

  #sortProse(line: Line): void {
    if (this.#open?.kind === 'table' && !line.prompt) {
      this.#add(this.#open, line);
      return;
    }
    this.#close();
    if (couldBeRule(line.text)) {
      this.#flushProse();
      this.#log.add(
        'syntax',
        true,
        placeOf(line),
        `the line could hold a rule and cannot be read: ${quote(line.text.trim())}`,
      );
    } else this.#prose.push(line);
  }

  #flushProse(): void {
    const first = this.#prose[0];
    if (first === undefined) return;
    const last = this.#prose[this.#prose.length - 1]!;
    const what = first === last ? 'the line is' : `${this.#prose.length} lines are`;
    this.#log.addLines(
      'note',
      false,
      placeOf(first),
      placeOf(last),
      `${what} no part of a rule set: ${quote(first.text.trim())}`,
    );
    this.#prose = [];
  }

  #readComment(line: Line): void {
    const { text } = line;
    const place = placeOf(line);
    if (/^#\s*Generated by \S*-save\b/.test(text)) {
      this.#header = familyOfHeader(text);
      if (this.#open?.kind === 'loose') this.#close();
    } else if (/^#\s*Completed on /.test(text)) this.#header = undefined;
    else if (/^#\s*Table\s.*\bis incompatible, use 'nft' tool/.test(text)) {
      this.#log.add(
        'unsupported',
        true,
        place,
        `${quote(text)}: the host has nft rules that iptables-save does not show; export them with "nft -j list ruleset"`,
      );
    } else if (/^#\s*Warning: ip6?tables-legacy tables present/.test(text)) {
      this.#log.add(
        'unsupported',
        true,
        place,
        `${quote(text)}: further rules are in force; export them with "iptables-legacy-save" and "ip6tables-legacy-save"`,
      );
    } else if (/^#+\s*(?:\S*\/)?ip6?tables\s+-/.test(text)) {
      this.#log.add('note', false, place, 'the comment holds an iptables command; it is not read');
    }
  }

  #familyOf(section: Section): 'ip' | 'ip6' {
    return this.#forced ?? section.header ?? (familyOfLines(section.lines) ?? this.#fileFamily).family;
  }

  #readSection(section: Section): void {
    if (section.kind === 'loose' && !this.#isListing(section)) {
      this.#readStrayLines(section);
      return;
    }
    const name = section.name ?? inferTable(section.lines);
    const builder = new TableBuilder(this.#familyOf(section), name, section.place, this.#log, false);
    if (!BUILTIN_CHAINS.has(name)) {
      this.#log.add(
        'unsupported',
        true,
        section.place,
        `the table ${quote(name)} is not known; when its chains run is unknown`,
      );
    }
    if (section.name === undefined && name !== 'filter') {
      this.#log.add('note', false, section.place, `no table is named; the chains are those of table ${name}`);
    }
    for (const line of section.lines) this.#readTableLine(line, builder);
    if (section.kind === 'table' && !section.committed) {
      this.#log.add(
        'syntax',
        true,
        section.place,
        `table ${name} has no COMMIT: the export is cut off, or would load nothing`,
      );
    }
    this.#addTable(builder.finish());
  }

  /** Whether lines without a table line are a listing of their own, and not what follows the end of a table. */
  #isListing(section: Section): boolean {
    return section.declares || !this.#hasTables;
  }

  /** Rules that stand outside every table: each may belong to any chain of its name. */
  #readStrayLines(section: Section): void {
    for (const line of section.lines) {
      this.#log.add(
        'syntax',
        true,
        placeOf(line),
        `the rule stands outside every table and is not loaded with one: ${quote(line.text.trim())}`,
      );
      const chain =
        /(?:^|\s)(?:-[AIR]|--append|--insert|--replace)\s+(\S+)/.exec(line.text.slice(0, 1000))?.[1] ?? '';
      const list = this.#strays.get(chain) ?? [];
      list.push(unknownRule(this.#log, placeOf(line), line.text.trim()));
      this.#strays.set(chain, list);
    }
  }

  #withStrays(table: Table): Table {
    if (this.#strays.size === 0) return table;
    const chains = table.chains.map((chain) => {
      const strays = this.#strays.get(chain.name);
      return strays === undefined ? chain : { ...chain, rules: [...chain.rules, ...strays] };
    });
    return { ...table, chains };
  }

  #readTableLine(line: Line, builder: TableBuilder): void {
    if (line.kind === 'chain') {
      this.#readChainLine(line, builder);
      return;
    }
    if (line.kind === 'too-long') {
      this.#keepUnread(line, builder, 'the line is too long to be a rule', line.start);
      return;
    }
    if (line.kind !== 'rule') {
      this.#keepUnread(line, builder, 'the line is no rule', line.start);
      return;
    }
    let start = line.start;
    let counters: Rule['counters'];
    if (line.text[start] === '[') {
      const close = line.text.indexOf(']', start);
      counters = parseCounters(line.text.slice(start, close + 1));
      start = close + 1;
      while (line.text[start] === ' ' || line.text[start] === '\t') start++;
    }
    const words = splitSavedLine(line.text, start);
    if ('kind' in words) {
      this.#keepUnread(line, builder, words.detail, start);
      return;
    }
    const syntax = readRule(line.text, words);
    const problem = syntax.problem ?? this.#problemInTable(syntax, builder);
    if (problem !== undefined) {
      this.#keepUnread(line, builder, problem, start);
      return;
    }
    this.#execute(syntax, builder, placeOf(line, start), counters, line.text.slice(start), undefined);
  }

  #problemInTable(syntax: RuleSyntax, builder: TableBuilder): string | undefined {
    if (syntax.command === undefined) return 'it names no chain';
    return syntax.table === undefined || syntax.table === builder.name
      ? undefined
      : `it names the table ${quote(syntax.table)} inside table ${builder.name}`;
  }

  #readChainLine(line: Line, builder: TableBuilder): void {
    const place = placeOf(line);
    const declaration = /^:(\S+)\s+(\S+)(?:\s+(\[\d+:\d+\]))?$/.exec(line.text.slice(line.start));
    if (declaration === null) {
      const name = /^:([^\s:]+)/.exec(line.text.slice(line.start, line.start + 300))?.[1] ?? '';
      this.#log.add('syntax', true, place, `the chain declaration is cut off: ${quote(line.text.trim())}`);
      if (name !== '' && !builder.has(name)) builder.declare(name, '-', place);
      return;
    }
    builder.declare(declaration[1]!, declaration[2]!, place);
  }

  /** Executes one command with its rule on a table. `rest` is the text after the counters. */
  #execute(
    syntax: RuleSyntax,
    builder: TableBuilder,
    place: Place,
    counters: Rule['counters'],
    rest: string,
    guard: Condition | undefined,
  ): void {
    const command = syntax.command!;
    for (const oddity of syntax.oddities) {
      this.#log.once(
        `oddity ${oddity}`,
        'note',
        false,
        place,
        `${oddity}: iptables refuses that today, the meaning is clear`,
      );
    }
    if (syntax.onlyVersion !== undefined && (syntax.onlyVersion === 6) !== (builder.family === 'ip6')) {
      this.#log.add(
        'note',
        false,
        place,
        `the line is marked -${syntax.onlyVersion} and not loaded for the other IP version`,
      );
      return;
    }
    switch (command.kind) {
      case 'append':
      case 'insert':
      case 'replace':
      case 'delete':
        this.#executeRule(command, syntax, builder, place, counters, rest, guard);
        return;
      default:
        if (guard === undefined) {
          executeChainCommand(command, builder, place);
          return;
        }
        if (command.kind === 'no-effect') return;
        this.#log.add(
          'unsupported',
          true,
          place,
          `the command runs only under a condition of the script: ${quote(rest)}`,
        );
        builder.taint(unknownRule(this.#log, place, rest));
    }
  }

  #executeRule(
    command: RuleCommand,
    syntax: RuleSyntax,
    builder: TableBuilder,
    place: Place,
    counters: Rule['counters'],
    rest: string,
    guard: Condition | undefined,
  ): void {
    const { chain } = command;
    if (command.kind === 'delete' && command.number !== undefined && guard === undefined) {
      builder.remove(chain, command.number, place);
      return;
    }
    const meaning = convertRule(syntax, this.#contextOf(syntax, builder, chain, place));
    if (meaning.kind === 'problem') {
      this.#sayUnread(place, rest, meaning.detail);
      const rule = unknownRule(this.#log, place, rest);
      if (command.kind === 'delete') builder.taint(rule);
      else builder.put('append', chain, 0, rule, 1, place);
      return;
    }
    const guards = guard === undefined ? [] : [{ text: 'a condition of the script', condition: guard }];
    const rule: Rule = {
      matches: [...meaning.matches, ...guards],
      statements: meaning.statements,
      verdict: meaning.verdict,
      text: command.kind === 'append' && /^-A \S+/.test(rest) ? rest : ruleText(chain, syntax.ruleWords),
      comment: meaning.comment,
      counters: counters ?? syntax.counters,
      number: undefined,
      handle: undefined,
      origin: this.#log.originOf(place),
    };
    if (command.kind !== 'delete') {
      builder.put(
        command.kind,
        chain,
        command.kind === 'append' ? 0 : (command.number ?? 1),
        rule,
        meaning.span,
        place,
      );
    } else if (guard === undefined) builder.remove(chain, { like: rule }, place);
    else {
      this.#log.add(
        'unsupported',
        true,
        place,
        `the rule is deleted only under a condition of the script: ${quote(rest)}`,
      );
      builder.taint(unknownRule(this.#log, place, rest));
    }
  }

  #contextOf(syntax: RuleSyntax, builder: TableBuilder, chain: string, place: Place): RuleContext {
    const version = builder.family === 'ip' ? 4 : 6;
    if (version === 6 && syntax.protocol === 1) {
      this.#log.once(
        'icmp in ip6tables',
        'note',
        false,
        place,
        'in ip6tables, "-p icmp" is protocol 1 and not ICMPv6',
      );
    }
    return {
      version,
      protocol: syntax.protocol,
      table: builder.name,
      chain,
      remark: (key, kind, detail) => this.#log.once(key, kind, false, place, detail),
    };
  }

  #sayUnread(place: Place, text: string, detail: string): void {
    this.#log.add('syntax', true, place, `the rule cannot be read: ${detail}: ${quote(text)}`);
  }

  /** Keeps a line that cannot be read: as a rule of its chain, or, if it names none, of every base chain. */
  #keepUnread(line: Line, builder: TableBuilder, detail: string, start: number): void {
    const place = placeOf(line, start);
    const text = line.text.slice(start);
    this.#sayUnread(place, text, detail);
    const rule = unknownRule(this.#log, place, text);
    const named = /^(-[AIRD]|--append|--insert|--replace|--delete)[ \t]+(\S+)/.exec(text.slice(0, 400));
    const isChain =
      named !== null && (builder.has(named[2]!) || BUILTIN_CHAINS.get(builder.name)?.has(named[2]!) === true);
    if (isChain && named[1] !== '-D' && named[1] !== '--delete')
      builder.put('append', named[2]!, 0, rule, 1, place);
    else builder.taint(rule);
  }

  /** Executes the commands of all script lines in order, starting from empty tables. */
  #runScript(): void {
    for (const line of this.#scriptLines) {
      for (const command of line.commands) this.#runCommand(line, command);
    }
  }

  #runCommand(line: Line, command: ScriptCommand): void {
    const first = command.words[0];
    const place = first === undefined ? placeOf(line) : placeOf(line, first.start);
    const syntax = readRule(line.text, command.words);
    const rest = command.words.map((w) => printWord(w.value, w.quoted)).join(' ');
    if (syntax.command?.kind === 'no-effect' && syntax.problem === undefined) {
      this.#log.add('note', false, place, `the command changes no rule: ${quote(rest)}`);
      return;
    }
    const builder = this.#scriptTable(command.family, syntax.table ?? 'filter', place);
    if (syntax.problem !== undefined || syntax.command === undefined) {
      this.#keepUnreadCommand(command, builder, place, rest, syntax.problem ?? 'it names no chain');
      return;
    }
    const guard: Condition | undefined = command.conditional
      ? { kind: 'unknown', nature: 'varying', text: `the script runs its line ${line.number}` }
      : undefined;
    if (guard !== undefined) {
      this.#log.once(
        'conditional commands',
        'unsupported',
        true,
        place,
        'whether and how often the command runs depends on the script; its rule is kept with an unknown match: export with "iptables-save" instead',
      );
    }
    this.#execute(syntax, builder, place, undefined, rest, guard);
  }

  #keepUnreadCommand(
    command: ScriptCommand,
    builder: TableBuilder,
    place: Place,
    rest: string,
    detail: string,
  ): void {
    this.#sayUnread(place, rest, detail);
    const index = command.words.findIndex((w) => /^(?:-[AIR]|--append|--insert|--replace)$/.test(w.value));
    const chain = index < 0 ? undefined : command.words[index + 1]?.value;
    const rule = unknownRule(this.#log, place, rest);
    const known =
      chain !== undefined && (builder.has(chain) || BUILTIN_CHAINS.get(builder.name)?.has(chain) === true);
    if (known) builder.put('append', chain, 0, rule, 1, place);
    else builder.taint(rule);
  }

  #scriptTable(family: 'ip' | 'ip6', name: string, place: Place): TableBuilder {
    const key = `${family} ${name}`;
    let builder = this.#scripts.get(key);
    if (builder === undefined) {
      builder = new TableBuilder(family, name, place, this.#log, true);
      this.#scripts.set(key, builder);
      this.#log.once(
        'script',
        'note',
        false,
        place,
        'assumed: the commands run once, in this order, on empty tables with the policy accept',
      );
    }
    return builder;
  }

  #addTable(table: Table): void {
    const key = `${table.family} ${table.name}`;
    const known = this.#tables.get(key);
    if (known === undefined) {
      this.#tables.set(key, table);
      return;
    }
    const { line, column, endColumn } = table.origin;
    const place: Place = { line, column, endColumn };
    if (isSameTable(known, table)) {
      this.#log.add(
        'note',
        false,
        place,
        `table ${table.name} (${table.family}) stands twice in the file, with the same rules; it is counted once`,
      );
    } else {
      this.#log.add(
        'contradiction',
        true,
        place,
        `table ${table.name} (${table.family}) stands here and at line ${known.origin.line}, with different rules; this one is left out`,
      );
    }
  }
}

function executeChainCommand(command: Command, builder: TableBuilder, place: Place): void {
  switch (command.kind) {
    case 'new-chain':
      builder.declare(command.chain, '-', place);
      return;
    case 'policy':
      builder.declare(command.chain, command.policy, place);
      return;
    case 'flush':
      builder.flush(command.chain);
      return;
    case 'delete-chain':
      builder.deleteChain(command.chain);
      return;
    case 'rename-chain':
      builder.rename(command.chain, command.to, place);
      return;
    default:
      return;
  }
}

function parseCounters(text: string): Rule['counters'] {
  const [packets, bytes] = text.slice(1, -1).split(':');
  return packets === undefined || bytes === undefined
    ? undefined
    : { packets: BigInt(packets.slice(0, 30)), bytes: BigInt(bytes.slice(0, 30)) };
}

function ruleText(chain: string, words: readonly Word[]): string {
  return ['-A', printWord(chain, false), ...words.map((w) => printWord(w.value, w.quoted))].join(' ');
}

/** Whether a line outside every table could carry a rule, so that leaving it out makes the audit incomplete. */
function couldBeRule(text: string): boolean {
  const part = shorten(text.slice(0, 2000)) === text ? text : text.slice(0, 2000);
  if (/\bip6?tables\S*-restore\b/.test(part)) return true;
  return (
    /(?:^|\s)(?:-[AIRP]|--append|--insert|--policy)\s+[\w-]+/.test(part) &&
    /ip[46]?t|-j\s|--jump|INPUT|FORWARD|OUTPUT/i.test(part)
  );
}

/** The table whose builtin chains a listing without a table line names; `filter` when in doubt. */
function inferTable(lines: readonly Line[]): string {
  const names = new Set<string>();
  let natTarget = false;
  for (const { text, start } of lines) {
    const name = /^(?::|-[PA] )(\S+)/.exec(text.slice(start, start + 100))?.[1];
    if (name !== undefined && /^(?:PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/.test(name)) names.add(name);
    natTarget ||= /-j (?:DNAT|SNAT|MASQUERADE|REDIRECT|NETMAP)\b/.test(text.slice(0, 4000));
  }
  if (!names.has('PREROUTING') && !names.has('POSTROUTING'))
    return natTarget && !names.has('FORWARD') ? 'nat' : 'filter';
  if (natTarget) return 'nat';
  if (names.has('FORWARD')) return 'mangle';
  return names.has('POSTROUTING') ? 'nat' : 'raw';
}
