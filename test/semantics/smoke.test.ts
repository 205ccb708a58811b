import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseIptablesSave } from '../../src/parse/iptables-save/index.ts';
import { analysePath, HostSpace } from '../../src/semantics/index.ts';

test('smoke', () => {
  for (const f of process.env.FILES?.split(',') ?? ['fixtures/lab/exports/nmc-01/iptables-save.txt']) {
    const t0 = performance.now();
    const r = parseIptablesSave(readFileSync(f, 'utf8'), f);
    const t1 = performance.now();
    console.log(
      f,
      r.ruleset.tables.map((t) =>
        [t.family, t.name, t.chains.length, t.chains.reduce((n, c) => n + c.rules.length, 0)].join(' '),
      ),
      r.diagnostics.length,
      Math.round(t1 - t0),
    );
    const host = new HostSpace(r.ruleset);
    for (const p of ['input', 'forward', 'output'] as const) {
      const a = analysePath(host, p, 4);
      console.log(
        p,
        a.accepted.size,
        host.space.nodeCount(a.acceptedPackets),
        a.troubles.length,
        Math.round(performance.now() - t1),
      );
    }
  }
  expect(1).toBe(1);
});
