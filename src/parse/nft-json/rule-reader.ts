import {
  ALWAYS,
  type FieldName,
  type Hook,
  type Match,
  type Origin,
  type Rule,
  type Statement,
  type Verdict,
} from '../../model/index.ts';
import type { DiagnosticLog } from '../diagnostic-log.ts';
import { assemble } from './assemble.ts';
import { unknown } from './conditions.ts';
import { hiddenVersions } from './hidden-version.ts';
import { differingPart, type HeaderPart, joinedCondition, joinedRuns } from './joined-matches.ts';
import { integerProperty, isObject, parseJson, property, textProperty } from './json.ts';
import type { Contents } from './lookups.ts';
import { type LeftSide, readLeftSide, readMatch } from './matches.ts';
import { found } from './misread.ts';
import { renderComparison, renderLeft, renderStatement } from './render.ts';
import { type RuleText, statementSpan } from './rule-text.ts';
import type { Span } from './scan-document.ts';
import { placeOf, type Remark, StatementScope } from './scope.ts';
import { locate, pathText, type SourceText } from './source-text.ts';
import { readStatement } from './statements.ts';
import type { Step } from './steps.ts';
import { joinUses, NO_USES, type TableUses, usesOfStatement } from './table-uses.ts';

/** A rule in its place. */
export interface PlacedRule {
  readonly rule: RuleText;
  readonly chain: string;
  /** Its item in the text. */
  readonly item: Span;
  readonly origin: Origin;
  /** 1-based position in the chain. */
  readonly number: number;
}

/** What a rule says before the rest of its table is known. */
export interface EarlyRule {
  /** `undefined` where the rule's meaning depends on the rest of the table. */
  readonly rule: Rule | undefined;
  readonly uses: TableUses;
}

/** What becomes known when all of a table is read. */
export interface TableKnowledge {
  /** Hooks from which a chain is reached. */
  readonly hooksOf: (chain: string) => ReadonlySet<Hook>;
  /** Elements of a named set or map; `undefined` when the document does not hold it. */
  readonly contents: (name: string, parts: number) => Contents | undefined;
  /** Fields that some rule of the table assigns. */
  readonly assigned: ReadonlySet<FieldName>;
}

/** What a statement does, read once for all rules that have the same. */
interface ReadStatement {
  /** Empty for counters. */
  readonly text: string;
  readonly counters: Counters;
  readonly steps: readonly Step[];
  readonly remarks: readonly Remark[];
  readonly uses: TableUses;
  /** Read without the knowledge that it needs. */
  readonly open: boolean;
  /** Means the same in all rules of the table. */
  readonly general: boolean;
  /** For a match that nft may have joined with its neighbour: see joined-matches.ts. */
  readonly differs: HeaderPart | undefined;
}

/** A counter with its numbers, which no two rules share, as nft prints it. */
const PACKETS = '{"counter": {"packets": ';
const BYTES = ', "bytes": ';

const COUNTED: ReadStatement = {
  text: '',
  counters: undefined,
  steps: [{ kind: 'effect', statement: { kind: 'no-effect', text: 'counter' } }],
  remarks: [],
  uses: NO_USES,
  open: false,
  general: true,
  differs: undefined,
};

/** Statements that are remembered; longer ones are rarely repeated. */
const LONGEST_REMEMBERED = 1000;
const MOST_REMEMBERED = 4000;

/** What stands before and after the right side of a match, as nft prints it. */
const RIGHT = '"right":';
const AFTER = '}}';
const LONGEST_LEFT = 400;
const MOST_LEFT_SIDES = 4000;

/** Rules of the model in one table; a rule of nft with a large map becomes many. Beyond, such rules stay unknown. */
const MOST_RULES = 250_000;

const GO_ON: Verdict = { kind: 'continue' };

type Counters = Rule['counters'];

/** Reads the rules of one table: at once what can be told from a rule alone, the others when the table is known. */
export class RuleReader {
  readonly #source: SourceText;
  readonly #log: DiagnosticLog;
  readonly #family: string;
  readonly #table: string;
  readonly #scope: StatementScope;
  /** What was read, by the statement's own text. */
  readonly #read = new Map<string, ReadStatement>();
  /** What was read of matches, by their text before the right side. */
  readonly #leftSides = new Map<string, { readonly side: LeftSide; readonly text: string }>();
  #knowledge: TableKnowledge | undefined;
  #rulesMade = 0;

  constructor(family: string, table: string, source: SourceText, log: DiagnosticLog) {
    this.#family = family;
    this.#table = table;
    this.#source = source;
    this.#log = log;
    this.#scope = new StatementScope(family, table);
  }

  /** What can be told of a rule alone. `undefined`: it is not valid JSON. */
  readEarly(placed: PlacedRule): EarlyRule | undefined {
    const statements = this.#statements(placed);
    if (statements === undefined) return undefined;
    if (statements === 'missing') return { rule: this.#withoutStatements(placed), uses: NO_USES };
    let uses = NO_USES;
    let isOpen = false;
    for (const statement of statements.list) {
      isOpen ||= statement.open;
      uses = joinUses(uses, statement.uses);
    }
    // Whether they are joined depends on who made the table.
    isOpen ||= mayBeJoined(statements.list);
    const rule = isOpen ? undefined : this.#simpleRule(placed, statements);
    if (rule !== undefined) {
      this.#sayAll(placed, statements);
      this.#rulesMade++;
    }
    return { rule, uses };
  }

  /** From now on the whole table is known. */
  learn(knowledge: TableKnowledge): void {
    this.#knowledge = knowledge;
    this.#scope.learn(knowledge);
  }

  /** A rule that `readEarly` left open. */
  readLate(placed: PlacedRule): readonly Rule[] {
    const statements = this.#statements(placed);
    // It was valid the first time.
    if (statements === undefined || statements === 'missing') return [this.#withoutStatements(placed)];
    this.#sayAll(placed, statements);
    return this.#rulesOf(placed, mayBeJoined(statements.list) ? this.#withJoined(statements) : statements);
  }

  #rulesOf(placed: PlacedRule, statements: ReadStatements): readonly Rule[] {
    const simple = this.#simpleRule(placed, statements);
    if (simple !== undefined) {
      this.#rulesMade++;
      return [simple];
    }
    const text = this.#textOf(placed, statements);
    const steps = statements.list.flatMap((statement) => statement.steps);
    const pieces = assemble(
      steps,
      text,
      this.#knowledge?.assigned ?? new Set(),
      MOST_RULES - this.#rulesMade,
    );
    this.#rulesMade += pieces.length;
    return pieces.map((piece) =>
      makeRule(placed, text, statements.counters, piece.matches, piece.statements, piece.verdict),
    );
  }

  /** Place of a rule in words: `inet filter input, handle 12`. */
  #where({ chain, rule }: PlacedRule): string {
    const handle = integerProperty(rule.value, 'handle');
    const names = `${this.#family} ${this.#table} ${chain}`;
    return (
      (names.length > 160 ? `${names.slice(0, 160)}…` : names) +
      (handle === undefined ? '' : `, handle ${handle}`)
    );
  }

  #withoutStatements(placed: PlacedRule): Rule {
    const { rule, origin } = placed;
    const path = origin.path ?? '';
    this.#log.addAt(
      'syntax',
      true,
      origin,
      `${path}.expr (${this.#where(placed)}): expected the array with the rule's statements, found ${found(property(rule.value, 'expr'))} (nft 1.0.2 leaves it out); what the rule does is unknown`,
    );
    const comment = textProperty(rule.value, 'comment');
    const place = placeOf(this.#family, this.#table, placed);
    const text = `rule ${place}${comment === undefined ? '' : ` comment "${comment.slice(0, 100)}"`}`;
    const match: Match = { text, condition: unknown('deterministic', text) };
    return makeRule(placed, text, undefined, [match], [], { kind: 'unknown', text });
  }

  // ---- statements

  /** The statements of a rule. `undefined`: one of them is not valid JSON; `missing`: there are none. */
  #statements(placed: PlacedRule): ReadStatements | 'missing' | undefined {
    const { spans, size, value } = placed.rule;
    if (spans === undefined) {
      const expr = property(value, 'expr');
      if (!Array.isArray(expr) || expr.length === 0) return 'missing';
      const list = expr.map((statement) => this.#readValue(statement, placed));
      const { counters } = list.find((read) => read.counters !== undefined) ?? {};
      return { list: this.#withHiddenVersion(list), counters };
    }
    if (size === 0) return 'missing';
    // Of its final length: one that grows would take several times as much.
    const list = new Array<ReadStatement>(size);
    let counters: Counters;
    for (let i = 0; i < size; i++) {
      const start = spans[i * 2]!;
      const end = spans[i * 2 + 1]!;
      const counter = this.#counterAt(start, end);
      const statement = counter === undefined ? this.#statementAt(start, end, placed) : COUNTED;
      if (statement === undefined) return undefined;
      counters ??= counter ?? statement.counters;
      list[i] = statement;
    }
    return { list: this.#withHiddenVersion(list), counters };
  }

  /** The statements with what nft may have left out: see hidden-version.ts. */
  #withHiddenVersion(list: readonly ReadStatement[]): readonly ReadStatement[] {
    if (this.#scope.family !== 'inet') return list;
    const hidden = hiddenVersions(list);
    if (hidden.size === 0) return list;
    return list.map((one, index) => {
      const condition = hidden.get(index);
      if (condition === undefined) return one;
      return { ...one, steps: [{ kind: 'match', match: { text: '', condition } }, ...one.steps] };
    });
  }

  #counterAt(start: number, end: number): Counters {
    const { text } = this.#source;
    if (!text.startsWith(PACKETS, start)) return undefined;
    const packetsEnd = endOfDigits(text, start + PACKETS.length);
    if (!text.startsWith(BYTES, packetsEnd)) return undefined;
    const bytesEnd = endOfDigits(text, packetsEnd + BYTES.length);
    const packets = wholeNumber(text, start + PACKETS.length, packetsEnd);
    const bytes = wholeNumber(text, packetsEnd + BYTES.length, bytesEnd);
    const isAll = bytesEnd + AFTER.length === end && text.startsWith(AFTER, bytesEnd);
    return isAll && packets !== undefined && bytes !== undefined ? { packets, bytes } : undefined;
  }

  #statementAt(start: number, end: number, placed: PlacedRule): ReadStatement | undefined {
    const raw = this.#source.text.slice(start, end);
    const isShort = raw.length <= LONGEST_REMEMBERED;
    const known = isShort ? this.#read.get(raw) : undefined;
    if (known !== undefined && (!known.open || this.#knowledge === undefined)) return known;
    const statement = this.#readMatch(raw, placed) ?? this.#readText(raw, placed);
    if (statement?.general === true && isShort) {
      if (this.#read.size >= MOST_REMEMBERED) this.#read.clear();
      this.#read.set(raw, statement);
    }
    return statement;
  }

  #readText(raw: string, placed: PlacedRule): ReadStatement | undefined {
    const read = parseJson(raw);
    if (read.kind === 'broken') return undefined;
    const statement = this.#readValue(read.value, placed);
    if (statement.general && !statement.open && statement.remarks.length === 0)
      this.#rememberLeftSide(raw, read.value, placed);
    return statement;
  }

  /** Remembers what stands before the right side of a match, for matches that differ only in that. */
  #rememberLeftSide(raw: string, value: unknown, placed: PlacedRule): void {
    const at = startOfRight(raw);
    if (at < 0 || this.#leftSides.size >= MOST_LEFT_SIDES) return;
    const before = raw.slice(0, at);
    // With this, any value that follows is the right side, and the last member of the match.
    const empty = parseJson(`${before}null${AFTER}`);
    if (empty.kind === 'broken' || property(property(empty.value, 'match'), 'right') !== null) return;
    const scope = this.#scope;
    scope.begin(placed);
    const side = readLeftSide(property(value, 'match'), scope);
    if (side === undefined || scope.isOpen || !scope.isGeneral) return;
    this.#leftSides.set(before, { side, text: renderLeft(side.left) });
  }

  /** A match whose left side is remembered. */
  #readMatch(raw: string, placed: PlacedRule): ReadStatement | undefined {
    const at = raw.endsWith(AFTER) ? startOfRight(raw) : -1;
    const left = at < 0 ? undefined : this.#leftSides.get(raw.slice(0, at));
    if (left === undefined) return undefined;
    const read = parseJson(raw.slice(at, -AFTER.length));
    if (read.kind === 'broken') return undefined;
    const scope = this.#scope;
    scope.begin(placed);
    const text = renderComparison(left.text, left.side.op, read.value);
    const match = readMatch(left.side, read.value, text, scope);
    return {
      text,
      counters: undefined,
      steps: [{ kind: 'match', match }],
      remarks: scope.remarks,
      uses: NO_USES,
      open: scope.isOpen,
      general: scope.isGeneral,
      differs: differingPart(left.side.op, left.side.left, read.value),
    };
  }

  #readValue(value: unknown, placed: PlacedRule): ReadStatement {
    const scope = this.#scope;
    scope.begin(placed);
    const text = renderStatement(value);
    const steps = readStatement(value, text, scope);
    return {
      text: isObject(property(value, 'counter')) ? '' : text,
      counters: countersOf(value),
      steps,
      remarks: scope.remarks,
      uses: usesOfStatement(value, steps),
      open: scope.isOpen,
      general: scope.isGeneral,
      differs: this.#differs(value),
    };
  }

  #differs(value: unknown): HeaderPart | undefined {
    const asked = property(value, 'match');
    return asked === undefined
      ? undefined
      : differingPart(property(asked, 'op'), property(asked, 'left'), property(asked, 'right'));
  }

  /** The statements with those that nft may have joined read both ways. */
  #withJoined(statements: ReadStatements): ReadStatements {
    const list = [...statements.list];
    for (const [first, last] of joinedRuns(list.map(({ differs }) => differs))) {
      const run = list.slice(first, last + 1);
      const matches = run.flatMap(({ steps }) =>
        steps.flatMap((step) => (step.kind === 'match' ? [step.match] : [])),
      );
      const text = run.map((one) => one.text).join(' ');
      const condition = joinedCondition(
        matches.map((one) => one.condition),
        text,
      );
      list[first] = { ...list[first]!, steps: [{ kind: 'match', match: { text, condition } }] };
      for (let index = first + 1; index <= last; index++) list[index] = { ...list[index]!, steps: [] };
    }
    return { ...statements, list };
  }

  #sayAll(placed: PlacedRule, { list }: ReadStatements): void {
    for (let index = 0; index < list.length; index++) {
      const { remarks } = list[index]!;
      for (const remark of remarks) this.#say(placed, remark, index);
    }
  }

  #say(placed: PlacedRule, { what, detail, path }: Remark, index: number): void {
    const { origin, item, rule } = placed;
    const fullPath = `${origin.path ?? ''}.expr[${index}]${pathText(path)}`;
    const place = (): Origin => {
      const { text } = this.#source;
      const statement = statementSpan(text, item, rule, index);
      const part = locate(text, statement, path);
      return this.#source.originInside(origin, item.start, part, fullPath);
    };
    if (what.kind === 'misshaped')
      this.#log.addAt('syntax', true, place(), `${fullPath} (${this.#where(placed)}): ${detail}`);
    else
      this.#log.onceAt(what.key, () => ({
        kind: what.kind,
        incomplete: what.kind === 'unresolved-reference',
        origin: place(),
        detail: what.general === true ? detail : `${fullPath} (${this.#where(placed)}): ${detail}`,
      }));
  }

  // ---- rules

  #textOf({ rule }: PlacedRule, { list }: ReadStatements): string {
    const parts: string[] = [];
    let length = 0;
    for (const { text } of list) {
      if (text === '') continue;
      parts.push(text);
      length += text.length;
      if (length > LONGEST_TEXT) {
        parts.push('…');
        break;
      }
    }
    const comment = textProperty(rule.value, 'comment');
    if (comment !== undefined) parts.push(`comment "${comment.slice(0, 200)}"`);
    // One string, where adding them up would keep all parts.
    return parts.length === 0 ? 'counter' : parts.join(' ');
  }

  /** The one rule that tests, changes nothing, and ends in a verdict; `undefined` for rules that do more. */
  #simpleRule(placed: PlacedRule, statements: ReadStatements): Rule | undefined {
    const { list, counters } = statements;
    let matchCount = 0;
    let effectCount = 0;
    let verdict: Verdict | undefined;
    for (const { steps } of list) {
      for (const step of steps) {
        if (step.kind === 'effect' && step.statement.kind === 'no-effect') {
          if (verdict === undefined) effectCount++;
        } else if (verdict !== undefined) return undefined;
        else if (step.kind === 'match') matchCount += asksNothing(step.match) ? 0 : 1;
        else if (step.kind === 'end') verdict = step.verdict;
        else return undefined;
      }
    }
    // Of their final lengths, since they stay.
    const matches = new Array<Match>(matchCount);
    const effects = effectCount === 0 ? NO_STATEMENTS : new Array<Statement>(effectCount);
    let match = 0;
    let effect = 0;
    for (const { steps } of list) {
      for (const step of steps) {
        if (step.kind === 'match' && !asksNothing(step.match)) matches[match++] = step.match;
        else if (step.kind === 'effect' && effect < effectCount) effects[effect++] = step.statement;
      }
    }
    const text = this.#textOf(placed, statements);
    return makeRule(placed, text, counters, matches, effects, verdict ?? GO_ON);
  }
}

/** Whether two neighbouring statements compare with `!=` what nft may join. */
function mayBeJoined(list: readonly ReadStatement[]): boolean {
  for (let index = 1; index < list.length; index++)
    if (list[index]!.differs !== undefined && list[index - 1]!.differs !== undefined)
      return joinedRuns(list.map(({ differs }) => differs)).length > 0;
  return false;
}

function endOfDigits(text: string, from: number): number {
  let at = from;
  for (let c = text.charCodeAt(at); c >= 48 && c <= 57; c = text.charCodeAt(at)) at++;
  return at;
}

/** A number of up to 15 digits as JSON writes it. */
function wholeNumber(text: string, start: number, end: number): bigint | undefined {
  const length = end - start;
  if (length === 0 || length > 15 || (length > 1 && text[start] === '0')) return undefined;
  return BigInt(Number(text.slice(start, end)));
}

function asksNothing({ text, condition }: Match): boolean {
  return condition === ALWAYS && text === '';
}

/** Offset of the right side in the text of a match, or -1. */
function startOfRight(raw: string): number {
  const at = raw.indexOf(RIGHT);
  if (at < 0 || at > LONGEST_LEFT) return -1;
  const start = at + RIGHT.length;
  return raw[start] === ' ' ? start + 1 : start;
}

interface ReadStatements {
  readonly list: readonly ReadStatement[];
  readonly counters: Counters;
}

/** Characters of a rule's text. */
const LONGEST_TEXT = 2000;

/** Shared by the rules that have none; nothing is ever put in. */
const NO_STATEMENTS: Statement[] = [];

/** Matches that nft does not print get the rule's text; those that always hold are left out. */
function makeRule(
  { rule, origin, number }: PlacedRule,
  text: string,
  counters: Counters,
  given: readonly Match[],
  statements: readonly Statement[],
  verdict: Verdict,
): Rule {
  const matches = given.some((m) => m.text === '')
    ? given
        .filter((m) => m.text !== '' || m.condition.kind !== 'all' || m.condition.of.length > 0)
        .map((m) => (m.text === '' ? { text, condition: m.condition } : m))
    : given;
  return {
    matches,
    statements,
    verdict,
    text,
    comment: textProperty(rule.value, 'comment'),
    counters,
    number,
    handle: integerProperty(rule.value, 'handle'),
    origin,
  };
}

function countersOf(statement: unknown): Counters {
  const counter = property(statement, 'counter');
  if (!isObject(counter)) return undefined;
  const packets = integerProperty(counter, 'packets');
  const bytes = integerProperty(counter, 'bytes');
  return packets === undefined || bytes === undefined || packets < 0 || bytes < 0
    ? undefined
    : { packets: BigInt(packets), bytes: BigInt(bytes) };
}
