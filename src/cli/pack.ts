/** vmtape pack, vmtape unpack: a trace with the files of its guest in it, or without them. */
import type { Command } from 'commander';
import { ExitCode } from '../base/errors.js';
import { type RepackResult, repackTrace } from '../trace/repack.js';
import { counted } from './counted.js';
import { checkInput, isSameFile } from './files.js';
import { collect, guestFiles } from './guest-files.js';
import { formatCount } from './progress.js';
import { ResultFile } from './result-file.js';
import { usageError } from './values.js';

const PACK_HELP = `
A trace that was written without its guest (record --no-embed, unpack) names the files by their SHA-256, and a replay needs them. This puts
them in: the result replays by itself. Checkpoints are left out.

Exit code: 0, 1 if interrupted, 2 for a mistake in the options or a file that is missing, 5 if the trace is damaged, truncated or
none. The output is there whole, or not at all.

Examples:
  $ vmtape pack small.vmtape --image vmlinux --image initramfs.cpio.gz -o whole.vmtape
  $ vmtape pack small.vmtape --image vmlinux -o whole.vmtape --json`;

const UNPACK_HELP = `
Leaves out of a trace what is part of the files that the guest was loaded from: for sending it to somebody who has them, or who must not
get them. The files are given with --image, and found in memory by their contents; those that are not given stay in the trace, and so
does whatever the guest wrote and read. A replay then needs the same files: replay --image. Checkpoints are left out.

"vmtape pack" puts the files in again: the result is equal to the trace as it was recorded, byte by byte, where the same versions
of vmtape and Node wrote both.

Exit code: 0, 1 if interrupted, 2 for a mistake in the options or a file that is not the guest's, 5 if the trace is damaged,
truncated or none. The output is there whole, or not at all.

Examples:
  $ vmtape inspect boot.vmtape --json | grep sha256      (which files those are)
  $ vmtape unpack boot.vmtape --image vmlinux -o small.vmtape
  $ vmtape replay small.vmtape --image vmlinux`;

interface PackFlags {
  readonly output: string;
  readonly image: readonly string[];
  readonly json?: boolean;
}

/** Adds both commands. `setExit` takes the exit code. */
export function addPack(program: Command, setExit: (code: number) => void): void {
  const rows = [
    { name: 'pack', summary: 'put the files of its guest into a trace', help: PACK_HELP, embed: true },
    { name: 'unpack', summary: 'leave the files of its guest out of a trace', help: UNPACK_HELP, embed: false },
  ];
  for (const { name, summary, help, embed } of rows) {
    program
      .command(name)
      .summary(summary)
      .description(`Writes a trace again, to ${summary}.`)
      .argument('<file>', 'the trace')
      .requiredOption('-o, --output <file>', 'where to')
      .option('--image <file>', 'a file of the guest; may be given several times', collect, [])
      .option('--json', 'print JSON')
      .addHelpText('after', help)
      .action(async (path: string, flags: PackFlags) => {
        setExit(await repack(path, flags, embed));
      });
  }
}

async function repack(path: string, { output, image, json }: PackFlags, embed: boolean): Promise<number> {
  checkInput('', path);
  if (isSameFile(path, output)) throw usageError('--output is the trace itself');
  const files = guestFiles(image);
  const result = new ResultFile('--output', output);
  try {
    const { result: done, records } = await counted('written', (onProgress) =>
      repackTrace(path, result.temporary, { embed, files, onProgress }),
    );
    if (done.records === undefined) {
      process.stderr.write(`vmtape: ${path}: interrupted after ${formatCount(records)} records\n`);
      return ExitCode.GuestFailed;
    }
    result.finish();
    if (json) process.stdout.write(`${JSON.stringify({ path, output, ...done }, null, 2)}\n`);
    else process.stdout.write(`${describe(output, done)}\n`);
    return ExitCode.Ok;
  } finally {
    result.discard();
  }
}

function describe(output: string, { before, after, placed, checkpoints }: RepackResult): string {
  const names = placed.map(({ role, bytes }) => `${formatCount(bytes)} bytes of the ${role} are left out`);
  const left = checkpoints > 0 ? [`${formatCount(checkpoints)} checkpoints are left out`] : [];
  return [`${output}: ${formatCount(after)} bytes, of ${formatCount(before)}`, ...names, ...left].join('; ');
}
