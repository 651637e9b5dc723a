/**
 * `npm run conformance -- softfloat`: x87 and scalar SSE arithmetic against the host's own FPU, results, flags, tags and memory. Of the
 * transcendental functions the last bit is the processor's own: results may be one unit apart.
 */
import type { Command } from 'commander';
import type { ExitCode } from '../../src/base/errors.js';
import { usageError } from '../../src/cli/values.js';
import { compareSoftfloat } from '../../src/compare/softfloat/conformance.js';
import type { X87Difference } from '../../src/compare/softfloat/suite.js';
import { addCaseOptions, type CaseFlags, caseOptions } from './case-options.js';

/** Operands of each operation, rounding mode and precision. */
const OPERANDS = 50_000;

/** Adds the suite. `setExit` takes the exit code. */
export function addSoftfloat(program: Command, setExit: (code: number) => void): void {
  const command = program
    .command('softfloat')
    .summary("x87 and scalar SSE arithmetic against the host's FPU")
    .description(
      "Compares x87 and scalar SSE arithmetic with the host's own FPU: results, flags, tags and memory, in every rounding mode and precision.",
    );
  addCaseOptions(command, OPERANDS, 'FADD').action((flags: CaseFlags) => setExit(conformSoftfloat(flags)));
}

function conformSoftfloat(flags: CaseFlags): ExitCode {
  const { report, cases: operands, seed, name } = caseOptions('softfloat', flags);
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
  if ('missing' in totals) return report.skip(totals.missing);
  if (totals.operations === 0) throw usageError(`--name ${name} is no operation of x87 and scalar SSE`);
  const { cases, different, operations } = totals;
  const { seconds } = report;
  return report.finish(
    { seed, cases, different, seconds, operations, differences },
    `${cases} cases of ${operations} operations, seed ${seed}: ${cases - different} equal, ${different} different (${seconds} s)`,
  );
}
