/** From the command's machine options to the options of a Machine. */
import { realHost } from '../base/host.js';
import type { Ledger } from '../record/ledger.js';
import { missingVdsoWords, missingWords } from '../record/proposal.js';
import type { BootedGuest } from '../vmm/boot/boot.js';
import type { Vcpu } from '../vmm/cpu/vcpu.js';
import type { Machine } from '../vmm/machine.js';
import type { MachineOptions } from '../vmm/machine-options.js';
import { type ConsoleOutput, isOnTerminal, openConsole, readConsole } from './console.js';
import { checkDumps, stateToJson, writeDumps } from './dump.js';
import { chooseEngine, type EngineFacts, examineEngine, hooksFor } from './engine.js';
import { addLearnt, readLearnt } from './hooks-file.js';
import type { MachineArguments } from './machine-arguments.js';
import { isWatched } from './progress.js';
import { writeResult } from './result-file.js';
import { LastLine } from './run-progress.js';

/** A machine that is ready to be opened. */
export interface PreparedMachine {
  readonly options: Omit<MachineOptions, 'taps'>;
  readonly guest: BootedGuest;
  readonly console: ConsoleOutput;
  /** What the guest said last, for the progress line. */
  readonly lastLine: LastLine;
  readonly ledger: Ledger;
  /** Why `--engine auto` did not take KVM. */
  readonly engineReason: string | undefined;
  /** What a Linux guest should be told on its command line here. */
  readonly words: LinuxWords;
}

/** Loads the guest and chooses the engine. Everything that can be refused is refused here, before a file is made. */
export async function prepareMachine(args: MachineArguments): Promise<PreparedMachine> {
  // The disassembler of the loaders takes a while to start: only who needs it waits.
  const { bootGuest } = await import('../vmm/boot/boot.js');
  const guest = bootGuest({
    ramSize: args.ramSize,
    source: args.source,
    apic: !args.cpu.removed.includes('apic'),
    hooks: hooksFor(args.tsc),
    learnt: args.hooksFile === undefined ? [] : readLearnt(args.hooksFile),
  });
  checkDumps(args.dumpMemory, guest.memory);
  const { engine, reason } = await chooseEngine(args.engine);
  const preempts = args.patience < Number.POSITIVE_INFINITY;
  const facts = await examineEngine(engine, args.tsc, guest, args.cpu, preempts, args.assistUser);
  const { cpuid, hiddenFeatures, windowExact, canPreempt, timeScale, ledger } = facts;
  const words = wordsFor(args, guest, facts);
  if (words.isApplied) (await import('../vmm/boot/linux.js')).giveCommandLine(guest.memory, words.words.join(' '));
  const console = openConsole(args.serial);
  const lastLine = new LastLine(console);
  const options = {
    engine,
    guest,
    cpuid,
    ...(hiddenFeatures !== undefined && { hiddenFeatures }),
    landing: { windowExact, patience: canPreempt ? args.patience : Number.POSITIVE_INFINITY },
    timeScale: engine === 'kvm' ? (args.timeScale ?? timeScale) : 1,
    fxsaveClears: facts.fxsaveClears,
    userReturns: facts.userReturns,
    assistsPaging: facts.assistsPaging,
    assistsAll: facts.assistsAll,
    serial: isWatched() && !isOnTerminal(args.serial) ? lastLine : console,
    host: realHost,
    strictBus: args.strictBus,
    inputOpen: args.serial.kind === 'stdio' && process.stdin.isTTY === true,
    limits: args.limits,
  };
  return {
    options,
    guest,
    console,
    lastLine,
    ledger,
    engineReason: reason,
    words,
  };
}

/** Connects standard input with a machine whose console is standard input and output. Returns how to stop that. */
export function connectInput(machine: Machine, args: MachineArguments): () => void {
  if (args.serial.kind !== 'stdio') return () => {};
  return readConsole((bytes) => machine.receive(bytes));
}

/** Adds what a run learnt to the file of --hooks. Says so on a terminal. */
export function keepLearnt(path: string | undefined, vcpu: Vcpu): void {
  if (path === undefined) return;
  const count = addLearnt(
    path,
    (vcpu.unhookedSites?.() ?? []).map(({ rip, kind }) => ({ address: rip, kind })),
  );
  if (isWatched() && count > 0) process.stderr.write(`vmtape: ${path}: ${count} sites more\n`);
}

/** Writes what --dump-state and --dump-mem ask for, however the run ended. */
export function writeResults(machine: Machine, args: MachineArguments): void {
  if (args.dumpState !== undefined) {
    // A run that failed may have ended within an instruction.
    machine.vcpu.complete();
    writeResult('--dump-state', args.dumpState, stateToJson(machine.vcpu.getState()));
  }
  writeDumps(args.dumpMemory, machine.memory);
  keepLearnt(args.hooksFile, machine.vcpu);
}

/** Words of a Linux command line. */
export interface LinuxWords {
  readonly words: readonly string[];
  /** Why. */
  readonly reasons: readonly string[];
  /** The guest has them for its command line; else it lacks them. */
  readonly isApplied: boolean;
}

/** What a Linux kernel should be told, and is not, of which this KVM does what a replay cannot. */
function wordsFor({ source, canAppend }: MachineArguments, guest: BootedGuest, facts: EngineFacts): LinuxWords {
  if (source.kind !== 'kernel' || !guest.isLinux) return { words: [], reasons: [], isApplied: false };
  const { commandLine, initrd } = source;
  const features = missingWords(facts.unhidden, commandLine);
  // Without an initial RAM disk there are no programs, as there is no disk.
  const vdso = facts.programsReadTsc && initrd !== undefined ? missingVdsoWords(commandLine) : [];
  const words = [...features, ...vdso];
  const reasons = [
    ...(features.length > 0 ? ['shows the guest features that a replay lacks'] : []),
    ...(vdso.length > 0 ? ['has no exit where programs read the time stamp'] : []),
  ];
  return { words, reasons, isApplied: canAppend && words.length > 0 };
}

/**
 * Says on standard error, on a terminal only, which engine `auto` chose and why; and always, if the guest is shown what a replay
 * on the interpreter lacks, or sees unseen the time of the host, what keeps it from that.
 */
export function explainEngine({ words: { words, reasons, isApplied }, engineReason }: PreparedMachine): void {
  if (words.length > 0) {
    const line = `"${words.join(' ')}"`;
    const advice = isApplied ? `its command line is ${line} (--no-default-append: none)` : `add ${line} to --append`;
    process.stderr.write(`vmtape: this KVM ${reasons.join(', and ')}: ${advice}\n`);
  }
  if (engineReason === undefined || process.stderr.isTTY !== true) return;
  process.stderr.write(`vmtape: running on the interpreter, as ${engineReason}\n`);
}
