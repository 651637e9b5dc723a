/** A bounded part of `npm run conformance -- sst`: the first tests of every file of the 80286 set, where the set is. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createSstRunner } from '../../src/compare/sst/engine.js';
import { listFiles, loadFile, runFile, type SstTotals } from '../../src/compare/sst/suite.js';

const DIRECTORY = '../shared/data/sst-80286';
const TESTS_A_FILE = 40;

describe('SST 80286', () => {
  const absent = !existsSync(DIRECTORY);
  it.skipIf(absent)(absent ? `skipped: there is no ${DIRECTORY}` : 'every test passes', async () => {
    const runner = await createSstRunner();
    const totals: SstTotals = { tests: 0, failed: 0, byOpcode: new Map() };
    const failures: string[] = [];
    for (const file of listFiles(DIRECTORY)) {
      const tests = loadFile(DIRECTORY, file).slice(0, TESTS_A_FILE);
      runFile(runner, tests, file, totals, ({ number }) => {
        failures.push(`npm run conformance -- sst --file ${file} --test ${number}`);
      });
    }
    expect(failures.slice(0, 10)).toEqual([]);
    expect(totals.tests).toBe(325 * 40);
  });
});
