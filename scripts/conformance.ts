/**
 * `npm run conformance -- SUITE …`: the interpreter against what others recorded or execute. A suite is a file of conformance/; its head says
 * what it compares, and `--help` its options.
 */
import { CommanderError } from 'commander';
import { ExitCode, VmtapeError } from '../src/base/errors.js';
import { buildConformance } from './conformance/program.js';

const program = buildConformance((code) => {
  process.exitCode = code;
});
try {
  if (process.argv.length <= 2) {
    console.error('conformance: no suite is given; see npm run conformance -- --help');
    process.exitCode = ExitCode.Usage;
  } else await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? ExitCode.Ok : ExitCode.Usage;
  else if (error instanceof VmtapeError) {
    console.error(`conformance: ${error.message}${error.hint ? ` (${error.hint})` : ''}`);
    process.exitCode = error.exitCode;
  } else throw error;
}
