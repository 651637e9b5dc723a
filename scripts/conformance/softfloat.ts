/**
 * `npm run conformance -- softfloat`: x87 and scalar SSE arithmetic against the host's own FPU, results, flags, tags and memory. Of the
 * transcendental functions the last bit is the processor's own: results may be one unit apart.
 */
import type { ExitCode } from '../../src/base/errors.js';
import { compareSoftfloat } from '../../src/compare/softfloat/conformance.js';
import type { X87Difference } from '../../src/compare/softfloat/suite.js';
import { caseOptions } from './case-options.js';
import { noOracle, usageError } from './report.js';

/** Operands of each operation, rounding mode and precision. */
const OPERANDS = 50_000;
const USAGE = 'npm run conformance -- softfloat [--cases N] [--seed N] [--name FADD] [--json]';

/** Runs the suite. */
export function conformSoftfloat(args: string[]): ExitCode {
  const { report, cases: operands, seed, name } = caseOptions(args, OPERANDS, USAGE);
  const differences: X87Difference[] = [];
  const totals = compareSoftfloat(
    { operands, seed, stack: true, ...(name === undefined ? {} : { operation: name }) },
    (difference) => {
      differences.push(difference);
      const { operation, operands: numbers, control, what } = difference;
      report.line(`${operation}: ${numbers}, control word ${control.toString(16)}: ${what}`);
    },
    (operation, done, all) => report.progress(() => `softfloat: ${operation}, ${done} of ${all}`),
  );
  if ('missing' in totals) throw noOracle(totals.missing);
  if (totals.operations === 0) throw usageError(`there is no operation ${name}`, USAGE);
  const { cases, different, operations } = totals;
  const { seconds } = report;
  return report.finish(
    { suite: 'softfloat', seed, cases, different, seconds, operations, differences },
    `${cases} cases of ${operations} operations, seed ${seed}: ${cases - different} equal, ${different} different (${seconds} s)`,
  );
}
