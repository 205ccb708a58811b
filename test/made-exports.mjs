/** What programs that make exports of any size have in common. */

/** Small generator with a fixed seed (mulberry32), so that every run makes the same rules. */
export function generator(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Where the JSON of nft begins: its version, a table, and the input chain of it. */
export const NFT_HEAD = [
  { metainfo: { version: '1.0.6', release_name: 'Lester Gooch #5', json_schema_version: 1 } },
  { table: { family: 'inet', name: 'filter', handle: 1 } },
  {
    chain: {
      family: 'inet',
      table: 'filter',
      name: 'input',
      handle: 1,
      type: 'filter',
      hook: 'input',
      prio: 0,
      policy: 'drop',
    },
  },
];
