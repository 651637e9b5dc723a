/** vmtape verify: checks a whole trace. */
import type { Command } from 'commander';
import { ExitCode } from '../base/errors.js';
import { type TraceVerdict, verifyTrace } from '../trace/verify.js';
import { checkInput } from './files.js';
import { formatCount, Progress } from './progress.js';

const HELP = `
Reads the whole file once and checks it: the checksum of every frame, the hash of every content, the index, and what must
hold between frames. It does not replay anything: that is "vmtape replay".

Exit code: 0 if nothing is wrong, 2 for a mistake in the options, 5 if something is.

Examples:
  $ vmtape verify boot.vmtape
  $ vmtape verify boot.vmtape --json`;

/** Adds the command. `setExit` takes the exit code. */
export function addVerify(program: Command, setExit: (code: number) => void): void {
  program
    .command('verify')
    .summary('check a whole trace')
    .description('Checks all of a trace: checksums, hashes, index.')
    .argument('<file>', 'the trace')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (path: string, flags: { readonly json?: boolean }) => {
      checkInput('', path);
      let read = 0;
      const progress = new Progress(() => `${formatCount(read)} bytes checked`, false);
      const verdict = await verifyTrace(path, (bytes) => {
        read = bytes;
      }).finally(() => progress.stop());
      if (flags.json) sayJson(verdict);
      else say(verdict);
      setExit(verdict.problems.length === 0 ? ExitCode.Ok : ExitCode.BadFile);
    });
}

function say({ path, frames, records, blobs, checkpoints, unknown, problems }: TraceVerdict): void {
  for (const problem of problems) process.stderr.write(`vmtape: ${problem.message}\n`);
  if (problems.length > 0) return;
  const parts = [`${formatCount(frames)} frames`, `${formatCount(records)} records`, `${formatCount(blobs)} contents`];
  if (checkpoints > 0) parts.push(`${formatCount(checkpoints)} checkpoints`);
  if (unknown > 0) parts.push(`${formatCount(unknown)} frames of kinds that this vmtape does not know`);
  process.stdout.write(`${path}: nothing is wrong: ${parts.join(', ')}\n`);
}

function sayJson(verdict: TraceVerdict): void {
  const problems = verdict.problems.map(({ code, message }) => ({ code, message }));
  process.stdout.write(`${JSON.stringify({ ...verdict, problems }, null, 2)}\n`);
}
