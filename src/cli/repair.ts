/** vmtape repair: gives a trace an end that its recorder could not write. */
import type { Command } from 'commander';
import { type RepairResult, repairTrace } from '../trace/repair.js';
import { checkInput, checkOutput } from './files.js';
import { formatCount, Progress } from './progress.js';

const HELP = `
A trace whose recorder was killed, or ran out of disk, has no end and no index. It can be read and replayed as it is, with
a warning. This cuts off what is no whole frame, and writes an end and an index: then it is a trace as others, which ends
where the recorder last wrote. Do not repair a file that is still being recorded.

Exit code: 0, 2 for a mistake in the options, 5 if the file cannot be repaired: it has not even the guest's memory, or, without
--output, something is wrong before its last frame.

Examples:
  $ vmtape repair boot.vmtape
  $ vmtape repair damaged.vmtape -o what-is-left.vmtape`;

interface RepairFlags {
  readonly output?: string;
  readonly json?: boolean;
}

/** Adds the command. `setExit` takes the exit code. */
export function addRepair(program: Command, setExit: (code: number) => void): void {
  program
    .command('repair')
    .summary('give a trace that was cut off an end')
    .description('Gives a trace that was not closed its end and its index.')
    .argument('<file>', 'the trace')
    .option('-o, --output <file>', 'write the repaired trace there, and leave the file as it is')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action((path: string, flags: RepairFlags) => {
      checkInput('', path);
      if (flags.output !== undefined) checkOutput('--output', flags.output);
      let checked = 0;
      const progress = new Progress(() => `${formatCount(checked)} bytes checked`, false);
      const onProgress = (bytes: number): void => {
        checked = bytes;
        progress.tick();
      };
      const result = withProgress(progress, () => repairTrace(path, flags.output, onProgress));
      if (flags.json) sayJson(result);
      else process.stdout.write(`${flags.output ?? path}: ${describe(result)}\n`);
      setExit(0);
    });
}

/** The line is gone before anything else is said. */
function withProgress<T>(progress: Progress, work: () => T): T {
  try {
    return work();
  } finally {
    progress.stop();
  }
}

function describe({ kind, records, lost, damage }: RepairResult): string {
  if (kind === 'whole') return 'nothing is wrong';
  const what = kind === 'closed' ? 'only the index was missing' : 'the recording has an end now';
  const cut = lost > 0 ? `; ${formatCount(lost)} bytes were no whole frame` : '';
  return `${formatCount(records)} records are whole, and ${what}${cut} (${damage?.message ?? 'it was not closed'})`;
}

function sayJson({ damage, ...rest }: RepairResult): void {
  const shown = damage && { code: damage.code, message: damage.message };
  process.stdout.write(`${JSON.stringify({ ...rest, damage: shown ?? null }, null, 2)}\n`);
}
