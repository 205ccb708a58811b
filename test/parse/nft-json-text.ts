/** JSON as nft prints it for tables of iptables-nft, from lists of statements. */
export type NftStatement = Readonly<Record<string, unknown>>;

export interface NftChainText {
  readonly name: string;
  /** Hook, priority and policy of a base chain. */
  readonly base?: readonly [hook: string, priority: number, policy: string];
  readonly rules: readonly (readonly NftStatement[])[];
}

/** The items of one table. Handles count from 1 in the order of the rules. */
export function nftTable(
  family: string,
  name: string,
  chains: readonly NftChainText[],
  options: { readonly firstHandle?: number } = {},
): readonly object[] {
  let handle = options.firstHandle ?? 1;
  return [
    { table: { family, name, handle: 1 } },
    ...chains.map(({ name: chain, base }) => ({
      chain: {
        family,
        table: name,
        name: chain,
        handle: 1,
        ...(base === undefined
          ? {}
          : {
              type: name === 'nat' ? 'nat' : 'filter',
              hook: base[0],
              prio: base[1],
              policy: base[2],
            }),
      },
    })),
    ...chains.flatMap(({ name: chain, rules }) =>
      rules.map((expr) => ({ rule: { family, table: name, chain, handle: handle++, expr } })),
    ),
  ];
}

export function nftJson(...tables: readonly (readonly object[])[]): string {
  return JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6' } }, ...tables.flat()] });
}

export const xtMatch = (name: string): NftStatement => ({ xt: { type: 'match', name } });
export const xtTarget = (name: string): NftStatement => ({ xt: { type: 'target', name } });
export const verdict = (name: string): NftStatement => ({ [name]: null });
export const jump = (target: string): NftStatement => ({ jump: { target } });

export function match(left: object, right: unknown, op = '=='): NftStatement {
  return { match: { op, left, right } };
}
export const payload = (protocol: string, field: string): object => ({ payload: { protocol, field } });
export const meta = (key: string): object => ({ meta: { key } });
export const proto = (name: string): NftStatement => match(meta('l4proto'), name);
export const dport = (port: unknown, op = '=='): NftStatement => match(payload('tcp', 'dport'), port, op);
export const prefix = (addr: string, len: number): object => ({ prefix: { addr, len } });
