import { asList, DEEPEST, isObject, onlyProperty, property, shortJson, textProperty } from './json.ts';

/** How many set elements a text shows. */
const SHOWN_ELEMENTS = 12;

/** An expression in the syntax of nft(8), as near as a reader needs; compact JSON for what is not known. */
export function renderExpression(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value.length > 300 ? `${value.slice(0, 300)}…` : value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (depth > DEEPEST) return '…';
  const render = (part: unknown): string => renderExpression(part, depth + 1);
  if (Array.isArray(value)) return shownList(value, render).join(',');
  const only = onlyProperty(value);
  if (only === undefined) return shortJson(value);
  const { name, value: inner } = only;
  switch (name) {
    case 'payload':
      return renderPayload(inner);
    case 'meta': {
      const key = textProperty(inner, 'key') ?? shortJson(inner);
      return ['iif', 'iifname', 'oif', 'oifname'].includes(key) ? key : `meta ${key}`;
    }
    case 'ct':
      return ['ct', textProperty(inner, 'dir'), textProperty(inner, 'family'), textProperty(inner, 'key')]
        .filter((t) => t !== undefined)
        .join(' ');
    case 'rt':
      return ['rt', textProperty(inner, 'family'), textProperty(inner, 'key')]
        .filter((t) => t !== undefined)
        .join(' ');
    case 'socket':
      return `socket ${textProperty(inner, 'key') ?? shortJson(inner)}`;
    case 'fib':
      return `fib ${shownList(asList(property(inner, 'flags')), render).join(' . ')} ${textProperty(inner, 'result') ?? ''}`;
    case 'exthdr':
    case 'tcp option':
    case 'ip option':
    case 'sctp chunk':
      return [name, textProperty(inner, 'name'), textProperty(inner, 'field')]
        .filter((t) => t !== undefined)
        .join(' ');
    case 'prefix':
      return `${render(property(inner, 'addr'))}/${render(property(inner, 'len'))}`;
    case 'range':
      return asList(inner).slice(0, 2).map(render).join('-');
    case 'concat':
      return shownList(asList(inner), render).join(' . ');
    case 'set':
      return `{ ${shownList(asList(inner), (part) => (Array.isArray(part) && part.length === 2 ? `${render(part[0])} : ${renderData(part[1], depth + 1)}` : render(part))).join(', ')} }`;
    case 'elem':
      return render(property(inner, 'val'));
    case 'map':
      return `${render(property(inner, 'key') ?? property(inner, 'left'))} map ${render(property(inner, 'data') ?? property(inner, 'right'))}`;
    case '&':
    case '|':
    case '^':
    case '<<':
    case '>>':
      return `(${shownList(asList(inner), render).join(` ${name} `)})`;
    case 'numgen':
      return `numgen ${textProperty(inner, 'mode') ?? ''} mod ${render(property(inner, 'mod'))}`;
    case 'jhash':
      return `jhash ${render(property(inner, 'expr'))} mod ${render(property(inner, 'mod'))}`;
    case 'symhash':
      return `symhash mod ${render(property(inner, 'mod'))}`;
    default:
      return shortJson(value);
  }
}

function shownList(list: readonly unknown[], render: (part: unknown) => string): string[] {
  const shown = list.slice(0, SHOWN_ELEMENTS).map(render);
  return list.length > SHOWN_ELEMENTS ? [...shown, `… (${list.length} elements)`] : shown;
}

function renderPayload(inner: unknown): string {
  const protocol = textProperty(inner, 'protocol');
  if (protocol !== undefined) return `${protocol} ${textProperty(inner, 'field') ?? ''}`;
  return `@${textProperty(inner, 'base') ?? '?'},${renderExpression(property(inner, 'offset'))},${renderExpression(property(inner, 'len'))}`;
}

/** The data of a map element: a verdict or a value. */
export function renderData(value: unknown, depth = 0): string {
  const only = onlyProperty(value);
  if (only === undefined) return renderExpression(value, depth);
  if (only.name === 'jump' || only.name === 'goto')
    return `${only.name} ${textProperty(only.value, 'target') ?? shortJson(only.value)}`;
  return ['accept', 'drop', 'return', 'continue'].includes(only.name)
    ? only.name
    : renderExpression(value, depth);
}

const INTERFACES: ReadonlySet<string> = new Set(['iifname', 'oifname', 'iif', 'oif']);

function withoutParentheses(text: string): string {
  return text.startsWith('(') && text.endsWith(')') ? text.slice(1, -1) : text;
}

/** A match: `ip saddr != 192.0.2.1`, `tcp flags & (fin | syn) == syn`. */
export function renderMatch(match: unknown): string {
  const op = textProperty(match, 'op') ?? '';
  return renderComparison(renderLeft(property(match, 'left')), op, property(match, 'right'));
}

/** The left side of a match. */
export function renderLeft(left: unknown): string {
  return withoutParentheses(renderExpression(left));
}

/** A match, of which `left` is the text of the left side. */
export function renderComparison(left: string, op: string, right: unknown): string {
  const text = renderExpression(right);
  const name = typeof right === 'string' && INTERFACES.has(left) ? `"${text}"` : text;
  return op === '==' || op === 'in' || op === '' ? `${left} ${name}` : `${left} ${op} ${name}`;
}

/** Any statement in the syntax of nft(8); counters without their numbers. */
export function renderStatement(statement: unknown): string {
  if (typeof statement === 'string') return shortText(statement);
  const only = onlyProperty(statement);
  if (only === undefined) return shortJson(statement);
  const { name, value } = only;
  switch (name) {
    case 'match':
      return renderMatch(value);
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
    case 'notrack':
      return name;
    case 'jump':
    case 'goto':
      return renderData(statement);
    case 'counter':
      return typeof value === 'string' ? `counter name ${value}` : 'counter';
    case 'log':
      return renderLog(value);
    case 'limit':
      return renderLimit(value);
    case 'vmap':
      return `${renderExpression(property(value, 'key'))} vmap ${renderExpression(property(value, 'data'))}`;
    case 'mangle':
      return `${renderExpression(property(value, 'key'))} set ${renderExpression(property(value, 'value'))}`;
    case 'dnat':
    case 'snat':
    case 'redirect':
    case 'masquerade':
      return renderNat(name, value);
    case 'reject':
      return renderReject(value);
    case 'set':
      return `${textProperty(value, 'op') ?? 'add'} ${renderExpression(property(value, 'set'))} { ${renderExpression(property(value, 'elem'))} }`;
    case 'xt':
      return `xt ${textProperty(value, 'type') ?? ''} ${textProperty(value, 'name') ?? ''}`;
    case 'queue':
      return value === null
        ? 'queue'
        : [
            'queue',
            shownList(asList(property(value, 'flags')), renderFlag).join(','),
            property(value, 'num') === undefined ? '' : `to ${renderExpression(property(value, 'num'))}`,
          ]
            .filter((t) => t !== '')
            .join(' ');
    case 'ct count':
      return `ct count ${property(value, 'inv') === true ? 'over ' : ''}${renderExpression(property(value, 'val'))}`;
    case 'ct helper':
    case 'ct timeout':
    case 'ct expectation':
      return `${name} set ${renderExpression(value)}`;
    case 'flow':
      return `flow ${textProperty(value, 'op') ?? 'add'} ${renderExpression(property(value, 'flowtable'))}`;
    default:
      return value === null
        ? name
        : typeof value === 'string'
          ? `${name} ${shortText(value)}`
          : `${name} ${shortJson(value)}`;
  }
}

function renderFlag(flag: unknown): string {
  return renderExpression(flag);
}

function shortText(text: string): string {
  const line = text.slice(0, 300).replace(/\s+/g, ' ').trim();
  return text.length > 300 ? `${line}…` : line;
}

function renderLog(value: unknown): string {
  const prefix = textProperty(value, 'prefix');
  const level = textProperty(value, 'level');
  return `log${prefix === undefined ? '' : ` prefix "${shortText(prefix)}"`}${level === undefined ? '' : ` level ${level}`}`;
}

function renderLimit(value: unknown): string {
  if (!isObject(value)) return `limit name ${renderExpression(value)}`;
  const over = property(value, 'inv') === true ? 'over ' : '';
  const unit = textProperty(value, 'rate_unit');
  const burst = property(value, 'burst');
  const rate = `${renderExpression(property(value, 'rate'))}${unit === undefined || unit === 'packets' ? '' : ` ${unit}`}/${textProperty(value, 'per') ?? 'second'}`;
  return `limit rate ${over}${rate}${typeof burst === 'number' && burst > 0 ? ` burst ${burst} ${textProperty(value, 'burst_unit') ?? 'packets'}` : ''}`;
}

function renderNat(name: string, value: unknown): string {
  if (!isObject(value)) return name;
  const family = textProperty(value, 'family');
  const address = property(value, 'addr');
  const port = property(value, 'port');
  const flags = asList(property(value, 'flags'));
  const target = `${address === undefined ? '' : renderExpression(address)}${port === undefined ? '' : `:${renderExpression(port)}`}`;
  return `${name}${family === undefined ? '' : ` ${family}`}${target === '' ? '' : ` to ${target}`}${flags.length === 0 ? '' : ` ${shownList(flags, renderFlag).join(',')}`}`;
}

function renderReject(value: unknown): string {
  const type = textProperty(value, 'type');
  const code = property(value, 'expr');
  if (type === undefined) return 'reject';
  return `reject with ${type}${code === undefined ? '' : ` ${renderExpression(code)}`}`;
}
