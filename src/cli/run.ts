/** vmtape run: runs a guest and records nothing. */
import type { Command } from 'commander';
import type { MachineEnd } from '../vmm/machine-options.js';
import { isOnTerminal } from './console.js';
import { connectInput, explainEngine, prepareMachine, writeResults } from './machine.js';
import { addMachineOptions, type MachineFlags, readMachineArguments } from './machine-arguments.js';
import { Progress } from './progress.js';
import { runProgress } from './run-progress.js';
import { withSignals } from './signals.js';

const HELP = `
The guest's serial console is standard input and output. Ctrl-C ends the run; on a terminal, Ctrl-A x does that too, and
Ctrl-A c is Ctrl-C for the guest.

Exit code: the guest's own if it wrote to port 0xF4 (a write of v gives (v << 1) | 1, as QEMU's isa-debug-exit);
0 if it switched off, reset or halted, or a limit was reached; 1 if it failed or --timeout passed; 2 for a mistake
in the options or files; 6 if this host cannot run it.

Examples:
  A boot sector:
    $ vmtape run --flat corpora/guests/real-strings.bin --load-at 0x7c00 --mode real
  Linux on the interpreter, until it knows its memory (npm run guest:debian fetches it):
    $ vmtape run --engine interp --kernel .cache/guests/debian-amd64/vmlinux \\
        --append "earlyprintk=serial console=ttyS0 nokaslr" --until-serial "Memory: "
  A million instructions, then the registers:
    $ vmtape run --flat code.bin --mode long64 --max-instructions 1000000 --dump-state state.json`;

/** Adds the command. `setExit` takes the exit code. */
export function addRun(program: Command, setExit: (code: number) => void): void {
  const command = program
    .command('run')
    .summary('run a guest, record nothing')
    .description('Runs a guest and records nothing.')
    .addHelpText('after', HELP);
  addMachineOptions(command).action(async (flags: MachineFlags) => {
    setExit(await run(flags));
  });
}

async function run(flags: MachineFlags): Promise<number> {
  const args = readMachineArguments(flags);
  const prepared = await prepareMachine(args);
  explainEngine(prepared);
  const { Machine } = await import('../vmm/machine.js');
  const machine = await Machine.open(prepared.options);
  const disconnect = connectInput(machine, args);
  const progress = new Progress(runProgress(machine, prepared.lastLine), isOnTerminal(args.serial));
  try {
    const end = await withSignals(
      () => machine.stop(),
      () => machine.run(),
    );
    prepared.console.close();
    progress.stop();
    writeResults(machine, args);
    sayEnd(end);
    return end.exitCode;
  } catch (error) {
    if (machine.end !== undefined) writeResults(machine, args);
    throw error;
  } finally {
    progress.stop();
    disconnect();
    prepared.console.close();
    machine.close();
  }
}

/** Why the run ended: always when it failed, else on a terminal only. */
export function sayEnd(end: MachineEnd): void {
  const isFailure = end.exitCode !== 0 && end.reason !== 'exit-port';
  if (!isFailure && process.stderr.isTTY !== true) return;
  process.stderr.write(`vmtape: ${end.message.replace(/\.$/, '')}\n`);
}
