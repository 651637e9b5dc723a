/** docs/cpu.md: every clause of what the processor is to have stands there, and every proof that it names is in the tree. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const rows = readFileSync('docs/cpu.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| clause'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, clause, proof]) => ({ clause: clause as string, proof: proof as string }));

/** What the model has, in the words of the manuals. */
const CLAUSES = [
  ...['POPCNT', 'CMPXCHG16B', 'LAHF', 'AES', 'PCLMULQDQ', 'SSE4.2', 'MMX', 'NaNs', 'DAZ', 'FTZ', 'MXCSR', '#XM'],
  ...['rounding', 'environment', 'pseudo-denormals', 'unnormals', 'FERR#', 'IRQ 13', '#MF', 'stack faults', 'BCD'],
  ...['transcendentals', '#AC', 'debug registers', 'TF', 'RF', 'BTF', 'ICEBP', 'V86', 'VME', 'task switches', 'gates'],
  ...[
    'conforming',
    'LAR',
    'LSL',
    'VERR',
    'ARPL',
    'BOUND',
    'SMAP',
    'SMEP',
    'UMIP',
    'PCIDs',
    'INVPCID',
    'global pages',
    'PAT',
  ],
  ...['MTRR', 'FSGSBASE', 'RDTSCP', 'CLFLUSH', 'MOVBE', 'MONITOR', 'MWAIT', 'machine-check', 'fault priority'],
  ...['leaves no trace', 'crosses pages', 'by DMA', 'by itself', 'through an alias', 'TLB staleness', '#UD agree'],
];

/** Where a name of a proof may lie. */
const PLACES = ['test/interp/NAME.test.ts', 'test/interp/NAME', 'NAME.test.ts', 'NAME', 'NAME.s'];
PLACES.push('test/interp/system/guests/NAME.s', 'scripts/conformance/NAME.ts');

describe('docs/cpu.md', () => {
  it.each(CLAUSES)('has a row for %s', (clause) => {
    expect(rows.filter((row) => row.clause.includes(clause)).length).toBeGreaterThan(0);
  });

  it.each(rows)('$clause: names proofs that there are', ({ proof }) => {
    const names = [...proof.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);
    expect(names.length > 0 || /\bcompare\b/.test(proof)).toBe(true);
    const missing = names.filter((name) => !PLACES.some((place) => existsSync(place.replace('NAME', name))));
    expect(missing).toEqual([]);
  });
});
