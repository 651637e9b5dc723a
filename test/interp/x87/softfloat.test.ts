/** x87 and scalar SSE arithmetic against the host's own FPU; the whole is `npm run conformance -- softfloat`. */
import { describe, expect, test } from 'vitest';
import { compareSoftfloat } from '../../../src/compare/softfloat/conformance.js';
import { buildNativeRunner } from '../../../src/compare/softfloat/native.js';

const runner = buildNativeRunner();
const missing = 'missing' in runner ? runner.missing : undefined;
if (!('missing' in runner)) runner.close();

describe(
  missing === undefined ? 'softfloat gives what the FPU of this host gives' : `softfloat: skipped, ${missing}`,
  () => {
    test.skipIf(missing !== undefined)('in results, flags, tags and memory', { timeout: 120_000 }, () => {
      const shown: string[] = [];
      const totals = compareSoftfloat({ operands: 150, seed: 7, stack: true }, (difference) => {
        if (shown.length < 10) shown.push(JSON.stringify(difference));
      });
      expect(shown).toEqual([]);
      expect(totals).toMatchObject({ different: 0 });
    });
  },
);
