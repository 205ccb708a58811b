/** Changes of rules and sets written line by line: options moved between rules, chains in circles and long rows, sets in sets. */
import { type MutationSource, oddWord } from './mutate.ts';

const OPTION = /(?:! )?--?[a-zA-Z][\w-]*(?: (?!-|!)(?:"(?:[^"\\]|\\.)*"|\S+))*/g;

/** A text of `iptables-save`, `ipset save` or commands after one change. */
export function mutateRules(text: string, source: MutationSource): string {
  const { random } = source;
  const lines = text.split('\n');
  if (random.chance(0.1)) return addChains(lines, source).join('\n');
  if (random.chance(0.05)) return addSets(lines, source).join('\n');
  const at = random.integer(lines.length);
  const line = lines[at]!;
  const options: string[] = line.match(OPTION) ?? [];
  const donor = random.pick(lines).match(OPTION) ?? [];
  const to = random.integer(options.length + 1);
  switch (random.integer(8)) {
    case 0:
      if (donor.length > 0) options.splice(to, 0, random.pick(donor));
      break;
    case 1:
      options.splice(to, 1);
      break;
    case 2:
      options.splice(to, 0, `--${oddWord(source)} ${oddWord(source)}`);
      break;
    case 3:
      options.splice(to, 0, `-m ${oddWord(source)}`);
      break;
    case 4:
      options[to] = `! ${options[to] ?? ''}`;
      break;
    case 5:
      options[to] = `${(options[to] ?? '-p').split(' ')[0]} ${oddWord(source)}`;
      break;
    case 6:
      options.push(`-j ${oddWord(source)}`);
      break;
    default:
      lines[at] = random.pick([
        `[1:2] ${line}`,
        `iptables ${line}`,
        `ip6tables -t nat ${line}`,
        `# ${line}`,
        `$ ${line}`,
        `${line} ;`,
        `"${line}"`,
        `-${line}`,
        `:${oddWord(source)} - [0:0]`,
        `*${oddWord(source)}`,
        'COMMIT',
        `-F ${oddWord(source)}`,
        `-X`,
        `-P INPUT ${oddWord(source)}`,
        `-D INPUT 1`,
        `-I INPUT 2 ${line.replace(/^-A \S+/, '')}`,
        `-E a b`,
        `-R INPUT 1 -j DROP`,
        `-Z`,
        `flush ${oddWord(source)}`,
        `destroy`,
      ]);
      return lines.join('\n');
  }
  lines[at] = options.join(' ');
  return lines.join('\n');
}

/** A row of chains that jump to the next, which may close to a circle, hung into a chain there is. */
function addChains(lines: readonly string[], { random, limit }: MutationSource): readonly string[] {
  const length = Math.min(random.pick([1, 2, 30, 3000]), Math.ceil(limit / 40));
  const jump = random.pick(['-j', '-g']);
  const end = random.pick(['c0', 'INPUT', 'gone', 'ACCEPT', 'RETURN']);
  const declared = Array.from({ length }, (_, i) => `:c${i} - [0:0]`);
  const rules = Array.from({ length }, (_, i) => `-A c${i} ${jump} ${i + 1 < length ? `c${i + 1}` : end}`);
  const at = lines.findIndex((line) => line.startsWith('-A '));
  const hung = `-A ${random.pick(['INPUT', 'FORWARD', 'c0'])} ${jump} c0`;
  const from = at < 0 ? lines.length : at;
  const isTree = random.chance(0.2);
  // Two jumps a chain: what is walked without memory doubles with every chain.
  const doubled = isTree ? rules.slice(0, 30).flatMap((rule) => [rule, rule]) : rules;
  return [...lines.slice(0, from), ...declared, hung, ...doubled, ...lines.slice(from)];
}

/** Lists of sets that hold each other, and a rule that asks them. */
function addSets(lines: readonly string[], { random }: MutationSource): readonly string[] {
  const length = random.pick([1, 2, 10, 200]);
  const sets = Array.from({ length }, (_, i) => [
    `create s${i} list:set size 8`,
    `add s${i} s${i + 1 < length ? i + 1 : random.pick([0, length])}`,
  ]).flat();
  const rule = `-A INPUT -m set --match-set s0 ${random.pick(['src', 'dst', 'src,dst', 'x'])} -j ACCEPT`;
  const at = random.integer(lines.length + 1);
  return [...lines.slice(0, at), ...sets, rule, ...lines.slice(at)];
}
