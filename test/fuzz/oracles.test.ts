/** The oracles over every device. VMTAPE_FUZZ_SEED and VMTAPE_FUZZ_RUNS choose another campaign than the fixed one. */
import { describe, expect, it } from 'vitest';
import { fuzz, oracleNames, printFailure } from '../../src/fuzz/run.js';
import { targets } from '../../src/fuzz/targets.js';

const seed = Number(process.env['VMTAPE_FUZZ_SEED'] ?? 20_261_121);
const runs = Number(process.env['VMTAPE_FUZZ_RUNS'] ?? 120);

describe.each(targets.map((target) => [target.name, target] as const))(`%s (seed ${seed})`, (_, target) => {
  it.each(oracleNames)('the oracle %s holds', (oracle) => {
    const result = fuzz(target, oracle, { seed, runs });
    expect(result.failure && printFailure(result, result.failure)).toBeUndefined();
  });
});
