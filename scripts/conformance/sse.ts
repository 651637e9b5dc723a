/** `npm run conformance -- sse`: each MMX and SSE instruction on the interpreter and on the host's processor, from the same state. */
import type { Command } from 'commander';
import type { ExitCode } from '../../src/base/errors.js';
import { usageError } from '../../src/cli/values.js';
import { SseGuest } from '../../src/compare/sse/guest.js';
import { buildSseOracle } from '../../src/compare/sse/oracle.js';
import { runSseRows, SSE_FAMILIES } from '../../src/compare/sse/suite.js';
import { addCaseOptions, type CaseFlags, caseOptions } from './case-options.js';

/** Cases of each instruction. */
const CASES = 3000;
/** Differences shown of each. */
const SHOWN = 3;

/** Adds the suite. `setExit` takes the exit code. */
export function addSse(program: Command, setExit: (code: number) => void): void {
  const command = program
    .command('sse')
    .summary("MMX and SSE instructions against the host's processor")
    .description(
      "Compares each MMX and SSE instruction on the interpreter and on the host's processor, from the same state.",
    );
  addCaseOptions(command, CASES, 'ADDPS').action((flags: CaseFlags) => setExit(conformSse(flags)));
}

function conformSse(flags: CaseFlags): ExitCode {
  const { report, cases: perRow, seed, name } = caseOptions('sse', flags);
  const oracle = buildSseOracle();
  if ('missing' in oracle) return report.skip(oracle.missing);
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
  if (rows === 0) throw usageError(`--name ${name} is no instruction of MMX and SSE`);
  const { seconds } = report;
  return report.finish(
    { seed, cases, different, seconds, rows, differences },
    `${cases} cases of ${rows} rows, seed ${seed}: ${cases - different} equal, ${different} different (${seconds} s)`,
  );
}
