/** Runs batches of cases on one engine. */
import { assert } from '../../base/assert.js';
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
/** More cases of one run after which not even the harness goes on: the engine, or the host, is at fault. */
const MOST_STUCK = 8;

/** EFER.LMA; the L bit in a segment's attributes. */
const LMA = 0x400n;
const L_BIT = 13;

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

/** What {@link InsnEngine.follow} shows: the guest's memory, and the slots as the batch began. */
export interface FollowStep {
  readonly ram: Uint8Array;
  readonly placed: Uint8Array;
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
  /** The vCPU waits at the end of a batch, or must be put to the beginning. */
  #isReady = false;

  constructor(
    engine: 'kvm' | 'interp',
    readonly level: Level,
  ) {
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
    const { results } = this.#layout;
    const record = this.#ram.subarray(results, results + Result.size);
    if (this.#runTogether(cases) === undefined)
      return this.#ram.subarray(results, results + cases.length * Result.size);
    // One of them left an engine in which the harness does not go on: each by itself shows which.
    const all = new Uint8Array(cases.length * Result.size);
    let stuck = 0;
    for (const [i, one] of cases.entries()) {
      const note = this.#runTogether([one]);
      if (note !== undefined) {
        record.fill(0);
        this.#view.setUint32(results + Result.vector, note, true);
        if (++stuck > MOST_STUCK) throw this.#stuck(one);
      }
      all.set(record, i * Result.size);
    }
    return all;
  }

  /** Runs cases in a row. Undefined: all have a result; else what ended the run behind which the harness did not go on. */
  #runTogether(cases: readonly InsnCase[]): number | undefined {
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
      const note = NOTES.get(reason) ?? at.LEFT;
      if (left === 0 || number <= failed) return note;
      failed = number;
      kicked = { number: -1, spent: 0 };
      this.#skip(note);
    }
    this.#vcpu.complete();
    this.#isReady = true;
    return undefined;
  }

  /**
   * The interpreter only. Runs a batch instruction by instruction; calls `visit` with the linear address of each that case `index`
   * executes, the harness's included, before it does. `placed`: the slots as the batch began.
   */
  follow(cases: readonly InsnCase[], index: number, visit: (address: number, step: FollowStep) => void): void {
    assert(this.#vcpu.engine === 'interp', 'only the interpreter stops at each instruction');
    this.#place(cases);
    this.#vcpu.setState(this.#begin);
    this.#isReady = false;
    const [slots, length] = this.#layout.fills[0] as readonly [number, number, number];
    const step = { ram: this.#ram, placed: this.#ram.slice(slots, slots + length) };
    const turn = cases.length - index;
    for (let steps = 0, last = -1; ; steps++) {
      const left = this.#view.getUint16(this.#layout.casesLeft, true);
      if (left < turn) return;
      if (left !== last) steps = 0;
      last = left;
      if (left === turn) visit(this.#linearRip(), step);
      const reason = this.#vcpu.run(this.#vcpu.retired + 1);
      if (reason === ExitReason.Limit && steps < INSTRUCTIONS_A_CASE) continue;
      if (left === turn) return;
      this.#skip(NOTES.get(reason) ?? at.LEFT);
    }
  }

  #linearRip(): number {
    const { rip, cs, efer } = this.#vcpu.getState();
    const isLong = (efer & LMA) !== 0n && ((cs.attributes >> L_BIT) & 1) === 1;
    return Number(BigInt.asUintN(isLong ? 64 : 32, (isLong ? 0n : cs.base) + rip));
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

  #stuck(one: InsnCase | undefined): VmtapeError {
    const { exit } = this.#vcpu;
    const where = `${this.#vcpu.rip.toString(16)}, bytes ${hexBytes(exit.errorBytes)}`;
    return new VmtapeError(
      'VMTAPE_INSN_STUCK',
      `${this.#vcpu.engine} left the comparing guest ${MOST_STUCK + 1} times, last at case ${one?.number ?? 'none'} (${one?.row.name ?? 'the harness'}): ${where}`,
      ExitCode.HostCannot,
    );
  }

  #place(cases: readonly InsnCase[]): void {
    const { fills, restored } = this.#layout;
    for (const [i, [address]] of restored.entries()) this.#ram.set(this.#pristine[i] as Uint8Array, address);
    placeCases(this.#ram, cases, this.#back, this.level);
    for (const [address, length] of [...fills, ...restored]) {
      this.#memory.noteWrite(address, length);
      this.#vcpu.invalidateCode(address, length);
    }
  }
}
