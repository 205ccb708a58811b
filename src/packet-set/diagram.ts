/**
 * Reduced ordered binary decision diagrams over typed arrays.
 *
 * A diagram is a handle: a node number, `EMPTY` (false) or `FULL` (true). Two diagrams of one table describe
 * the same boolean function exactly when their handles are equal. Variables are numbered from 1 in the order of
 * their creation; a variable's level is its place in the order of tests, 0 first. A new variable may be placed
 * anywhere: no existing diagram tests it, so none changes.
 *
 * There is no garbage collection: a table lives as long as the question it was made for, a budget bounds it, and `release` gives its
 * memory back (docs/decisions/budgets.md).
 * No operation recurses deeper than `RECURSION_LEVELS`, whatever the number of variables.
 */

/** The diagram that is false everywhere. */
export const EMPTY = 0;
/** The diagram that is true everywhere. */
export const FULL = 1;

/** Level of the two constants: below every variable. */
export const TERMINAL_LEVEL = 0x7fff_ffff;

/** Nodes above this level are handled by recursion, those below with an explicit stack. Keeps frames few. */
const RECURSION_LEVELS = 800;

const INITIAL_NODES = 1 << 11;
const INITIAL_CACHE = 1 << 11;
/** Highest number of entries of one cache; an entry takes 16 bytes. */
const LARGEST_CACHE = 1 << 22;

/** Places of a node's numbers after its variable. */
const LOW = 1;
const HIGH = 2;
const NEXT = 3;

/** Binary operations. The numbers are part of cache keys. */
const AND = 0;
const OR = 1;
const MINUS = 2;
const XOR = 3;
const SUBSET = 4;
const INTERSECTS = 5;
type BinaryOperation = typeof AND | typeof OR | typeof MINUS | typeof XOR;

/**
 * Steps of operations that a table does for every node of its budget. Real rule sets take one to three; only inputs
 * made to defeat the caches come near it, and they are to end with an error, not with a program that hangs.
 */
const STEPS_PER_NODE = 30;

/**
 * The packet sets of a space, or the work on them, grew past its budget, or an answer has more parts than asked
 * for. Sets made before stay valid; what needs no new node can still be asked of them.
 */
export class PacketSetBudgetError extends Error {
  override readonly name = 'PacketSetBudgetError';
}

/** Variables to remove from a diagram, and the last levels of these and of the others. */
export interface Quantifier {
  readonly removed: Uint8Array;
  readonly lastRemoved: number;
  readonly lastKept: number;
}

/** The node table, its unique table, and the operations on diagrams. */
export class DiagramTable {
  readonly #budget: number;
  readonly #steps: number;
  #count = 2;
  #stepsLeft: number;
  /** Four numbers a node: variable (0 for the constants), low branch, high branch, next node of the bucket. */
  #nodes = new Int32Array(INITIAL_NODES * 4);
  /** First node of every bucket of the unique table, 0 for none. As many buckets as there is room for nodes. */
  #buckets = new Int32Array(INITIAL_NODES);
  /** Results of binary operations: operation and left, right, result, unused. */
  #cache = new Int32Array(INITIAL_CACHE * 4);
  #cacheMask = INITIAL_CACHE - 1;
  #cacheWrites = 0;
  /** Results of `ifThenElse`: condition, then, else, result. */
  #choiceCache = new Int32Array(INITIAL_CACHE * 4);
  #choiceMask = INITIAL_CACHE - 1;
  #choiceWrites = 0;
  /** Level of every variable. Entry 0 stands for the constants. */
  #levels = Int32Array.of(TERMINAL_LEVEL);
  #variables = 0;
  /** Scratch for walks over one diagram: the walk's number per visited node, and its value there. */
  #visited = new Int32Array(0);
  #value = new Int32Array(0);
  #walk = 0;

  /** `budget`: highest number of nodes, constants included. `stepsPerNode`: steps of operations for every node of it. */
  constructor(budget: number, stepsPerNode: number = STEPS_PER_NODE) {
    this.#budget = budget;
    this.#steps = budget * stepsPerNode;
    this.#stepsLeft = this.#steps;
    this.#nodes[4 * FULL + LOW] = FULL;
    this.#nodes[4 * FULL + HIGH] = FULL;
    this.#cache.fill(-1);
    this.#choiceCache.fill(-1);
  }

  /** Number of nodes made so far, the two constants included. */
  get count(): number {
    return this.#count;
  }

  /** How much of the budget is used, nodes or steps, whichever is more: 0 to 1. */
  get spent(): number {
    return Math.max(this.#count / this.#budget, 1 - this.#stepsLeft / this.#steps);
  }

  /** Takes steps off the budget for work that costs as much as so many steps of operations: each of those spends one of its own. */
  spend(steps: number): void {
    this.#stepsLeft -= steps;
    if (this.#stepsLeft < 0)
      throw new PacketSetBudgetError(`packet sets need more than ${this.#steps} steps`);
  }

  /** Lets go of the memory. No diagram of the table can be used afterwards. */
  release(): void {
    const nothing = new Int32Array(0);
    this.#nodes = nothing;
    this.#buckets = nothing;
    this.#cache = nothing;
    this.#choiceCache = nothing;
    this.#visited = nothing;
    this.#value = nothing;
  }

  /** Bytes held by the tables and caches. */
  get bytes(): number {
    const arrays = [this.#nodes, this.#buckets, this.#cache, this.#choiceCache];
    return [...arrays, this.#visited, this.#value].reduce((sum, array) => sum + array.byteLength, 0);
  }

  /** Number of variables made so far; their numbers are 1 to this one. */
  get variables(): number {
    return this.#variables;
  }

  /**
   * Makes `count` variables and returns the number of the first. They are placed below all others, or each one
   * directly below its companion: the n-th below variable `beside + n`.
   */
  addVariables(count: number, beside?: number): number {
    const first = this.#variables + 1;
    this.#variables += count;
    if (this.#variables >= this.#levels.length) {
      this.#levels = enlarged(this.#levels, 2 ** Math.ceil(Math.log2(this.#variables + 1)));
    }
    for (let i = 0; i < count; i++) this.#levels[first + i] = first + i - 1;
    if (beside !== undefined) this.#interleave(first, count, beside);
    return first;
  }

  /** Variable that a diagram's root tests, 0 for the constants. */
  variableOf(node: number): number {
    return this.#nodes[4 * node]!;
  }

  /** Level of a diagram's root, `TERMINAL_LEVEL` for the constants. */
  levelOf(node: number): number {
    return this.#levels[this.#nodes[4 * node]!]!;
  }

  /** Place of a variable in the order of tests. */
  levelOfVariable(variable: number): number {
    return this.#levels[variable]!;
  }

  /** The diagram where the root's variable is false. A constant is its own branch. */
  lowOf(node: number): number {
    return this.#nodes[4 * node + LOW]!;
  }

  /** The diagram where the root's variable is true. A constant is its own branch. */
  highOf(node: number): number {
    return this.#nodes[4 * node + HIGH]!;
  }

  /** Whether the diagram is one variable, not negated. */
  isVariable(node: number): boolean {
    return node > FULL && this.#nodes[4 * node + LOW] === EMPTY && this.#nodes[4 * node + HIGH] === FULL;
  }

  /** The diagram `if variable then high else low`. Both branches must lie below the variable. */
  node(variable: number, low: number, high: number): number {
    if (low === high) return low;
    const nodes = this.#nodes;
    const bucket = hash(variable, low, high) & (this.#buckets.length - 1);
    const first = this.#buckets[bucket]!;
    for (let found = first; found !== 0; found = nodes[4 * found + NEXT]!) {
      const at = 4 * found;
      if (nodes[at + LOW] === low && nodes[at + HIGH] === high && nodes[at] === variable) return found;
    }
    return this.#create(variable, low, high, bucket);
  }

  /** What both contain. */
  and(a: number, b: number): number {
    return this.#apply(AND, a, b);
  }

  /** What at least one contains. */
  or(a: number, b: number): number {
    return this.#apply(OR, a, b);
  }

  /** What `a` contains and `b` does not. */
  minus(a: number, b: number): number {
    return this.#apply(MINUS, a, b);
  }

  /** What exactly one contains. */
  xor(a: number, b: number): number {
    return this.#apply(XOR, a, b);
  }

  /** What `a` does not contain. */
  not(a: number): number {
    return this.#apply(MINUS, FULL, a);
  }

  /** Whether `b` contains all of `a`. Stops at the first counterexample and makes no node for shallow diagrams. */
  isSubset(a: number, b: number): boolean {
    if (a === b || a === EMPTY || b === FULL) return true;
    if (a === FULL || b === EMPTY) return false;
    const levelA = this.levelOf(a);
    const levelB = this.levelOf(b);
    const level = Math.min(levelA, levelB);
    if (level >= RECURSION_LEVELS) return this.minus(a, b) === EMPTY;
    const known = this.#lookup(SUBSET, a, b);
    if (known >= 0) return known === FULL;
    const answer =
      this.isSubset(
        levelA === level ? this.#nodes[4 * a + LOW]! : a,
        levelB === level ? this.#nodes[4 * b + LOW]! : b,
      ) &&
      this.isSubset(
        levelA === level ? this.#nodes[4 * a + HIGH]! : a,
        levelB === level ? this.#nodes[4 * b + HIGH]! : b,
      );
    this.#remember(SUBSET, a, b, answer ? FULL : EMPTY);
    return answer;
  }

  /** Whether some assignment is in both. Stops at the first one found and makes no node for shallow diagrams. */
  intersects(a: number, b: number): boolean {
    if (a === EMPTY || b === EMPTY) return false;
    if (a === b || a === FULL || b === FULL) return true;
    if (a > b) return this.intersects(b, a);
    const levelA = this.levelOf(a);
    const levelB = this.levelOf(b);
    const level = Math.min(levelA, levelB);
    if (level >= RECURSION_LEVELS) return this.and(a, b) !== EMPTY;
    const known = this.#lookup(INTERSECTS, a, b);
    if (known >= 0) return known === FULL;
    const answer =
      this.intersects(
        levelA === level ? this.#nodes[4 * a + LOW]! : a,
        levelB === level ? this.#nodes[4 * b + LOW]! : b,
      ) ||
      this.intersects(
        levelA === level ? this.#nodes[4 * a + HIGH]! : a,
        levelB === level ? this.#nodes[4 * b + HIGH]! : b,
      );
    this.#remember(INTERSECTS, a, b, answer ? FULL : EMPTY);
    return answer;
  }

  /** `a` where `condition` holds, `b` elsewhere. */
  ifThenElse(condition: number, a: number, b: number): number {
    if (condition === FULL || a === b) return a;
    if (condition === EMPTY) return b;
    if (a === FULL || a === condition) return this.#apply(OR, condition, b);
    if (a === EMPTY) return this.#apply(MINUS, b, condition);
    if (b === EMPTY || b === condition) return this.#apply(AND, condition, a);
    if (b === FULL) return this.not(this.#apply(MINUS, condition, a));
    const levelC = this.levelOf(condition);
    const levelA = this.levelOf(a);
    const levelB = this.levelOf(b);
    const level = Math.min(levelC, levelA, levelB);
    // A bare variable above both branches is a node as it stands.
    if (levelC < levelA && levelC < levelB && this.isVariable(condition))
      return this.node(this.#nodes[4 * condition]!, b, a);
    if (level >= RECURSION_LEVELS) {
      return this.#apply(OR, this.#apply(AND, condition, a), this.#apply(MINUS, b, condition));
    }
    let slot = (hash(condition, a, b) & this.#choiceMask) << 2;
    if (
      this.#choiceCache[slot] === condition &&
      this.#choiceCache[slot + 1] === a &&
      this.#choiceCache[slot + 2] === b
    ) {
      return this.#choiceCache[slot + 3]!;
    }
    const low = this.ifThenElse(
      levelC === level ? this.#nodes[4 * condition + LOW]! : condition,
      levelA === level ? this.#nodes[4 * a + LOW]! : a,
      levelB === level ? this.#nodes[4 * b + LOW]! : b,
    );
    const high = this.ifThenElse(
      levelC === level ? this.#nodes[4 * condition + HIGH]! : condition,
      levelA === level ? this.#nodes[4 * a + HIGH]! : a,
      levelB === level ? this.#nodes[4 * b + HIGH]! : b,
    );
    const top = levelC === level ? condition : levelA === level ? a : b;
    const result = this.node(this.#nodes[4 * top]!, low, high);
    this.spend(1);
    if (++this.#choiceWrites > this.#choiceMask) this.#growChoiceCache();
    slot = (hash(condition, a, b) & this.#choiceMask) << 2;
    this.#choiceCache[slot] = condition;
    this.#choiceCache[slot + 1] = a;
    this.#choiceCache[slot + 2] = b;
    this.#choiceCache[slot + 3] = result;
    return result;
  }

  /**
   * Variables to be removed: `removed[variable]` is 1 for them; it has an entry for every variable. What is prepared here stays right until
   * the next variable is made.
   */
  quantifier(removed: Uint8Array): Quantifier {
    let lastRemoved = -1;
    let lastKept = -1;
    for (let variable = 1; variable <= this.#variables; variable++) {
      const level = this.#levels[variable]!;
      if (removed[variable] === 1) {
        if (level > lastRemoved) lastRemoved = level;
      } else if (level > lastKept) lastKept = level;
    }
    return { removed, lastRemoved, lastKept };
  }

  /** Removes variables: true where some values of them make `a` true. */
  exists(a: number, { removed, lastRemoved, lastKept }: Quantifier): number {
    // Nodes below the last variable to remove stay; below the last one to keep only "satisfiable" is left.
    const shortcut = (node: number): number => {
      const level = this.levelOf(node);
      if (level > lastRemoved) return node;
      return level > lastKept ? FULL : -1;
    };
    return this.#rebuild(a, shortcut, (variable, low, high) =>
      removed[variable] === 1 ? this.#apply(OR, low, high) : this.node(variable, low, high),
    );
  }

  /** Removes variables: true where all values of them make `a` true. */
  forall(a: number, { removed, lastRemoved, lastKept }: Quantifier): number {
    const shortcut = (node: number): number => {
      const level = this.levelOf(node);
      if (level > lastRemoved) return node;
      return level > lastKept ? EMPTY : -1;
    };
    return this.#rebuild(a, shortcut, (variable, low, high) =>
      removed[variable] === 1 ? this.#apply(AND, low, high) : this.node(variable, low, high),
    );
  }

  /** Fixes variables: `assigned[variable]` is 0 or 1 for a fixed one; any other value, or none, leaves it free. */
  restrict(a: number, assigned: Int8Array): number {
    const chosen = (node: number): number => {
      const value = assigned[this.#nodes[4 * node]!];
      return value === 1 ? this.#nodes[4 * node + HIGH]! : value === 0 ? this.#nodes[4 * node + LOW]! : node;
    };
    let root = a;
    for (let next = chosen(root); root > FULL && next !== root; next = chosen(root)) root = next;
    if (root <= FULL) return root;
    let last = -1;
    for (let variable = 1; variable < assigned.length; variable++) {
      if (assigned[variable]! >= 0) last = Math.max(last, this.#levels[variable]!);
    }
    const shortcut = (node: number): number => (this.levelOf(node) > last ? node : -1);
    const combine = (variable: number, low: number, high: number): number => {
      if (assigned[variable] === 1) return high;
      return assigned[variable] === 0 ? low : this.node(variable, low, high);
    };
    // Asked for every packet of a trace, of which there may be any number: no part of the budget.
    return this.#rebuild(root, shortcut, combine, 0);
  }

  /**
   * Replaces variables by functions, all at the same time: `functions` has the function of every variable to
   * replace. The result is true where `a` is true of the functions' values.
   */
  substitute(a: number, functions: ReadonlyMap<number, number>): number {
    let last = -1;
    for (const variable of functions.keys()) last = Math.max(last, this.#levels[variable]!);
    const shortcut = (node: number): number => (this.levelOf(node) > last ? node : -1);
    return this.#rebuild(a, shortcut, (variable, low, high) =>
      this.ifThenElse(functions.get(variable) ?? this.node(variable, EMPTY, FULL), high, low),
    );
  }

  /** Variables that the diagram depends on, in the order of tests; only those at levels up to `last`. */
  support(a: number, last: number = TERMINAL_LEVEL): number[] {
    const variables = new Set<number>();
    this.#visit(a, last, (node) => variables.add(this.#nodes[4 * node]!));
    return [...variables].sort((x, y) => this.#levels[x]! - this.#levels[y]!);
  }

  /** Number of nodes of one diagram, constants not counted. */
  size(a: number): number {
    let n = 0;
    this.#visit(a, TERMINAL_LEVEL, () => n++);
    return n;
  }

  /** Moves each of the last `count` variables directly below its companion. */
  #interleave(first: number, count: number, beside: number): void {
    const order = new Int32Array(first - 1);
    for (let variable = 1; variable < first; variable++) order[this.#levels[variable]!] = variable;
    let level = 0;
    for (const variable of order) {
      this.#levels[variable] = level++;
      if (variable >= beside && variable < beside + count) this.#levels[first + variable - beside] = level++;
    }
  }

  /** Every node of the diagram at a level up to `last`, each once, in no particular order. */
  #visit(a: number, last: number, enter: (node: number) => void): void {
    const walk = this.#startWalk();
    const stack = [a];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (node <= FULL || this.#visited[node] === walk || this.levelOf(node) > last) continue;
      this.#visited[node] = walk;
      enter(node);
      stack.push(this.#nodes[4 * node + LOW]!, this.#nodes[4 * node + HIGH]!);
    }
  }

  /**
   * Bottom-up transformation, each node once. `shortcut` answers without looking below (or -1); `combine` gets
   * the root's variable and the transformed branches. The constants stay.
   */
  #rebuild(
    a: number,
    shortcut: (node: number) => number,
    combine: (variable: number, low: number, high: number) => number,
    stepsPerVisit = 1,
  ): number {
    const immediate = a <= FULL ? a : shortcut(a);
    if (immediate >= 0) return immediate;
    const walk = this.#startWalk();
    // The arrays may be replaced by larger ones only between walks, and no operation below starts one.
    const value = this.#value;
    const visited = this.#visited;
    // The bitwise complement of a node number means: both branches are done.
    const stack = [a];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      if (top >= 0) {
        if (visited[top] === walk) continue;
        visited[top] = walk;
        this.spend(stepsPerVisit);
        const known = top <= FULL ? top : shortcut(top);
        if (known >= 0) value[top] = known;
        else stack.push(~top, this.#nodes[4 * top + HIGH]!, this.#nodes[4 * top + LOW]!);
      } else {
        const node = ~top;
        const low = value[this.#nodes[4 * node + LOW]!]!;
        value[node] = combine(this.#nodes[4 * node]!, low, value[this.#nodes[4 * node + HIGH]!]!);
      }
    }
    return value[a]!;
  }

  #startWalk(): number {
    if (this.#visited.length < this.#count) {
      const length = this.#buckets.length;
      this.#visited = allocated(length);
      this.#value = allocated(length);
      this.#walk = 0;
    }
    if (this.#walk === TERMINAL_LEVEL) {
      this.#visited.fill(0);
      this.#walk = 0;
    }
    return ++this.#walk;
  }

  /** The result where it follows without looking below the roots, else -1. */
  #trivial(operation: BinaryOperation, a: number, b: number): number {
    switch (operation) {
      case AND:
        if (a === b || b === FULL) return a;
        if (a === FULL) return b;
        return a === EMPTY || b === EMPTY ? EMPTY : -1;
      case OR:
        if (a === b || b === EMPTY) return a;
        if (a === EMPTY) return b;
        return a === FULL || b === FULL ? FULL : -1;
      case MINUS:
        if (a === b || a === EMPTY || b === FULL) return EMPTY;
        return b === EMPTY ? a : -1;
      case XOR:
        if (a === b) return EMPTY;
        if (a === EMPTY) return b;
        return b === EMPTY ? a : -1;
    }
  }

  #apply(operation: BinaryOperation, left: number, right: number): number {
    const trivial = this.#trivial(operation, left, right);
    if (trivial >= 0) return trivial;
    const swap = left > right && operation !== MINUS;
    const a = swap ? right : left;
    const b = swap ? left : right;
    const known = this.#lookup(operation, a, b);
    if (known >= 0) return known;
    const levelA = this.levelOf(a);
    const levelB = this.levelOf(b);
    const level = Math.min(levelA, levelB);
    if (level >= RECURSION_LEVELS) return this.#applyDeep(operation, a, b);
    const low = this.#apply(
      operation,
      levelA === level ? this.#nodes[4 * a + LOW]! : a,
      levelB === level ? this.#nodes[4 * b + LOW]! : b,
    );
    const high = this.#apply(
      operation,
      levelA === level ? this.#nodes[4 * a + HIGH]! : a,
      levelB === level ? this.#nodes[4 * b + HIGH]! : b,
    );
    const result = this.node(this.#nodes[4 * (levelA === level ? a : b)]!, low, high);
    this.#remember(operation, a, b, result);
    return result;
  }

  /** The same as `#apply` with a stack of its own, for diagrams of any depth. */
  #applyDeep(operation: BinaryOperation, rootA: number, rootB: number): number {
    // Frames of four: a, b, step (0 new, 1 low branch done, 2 both done), result of the low branch.
    const stack: number[] = [rootA, rootB, 0, 0];
    let result: number = EMPTY;
    while (stack.length > 0) {
      const frame = stack.length - 4;
      const a = stack[frame]!;
      const b = stack[frame + 1]!;
      const step = stack[frame + 2]!;
      const levelA = this.levelOf(a);
      const levelB = this.levelOf(b);
      const level = Math.min(levelA, levelB);
      if (step === 0) {
        const trivial = this.#trivial(operation, a, b);
        const known = trivial >= 0 ? trivial : this.#lookup(operation, a, b);
        if (known >= 0) {
          result = known;
          stack.length = frame;
          continue;
        }
        stack[frame + 2] = 1;
        stack.push(
          levelA === level ? this.#nodes[4 * a + LOW]! : a,
          levelB === level ? this.#nodes[4 * b + LOW]! : b,
          0,
          0,
        );
      } else if (step === 1) {
        stack[frame + 2] = 2;
        stack[frame + 3] = result;
        stack.push(
          levelA === level ? this.#nodes[4 * a + HIGH]! : a,
          levelB === level ? this.#nodes[4 * b + HIGH]! : b,
          0,
          0,
        );
      } else {
        result = this.node(this.#nodes[4 * (levelA === level ? a : b)]!, stack[frame + 3]!, result);
        this.#remember(operation, a, b, result);
        stack.length = frame;
      }
    }
    return result;
  }

  #lookup(operation: number, a: number, b: number): number {
    const slot = (hash(operation, a, b) & this.#cacheMask) << 2;
    const cache = this.#cache;
    if (cache[slot] === a && cache[slot + 1] === b && cache[slot + 2] === operation) return cache[slot + 3]!;
    return -1;
  }

  #remember(operation: number, a: number, b: number, result: number): void {
    this.spend(1);
    if (++this.#cacheWrites > this.#cacheMask) this.#growCache();
    const slot = (hash(operation, a, b) & this.#cacheMask) << 2;
    const cache = this.#cache;
    cache[slot] = a;
    cache[slot + 1] = b;
    cache[slot + 2] = operation;
    cache[slot + 3] = result;
  }

  #create(variable: number, low: number, high: number, bucket: number): number {
    if (this.#count >= this.#budget) {
      throw new PacketSetBudgetError(`packet sets need more than ${this.#budget} nodes`);
    }
    if (this.#count === this.#buckets.length) {
      this.#grow();
      return this.node(variable, low, high);
    }
    const created = this.#count++;
    const at = 4 * created;
    this.#nodes[at] = variable;
    this.#nodes[at + LOW] = low;
    this.#nodes[at + HIGH] = high;
    this.#nodes[at + NEXT] = this.#buckets[bucket]!;
    this.#buckets[bucket] = created;
    return created;
  }

  /** Doubles the room for nodes. */
  #grow(): void {
    const room = this.#buckets.length * 2;
    const nodes = enlarged(this.#nodes, room * 4);
    const buckets = allocated(room);
    for (let node = 2; node < this.#count; node++) {
      const at = 4 * node;
      const bucket = hash(nodes[at]!, nodes[at + LOW]!, nodes[at + HIGH]!) & (room - 1);
      nodes[at + NEXT] = buckets[bucket]!;
      buckets[bucket] = node;
    }
    this.#nodes = nodes;
    this.#buckets = buckets;
  }

  /** Called once per as many writes as there are entries: a cache that is written that often is too small. */
  #growCache(): void {
    this.#cacheWrites = 0;
    const entries = (this.#cacheMask + 1) * 2;
    if (entries > LARGEST_CACHE) return;
    const old = this.#cache;
    const cache = allocated(entries * 4).fill(-1);
    for (let from = 0; from < old.length; from += 4) {
      if (old[from]! < 0) continue;
      const slot = (hash(old[from + 2]!, old[from]!, old[from + 1]!) & (entries - 1)) << 2;
      for (let i = 0; i < 4; i++) cache[slot + i] = old[from + i]!;
    }
    this.#cache = cache;
    this.#cacheMask = entries - 1;
  }

  #growChoiceCache(): void {
    this.#choiceWrites = 0;
    const entries = (this.#choiceMask + 1) * 2;
    if (entries > LARGEST_CACHE) return;
    this.#choiceCache = allocated(entries * 4).fill(-1);
    this.#choiceMask = entries - 1;
  }
}

/** Mixes three integers. Multipliers are the odd constants of xxHash32, which spread low bits well. */
function hash(a: number, b: number, c: number): number {
  const mixed = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca77) ^ Math.imul(c, 0xc2b2ae3d);
  return (mixed ^ (mixed >>> 15)) & 0x7fff_ffff;
}

/** An array of zeros. What the machine does not have is beyond the budget like what nobody may take. */
function allocated(length: number): Int32Array<ArrayBuffer> {
  try {
    return new Int32Array(length);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new PacketSetBudgetError('packet sets need more memory than there is');
  }
}

function enlarged(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const out = allocated(length);
  out.set(array);
  return out;
}
