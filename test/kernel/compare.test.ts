import { describe, expect, it } from 'vitest';
import type { NwauditAnswer, Said } from './ask-nwaudit.ts';
import { compare, compareAnswers, tallyLine } from './compare.ts';
import type { KernelOutcome } from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

const PACKET: TracePacket = {
  hook: 'input',
  saddr: '192.0.2.1',
  daddr: '198.51.100.1',
  proto: 'tcp',
  sport: 40000,
  dport: 443,
};
const ACCEPTED: KernelOutcome = { verdict: 'accept', daddr: '198.51.100.1', dport: 9090 };

function said(verdict: Said['verdict'], more: Partial<Said> = {}): Said {
  return { verdict, daddr: undefined, dport: undefined, ...more };
}

/** Both evaluators say the same. */
function answer(verdict: Said['verdict'], more: Partial<Said & NwauditAnswer> = {}): NwauditAnswer {
  const { daddr, dport, ...rest } = more;
  const both = said(verdict, { daddr, dport });
  return { sets: both, walk: both, differ: false, mayReject: false, path: [], unknown: [], ...rest };
}

function judge(outcome: KernelOutcome, said: NwauditAnswer): string {
  return tallyLine(compare({}, [PACKET], [outcome], [said]).tally);
}

describe('a comparison with the kernel', () => {
  it('counts equal verdicts as agreement', () => {
    expect(judge(ACCEPTED, answer('accept', { dport: 9090 }))).toBe('packets 1, agree 1, unknown 0, wrong 0');
    expect(judge({ verdict: 'drop' }, answer('drop'))).toBe('packets 1, agree 1, unknown 0, wrong 0');
  });

  it('notices a wrong verdict, delivered port and delivered address', () => {
    const wrong = 'packets 1, agree 0, unknown 0, wrong 1';
    expect(judge(ACCEPTED, answer('drop'))).toBe(wrong);
    expect(judge({ verdict: 'drop' }, answer('accept'))).toBe(wrong);
    expect(judge(ACCEPTED, answer('accept', { dport: 443 }))).toBe(wrong);
    expect(judge(ACCEPTED, answer('accept', { dport: 9090, daddr: '192.0.2.9' }))).toBe(wrong);
  });

  it('takes a reject seen on the wire as proof, and silence not', () => {
    expect(judge({ verdict: 'reject' }, answer('drop'))).toContain('wrong 1');
    expect(judge({ verdict: 'reject' }, answer('drop', { mayReject: true }))).toContain('agree 1');
    expect(judge({ verdict: 'drop' }, answer('reject', { mayReject: true }))).toContain('agree 1');
  });

  it('counts unknown answers and packets that prove nothing apart', () => {
    expect(judge(ACCEPTED, answer('unknown'))).toBe('packets 1, agree 0, unknown 1, wrong 0');
    expect(judge({ verdict: 'strayed' }, answer('drop'))).toContain('wrong 0, untestable 1');
  });

  it('names who differs from whom, so that a shared misreading and a single one look different', () => {
    const kinds = (outcome: KernelOutcome, answered: NwauditAnswer): string[] =>
      compareAnswers([PACKET], [outcome], [answered]).disagreements.map(({ kind }) => kind);
    expect(kinds(ACCEPTED, answer('drop'))).toEqual([
      'packet sets and kernel differ in the verdict; plain evaluator and kernel differ in the verdict',
    ]);
    expect(kinds(ACCEPTED, answer('drop', { walk: said('accept'), differ: true }))).toEqual([
      'packet sets and plain evaluator differ; packet sets and kernel differ in the verdict',
    ]);
    expect(kinds(ACCEPTED, answer('accept', { walk: said('drop'), differ: true }))).toEqual([
      'packet sets and plain evaluator differ; plain evaluator and kernel differ in the verdict',
    ]);
    // Without a word of the kernel the two evaluators still have to agree.
    expect(kinds({ verdict: 'untestable' }, answer('accept', { walk: said('drop'), differ: true }))).toEqual([
      'packet sets and plain evaluator differ',
    ]);
  });

  it('takes an evaluator that gave up as making no claim', () => {
    expect(judge(ACCEPTED, answer('accept', { walk: undefined, dport: 9090 }))).toContain('agree 1');
    expect(judge(ACCEPTED, answer('accept', { sets: undefined, dport: 443 }))).toContain('wrong 1');
    expect(judge(ACCEPTED, answer('accept', { sets: undefined, walk: undefined }))).toContain('unknown 1');
  });

  it('explains a disagreement with packet, verdicts, path and rules', () => {
    const said = answer('drop', { path: ['ip filter INPUT: policy => drop'] });
    const { reports } = compare({ iptables: '*filter' }, [PACKET], [ACCEPTED], [said]);
    const text = reports.join('\n');
    for (const part of [
      '"dport":443',
      '"verdict":"accept"',
      '"verdict":"drop"',
      'policy => drop',
      '*filter',
    ]) {
      expect(text).toContain(part);
    }
  });
});
