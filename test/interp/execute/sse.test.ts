/** MMX and SSE give what the processor of this host gives, a few hundred cases a row; `npm run conformance -- sse` runs many more. */
import { afterAll, describe, expect, it } from 'vitest';
import { SseGuest } from '../../../src/compare/sse/guest.js';
import { buildSseOracle } from '../../../src/compare/sse/oracle.js';
import { runSseRows, SSE_FAMILIES } from '../../../src/compare/sse/suite.js';

const CASES_A_ROW = Number(process.env['SSE_CASES'] ?? 60);
const oracle = buildSseOracle();

describe('MMX and SSE give what the processor of this host gives', () => {
  if ('missing' in oracle) {
    it.skip(`skipped: ${oracle.missing}`, () => {});
    return;
  }
  afterAll(() => oracle.close());
  for (const [family, rows] of Object.entries(SSE_FAMILIES)) {
    it(family, { timeout: 60_000 }, () => {
      const report = runSseRows(rows, CASES_A_ROW, 0x5eed, oracle, new SseGuest());
      const shown = report.differences.slice(0, 10).map((difference) => difference.text);
      expect(shown, `${report.differences.length} of ${report.cases} cases differ`).toEqual([]);
    });
  }
});
