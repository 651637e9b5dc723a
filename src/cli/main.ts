/** The command `vmtape`. One file a command; this one puts them together and turns errors into exit codes. */
import { Command } from 'commander';
import { packageVersion } from '../base/version.js';
import { addCompare } from './compare.js';
import { addDiff } from './diff.js';
import { addDoctor } from './doctor.js';
import { reportError } from './errors.js';
import { addExport } from './export.js';
import { describeFileError } from './files.js';
import { addInspect } from './inspect.js';
import { addPack } from './pack.js';
import { addRecord } from './record.js';
import { addRepair } from './repair.js';
import { addReplay } from './replay.js';
import { addRun } from './run.js';
import { addSeal } from './seal.js';
import { addSlice } from './slice.js';
import { addVerify } from './verify.js';

const HELP = `
Exit codes: 0 fine; 1 the guest or the run failed; 2 a mistake in the options or files; 3 a replay or a comparison that differs;
5 a damaged or foreign trace; 6 the host cannot do it. run and record exit with the guest's own code if it wrote to
port 0xF4.

First steps:
  $ vmtape doctor
  $ vmtape record --flat corpora/guests/prot32-ticks.bin --load-at 0x100000 --mode prot32 -o ticks.vmtape
  $ vmtape replay ticks.vmtape
  $ vmtape inspect ticks.vmtape
"vmtape COMMAND --help" explains each command.`;

/** Builds the program; `setExit` is called with the exit code of the command that ran. */
export function buildProgram(setExit: (code: number) => void): Command {
  const program = new Command('vmtape')
    .description('Records what a virtual machine did, bit for bit, and replays it anywhere.')
    .version(packageVersion())
    .helpCommand(false)
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(oneLine(text)) })
    .exitOverride()
    .addHelpText('after', HELP);
  addRun(program, setExit);
  addRecord(program, setExit);
  addReplay(program, setExit);
  addInspect(program, setExit);
  addExport(program, setExit);
  addDiff(program, setExit);
  addSlice(program, setExit);
  addPack(program, setExit);
  addVerify(program, setExit);
  addRepair(program, setExit);
  addSeal(program, setExit);
  addDoctor(program, setExit);
  addCompare(program, setExit);
  for (const command of program.commands) command.copyInheritedSettings(program);
  return program;
}

/** Commander's `error: …` in the form of all our errors: one line. */
function oneLine(text: string): string {
  const sentence = text.replace(/^error: /, '').trim();
  return `vmtape: ${sentence.replace(/\s*\n\s*/g, ' ').replaceAll("'", '')}\n`;
}

async function main(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = buildProgram((code) => {
    exitCode = code;
  });
  if (argv.length <= 2) {
    process.stderr.write('vmtape: no command is given; see vmtape --help\n');
    return 2;
  }
  try {
    await program.parseAsync(argv);
    return exitCode;
  } catch (error) {
    return reportError(error);
  }
}

/** Who reads our output may stop reading, as `head` does: then there is nothing more to do. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`vmtape: standard output ${describeFileError(error)}\n`);
  process.exit(1);
});
process.stderr.on('error', () => {});

/** A pipe takes bytes when its reader does; what it has not taken when the process exits is lost. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}

const exitCode = await main(process.argv);
await flushed(process.stdout);
await flushed(process.stderr);
process.exit(exitCode);
