/** `npm run conformance -- sse`: each MMX and SSE instruction on the interpreter and on the host's processor, from the same state. */
import type { ExitCode } from '../../src/base/errors.js';
import { SseGuest } from '../../src/compare/sse/guest.js';
import { buildSseOracle } from '../../src/compare/sse/oracle.js';
import { runSseRows, SSE_FAMILIES } from '../../src/compare/sse/suite.js';
import { caseOptions } from './case-options.js';
import { noOracle, usageError } from './report.js';

/** Cases of each instruction. */
const CASES = 3000;
/** Differences shown of each. */
const SHOWN = 3;
const USAGE = 'npm run conformance -- sse [--cases N] [--seed N] [--name ADDPS] [--json]';

/** Runs the suite. */
export function conformSse(args: string[]): ExitCode {
  const { report, cases: perRow, seed, name } = caseOptions(args, CASES, USAGE);
  const oracle = buildSseOracle();
  if ('missing' in oracle) throw noOracle(oracle.missing);
  const guest = new SseGuest();
  const all = Object.entries(SSE_FAMILIES).flatMap(([family, rows]) => rows.map((row) => ({ family, row })));
  const differences: string[] = [];
  let cases = 0;
  let different = 0;
  let rows = 0;
  for (const [index, { family, row }] of all.entries()) {
    if (name !== undefined && row.name.split(' ')[0] !== name) continue;
    report.progress(() => `sse: ${row.name}, ${index} of ${all.length} rows`);
    const result = runSseRows([row], perRow, seed + index + 1, oracle, guest);
    rows++;
    cases += result.cases;
    different += result.differences.length;
    for (const { text } of result.differences.slice(0, SHOWN)) {
      differences.push(`${family}: ${text}`);
      report.line(`${family}: ${text}`);
    }
  }
  oracle.close();
  if (rows === 0) throw usageError(`there is no instruction ${name}`, USAGE);
  const { seconds } = report;
  return report.finish(
    { suite: 'sse', seed, cases, different, seconds, rows, differences },
    `${cases} cases of ${rows} rows, seed ${seed}: ${cases - different} equal, ${different} different (${seconds} s)`,
  );
}
