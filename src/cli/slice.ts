/** vmtape slice: a part of a trace as a trace of its own. */
import type { Command } from 'commander';
import { ExitCode } from '../base/errors.js';
import type { SliceResult } from '../replay/slice.js';
import { checkInput, isSameFile } from './files.js';
import { collect, guestFiles } from './guest-files.js';
import { formatCount, Progress } from './progress.js';
import { ResultFile } from './result-file.js';
import { withSignals } from './signals.js';
import { parseRange, usageError } from './values.js';

const HELP = `
The slice begins with the machine as it was before record A: the trace is replayed to there on the interpreter, from its last
checkpoint before A, if it has any. It has all that a replay needs, also where the trace was recorded without its guest. Its records are
numbered from 0; inspect shows where it comes from. It replays on the interpreter.

Exit code: 0, 1 if interrupted (then nothing is written), 2 for a mistake in the options, 3 if the trace does not replay to record A, 5 if it
is damaged.

Examples:
  $ vmtape slice d.vmtape 250000..251000 -o part.vmtape
  $ vmtape replay part.vmtape
  $ vmtape slice d.vmtape 250000.. -o rest.vmtape`;

interface SliceFlags {
  readonly output: string;
  readonly image: readonly string[];
  readonly json?: boolean;
}

/** Adds the command. `setExit` takes the exit code. */
export function addSlice(program: Command, setExit: (code: number) => void): void {
  program
    .command('slice')
    .summary('a part of a trace as a trace of its own')
    .description('Writes the records A to B of a trace, and the machine before them, as a trace of its own.')
    .argument('<file>', 'the trace')
    .argument('<A..B>', 'the records, both included')
    .requiredOption('-o, --output <file>', 'where to')
    .option('--image <file>', 'a file of a guest that is not in the trace; may be given several times', collect, [])
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (path: string, range: string, flags: SliceFlags) => {
      setExit(await slice(path, range, flags));
    });
}

async function slice(path: string, range: string, { output, image, json }: SliceFlags): Promise<number> {
  const { first, last } = parseRange('the range', range);
  checkInput('', path);
  if (isSameFile(path, output)) throw usageError('--output is the trace itself');
  const files = guestFiles(image);
  const { sliceTrace } = await import('../replay/slice.js');
  const file = new ResultFile('--output', output);
  let isStopped = false;
  let text = '';
  const stop = (): void => {
    isStopped = true;
  };
  const onProgress = (record: number, isCopied: boolean): boolean => {
    text = `${formatCount(record)} records ${isCopied ? 'written' : 'replayed'}`;
    return isStopped;
  };
  const progress = new Progress(() => text, false);
  try {
    const done = await withSignals(stop, () => sliceTrace(path, file.temporary, { first, last, files, onProgress }));
    progress.stop();
    if (done === undefined) {
      process.stderr.write(`vmtape: ${path}: interrupted, and nothing is written\n`);
      return ExitCode.GuestFailed;
    }
    file.finish();
    if (json) process.stdout.write(`${JSON.stringify({ path, output, ...done }, null, 2)}\n`);
    else process.stdout.write(`${output}: ${describe(done, first)}\n`);
    return ExitCode.Ok;
  } finally {
    progress.stop();
    file.discard();
  }
}

function describe({ first, last, records, replayedFrom, bytes }: SliceResult, wanted: number): string {
  const from = replayedFrom > 0 ? `, found from the checkpoint at ${formatCount(replayedFrom)}` : '';
  const earlier = first < wanted ? `, where the instruction of record ${formatCount(wanted)} begins` : '';
  return `${formatCount(records)} records, ${formatCount(first)} to ${formatCount(last)}${earlier}${from}; ${formatCount(bytes)} bytes`;
}
