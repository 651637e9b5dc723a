/** Runs batches of cases on one engine. */
import { ExitCode, VmtapeError } from '../../base/errors.js';
import { hexBytes } from '../../base/hex.js';
import { InterpVcpu } from '../../vmm/cpu/interp.js';
import { KvmVcpu } from '../../vmm/cpu/kvm.js';
import type { CpuState } from '../../vmm/cpu/state.js';
import { ExitReason, type Vcpu } from '../../vmm/cpu/vcpu.js';
import { GuestMemory } from '../../vmm/memory.js';
import type { InsnCase } from './case.js';
import { comparisonCpuid } from './cpuid.js';
import { type GuestLayout, layoutOf } from './guest-layout.js';
import { buildImage } from './image.js';
import * as at from './layout.js';
import { Result } from './layout.js';
import type { Level } from './levels.js';
import { placeCases } from './place.js';

/** Microseconds of host time after which a batch is kicked; of the processor's time in which a case that does not end hangs. */
const KICK_AFTER = 500_000;
const HANGS_AFTER = 500_000;
/** Instructions a case after which the interpreter's run ends. */
const INSTRUCTIONS_A_CASE = 20_000;

/** What ended a run that was to go on to the batch's end. */
const NOTES = new Map<ExitReason, number>([
  [ExitReason.EngineError, at.NOT_EXECUTED],
  [ExitReason.Kicked, at.HUNG],
  [ExitReason.Limit, at.HUNG],
  [ExitReason.Shutdown, at.SHUTDOWN],
]);

/** Microseconds that this process has spent on the processor, a guest's included. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** What executes batches of cases. */
export interface CaseRunner {
  /** Runs at most a batch of cases (GuestLayout.slots); their result records, valid until the next run. */
  run(cases: readonly InsnCase[]): Uint8Array;
  /** The window's pages outside the window, and the pages behind them: what a case wrote past it. */
  readonly outside: Uint8Array;
  /** The next run begins from the state of the image, whatever earlier cases left in the engine. */
  reset(): void;
  close(): void;
}

/** One engine with the comparing guest in it. */
export class InsnEngine implements CaseRunner {
  readonly #layout: GuestLayout;
  readonly #memory: GuestMemory;
  readonly #ram: Uint8Array;
  readonly #view: DataView;
  readonly #vcpu: Vcpu;
  /** GuestLayout.restored as it was built. */
  readonly #pristine: readonly Uint8Array[];
  readonly #begin: CpuState;
  readonly #back: number;
  readonly #level: Level;
  /** The vCPU waits at the end of a batch, or must be put to the beginning. */
  #isReady = false;

  constructor(engine: 'kvm' | 'interp', level: Level) {
    this.#level = level;
    this.#layout = layoutOf(level);
    this.#memory = new GuestMemory({ ramSize: this.#layout.ramSize });
    this.#ram = this.#memory.bytes(0, this.#layout.ramSize);
    this.#view = new DataView(this.#ram.buffer, this.#ram.byteOffset, this.#ram.byteLength);
    const image = buildImage(this.#ram, level);
    this.#pristine = this.#layout.restored.map(([address, length]) => this.#ram.slice(address, address + length));
    this.#begin = image.begin;
    this.#back = image.back;
    this.#vcpu = engine === 'kvm' ? KvmVcpu.open(this.#memory) : InterpVcpu.open(this.#memory);
    this.#vcpu.setCpuid(comparisonCpuid());
  }

  run(cases: readonly InsnCase[]): Uint8Array {
    this.#place(cases);
    if (!this.#isReady) this.#vcpu.setState(this.#begin);
    this.#isReady = false;
    let failed = -1;
    let kicked = { number: -1, spent: 0 };
    for (;;) {
      const reason = this.#enter(cases.length);
      const left = this.#view.getUint16(this.#layout.casesLeft, true);
      if (reason === ExitReason.Io && this.#vcpu.exit.address === at.DONE_PORT && left === 0) break;
      const number = cases.length - left;
      if (reason === ExitReason.Kicked) {
        // A loaded host kicks a batch that is only slow, or was not even running.
        const spent = processorTime();
        if (kicked.number !== number) kicked = { number, spent };
        if (spent - kicked.spent < HANGS_AFTER) continue;
      }
      if (left === 0 || number === failed) throw this.#stuck(cases[number], reason);
      failed = number;
      kicked = { number: -1, spent: 0 };
      this.#skip(NOTES.get(reason) ?? at.LEFT);
    }
    this.#vcpu.complete();
    this.#isReady = true;
    const { results } = this.#layout;
    return this.#ram.subarray(results, results + cases.length * Result.size);
  }

  get outside(): Uint8Array {
    const [address, length] = this.#layout.outside;
    return this.#ram.subarray(address, address + length);
  }

  reset(): void {
    this.#isReady = false;
  }

  close(): void {
    this.#vcpu.close();
  }

  #enter(cases: number): ExitReason {
    const vcpu = this.#vcpu;
    if (vcpu.engine === 'interp') return vcpu.run(vcpu.retired + cases * INSTRUCTIONS_A_CASE);
    vcpu.armTimer?.(KICK_AFTER);
    const reason = vcpu.run(Number.POSITIVE_INFINITY);
    vcpu.armTimer?.(0);
    return reason;
  }

  /** The instruction in hand does not end by itself: its result says why, and the harness goes on behind it. */
  #skip(note: number): void {
    const vcpu = this.#vcpu;
    while (vcpu.complete() !== undefined);
    const state = vcpu.getState();
    state.rip = BigInt(this.#back);
    state.cs = { ...this.#begin.cs };
    state.ss = { ...this.#begin.ss };
    state.halted = false;
    vcpu.setState(state);
    this.#view.setUint32(this.#layout.output + Result.vector, note, true);
  }

  #stuck(one: InsnCase | undefined, reason: ExitReason): VmtapeError {
    const { exit } = this.#vcpu;
    const where = `exit ${reason} at ${this.#vcpu.rip.toString(16)}, bytes ${hexBytes(exit.errorBytes)}`;
    return new VmtapeError(
      'VMTAPE_INSN_STUCK',
      `${this.#vcpu.engine} left the comparing guest at case ${one?.number ?? 'none'} (${one?.row.name ?? 'the harness'}): ${where}`,
      ExitCode.HostCannot,
    );
  }

  #place(cases: readonly InsnCase[]): void {
    const { fills, restored } = this.#layout;
    for (const [i, [address]] of restored.entries()) this.#ram.set(this.#pristine[i] as Uint8Array, address);
    placeCases(this.#ram, cases, this.#back, this.#level);
    for (const [address, length] of [...fills, ...restored]) {
      this.#memory.noteWrite(address, length);
      this.#vcpu.invalidateCode(address, length);
    }
  }
}
