/** vmtape seal: instruction counts for a trace that was recorded on KVM, which does not count. */
import { copyFileSync } from 'node:fs';
import type { Command } from 'commander';
import { ExitCode, VmtapeError } from '../base/errors.js';
import { realHost } from '../base/host.js';
import type { SealResult } from '../replay/seal.js';
import { traceFileError } from '../trace/errors.js';
import { checkInput, checkOutput, isSameFile } from './files.js';
import { collect, guestFiles } from './guest-files.js';
import { formatCount, Progress } from './progress.js';
import { formatDivergence } from './replay.js';
import { ResultFile } from './result-file.js';
import { withSignals } from './signals.js';

const HELP = `
KVM does not count instructions. This replays the trace on the interpreter, without devices, learns how many instructions were retired at
each record, and writes the counts behind the end of the trace, which is otherwise as it was. Replays on the interpreter then compare them, and
find the places of interrupts at once; inspect and export show them. The trace is replaced only as a whole. A trace that has counts stays as it is; with --output, it is copied.

Exit code: 0, 1 if interrupted, 2 for a mistake in the options, 3 if the replay differs from the trace, 5 if the trace is damaged or was not
closed (vmtape repair closes it).

Examples:
  $ vmtape seal boot.vmtape
  $ vmtape seal boot.vmtape -o sealed.vmtape --json`;

interface SealFlags {
  readonly output?: string;
  readonly image: readonly string[];
  readonly json?: boolean;
}

/** Adds the command. `setExit` takes the exit code. */
export function addSeal(program: Command, setExit: (code: number) => void): void {
  program
    .command('seal')
    .summary('give a trace from KVM its instruction counts')
    .description('Gives a trace that was recorded on KVM its instruction counts.')
    .argument('<file>', 'the trace')
    .option('-o, --output <file>', 'write the sealed trace there, and leave the file as it is')
    .option('--image <file>', 'a file of a guest that is not in the trace; may be given several times', collect, [])
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (path: string, flags: SealFlags) => {
      setExit(await seal(path, flags));
    });
}

async function seal(path: string, { output, image, json }: SealFlags): Promise<number> {
  checkInput('', path);
  if (output !== undefined) checkOutput('--output', output);
  const { SealSession } = await import('../replay/seal.js');
  const session = await SealSession.open({ path, output, files: guestFiles(image), host: realHost });
  const progress = new Progress(() => `${formatCount(session.records)} records counted`, false);
  let result: SealResult;
  try {
    result = await withSignals(
      () => session.stop(),
      () => session.run(),
    );
  } finally {
    progress.stop();
    session.close();
  }
  if (result.kind === 'sealed' && !result.isNew && output !== undefined) copyTrace(path, output);
  if (json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else say(path, output ?? path, result);
  if (result.kind === 'sealed') return ExitCode.Ok;
  return result.replay.kind === 'divergence' ? ExitCode.Divergence : ExitCode.GuestFailed;
}

/** It has its counts: what was asked for is a copy. */
function copyTrace(path: string, output: string): void {
  if (isSameFile(path, output)) return;
  const file = new ResultFile('--output', output);
  try {
    copyFileSync(path, file.temporary);
    file.finish();
  } catch (error) {
    throw error instanceof VmtapeError ? error : traceFileError(output, error);
  } finally {
    file.discard();
  }
}

function say(path: string, output: string, result: SealResult): void {
  if (result.kind === 'sealed') {
    const records = `${formatCount(result.records)} records`;
    process.stdout.write(
      result.isNew
        ? `${output}: ${records} have their counts\n`
        : `${path}: its ${records} have counts already${output === path ? '' : `; ${output} is a copy`}\n`,
    );
  } else if (result.replay.kind === 'divergence') {
    process.stderr.write(formatDivergence(path, result.replay.divergence));
  } else {
    process.stderr.write(
      `vmtape: ${path}: interrupted after ${formatCount(result.replay.records)} records; nothing was written\n`,
    );
  }
}
