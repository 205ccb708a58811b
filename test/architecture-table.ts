/**
 * Which folder of src/ may import which. A file directly in src/ is a folder of its own here. The sentence is what a
 * violation prints. docs/architecture.md has the same table; a test compares them.
 */
export const ARCHITECTURE_TABLE: Readonly<
  Record<string, { readonly may: readonly string[]; readonly because: string }>
> = {
  net: { may: [], because: 'net/ is plain values and imports nothing' },
  model: { may: ['net'], because: 'model/ is what exports say; it knows numbers and nothing of analysis' },
  'packet-set': { may: ['net'], because: 'packet-set/ does not know what a rule is' },
  parse: {
    may: ['net', 'model'],
    because: 'parse/ turns text into the model and does not know what a packet set is',
  },
  semantics: { may: ['net', 'model', 'packet-set'], because: 'rules and packet sets meet in semantics/' },
  evaluate: {
    may: ['net', 'model'],
    because: 'evaluate/ is the oracle of semantics/ and shares no code with it',
  },
  inventory: { may: ['net'], because: 'inventory/ is what people declare, whatever the exports say' },
  finding: { may: ['net', 'model'], because: 'finding/ is plain data about places in exports' },
  rulepack: { may: ['net', 'model', 'finding'], because: 'rulepack/ is checks and profiles as data' },
  check: {
    may: ['net', 'model', 'packet-set', 'semantics', 'inventory', 'finding', 'rulepack'],
    because: 'check/ gets models, never texts: parsers are out of its sight',
  },
  trace: {
    may: ['net', 'model', 'packet-set', 'semantics', 'evaluate'],
    because: 'trace/ asks both evaluators one packet at a time',
  },
  init: {
    may: ['net', 'model', 'parse', 'inventory'],
    because: 'init/ suggests an inventory from what parsers read',
  },
  report: { may: ['finding', 'model'], because: 'report/ sees a report and nothing of how it came about' },
  scan: {
    may: ['net', 'model', 'packet-set', 'parse', 'semantics', 'inventory', 'finding', 'rulepack', 'check'],
    because: 'scan.ts is the pipeline up to the report, without its formats',
  },
  cli: {
    may: [
      'net',
      'model',
      'parse',
      'evaluate',
      'semantics',
      'inventory',
      'finding',
      'rulepack',
      'report',
      'scan',
      'trace',
      'init',
    ],
    because: 'cli/ uses the entry points of the parts, never their insides',
  },
};
