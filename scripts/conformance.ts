/**
 * `npm run conformance -- SUITE …`: the interpreter against what others recorded or execute. A suite is a file of conformance/; its head says
 * what it compares.
 *
 * ```
 * sst [DIR] [--file F.MOO.gz] [--test N]                      80286 tests recorded on hardware; DIR: ../shared/data/sst-80286
 * decoder [--count N] [--seed N] [--mode 16|32|64] [--bytes HEX]    lengths and validity against iced-x86
 * softfloat [--cases N] [--seed N] [--name FADD]              x87 and scalar SSE against the host's FPU
 * sse [--cases N] [--seed N] [--name ADDPS]                   MMX and SSE against the host's processor
 * landmarks [--count N] [--seed N] [--name LOOP]              interrupts in guests without exits, KVM against the interpreter
 * all [--sst DIR]                                             the first four with their defaults
 * ```
 *
 * With `--json` the findings are one object on standard output. Exit code 0: equal; 1 (sst) or 3: differences; 2: usage; 6: the host has not
 * what is needed.
 */
import { ExitCode, VmtapeError } from '../src/base/errors.js';
import { conformAll, SUITES } from './conformance/all.js';
import { conformDecoder } from './conformance/decoder.js';
import { conformLandmarks } from './conformance/landmarks.js';
import { usageError } from './conformance/report.js';
import { conformSoftfloat } from './conformance/softfloat.js';
import { conformSse } from './conformance/sse.js';
import { conformSst } from './conformance/sst.js';

async function main(): Promise<ExitCode> {
  const [suite, ...args] = process.argv.slice(2);
  switch (suite) {
    case 'all':
      return conformAll(args);
    case 'decoder':
      return conformDecoder(args);
    case 'landmarks':
      return conformLandmarks(args);
    case 'softfloat':
      return conformSoftfloat(args);
    case 'sse':
      return conformSse(args);
    case 'sst':
      return conformSst(args);
    default: {
      const hint = 'npm run conformance -- SUITE [--json] …';
      throw usageError(
        `${suite === undefined ? 'a suite is missing' : `there is no suite ${suite}`}: ${SUITES.join(', ')}, landmarks, all`,
        hint,
      );
    }
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof VmtapeError) {
    console.error(`conformance: ${error.message}${error.hint ? ` (${error.hint})` : ''}`);
    process.exitCode = error.exitCode;
  } else if (error instanceof TypeError && 'code' in error) {
    // parseArgs on an option that it does not know.
    console.error(`conformance: ${error.message}`);
    process.exitCode = ExitCode.Usage;
  } else throw error;
}
