/** From the command's machine options to the options of a Machine. */
import { realHost } from '../base/host.js';
import { type Ledger, missingWords } from '../record/ledger.js';
import type { BootedGuest } from '../vmm/boot/boot.js';
import type { Vcpu } from '../vmm/cpu/vcpu.js';
import type { Machine } from '../vmm/machine.js';
import type { MachineOptions } from '../vmm/machine-options.js';
import { type ConsoleOutput, isOnTerminal, openConsole, readConsole } from './console.js';
import { checkDumps, stateToJson, writeDumps, writeResult } from './dump.js';
import { chooseEngine, examineEngine, hooksFor } from './engine.js';
import { addLearnt, readLearnt } from './hooks-file.js';
import type { MachineArguments } from './machine-arguments.js';
import { isWatched } from './progress.js';
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
  /** What a Linux guest should be told on its command line here, and is not. */
  readonly missingWords: readonly string[];
}

/** Loads the guest and chooses the engine. Everything that can be refused is refused here, before a file is made. */
export async function prepareMachine(args: MachineArguments): Promise<PreparedMachine> {
  // The disassembler of the loaders takes a while to start: only who needs it waits.
  const { bootGuest } = await import('../vmm/boot/boot.js');
  const { isBzImage } = await import('../vmm/boot/linux.js');
  const guest = bootGuest({
    ramSize: args.ramSize,
    source: args.source,
    apic: !args.cpu.removed.includes('apic'),
    hooks: hooksFor(args.tsc),
    learnt: args.hooksFile === undefined ? [] : readLearnt(args.hooksFile),
  });
  checkDumps(args.dumpMemory, guest.memory);
  const { engine, reason } = await chooseEngine(args.engine);
  const { cpuid, hiddenFeatures, windowExact, canPreempt, timeScale, ledger, unhidden } = await examineEngine(
    engine,
    args.tsc,
    guest,
    args.cpu,
    args.patience < Number.POSITIVE_INFINITY,
  );
  const console = openConsole(args.serial);
  const lastLine = new LastLine(console);
  const options = {
    engine,
    guest,
    cpuid,
    ...(hiddenFeatures !== undefined && { hiddenFeatures }),
    landing: { windowExact, patience: canPreempt ? args.patience : Number.POSITIVE_INFINITY },
    timeScale: engine === 'kvm' ? (args.timeScale ?? timeScale) : 1,
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
    missingWords: wordsFor(args, unhidden, isBzImage),
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

/** What a Linux kernel should be told that sees features which a replay lacks. Only Linux has such words. */
function wordsFor(
  { source }: MachineArguments,
  unhidden: readonly string[],
  isBzImage: (bytes: Uint8Array) => boolean,
): string[] {
  return source.kind === 'kernel' && isBzImage(source.kernel.bytes) ? missingWords(unhidden, source.commandLine) : [];
}

/**
 * Says on standard error, on a terminal only, which engine `auto` chose and why; and always, if the guest will use what a replay
 * on the interpreter lacks, how to keep it from that.
 */
export function explainEngine(prepared: PreparedMachine): void {
  if (prepared.missingWords.length > 0) {
    const words = prepared.missingWords.join(' ');
    process.stderr.write(`vmtape: this KVM shows the guest features that a replay lacks: add "${words}" to --append\n`);
  }
  if (prepared.engineReason === undefined || process.stderr.isTTY !== true) return;
  process.stderr.write(`vmtape: running on the interpreter, as ${prepared.engineReason}\n`);
}
