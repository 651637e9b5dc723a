/** vmtape record: runs a guest and records it. */
import { randomBytes } from 'node:crypto';
import { cpus, release, type as systemType } from 'node:os';
import type { Command } from 'commander';
import { noteHoles } from '../record/holes.js';
import type { RecordedFile, RecordSummary } from '../record/options.js';
import type { RecordSession } from '../record/session.js';
import type { BootSource } from '../vmm/boot/request.js';
import type { MachineEnd } from '../vmm/machine-options.js';
import { isOnTerminal } from './console.js';
import { connectInput, explainEngine, type PreparedMachine, prepareMachine, writeResults } from './machine.js';
import {
  addMachineOptions,
  checkOwnOutput,
  type MachineArguments,
  type MachineFlags,
  readMachineArguments,
} from './machine-arguments.js';
import { formatCount, isWatched, Progress } from './progress.js';
import { sayEnd } from './run.js';
import { runProgress } from './run-progress.js';
import { withSignals } from './signals.js';
import { parseCount, usageError } from './values.js';

const HELP = `
Records everything that the guest's run depends on, so that "vmtape replay" can repeat it exactly, anywhere. The
guest's serial console is standard input and output. Ctrl-C ends the recording cleanly: the trace is whole up to there.
On a terminal, Ctrl-A x does that too, and Ctrl-A c is Ctrl-C for the guest.

--runs N is for what goes wrong once in many runs: it records again and again, over the same file, until a run ends with an
exit code that is not 0, or has sent a text of --fail-serial, or was interrupted. What it leaves is the recording of that
run, or, if none failed, of the last. What is piped into the console goes to the first run.

Exit code: as of "vmtape run": the guest's own if it wrote to port 0xF4, else 0, 1, 2 or 6.

Examples:
  A guest of ours, on KVM where there is one:
    $ vmtape record --flat corpora/guests/prot32-ticks.bin --load-at 0x100000 --mode prot32 -o ticks.vmtape
    $ vmtape replay ticks.vmtape
  Debian on KVM (npm run guest:debian fetches it):
    $ vmtape record --engine kvm --kernel .cache/guests/debian-amd64/vmlinux \\
        --append "earlyprintk=serial console=ttyS0 nokaslr" --until-serial "Memory: " -o d.vmtape
  The one boot of fifty that fails:
    $ vmtape record --runs 50 --fail-serial "end Kernel panic" --timeout 600 --kernel vmlinux -o failed.vmtape`;

const ID_SIZE = 16;

interface RecordFlags extends MachineFlags {
  readonly output: string;
  readonly embed: boolean;
  readonly runs: string;
}

/** Adds the command. `setExit` takes the exit code. */
export function addRecord(program: Command, setExit: (code: number) => void): void {
  const command = program
    .command('record')
    .summary('run a guest and record it')
    .description('Runs a guest and records it.')
    .requiredOption('-o, --output <file>', 'the trace to write')
    .option(
      '--no-embed',
      'leave out what is part of the kernel, initrd, image or ROM: a replay must be given the files',
    )
    .option('--runs <n>', 'record so many times, or until a run fails', '1')
    .addHelpText('after', HELP);
  addMachineOptions(command).action(async (flags: RecordFlags) => {
    setExit(await recordRuns(flags));
  });
}

async function recordRuns(flags: RecordFlags): Promise<number> {
  const runs = parseCount('--runs', flags.runs);
  const args = readMachineArguments(flags);
  checkOwnOutput('--output', flags.output, flags, args);
  for (let run = 1; ; run++) {
    const { reason, exitCode } = await record(flags, args, runs);
    if (runs === 1) return exitCode;
    const isFailure = exitCode !== 0;
    if (isFailure || reason === 'interrupted' || run === runs) {
      process.stderr.write(`vmtape: ${sayRuns(run, runs, isFailure)}\n`);
      return exitCode;
    }
    if (isWatched()) process.stderr.write(`vmtape: run ${formatCount(run)} of ${formatCount(runs)} did not fail\n`);
  }
}

function sayRuns(run: number, runs: number, isFailure: boolean): string {
  if (isFailure) return `run ${formatCount(run)} of ${formatCount(runs)} failed`;
  if (run < runs) return `interrupted in run ${formatCount(run)} of ${formatCount(runs)}; none failed before`;
  return `none of ${formatCount(runs)} runs failed`;
}

async function record(flags: RecordFlags, args: MachineArguments, runs: number): Promise<MachineEnd> {
  const prepared = await prepareMachine(args);
  if (runs > 1 && prepared.options.engine === 'interp') {
    throw usageError(
      '--runs: on the interpreter each run is the same as the first',
      prepared.engineReason === undefined ? 'use --engine kvm' : `there is no KVM here: ${prepared.engineReason}`,
    );
  }
  explainEngine(prepared);
  let session: RecordSession | undefined;
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
    session?.stop();
  };
  // The memory of the start is written when the session is opened: a file without it would be of no use.
  return withSignals(stop, async () => {
    session = await openSession(flags, args, prepared);
    if (isStopped) session.stop();
    return runSession(session, flags, args, prepared);
  });
}

async function runSession(
  session: RecordSession,
  flags: RecordFlags,
  args: MachineArguments,
  prepared: PreparedMachine,
): Promise<MachineEnd> {
  const { machine } = session;
  const disconnect = connectInput(machine, args);
  const progress = new Progress(runProgress(machine, prepared.lastLine), isOnTerminal(args.serial));
  try {
    const summary = await session.run();
    prepared.console.close();
    progress.stop();
    writeResults(machine, args);
    sayEnd(summary.end);
    saySummary(flags.output, summary);
    return summary.end;
  } catch (error) {
    if (machine.end !== undefined) writeResults(machine, args);
    throw error;
  } finally {
    progress.stop();
    disconnect();
    prepared.console.close();
    session.close();
  }
}

async function openSession(
  flags: RecordFlags,
  args: MachineArguments,
  prepared: PreparedMachine,
): Promise<RecordSession> {
  const { RecordSession } = await import('../record/session.js');
  return RecordSession.open({
    machine: prepared.options,
    path: flags.output,
    id: randomBytes(ID_SIZE),
    date: Date.now(),
    options: describeOptions(flags, prepared),
    tsc: args.tsc,
    files: guestFiles(args.source),
    embed: flags.embed,
    ledger: prepared.ledger.toJSON(),
    inexact: (vcpu) => {
      noteHoles(prepared.ledger, vcpu);
      return prepared.ledger.openHits();
    },
    host: describeHost(prepared.options.engine),
  });
}

/** What the guest is loaded from. */
function guestFiles(source: BootSource): RecordedFile[] {
  switch (source.kind) {
    case 'flat':
      return [{ role: 'flat', ...source.image }];
    case 'rom':
      return [{ role: 'rom', ...source.rom }];
    case 'kernel':
      return [
        { role: 'kernel', ...source.kernel },
        ...(source.initrd === undefined ? [] : [{ role: 'initrd', ...source.initrd }]),
        ...(source.modules ?? []).map(({ file }) => ({ role: 'module', ...file })),
      ];
  }
}

/** The options as they were given, with the command line that the guest has: without those that do not change what is recorded. */
function describeOptions(flags: RecordFlags, { words }: PreparedMachine): Record<string, unknown> {
  const { output: _output, embed: _embed, dumpState: _dumpState, dumpMem: _dumpMem, serial: _serial, ...rest } = flags;
  const { defaultAppend: _defaultAppend, runs: _runs, module, failSerial, ...given } = rest;
  return {
    ...given,
    ...(module.length > 0 && { module }),
    ...(failSerial.length > 0 && { failSerial }),
    ...(words.isApplied && { append: words.words.join(' ') }),
  };
}

function describeHost(engine: string): Record<string, unknown> {
  // A recording of the interpreter is the same on every host: it does not say where it was made.
  if (engine === 'interp') return {};
  return { system: `${systemType()} ${release()}`, processor: cpus()[0]?.model ?? 'unknown', node: process.version };
}

/** On a terminal, in a line, what was recorded. */
function saySummary(path: string, summary: RecordSummary): void {
  for (const row of summary.inexact) process.stderr.write(`vmtape: not exact: ${row}\n`);
  if (process.stderr.isTTY !== true) return;
  const counted = summary.instructions === undefined ? '' : `, ${formatCount(summary.instructions)} instructions`;
  const size = `${formatCount(summary.records)} records, ${formatCount(summary.bytes)} bytes${counted}`;
  process.stderr.write(`vmtape: ${path}: ${size}\n`);
}
